# unshare -n perl -e THIS NIC MAC LISTEN_S WORD...: be a host that was never there, beside a NIC, and tell what the wire says.
#
#   gate,MARK,ADDRESS                            a gateway: what bears its mark goes there
#   source,ADDRESS/PREFIX                        an address of its own, where none is leased
#   dhcp,NAME,MAC,SECS,WISH,ANSWERS,TAKES        ask for an address; so many servers shall answer; take a lease, an offer, nothing
#   arp,ADDRESS,ANSWERS                          whose is it?
#   scan,FIRST,LAST                              whose is any of them?
#   proxy,MAC,FIRST,LAST                         for which of them does this host answer?
#   way,NAME,KIND,MARK,SOURCE,ADDRESS,WHAT       go there from the nth address: tcp and read (WHAT is a port), udp, dns and
#                                                dnstcp (a name), icmp (a packet as long as the NIC takes)
#
# Printed are "dhcp NAME TYPE MAC IP ADDRESS CODE=HEX...", "arp ADDRESS MAC", "proxy ADDRESS MAC", "source ADDRESS" and "way NAME
# ANSWER", and "end". The NIC (macvlan) and its network namespace end with this process. The constants are those of Linux: Socket.pm takes
# longer than all else. No single quotes: the text is quoted more than once on its way.
use strict;

my ($nic, $own_mac, $listen_s, @words) = @ARGV;
my ($outside, $born) = (getppid, now_s());
my $everyone = "\xff" x 6;
my (@gates, @dhcp, @arp, @proxy, @ways, @sources, @leases, @out, $mac, $mtu);

sub now_s {
    open my $uptime, "<", "/proc/uptime" or die "/proc/uptime: $!\n";
    return (split " ", <$uptime>)[0];
}

sub quad { return pack "C4", split /\./, shift }
sub dotted { return join ".", unpack "C4", shift }
sub colons { return join ":", unpack "(H2)*", shift }
sub bytes { return pack "(H2)*", split /:/, shift }

sub range { return map { dotted(pack "N", $_) } unpack("N", quad($_[0])) .. unpack "N", quad($_[1]) }

sub ip {
    open my $batch, "|-", "ip -batch -" or die "ip: $!\n";
    print $batch map {"$_\n"} @_;
    close $batch or die "ip refuses: @_\n";
}

for (@words) {
    my ($kind, @rest) = split /,/;
    push @gates,   [@rest] if $kind eq "gate";
    push @sources, $rest[0] if $kind eq "source";
    push @dhcp, {name => $rest[0], mac => bytes($rest[1]), secs => $rest[2], wish => $rest[3], wanted => $rest[4], keep => $rest[5] ne "nothing", borrow => $rest[5] eq "offer"}
        if $kind eq "dhcp";
    push @arp, {address => $rest[0], wanted => $rest[1]} if $kind eq "arp";
    push @arp, map { {address => $_, wanted => 0} } range(@rest) if $kind eq "scan";
    push @proxy, map { {address => $_, mac => $rest[0]} } range(@rest[1, 2]) if $kind eq "proxy";
    push @ways, {name => $rest[0], kind => $rest[1], mark => $rest[2], source => $rest[3], to => $rest[4], what => $rest[5]}
        if $kind eq "way";
}

sub wire {    # a raw socket for one protocol
    my ($protocol) = @_;
    socket my $wire, 17, 3, unpack("S", pack "n", $protocol) or die "no raw socket: $!\n";
    my $request = pack "a16 x24", "probe";
    ioctl $wire, 0x8933, $request or die "no NIC: $!\n";
    bind $wire, pack "S n i x12", 17, $protocol, unpack "x16 i", $request or die "no NIC: $!\n";
    ioctl $wire, 0x8927, $request or die "no MAC: $!\n";
    $mac = substr $request, 18, 6;
    ioctl $wire, 0x8921, $request or die "no MTU: $!\n";
    $mtu = unpack "x16 i", $request;
    return $wire;
}

