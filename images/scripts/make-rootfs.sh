#!/bin/bash
# Packs the live root: Debian's root, our files above it, and the container store, into one squashfs.
# Run in a mount namespace of its own.
#   make-rootfs.sh ROOT ADDED STORE OUT COMPRESSION...
set -eu
root=$1 added=$2 store=$3 out=$4
shift 4
mount --make-rprivate /
merged=$(mktemp -d)
trap 'umount -R "$merged"; rmdir "$merged"' EXIT
mount -t overlay overlay -o "lowerdir=$added:$root" "$merged"
# Bound, not stacked: an overlay would take the deletions inside the store's layers for its own.
mount --bind "$store" "$merged/usr/lib/pilotlight/containerd"
# Left out: what makes an initrd, what installs packages, and Perl and Python, which only packages' own scripts wanted (10 MB of the image).
mksquashfs "$merged" "$out" -noappend -quiet -no-progress -b 131072 -processors 2 "$@" -wildcards \
  -e 'boot/*' 'proc/*' 'sys/*' 'dev/*' 'run/*' 'tmp/*' .built.json \
  usr/lib/dracut 'usr/lib/systemd/system/dracut-*' 'usr/lib/systemd/system/*/dracut-*' usr/share/initramfs-tools \
  'usr/bin/perl*' usr/share/perl5 usr/lib/x86_64-linux-gnu/perl-base 'usr/share/perl/*' 'usr/lib/x86_64-linux-gnu/perl/*' 'usr/lib/x86_64-linux-gnu/libperl.so*' \
  'usr/lib/python3*' 'usr/bin/python3*' usr/share/bash-completion usr/share/zsh usr/share/lintian usr/share/bug \
  'usr/bin/apt*' usr/lib/apt 'usr/lib/x86_64-linux-gnu/libapt-*' usr/bin/sqv usr/share/keyrings var/lib/dpkg/info \
  usr/share/metainfo usr/lib/klibc usr/lib/udev/hwdb.d usr/bin/pzstd \
  usr/lib/firmware/intel-ucode usr/lib/firmware/amd-ucode
