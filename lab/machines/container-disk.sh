# The disk of a container machine: one ext4 file, its state partition; the image that it starts from is beside it, in a folder. It
# takes the place of partitions for the initrd's own programs (images/live/dracut/disk), which ask the server, decide, and keep what
# is kept. To be sourced by sh, after disk-common and state; network-boot does it itself.
disk_file=$run/disk.img

# What its firmware shows; /sys is the host's.
machine_uuid() { cat $run/uuid; }
machine_macs() { :; }
# The clock is the host's.
set_clock() { :; }

look() {
    own=null holds=null
    rm -f $run/found.json $run/found.key
    type=$(blkid -p -s TYPE -o value $disk_file 2> /dev/null) || type=
    if [ -n "$type" ]; then
        holds="\"$type\""
        if mount_state $disk_file ro,noload; then
            own="\"$(own_of)\""
            keep_seen_key
            [ ! -e $run/seen.key ] || mv $run/seen.key $run/found.key
            case $own in *installed* | *other*) jq --compact-output \
                '{ machine, authority, uuid, version, disk: "disk" } | map_values((. // "") | tostring | .[:200])' $kept/machine.json > $run/found.json ;; esac
            umount $state
        else
            own='"unreadable"'
        fi
    fi
    jq --null-input --compact-output --argjson bytes "$(stat --format=%s $disk_file)" --arg serial "$(machine_uuid)" \
        --argjson own "$own" --argjson holds "$holds" --arg path $disk_file '[{ name: "disk", path: $path, bytes: $bytes,
        model: "container machine", serial: $serial, byId: null, byIds: [], type: "ssd", removable: false, readOnly: false, busy: false,
        holds: $holds, own: $own }]' > $work/disks.json
    jq --slurpfile choice $work/disk.json --argjson least $LEAST '{ disks: ., choice: $choice[0], least: $least, uefi: true }' $work/disks.json |
        jq --compact-output --from-file $lib/choose.jq > $work/choice.json
    why=$(jq --raw-output .why $work/choice.json)
    say "$why"
}

# It is a file: nothing takes its place.
still_same() { :; }

# As on other machines: our file system without a machine does not exist.
partition() {
    rm -rf $work/seed
    mkdir -p $work/seed/pilotlight
    write_machine '' > $work/seed/pilotlight/machine.json
    mkfs.ext4 -q -F -L pilotlight-state -d $work/seed $disk_file 2> $work/mkfs && return
    problem="no file system on the disk: $(tail -n 1 $work/mkfs)"
    return 1
}

# The kernel under container machines has no device-mapper.
can_encrypt() {
    problem="disk: { encrypt: $encrypt }, and a container machine cannot encrypt: its kernel has no device-mapper. Write encrypt: no, or use driver: qemu"
    return 1
}

state_device() { echo $disk_file; }
slot_version() { [ "$2" = b ] || cat $run/slot/current/version 2> /dev/null || true; }
slot_roothash() { jq --raw-output .roothash $run/slot/current/slot.json; }
# No dm-verity: the kernel under container machines has none. The digest was checked when the image was written.
open_slot() { printf 'DISKS=disk\nSLOT=%s\nVERSION=%s\nENTERED=%s\n' "$2" "$4" "$5" > $run/disk.env; }
keep_lease() { [ ! -e $run/lease ] || replace $kept/lease < $run/lease; }

wipe() {
    rm -rf $run/slot/*
    bytes=$(stat --format=%s $disk_file)
    truncate --size=0 $disk_file
    truncate --size="$bytes" $disk_file
    report wiped disk
    say 'wiped: switches off'
    touch $run/wiped
}

# enter_disk: a boot from the disk, in the place of disk-boot.
enter_disk() {
    # First without the right to write, and without a replay of the journal: it may be another machine's.
    if mount_state $disk_file ro,noload; then
        own=$(own_of)
        of=$(jq --raw-output '"\(.machine), whose UUID is \(.uuid)"' $kept/machine.json 2> /dev/null) || of=
        umount $state
        [ "$own" != unreadable ] || fail 'machine.json on the disk is missing or damaged, and nothing was written to it'
        [ "$own" != other ] ||
            fail "the disk is that of $of, and this machine's is $(machine_uuid). Nothing was written to it. Put the disk back, or run: pilotlight reinstall"
    fi
    mount_checked $disk_file || fail "the disk $problem"
    look_for_room
    jq -e .ignition.version $kept/config.ign > /dev/null 2>&1 ||
        fail 'the config on the disk is missing or damaged. Boot this machine over the network once: its server has it'
    mkdir -p /usr/lib/ignition
    cp $kept/config.ign /usr/lib/ignition/user.ign
    [ ! -s $kept/machine.key ] || (umask 077 && cp $kept/machine.key $run/machine.key)
    version=$(slot_version '' a)
    if [ "$(own_of)" = unfinished ]; then # its power was cut right after its loader was written
        jq --arg version "$version" '. + { version: $version }' $kept/machine.json > $run/machine.json
        replace $kept/machine.json < $run/machine.json
    fi
    open_slot disk a '' "$version" disk
    . $lib/kept-network
}
