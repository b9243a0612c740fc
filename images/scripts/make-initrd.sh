#!/bin/bash
# Makes the kernel's and the initrds' files from the live root, by dracut in an overlay above it: the root stays as it is.
# Run in a mount and PID namespace of its own. DRIVERS has a file for each initrd, by its name, with the modules in it.
#   make-initrd.sh ROOT DIRECTORY IGNITION LIVE-MODULE NETWORK-FILE JOURNAL-FILE DRIVERS SHARED-FILE...
set -eu
lower=$1 directory=$2 ignition=$3 module=$4 network=$5 journal=$6 drivers=$7
shift 7
. "$(dirname "$0")/overlay.sh"
cd "$directory"
open_root "$lower"

modules=root/usr/lib/dracut/modules.d
cp -R "$ignition/dracut" $modules/30ignition
cp "$ignition/ignition" $modules/30ignition/ignition
cp -R "$module" $modules/35pilotlight-live
cp "$network" "$journal" $modules/35pilotlight-live/
mkdir $modules/35pilotlight-live/shared
cp "$@" $modules/35pilotlight-live/shared/
# The cards are those of our lists; dracut's own module takes every driver of a network card there is.
printf '#!/bin/bash\ninstallkernel() { :; }\n' > $modules/90kernel-network-modules/module-setup.sh
find $modules/30ignition $modules/35pilotlight-live -type f ! -name '*.service' ! -name '*.network' ! -name '*.target' \
  ! -name '*.rules' ! -name '*.conf' -exec chmod 0755 {} +

kernel=$(cd root/lib/modules && echo *)
export LC_ALL=C.UTF-8
for list in "$drivers"/*; do
  name=${list##*/}
  cp "$list" $modules/35pilotlight-live/drivers
  # Not stripped: a stripped module loses Debian's signature, which a kernel in lockdown (Secure Boot) asks for.
  chroot root dracut --force --no-hostonly --no-hostonly-cmdline --no-early-microcode --kver "$kernel" --nofscks --nostrip \
    --modules "base systemd systemd-initrd dracut-systemd udev-rules fs-lib network systemd-networkd url-lib ignition pilotlight-live shutdown" \
    --reproducible --compress "zstd -9" --tmpdir /tmp "/tmp/$name"
  cp "root/tmp/$name" "$name"
  chmod 0644 "$name"
done
cp "root/boot/vmlinuz-$kernel" vmlinuz
chmod 0644 vmlinuz
close_root
rm -rf upper
