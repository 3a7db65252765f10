#!/bin/sh
# Run by labbuilder in a client: connections to the world at a steady rate, each of its own, and the capture of them.
#   world.sh NIC FOLDER ADDRESS PORT EVERY_S
set -u
tcpdump -q -i "$1" --immediate-mode -s 256 -B 4096 -U -w "$2/world.pcap" "tcp and host $3 and port $4" 2> "$2/world.log" &
until [ -s "$2/world.pcap" ]; do sleep 0.02; done
while :; do
    nc -w 1 "$3" "$4" < /dev/null > /dev/null 2>&1 & # it lives a second at most: who waits longer asks again
    sleep "$5"
done