my @make = ("nsenter", "-t", $outside, "-n", "ip", "link", "add", "probe", "link", $nic, "address", $own_mac, "netns", $$);
system(@make, "type", "macvlan", "mode", "bridge") && die "no NIC beside $nic can be made\n";
# Who was killed a moment ago may still have this MAC: the kernel takes namespaces apart in its own time.
for (my $tries = 0; system "ip", "link", "set", "probe", "up"; $tries++) {
    die "the NIC beside $nic does not come up\n" if $tries == 60;
    select undef, undef, undef, 0.05;
}
ip("link set lo up", map { ("rule add fwmark $_->[0] lookup $_->[0]",
    "route add default via $_->[1] dev probe onlink table $_->[0]") } @gates);
my ($ip_wire, $arp_wire) = (wire(0x800), wire(0x806));
my $began = now_s();
my $prepared_s = $began - $born;
my %arp = map { quad($_->{address}) => $_ } reverse @arp;    # whose answer is awaited comes first

sub checksum {
    my $sum = unpack "%32n*", $_[0] . (length($_[0]) % 2 ? "\0" : "");
    $sum = ($sum & 0xffff) + ($sum >> 16) for 1, 2;
    return ~$sum & 0xffff;
}

sub ask_dhcp {    # DISCOVER 1, REQUEST 3, RELEASE 7, INFORM 8
    my ($client, $type, $to_mac, $from, $to, $ciaddr, @options) = @_;
    my $options = join "", "\x63\x82\x53\x63", pack("C3", 53, 1, $type), @options;
    $options .= pack "C2 C*", 55, 246, 1 .. 49, 58 .. 254 if $type != 7;    # all that a server may have
    my $bootp = pack "C4 a4 n2 a4 x12 a6 x10 x192 a* C", 1, 1, 6, 0, $client->{xid}, $client->{secs}, $type == 7 ? 0 : 0x8000,
        $ciaddr, $client->{mac}, $options, 255;
    my $udp = pack "n4 a*", 68, 67, 8 + length $bootp, 0, $bootp;
    my $head = pack "C2 n3 C2 n a4 a4", 0x45, 0, 20 + length $udp, 0, 0, 64, 17, 0, $from, $to;
    substr($head, 10, 2) = pack "n", checksum($head);
    send $ip_wire, "$to_mac$mac\x08\x00$head$udp", 0;
}

sub discover {
    my $client = shift;
    my @wish = $client->{wish} ? pack "C2 a4", 50, 4, quad($client->{wish}) : ();
    ask_dhcp($client, 1, $everyone, "\0" x 4, "\xff" x 4, "\0" x 4, @wish);
}

sub request {
    my $client = shift;
    ask_dhcp($client, 3, $everyone, "\0" x 4, "\xff" x 4, "\0" x 4, pack("C2 a4", 50, 4, $client->{offer}), pack "C2 a4", 54, 4, $client->{server});
}

sub who_has {
    my ($address, $to_mac, $mine) = @_;
    send $arp_wire, pack("a6 a6 n n2 C2 n a6 a4 x6 a4", $to_mac, $mac, 0x806, 1, 0x800, 6, 4, 1, $mac, $mine, quad($address)), 0;
}

