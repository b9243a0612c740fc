#!/bin/sh
# The one slot of a container machine, with the verbs of /usr/lib/pilotlight/slot: a folder with the image, which `current` names
# once it is whole. In the initramfs (fill, start) and in the system (status, good, overdue). A power cut of the machine is not
# one of this host: nothing needs to be flushed here.
set -eu
. /usr/lib/pilotlight/disk-common
slot=$run/slot

case ${1-} in
fill) # DISKS SLOT DIR: the image that this boot fetched is the one that was granted
    version=$(jq --raw-output .version "$4/slot.json")
    sum=$(jq --raw-output '.files["rootfs.squashfs"].sha256' "$4/slot.json")
    rm -rf $slot/new
    mkdir $slot/new
    cp $run/image $slot/new/rootfs.squashfs
    echo "$sum  $slot/new/rootfs.squashfs" | sha256sum --check --status ||
        fail "the image that this machine fetched is not the one that the server granted: its SHA-256 should be $sum"
    cp "$4/slot.json" $slot/new/slot.json
    echo "$version" > $slot/new/version
    # without what names partitions: systemd would look for them
    jq --raw-output '.cmdline | split(" ") | map(select(startswith("roothash=") | not)) | join(" ")' "$4/slot.json" > $slot/new/cmdline
    ;;
start) # DISKS DIR: the machine starts from it, in one step
    version=$(cat $slot/new/version)
    rm -rf "$slot/$version"
    mv $slot/new "$slot/$version"
    ln -sfn "$version" $slot/current.new
    mv -T $slot/current.new $slot/current
    for old in $slot/*; do
        case $old in */current | "$slot/$version") ;; *) rm -rf "$old" ;; esac
    done
    ;;
status)
    . $run/disk.env
    printf '{"disks":"%s","slot":"%s","version":"%s","entered":"%s","good":true,"a":"%s","b":""}\n' "$DISKS" "$SLOT" "$VERSION" "$ENTERED" "$VERSION"
    ;;
good) say 'a container machine has one slot, and counts no boots' ;;
overdue) ;;
write) fail 'a container machine has one slot: install it again' ;;
*) fail 'slot: status, good, overdue, fill DISKS SLOT DIR, start DISKS DIR' ;;
esac
