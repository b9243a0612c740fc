#!/bin/sh
# A container machine from power-on to its kernel's place, in its own mount and network namespaces: memory, network
# boot or disk, root image, Ignition. Then container-init.sh becomes its process 1. Called by container.ts, on a terminal
# that is the machine's console. Everything mounted here is unmounted when the machine's last process ends.
#
# Given in the environment: MEMORY (an empty folder), NODE, MAC, UUID, INTERFACE, GUEST (file for the pid of process
# 1), CGROUPS (folders to move into), CGROUP_TABLE (what to mount at /sys/fs/cgroup, without the leading path), DISK (the
# file that is its disk, or nothing), SLOT (the folder of the image that it is installed with), BOOT (disk or network).
set -eu
here=$(dirname "$0")
initrd=$here/../../images/live # the initrd's programs for disks

mount -t tmpfs -o mode=755,size=80% memory "$MEMORY"

netboot() {
  "$NODE" --disable-warning=ExperimentalWarning "$here/../netboot/main.ts" \
    --mac "$MAC" --uuid "$UUID" --interface "$INTERFACE" --memory "$MEMORY" "$@"
}

# Its firmware starts from any disk with a Pilotlight state, also another machine's; not from a blank or damaged one, nor one of another system.
can_start() {
  [ -n "$DISK" ] && [ -e "$SLOT/current" ] &&
    [ "$(blkid -p -s LABEL -o value "$DISK" 2> /dev/null)" = pilotlight-state ]
}

# What its firmware does: an installed machine starts from its disk, as the last or the first thing that it tries.
from=network
if ! can_start; then
  netboot
elif [ "$BOOT" = disk ]; then
  from=disk
elif ! netboot --limit 60; then
  echo 'No boot by network: the disk is next'
  from=disk
fi

cd "$MEMORY"
image=$MEMORY/rootfs.squashfs
if [ $from = disk ]; then
  image=$SLOT/current/rootfs.squashfs
  cp "$SLOT/current/cmdline" cmdline
  echo "Disk: $(cat "$SLOT/current/version")"
fi
cmdline=$(cat cmdline)

# The last value of a kernel argument; `yes` for one without a value.
argument() {
  value=
  for word in $cmdline; do
    case $word in
      "$1") value=yes ;;
      "$1="*) value=${word#*=} ;;
    esac
  done
  echo "$value"
}

mkdir ro upper work root
mount -t squashfs -o loop,ro "$image" ro

# The machine's key of this boot, as the live initrd makes it; container-init.sh puts it into /run.
if [ -x ro/usr/bin/age-keygen ]; then
  (umask 077 && chroot ro /usr/bin/age-keygen > machine.key 2> /dev/null) || rm machine.key # the agent makes one then
fi

# Ignition's place is the initramfs; the root image carries the same binary and all that it calls, so another view of
# that image stands in for it. Stages, order and conditions are those of Ignition's dracut module.
ignition() {
  echo "Ignition: $1"
  chroot initramfs /usr/lib/ignition/ignition --root=/sysroot --platform="$platform" --stage="$1" --log-to-stdout \
    >> ignition.log 2>&1 && return
  tail -n 15 ignition.log
  grep 'Ignition failed:' ignition.log || true
  echo "No boot: the Ignition stage $1 failed."
  exit 1
}

# Runs what the initrd does about disks, with the machine's own ways to look at its disk (container-disk.sh). What fails is tried
# again by a restart, as on other machines.
disk() {
  chroot initramfs sh -euc ". /usr/lib/pilotlight/disk-common; . \$lib/state; . \$lib/hardware; $1" && return
  echo 'No boot: restarts in 60 s'
  sleep 60
  exit 129 # a reset
}

