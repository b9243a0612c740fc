#!/bin/bash
# dracut module: boots the live system. Ignition's own module leaves three things to the distribution: to say when a
# boot is live, to bring up the network, and to mount the root.

check() {
    return 255 # only when asked for
}

depends() {
    echo systemd-networkd ignition
}

installkernel() {
    hostonly='' instmods \
        virtio_pci virtio_net virtio_blk virtio_scsi virtio_rng virtio-rng qemu_fw_cfg \
        e1000 e1000e igb ixgbe i40e r8169 tg3 bnxt_en mlx5_core \
        ahci ata_piix nvme sd_mod loop squashfs overlay ext4 xfs vfat nls_cp437 nls_ascii nls_iso8859-1 af_packet
}

install() {
    inst_multiple curl mount umount mkdir systemctl sleep cat ln cp mv ip sha256sum age-keygen
    inst_multiple -o sgdisk mkfs.ext4 mkfs.fat partx blkid useradd groupadd usermod
    inst_libdir_file 'libnss_files.so*' 'libnss_dns.so*'
    inst_script "$moddir/is-live-image" /usr/bin/is-live-image
    inst_script "$moddir/machine-key" /usr/sbin/pilotlight-machine-key
    inst_script "$moddir/network" /usr/sbin/pilotlight-live-network
    inst_script "$moddir/root" /usr/sbin/pilotlight-live-root
    inst_script "$moddir/generator" "$systemdutildir/system-generators/pilotlight-live-generator"
    inst_simple "$moddir/80-pilotlight.network" /etc/systemd/network/80-pilotlight.network
    for unit in pilotlight-machine-key pilotlight-live-network pilotlight-live-root; do
        inst_simple "$moddir/$unit.service" "$systemdsystemunitdir/$unit.service"
    done
}
