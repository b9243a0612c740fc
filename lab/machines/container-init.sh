#!/bin/sh
# The kernel's part of a container machine: its file systems and devices, then systemd as process 1. Runs as process 1
# of the machine's namespaces, called by container-boot.sh with the same environment, and `cmdline`.
set -eu
cd "$MEMORY"
root=$MEMORY/root
console=$(tty)
mount --make-rprivate /

# Second views of /proc and /sys to take pieces from: the machine's own are read-only in places.
mkdir proc sys knobs
mount -t proc proc proc
mount -t sysfs sysfs sys

# Settings of the whole kernel belong to the host. The kubelet insists on writing a few: the machine gets copies.
knobs='vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys
kernel/keys/root_maxbytes'
mkdir -p knobs/vm knobs/kernel/keys
for knob in $knobs; do cat "proc/sys/$knob" > "knobs/$knob"; done
cat proc/sys/kernel/random/uuid > knobs/boot_id # each boot of each machine has its own

# /sys is read-only, as the devices are the host's: udev then stays off, and networkd takes eth0 without asking it.
cat > init.table <<TABLE
proc                         $root/proc               proc   nosuid,nodev,noexec          0 0
$MEMORY/proc/sys             $root/proc/sys           none   bind,ro                      0 0
$MEMORY/proc/sys/net         $root/proc/sys/net       none   bind                         0 0
$MEMORY/cmdline              $root/proc/cmdline       none   bind,ro                      0 0
$MEMORY/sys                  $root/sys                none   bind,ro                      0 0
tmpfs                        $root/run                tmpfs  mode=755,nosuid,nodev        0 0
tmpfs                        $root/dev                tmpfs  mode=755,nosuid              0 0
$MEMORY/knobs/boot_id        $root/proc/sys/kernel/random/boot_id none bind,ro           0 0
$([ ! -e proc/sysrq-trigger ] || echo "$MEMORY/proc/sysrq-trigger $root/proc/sysrq-trigger none bind,ro 0 0")
$(for knob in $knobs; do echo "$MEMORY/knobs/$knob $root/proc/sys/$knob none bind 0 0"; done)
$(sed "s|^\([^ ]*\) |\1 $root/sys/fs/cgroup|" "$CGROUP_TABLE")
TABLE
mount --all --fstab init.table

mkdir -m 700 "$root/run/pilotlight"
if [ -e machine.key ]; then
  cp -p machine.key "$root/run/pilotlight/machine.key"
  rm machine.key
fi
if [ -e disk.env ]; then
  cp disk.env "$root/run/pilotlight/disk.env"
  mkdir "$root/run/pilotlight/state" "$root/run/pilotlight/slot"
  mount --bind state "$root/run/pilotlight/state"
  mount --bind "$SLOT" "$root/run/pilotlight/slot"
  mkdir -p "$root/run/systemd"
  if [ -d network ]; then cp -r network "$root/run/systemd/network"; fi
fi

cd "$root/dev"
mkdir pts shm mqueue net
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty .
for device in kmsg fuse net/tun; do
  if [ -e "/dev/$device" ]; then cp -a "/dev/$device" "$device"; fi
done
ln -s pts/ptmx ptmx
ln -s /proc/self/fd fd
ln -s fd/0 stdin
ln -s fd/1 stdout
ln -s fd/2 stderr
touch console

# The root image stays reachable in the machine where the live system has it. The kernel's log is the host's, and
# journald would read all of it. The console is a log without a keyboard: no one can log in on it. There is no power button,
# which is what logind is for; masked, so that `systemctl reboot` does not wait 50 s for it.
mkdir -p "$root/run/live/ro" "$root/run/systemd/journald.conf.d" "$root/run/systemd/system"
ln -s /dev/null "$root/run/systemd/system/console-getty.service"
ln -s /dev/null "$root/run/systemd/system/systemd-logind.service"
printf '[Journal]\nReadKMsg=no\n' > "$root/run/systemd/journald.conf.d/50-container-machine.conf"
# In a container the kernel's command line is that of process 1, which networkd's own unit hides from it: then no file of network
# settings applies that asks for a word of it.
mkdir -p "$root/run/systemd/system/systemd-networkd.service.d"
printf '[Service]\nProtectProc=default\n' > "$root/run/systemd/system/systemd-networkd.service.d/50-container-machine.conf"
cat > "$MEMORY/dev.table" <<TABLE
devpts       $root/dev/pts     devpts newinstance,ptmxmode=0666,mode=620,gid=5 0 0
tmpfs        $root/dev/shm     tmpfs  mode=1777,nosuid,nodev                   0 0
$console     $root/dev/console none   bind                                     0 0
$MEMORY/ro   $root/run/live/ro none   bind,ro                                  0 0
TABLE
mount --all --fstab "$MEMORY/dev.table"
echo '(none)' > "$MEMORY/proc/sys/kernel/hostname"

# systemd refuses a host with cgroup v1 unless it is asked to stay with it.
if grep -q '^[^ ]* /sys/fs/cgroup/[^ ]* cgroup ' /proc/self/mounts; then
  cmdline="$cmdline SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0"
fi

cd "$root"
pivot_root . .
umount -l .
cd /
mount --make-rshared /
exec /usr/bin/env -i container=pilotlight container_uuid="$UUID" TERM=linux \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /sbin/init $cmdline