make_initramfs() {
  mkdir initramfs initramfs.upper initramfs.work
  mount -t overlay -o "lowerdir=ro,upperdir=initramfs.upper,workdir=initramfs.work" initramfs initramfs
  mkdir -p initramfs/sysroot
  cat > initramfs.table <<TABLE
proc                   $MEMORY/initramfs/proc         proc  defaults 0 0
$MEMORY/cmdline        $MEMORY/initramfs/proc/cmdline none  bind     0 0
sysfs                  $MEMORY/initramfs/sys          sysfs defaults 0 0
/dev                   $MEMORY/initramfs/dev          none  bind     0 0
tmpfs                  $MEMORY/initramfs/run          tmpfs mode=755 0 0
tmpfs                  $MEMORY/initramfs/tmp          tmpfs defaults 0 0
TABLE
  mount --all --fstab initramfs.table
  mkdir -p initramfs/run/ignition initramfs/run/systemd/resolve
  if [ -e resolv.conf ]; then
    cp resolv.conf initramfs/run/systemd/resolve/stub-resolv.conf
    cp resolv.conf initramfs/run/systemd/resolve/resolv.conf
  fi
  [ -n "$DISK" ] || return 0
  mkdir -p initramfs/run/pilotlight/slot initramfs/usr/lib/pilotlight
  cp "$initrd"/dracut/disk/* "$initrd/root/usr/lib/pilotlight/disk-common" initramfs/usr/lib/pilotlight/
  cp "$here/container-disk.sh" initramfs/usr/lib/pilotlight/hardware
  cp "$here/container-slot.sh" initramfs/usr/lib/pilotlight/slot
  echo "$UUID" > initramfs/run/pilotlight/uuid
  for file in machine.key lease; do
    [ ! -e $file ] || cp -p $file initramfs/run/pilotlight/
  done
  touch initramfs/run/pilotlight/disk.img initramfs/run/pilotlight/image
  mount --bind "$DISK" initramfs/run/pilotlight/disk.img
  mount --bind "$image" initramfs/run/pilotlight/image
  mount --bind "$SLOT" initramfs/run/pilotlight/slot
}

# What the live initrd does: the image below, memory above. `volatile`: the upper half never needs a sync; /var and what else
# is on the state's file system is bound over it.
make_root() {
  lower=ro
  if [ -e initramfs/run/pilotlight/disk.env ] && [ $from = network ]; then
    # An installed machine keeps no copy of the image in memory.
    lower=installed
    mkdir installed
    mount -t squashfs -o loop,ro "$SLOT/current/rootfs.squashfs" installed
  fi
  mount -t overlay -o "lowerdir=$MEMORY/$lower,upperdir=$MEMORY/upper,workdir=$MEMORY/work,volatile" overlay root
  mount --make-shared root # what is mounted below initramfs/sysroot is below root, too
  mount --bind root initramfs/sysroot
  if [ -e initramfs/run/pilotlight/disk.env ]; then
    mkdir -p initramfs/run/live/ro
    mount --bind $lower initramfs/run/live/ro
    disk bind_state
    cp "$here/container-slot.sh" root/usr/lib/pilotlight/slot
  fi
}

make_initramfs
[ $from = network ] || disk enter_disk
case $(argument ignition.firstboot) in
  '' | 0 | no | off) make_root ;;
  *)
    platform=$(argument ignition.platform.id)
    ignition fetch-offline
    if [ -e initramfs/run/ignition/neednet ] && [ ! -e initramfs/run/ignition.json ]; then ignition fetch; fi
    if [ -n "$DISK" ] && [ $from = network ]; then disk '. $lib/network-boot'; fi
    if [ -e initramfs/run/pilotlight/wiped ]; then exit 0; fi # an order of the operator: it stays off
    make_root
    for stage in kargs disks mount files umount; do ignition $stage; done
    ;;
esac
mount --make-rprivate root
mount --make-rprivate initramfs
if [ -e initramfs/run/pilotlight/disk.env ]; then
  mkdir state
  mount --bind initramfs/run/pilotlight/state state
  cp -p initramfs/run/pilotlight/disk.env initramfs/run/pilotlight/machine.key .
  if [ -d initramfs/run/systemd/network ]; then cp -r initramfs/run/systemd/network network; fi
fi
if [ -n "$DISK" ]; then umount --lazy initramfs/run/pilotlight/disk.img; fi # the loop device has the file open
umount --recursive initramfs
if [ -d installed ]; then
  umount ro
  rm rootfs.squashfs
  mount --move installed ro
fi

# The system gets the interface as firmware found it, without an address: it asks DHCP itself.
ip link set "$INTERFACE" up
ip address flush dev "$INTERFACE"

echo "Process 1: /sbin/init $cmdline"
export cmdline
# A program that hangs up the console (a getty does) must not end the machine.
trap '' HUP

# Process 1 moves into the machine's cgroups before it makes them its root, so that nothing else stays in them.
exec unshare --mount --uts --ipc --pid --fork --kill-child sh -euc '
  read -r stat < /proc/self/stat # this is still the host'"'"'s /proc: it shows our pid as the host sees it
  set -- $stat
  echo "$1 ${22}" > "$GUEST"
  for folder in $CGROUPS; do echo 0 > "$folder/cgroup.procs"; done
  exec unshare --cgroup sh "$0"
' "$here/container-init.sh"
