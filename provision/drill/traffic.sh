#!/bin/sh
# Run by labbuilder in a client: real clients on the lab's wire, each with a NIC (macvlan) and a network namespace of its own.
#   traffic.sh NIC FOLDER NEWCOMER_EVERY_S RENEWAL_EVERY_S
# FOLDER/holders and FOLDER/newcomers hold a MAC a line. Holders keep their lease and renew it one after the other;
# newcomers ask for an address at a steady rate, and give it back at once so that the pool lasts.
set -u
nic=$1 d=$2 newcomer_every=$3 renewal_every=$4
mkdir -p "$d/held"

cat > "$d/hook" <<'HOOK'
#!/bin/sh
case $1 in
bound | renew)
    ip address replace "$ip/$mask" dev "$interface"
    [ ! -d "${HELD:-/nowhere}" ] || : > "$HELD/$interface"
    ;;
deconfig) ip address flush dev "$interface" ;;
esac
HOOK
chmod +x "$d/hook"

machine() { # NAME MAC: a network namespace with one NIC on the lab's wire
    ip netns add "$1" && ip link add "$1" link "$nic" netns "$1" address "$2" type macvlan mode bridge &&
        ip -n "$1" link set "$1" up
}

newcomer() {
    machine "$1" "$2" && ip netns exec "$1" udhcpc -i "$1" -f -q -R -n -t 60 -T 1 -s "$d/hook" >/dev/null 2>&1
    ip netns del "$1"
}

tcpdump -q -i "$nic" -U -w "$d/capture.pcap" 'udp and (port 67 or port 68)' 2> "$d/tcpdump.log" &
until [ -s "$d/capture.pcap" ]; do sleep 0.02; done

n=0
pids=
while read -r mac; do
    n=$((n + 1))
    machine "h$n" "$mac"
    HELD=$d/held ip netns exec "h$n" udhcpc -i "h$n" -f -t 60 -T 2 -s "$d/hook" >/dev/null 2>&1 &
    pids="$pids $!"
done < "$d/holders"
for _ in $(seq 400); do
    [ "$(ls "$d/held" | wc -l)" -lt "$n" ] || break
    sleep 0.05
done
: > "$d/ready"

if [ -n "$pids" ]; then
    while :; do
        for pid in $pids; do
            sleep "$renewal_every"
            kill -USR1 "$pid" 2>/dev/null
        done
    done &
fi

n=0
while read -r mac; do
    n=$((n + 1))
    newcomer "n$n" "$mac" &
    sleep "$newcomer_every"
done < "$d/newcomers"
wait