sub hear_dhcp {
    my ($from, $frame) = @_;
    my $header = (ord(substr $frame, 14) & 15) * 4;
    return if length $frame < 14 + $header + 8 + 240 || ord(substr $frame, 23) != 17;
    my $bootp = substr $frame, 14 + $header + 8;
    return if ord $bootp != 2 || substr($frame, 14 + $header + 2, 2) ne "\x00\x44";
    my ($client) = grep { $_->{xid} eq substr $bootp, 4, 4 } @dhcp or return;
    my ($at, %options, @order) = 240;
    while ($at + 1 < length $bootp && (my $code = ord substr $bootp, $at) != 255) {
        my $length = $code ? ord substr $bootp, $at + 1 : -1;
        if ($code) {
            push @order, $code unless defined $options{$code};
            $options{$code} .= unpack "H*", substr $bootp, $at + 2, $length;
        }
        $at += 2 + $length;
    }
    my $type = hex($options{53} // 0);
    my ($sender, $address) = (substr($frame, 26, 4), substr $bootp, 16, 4);
    push @out, join " ", "dhcp", $client->{name}, $type, colons($from), dotted($sender), dotted($address), map {"$_=$options{$_}"} @order;
    $client->{seen}{$from} = 1 if $type == 2;
    if ($type == 2 && $client->{keep} && !$client->{offer}) {
        @$client{qw(offer server server_mac)} = ($address, pack("H8", $options{54} // ""), $from);
        request($client) unless $client->{borrow};
    }
    if ($type == ($client->{borrow} ? 2 : 5) && $client->{keep} && !$client->{leased} && $address eq ($client->{offer} // "")) {
        $client->{leased} = $address;
        $client->{prefix} = unpack "%32b*", pack "H8", $options{1} // "";
    }
}

sub hear_arp {
    my ($from, $frame) = @_;
    my ($operation, $owner, $address) = unpack "x20 n a6 a4", $frame;
    return if $operation != 2 || substr($frame, 32, 6) ne $mac;
    my $asked = $arp{$address};
    push @out, join " ", "arp", dotted($address), colons($owner) if $asked && !$asked->{seen}{$owner}++;
    for (grep { $_->{address} eq dotted($address) && $_->{mac} eq colons($from) && !$_->{seen}++ } @proxy) {
        push @out, "proxy $_->{address} $_->{mac}";
    }
}

sub query {
    my ($id, $name) = @_;
    my $labels = join "", map { pack "C/a*", $_ } split /\./, $name;
    return pack "n6 a* x n2", $id, 0x100, 1, 0, 0, 0, $labels, 1, 1;
}

sub set_out {    # begin a way
    my ($number, $way) = @_;
    my ($type, $protocol) = $way->{kind} =~ /tcp|read/ ? (1, 6) : $way->{kind} eq "icmp" ? (3, 1) : (2, 17);
    my $port = $way->{kind} =~ /dns/ ? 53 : $way->{what};
    $port = 0 if $type == 3;
    my $socket;
    socket $socket, 2, $type, $protocol or return tell_way($way, $!);
    fcntl $socket, 4, 2048;
    setsockopt $socket, 1, 36, pack "i", $way->{mark} or return tell_way($way, $!);
    setsockopt $socket, 0, 10, pack "i", 2 if $type == 3;    # in one piece
    bind $socket, pack "S n a4 x8", 2, 0, quad((split "/", $sources[$way->{source}])[0]) or return tell_way($way, $!);
    $way->{socket} = $socket;
    $way->{id} = $number + 1;
    connect $socket, pack "S n a4 x8", 2, $port, quad($way->{to}) or $!{EINPROGRESS} or return tell_way($way, $!);
    $way->{waits} = $type == 1 ? "write" : "read";
    go($way) if $type != 1;
}

sub go {    # say what is said first; again, where it may be lost
    my ($way) = @_;
    my $said = $way->{kind} =~ /dns/ ? query($way->{id}, $way->{what}) : "?";
    $said = pack "n/a*", $said if $way->{kind} eq "dnstcp";
    if ($way->{kind} eq "icmp") {
        $said = pack "C2 n3 x" . ($mtu - 28), 8, 0, 0, $way->{id}, 1;
        substr($said, 2, 2) = pack "n", checksum($said);
    }
    defined send $way->{socket}, $said, 0 or tell_way($way, $!);
}

sub tell_way {
    my ($way, $answer) = @_;
    push @out, "way $way->{name} $answer";
    $way->{told} = 1;
    delete $way->{socket};
}

sub go_on {    # its socket has something to say
    my ($way) = @_;
    if ($way->{waits} eq "write") {
        my $error = unpack "i", getsockopt $way->{socket}, 1, 4;
        if ($error || $way->{kind} eq "tcp") {
            local $! = $error;
            return tell_way($way, $error ? $! : "open");
        }
        $way->{waits} = "read";
        go($way) if $way->{kind} eq "dnstcp";
        return;
    }
    defined recv $way->{socket}, my $said, 65535, 0 or return tell_way($way, $!);
    if ($way->{kind} =~ /dns/) {
        $said = substr $said, 2 if $way->{kind} eq "dnstcp";
        return if length $said < 12 || unpack("n", $said) != $way->{id};
        my ($flags, $answers) = unpack "x2 n x2 n", $said;
        my $at = 12 + 2 + length($way->{what}) + 4;
        my ($class, $length, $address) = unpack "n x4 n a4", substr $said, $at + 4 if $answers;
        tell_way($way, join " ", "rcode", $flags & 15, $answers, $answers && $length == 4 ? dotted($address) : ());
    } elsif ($way->{kind} eq "icmp") {
        my ($type, $id) = unpack "C x3 n", substr $said, (ord($said) & 15) * 4;
        tell_way($way, "echo " . (length $said == $mtu ? "full" : length $said)) if $type == 0 && $id == $way->{id};
    } else {
        $said =~ s/\s+$//;
        tell_way($way, $said eq "" ? "nothing" : $said);
    }
}

sub release {
    for my $client (grep { $_->{leased} && !$_->{borrow} } @dhcp) {
        ask_dhcp($client, 7, @$client{qw(server_mac leased server leased)}, pack "C2 a4", 54, 4, $client->{server});
        delete $client->{leased};
    }
}

$SIG{$_} = sub { release(); exit 1 } for qw(HUP INT TERM PIPE ALRM);
alarm 60;

sub ready {
    my ($timeout_s) = @_;
    my ($reads, $writes) = ("", "");
    vec($reads, fileno $_, 1) = 1 for $ip_wire, $arp_wire;
    for (grep { $_->{socket} } @ways) {
        $_->{waits} eq "write" ? vec($writes, fileno $_->{socket}, 1) = 1 : (vec($reads, fileno $_->{socket}, 1) = 1);
    }
    select $reads, $writes, undef, $timeout_s;
    for ([$ip_wire, \&hear_dhcp], [$arp_wire, \&hear_arp]) {
        next if !vec $reads, fileno $_->[0], 1;
        while (defined recv $_->[0], my $frame, 2048, 0x40) {
            $_->[1]->(substr($frame, 6, 6), $frame);
        }
    }
    go_on($_) for grep { $_->{socket} && (vec($reads, fileno $_->{socket}, 1) || vec $writes, fileno $_->{socket}, 1) } @ways;
}

# Who has answered most in a moment will not answer the rest after two seconds. Where all is slow it may: a machine that took
# long to make a NIC, or to answer anything, is given as much more.
sub until_all {
    my ($missing, $again) = @_;
    my ($start, $last, $said, $count) = (now_s(), 0, now_s(), -1);
    while (my $left = $missing->()) {
        my $now = now_s();
        ($count, $last) = ($left, $now - $start) if $left != $count;
        return if $now - $start > 2 + 4 * $last + 8 * $prepared_s || $now - $start > 15;
        $again->(), $said = $now if $now - $said > 0.5;
        ready(0.05);
    }
}

my $number = 0;
for (@dhcp) {
    $_->{xid} = pack "n2", $$ & 0xffff, ++$number;
    discover($_);
}
who_has($_->{address}, $everyone, "\0" x 4) for @arp;
until_all(
    sub {
        return grep({ keys %{$_->{seen}} < $_->{wanted} || $_->{keep} && $_->{wanted} && !$_->{leased} } @dhcp)
            + grep { keys %{$_->{seen}} < $_->{wanted} } @arp;
    },
    sub {
        $_->{offer} && !$_->{leased} ? request($_) : discover($_) for grep { keys %{$_->{seen}} < $_->{wanted} || $_->{keep} && !$_->{leased} } @dhcp;
        who_has($_->{address}, $everyone, "\0" x 4) for grep { keys %{$_->{seen}} < $_->{wanted} } @arp;
    }
);

push @sources, map { dotted($_->{leased}) . "/$_->{prefix}" } grep { $_->{leased} } @dhcp;
if (@sources) {
    ip(map {"address add $_ dev probe"} @sources);
    who_has($_, $everyone, quad($_)) for map { (split "/")[0] } @sources;    # an announcement: others may have had them
    my $mine = quad((split "/", $sources[0])[0]);
    who_has($_->{address}, bytes($_->{mac}), $mine) for @proxy;
    # Who pings an address before it offers it tells of itself at once.
    ask_dhcp($_, 8, $everyone, $mine, "\xff" x 4, $mine) for grep { ($_->{leased} // $mine) eq $mine } @dhcp;
    $number = 0;
    for (grep { $_->{source} < @sources } @ways) {
        set_out($number++, $_);
    }
    until_all(
        sub { scalar grep { $_->{socket} } @ways },
        sub { go($_) for grep { $_->{socket} && $_->{kind} =~ /^(udp|dns|icmp)$/ } @ways }
    );
}
while ((my $left = $began + $listen_s - now_s()) > 0) {
    ready($left);
}
release();
system "ip", "link", "delete", "probe";
print map {"$_\n"} @out, map({ "source " . (split "/")[0] } @sources), "end";
