# Run by cloud-init, before SSH: each argument is MAC=NAME. cloud-init's own renaming fails where udev has given a NIC
# the wanted name as its second one, and an old kernel renames no NIC that is up.
ip -o link | awk '{ sub(/[:@].*/, "", $2); for (i = 3; i < NF; i++) if ($i == "altname") print $2, $(i + 1) }' |
    while read -r nic other; do
        ip link property del dev "$nic" altname "$other"
    done
pending=
for card; do
    nic=$(grep -lix "${card%%=*}" /sys/class/net/*/address | cut -d/ -f5)
    if [ -n "$nic" ] && [ "$nic" != "${card#*=}" ]; then
        aside=aside$(echo "$pending" | wc -w) # another NIC may still have the name
        ip link set "$nic" down
        ip link set "$nic" name "$aside"
        pending="$pending $aside=${card#*=}"
    fi
done
for step in $pending; do
    ip link set "${step%%=*}" name "${step#*=}"
    ip link set "${step#*=}" up
done
