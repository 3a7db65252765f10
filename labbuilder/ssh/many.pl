# perl -e THIS MARK LIMIT_S SCRIPT...: run the scripts at the same time, each in a process group of its own.
# Print for each as it ends "MARK number status bytes-of-output bytes-of-errors", both texts and a newline. The status
# of one that reached its limit is -1; it is killed with all that it started.
use strict;

my ($mark, $limit_s, @scripts) = @ARGV;
my $EINTR = 4;    # without loading Errno
my (%number, %text, %pipe);

sub now_s {    # whatever happens to the clock; without loading Time::HiRes
    open my $uptime, "<", "/proc/uptime" or die "/proc/uptime: $!\n";
    return (split " ", <$uptime>)[0];
}

sub say_all {
    my $rest = shift;
    while (length $rest) {
        my $written = syswrite STDOUT, $rest;
        next if !defined $written && $! == $EINTR;
        exit 1 unless $written;
        substr($rest, 0, $written) = "";
    }
}

sub ready {
    my ($timeout_s, @pipes) = @_;
    my $bits = "";
    vec($bits, fileno $_, 1) = 1 for @pipes;
    return select($bits, undef, undef, $timeout_s) > 0 ? grep { vec($bits, fileno $_, 1) } @pipes : ();
}

sub take {
    my ($pid, $stream) = @_;
    my $read = sysread $pipe{$pid}[$stream], $text{$pid}[$stream], 65536, length $text{$pid}[$stream];
    $pipe{$pid}[$stream] = undef unless $read || !defined $read && $! == $EINTR;
}

sub end {
    my ($pid, $status) = @_;
    for my $stream (0, 1) {
        for (1 .. 2) {    # what a pipe holds; who it left behind may write for ever
            take($pid, $stream) if $pipe{$pid}[$stream] && ready(0, $pipe{$pid}[$stream]);
        }
    }
    my $lengths = join " ", map { length } @{$text{$pid}};
    say_all("$mark $number{$pid} $status $lengths\n" . join("", @{$text{$pid}}) . "\n");
    delete $number{$pid};
    delete $pipe{$pid};
}

sub start {
    my $number = shift;
    pipe(my $out, my $out_end) && pipe(my $err, my $err_end) or die "pipe: $!\n";
    my $pid = fork;
    defined $pid or die "fork: $!\n";
    if (!$pid) {
        $SIG{CHLD} = "DEFAULT";
        setpgrp;
        open STDIN, "<", "/dev/null";
        open STDOUT, ">&", $out_end;
        open STDERR, ">&", $err_end;
        exec "/bin/sh", "-c", $scripts[$number];
        exit 127;
    }
    ($number{$pid}, $text{$pid}, $pipe{$pid}) = ($number, ["", ""], [$out, $err]);
}

my $end_s = now_s() + $limit_s;
pipe(my $woken, my $wake) or die "pipe: $!\n";
$SIG{CHLD} = sub { syswrite $wake, "c" };
start($_) for 0 .. $#scripts;
while (%number) {
    my $left_s = $end_s - now_s();
    if ($left_s <= 0) {
        for my $pid (keys %number) {
            kill "KILL", -$pid;
            end($pid, -1);
        }
        last;
    }
    my %now = map { $_ => 1 } ready($left_s, $woken, map { grep { $_ } @$_ } values %pipe);
    for my $pid (keys %pipe) {
        for my $stream (0, 1) {
            take($pid, $stream) if $pipe{$pid}[$stream] && $now{$pipe{$pid}[$stream]};
        }
    }
    if ($now{$woken}) {
        sysread $woken, my $calls, 4096;
        while ((my $pid = waitpid -1, 1) > 0) {
            end($pid, $? & 127 ? 128 + ($? & 127) : $? >> 8) if exists $number{$pid};
        }
    }
}
