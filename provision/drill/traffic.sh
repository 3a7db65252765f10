#!/bin/sh
# Run by labbuilder in a client: real clients on the lab's wire, each with a NIC (macvlan) and a network namespace of its own.
#   traffic.sh NIC FOLDER NEWCOMER_EVERY_S RENEWAL_EVERY_S [once]
# FOLDER/holders and FOLDER/newcomers hold a MAC a line. Holders keep their lease and renew it, one after the other. Newcomers ask
# for an address at a steady rate, one after the other, again and again or once, and give it back at once, so that the pool lasts:
# five of six by udhcpc, one by dhclient. FOLDER/ready says that all are there, FOLDER/done that each newcomer came once.
set -u
nic=$1 d=$2 newcomer_every=$3 renewal_every=$4 once=${5-}
held=$d/held
mkdir -p "$held" "$d/busy"

cat > "$d/hook" <<'HOOK'
#!/bin/sh
# udhcpc says what it did as a word, dhclient in $reason. A newcomer's RELEASE goes by unicast and the address right after it, so the
# server's MAC must be known by then: hence the ping. udhcpc is told to end, since with -q Debian's sends no RELEASE.
server=${serverid-${new_dhcp_server_identifier-}}
case ${reason-$1} in
BOUND) ip address replace "$new_ip_address/$new_subnet_mask" dev "$interface" ;;
bound | renew) ip address replace "$ip/$mask" dev "$interface" ;;
deconfig | EXPIRE | RELEASE | STOP | FAIL) ip address flush dev "$interface" ;;
esac
case ${reason-$1} in
BOUND) ping -q -n -c 1 -W 1 "$server" > /dev/null ;;
bound)
    case $interface in
    n*) ping -q -n -c 1 -W 1 "$server" > /dev/null; kill "$PPID" ;;
    h*) : > "$HELD/$interface" ;;
    esac
    ;;
esac
HOOK
chmod +x "$d/hook"
echo 'timeout 60; retry 1; initial-interval 1; backoff-cutoff 1; request subnet-mask;' > "$d/dhclient.conf"

# `ip -n` and `ip netns exec` mount a /sys, which not every machine may.
machine() { # NAME MAC: a network namespace with one NIC on the lab's wire
    ip netns add "$1" && ip link add "$1" link "$nic" netns "$1" address "$2" type macvlan mode bridge &&
        inside "$1" ip link set "$1" up
}

machines() { # PREFIX FILE: one for each MAC
    number=0
    while read -r mac; do
        number=$((number + 1))
        machine "$1$number" "$mac"
    done < "$2"
}

inside() { # NAME COMMAND...
    netns=/run/netns/$1
    shift
    nsenter --net="$netns" "$@"
}

by_dhclient() { # NAME
    set -- "$1" -cf "$d/dhclient.conf" -lf "$d/$1.leases" -pf "$d/$1.pid" -sf "$d/hook" "$1"
    name=$1
    shift
    rm -f "$d/$name.leases" "$d/$name.pid" # else it asks for the address that it had
    inside "$name" dhclient -4 -1 -q "$@" || return
    until [ -s "$d/$name.pid" ]; do sleep 0.01; done # the daemon writes it a moment later, and -r ends whom it names
    inside "$name" dhclient -4 -r -q "$@"
}

newcomer() { # NUMBER
    if [ $(($1 % 6)) = 0 ]; then
        by_dhclient "n$1"
    else
        inside "n$1" udhcpc -i "n$1" -f -R -n -t 60 -T 1 -s "$d/hook"
    fi >/dev/null 2>&1
    rm "$d/busy/$1"
}

# Without --immediate-mode the kernel keeps the last second back; with it a slot of the buffer is as long as -s says.
tcpdump -q -i "$nic" --immediate-mode -s 2048 -B 8192 -U -w "$d/capture.pcap" 'udp and (port 67 or port 68)' 2> "$d/tcpdump.log" &
until [ -s "$d/capture.pcap" ]; do sleep 0.02; done
machines n "$d/newcomers" &
making=$!
machines h "$d/holders"
pids=
for n in $(seq "$number"); do
    HELD=$held nsenter --net="/run/netns/h$n" udhcpc -i "h$n" -f -t 60 -T 1 -s "$d/hook" >/dev/null 2>&1 &
    pids="$pids $!"
done
for _ in $(seq 400); do
    [ "$(ls "$held" | wc -l)" -lt "$number" ] || break
    sleep 0.05
done
wait "$making"
: > "$d/ready"

if [ -n "$pids" ]; then
    while :; do
        for pid in $pids; do
            sleep "$renewal_every"
            kill -USR1 "$pid" 2>/dev/null
        done
    done &
fi

newcomers=$(wc -l < "$d/newcomers")
while [ "$newcomers" -gt 0 ]; do
    for n in $(seq "$newcomers"); do
        sleep "$newcomer_every"
        [ ! -e "$d/busy/$n" ] || continue # it still waits for its answer
        : > "$d/busy/$n"
        newcomer "$n" &
    done
    [ -z "$once" ] || break
done
until [ -z "$(ls "$d/busy")" ]; do sleep 0.1; done
: > "$d/done"
wait
