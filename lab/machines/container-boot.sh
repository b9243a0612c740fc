#!/bin/sh
# A container machine from power-on to its kernel's place, in its own mount and network namespaces: memory, network
# boot, root image, Ignition. Then container-init.sh becomes its process 1. Called by container.ts, on a terminal
# that is the machine's console. Everything mounted here is unmounted when the machine's last process ends.
#
# Given in the environment: MEMORY (an empty folder), NODE, MAC, UUID, INTERFACE, GUEST (file for the pid of process
# 1), CGROUPS (folders to move into), CGROUP_TABLE (what to mount at /sys/fs/cgroup, without the leading path).
set -eu
here=$(dirname "$0")

mount -t tmpfs -o mode=755,size=80% memory "$MEMORY"
"$NODE" --disable-warning=ExperimentalWarning "$here/../netboot/main.ts" \
  --mac "$MAC" --uuid "$UUID" --interface "$INTERFACE" --memory "$MEMORY"
cmdline=$(cat "$MEMORY/cmdline")

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

# What the live initrd does: the root image below, memory above. `volatile`: the upper half never needs a sync.
cd "$MEMORY"
mkdir ro upper work root
mount -t squashfs -o loop,ro rootfs.squashfs ro
mount -t overlay -o "lowerdir=$MEMORY/ro,upperdir=$MEMORY/upper,workdir=$MEMORY/work,volatile" overlay root

# The machine's key of this boot, as the live initrd makes it; container-init.sh puts it into /run.
if [ -x ro/usr/bin/age-keygen ]; then
  (umask 077 && chroot ro /usr/bin/age-keygen > machine.key 2> /dev/null) || rm machine.key # the agent makes one then
fi

# Ignition's place is the initramfs; the root image carries the same binary and all that it calls, so a second view
# of that image stands in for it. Stages, order and conditions are those of Ignition's dracut module.
ignition() {
  echo "Ignition: $1"
  chroot initramfs /usr/lib/ignition/ignition --root=/mnt --platform="$platform" --stage="$1" --log-to-stdout \
    >> ignition.log 2>&1 && return
  tail -n 15 ignition.log
  grep 'Ignition failed:' ignition.log || true
  echo "No boot: the Ignition stage $1 failed."
  exit 1
}

case $(argument ignition.firstboot) in
  '' | 0 | no | off) ;;
  *)
    platform=$(argument ignition.platform.id)
    mkdir initramfs
    mount --bind ro initramfs
    cat > initramfs.table <<TABLE
proc                   $MEMORY/initramfs/proc         proc  defaults 0 0
$MEMORY/cmdline        $MEMORY/initramfs/proc/cmdline none  bind     0 0
sysfs                  $MEMORY/initramfs/sys          sysfs defaults 0 0
/dev                   $MEMORY/initramfs/dev          none  bind     0 0
tmpfs                  $MEMORY/initramfs/run          tmpfs mode=755 0 0
tmpfs                  $MEMORY/initramfs/tmp          tmpfs defaults 0 0
$MEMORY/root           $MEMORY/initramfs/mnt          none  bind     0 0
TABLE
    mount --all --fstab initramfs.table
    mkdir -p initramfs/run/ignition initramfs/run/systemd/resolve
    cp resolv.conf initramfs/run/systemd/resolve/stub-resolv.conf
    cp resolv.conf initramfs/run/systemd/resolve/resolv.conf
    ignition fetch-offline
    if [ -e initramfs/run/ignition/neednet ] && [ ! -e initramfs/run/ignition.json ]; then ignition fetch; fi
    for stage in kargs disks mount files umount; do ignition $stage; done
    umount --recursive initramfs
    ;;
esac

# The system gets the interface as firmware found it, without an address: it asks DHCP itself.
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
