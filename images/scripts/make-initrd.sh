#!/bin/bash
# Makes the kernel's and the initrd's files from the live root, by dracut in an overlay above it: the root stays as it is.
# Run in a mount and PID namespace of its own.
#   make-initrd.sh ROOT DIRECTORY IGNITION LIVE-MODULE NETWORK-FILE
set -eu
lower=$1 directory=$2 ignition=$3 module=$4 network=$5
. "$(dirname "$0")/overlay.sh"
cd "$directory"
open_root "$lower"

modules=root/usr/lib/dracut/modules.d
cp -R "$ignition/dracut" $modules/30ignition
cp "$ignition/ignition" $modules/30ignition/ignition
cp -R "$module" $modules/35pilotlight-live
cp "$network" $modules/35pilotlight-live/
find $modules/30ignition $modules/35pilotlight-live -type f ! -name '*.service' ! -name '*.network' ! -name '*.target' \
  ! -name '*.rules' -exec chmod 0755 {} +

kernel=$(cd root/lib/modules && echo *)
export LC_ALL=C.UTF-8
chroot root dracut --force --no-hostonly --no-hostonly-cmdline --no-early-microcode --kver "$kernel" --nofscks \
  --modules "base systemd systemd-initrd dracut-systemd udev-rules fs-lib network systemd-networkd url-lib ignition pilotlight-live shutdown" \
  --reproducible --compress "zstd -3" --tmpdir /tmp /tmp/initrd.img
cp root/tmp/initrd.img initrd.img
cp "root/boot/vmlinuz-$kernel" vmlinuz
chmod 0644 initrd.img vmlinuz
close_root
rm -rf upper
