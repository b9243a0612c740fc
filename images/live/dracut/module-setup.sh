#!/bin/bash
# dracut module: boots the live system. Ignition's own module leaves three things to the distribution: to say when a
# boot is live, to bring up the network, and to mount the root.

check() {
    return 255 # only when asked for
}

depends() {
    echo systemd-networkd ignition
}

# The names in images/live/drivers, of which the build knows that the kernel has each; with the firmware that they name.
installkernel() {
    # shellcheck disable=SC2046 # names are words
    hostonly='' instmods $(cat "$moddir/drivers")
}

install() {
    inst_multiple curl mount umount mkdir systemctl sleep cat ln cp mv ip sha256sum age-keygen \
        bash head tr sed date grep networkctl timeout fold
    inst_multiple -o sgdisk mkfs.ext4 mkfs.fat partx blkid useradd groupadd usermod
    inst_disk
    inst_libdir_file 'libnss_files.so*' 'libnss_dns.so*'
    inst_script "$moddir/is-live-image" /usr/bin/is-live-image
    inst_script "$moddir/machine-key" /usr/sbin/pilotlight-machine-key
    inst_script "$moddir/medium" /usr/sbin/pilotlight-medium
    inst_script "$moddir/network" /usr/sbin/pilotlight-live-network
    inst_script "$moddir/clock" /usr/sbin/pilotlight-clock
    inst_script "$moddir/root" /usr/sbin/pilotlight-live-root
    inst_script "$moddir/generator" "$systemdutildir/system-generators/pilotlight-live-generator"
    inst_simple "$moddir/80-pilotlight.network" /etc/systemd/network/80-pilotlight.network
    inst_simple "$moddir/50-pilotlight.conf" /etc/systemd/journald.conf.d/50-pilotlight.conf
    # dracut starts networkd in every boot and asks for addresses on every card; our network service does so when, and on
    # which card, it is needed.
    systemctl --quiet --root "$initdir" disable systemd-networkd.service systemd-networkd.socket \
        systemd-network-generator.service systemd-networkd-wait-online.service
    rm "$initdir/etc/systemd/network/zzzz-dracut-default.network"
    find "$initdir" -path '*/hooks/*' -name '*-networkd-*.sh' -delete
    for unit in pilotlight-console pilotlight-machine-key pilotlight-medium pilotlight-live-network pilotlight-live-root; do
        inst_simple "$moddir/$unit.service" "$systemdsystemunitdir/$unit.service"
    done
}

# What a machine with a disk is installed and started by (docs/disk.md).
inst_disk() {
    inst_multiple jq flock unshare lsblk blkid wipefs blkdiscard blockdev sgdisk sfdisk systemd-repart mkfs.ext4 mkfs.fat mkfs.vfat fsck.fat e2fsck veritysetup mdadm \
        dd tee sync mkfifo cut grep sed sort tail head tr paste cmp base64 basename readlink date stat wc od printf seq cp rm ls touch \
        modprobe udevadm journalctl reboot sleep uname mktemp
    inst_multiple kexec cryptsetup systemd-cryptenroll age base32 stty
    # What cryptsetup and systemd-cryptenroll load when they look for a TPM.
    inst_libdir_file 'cryptsetup/libcryptsetup-token-systemd-tpm2.so' 'libtss2-esys.so*' 'libtss2-mu.so*' 'libtss2-rc.so*' \
        'libtss2-sys.so*' 'libtss2-tctildr.so*' 'libtss2-tcti-device.so*' 'libcryptsetup.so*'
    for script in "$moddir"/shared/*; do
        inst_script "$script" "/usr/lib/pilotlight/${script##*/}"
    done
    for script in choose.jq inventory holds state encryption install network-boot disk-boot own-disk kept-network own-kernel; do
        inst_script "$moddir/disk/$script" "/usr/lib/pilotlight/$script"
    done
    inst_script "$moddir/disk/emergency" /usr/lib/pilotlight/emergency
    inst_script "$moddir/disk/deadline" /usr/lib/pilotlight/deadline
    for unit in pilotlight-deadline pilotlight-disk pilotlight-disk-boot; do
        inst_simple "$moddir/$unit.service" "$systemdsystemunitdir/$unit.service"
    done
    # Where Ignition takes a config that needs no fetch: there only at a boot from the disk. /usr cannot be written in an initrd.
    mkdir -p "$initdir/usr/lib/ignition"
    ln -s /run/pilotlight/user.ign "$initdir/usr/lib/ignition/user.ign"
    # systemd's generator would mount what roothash= names at /sysroot, beside our own root; our initrds have no fstab.
    mkdir -p "$initdir/etc/systemd/system-generators"
    ln -s /dev/null "$initdir/etc/systemd/system-generators/systemd-fstab-generator"
    # What mounts a disk's mirror and names its partitions.
    inst_rules 60-persistent-storage.rules 60-block.rules 63-md-raid-arrays.rules 95-dm-notify.rules 55-dm.rules
    mkdir -p "$initdir/etc/systemd/system.conf.d"
    printf '[Manager]\nCrashAction=reboot\n' > "$initdir/etc/systemd/system.conf.d/50-pilotlight.conf"
    # A boot that fails says why and restarts, instead of opening a shell.
    for service in emergency dracut-emergency; do
        mkdir -p "$initdir/etc/systemd/system/$service.service.d"
        printf '[Service]\nExecStart=\nExecStart=/usr/lib/pilotlight/emergency\nStandardInput=null\nStandardOutput=journal+console\n' \
            > "$initdir/etc/systemd/system/$service.service.d/50-pilotlight.conf"
    done
}
