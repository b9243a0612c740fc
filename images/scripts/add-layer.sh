#!/bin/bash
# Installs Debian packages above a root, in an overlay whose upper directory becomes an image layer.
# Run in a mount and PID namespace of its own: mounts and stray processes end with it.
#   add-layer.sh LOWER[:LOWER...] DIRECTORY SOURCES.LIST APT.CONF FINISH PACKAGE...
set -eu
lower=$1 directory=$2 sources=$3 conf=$4 finish=$5
shift 5
. "$(dirname "$0")/overlay.sh"
cd "$directory"
open_root "$lower"

# No service starts while packages are set up; the policy is in a mount of its own, so the layer has no trace of it.
printf '#!/bin/sh\nexit 101\n' > .policy-rc.d
chmod 755 .policy-rc.d
touch root/usr/sbin/policy-rc.d
mount --bind .policy-rc.d root/usr/sbin/policy-rc.d

# Python's bytecode is made once at the end, not by every package for itself.
mount --bind root/usr/bin/true root/usr/bin/py3compile

# apt runs on the host (its resolver, keys and proxies), dpkg in the root.
root=$PWD/root
cat > .layer.conf <<X
Dir "$root";
Dir::Etc::sourcelist "$sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trusted "/etc/apt/trusted.gpg";
Dir::Etc::trustedparts "/etc/apt/trusted.gpg.d";
Dir::Bin::dpkg "env";
DPkg::Options:: "--unset=TMPDIR";
DPkg::Options:: "dpkg";
DPkg::Options:: "--force-unsafe-io";
DPkg::Chroot-Directory "$root";
APT::Architecture "$(chroot "$root" dpkg --print-architecture)";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
X
cat "$conf" >> .layer.conf
export APT_CONFIG=$PWD/.layer.conf DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PYTHONNODEBUGRANGES=1
apt() { apt-get -o Dir::Etc::parts=/dev/null "$@"; }
apt update
apt install --yes "$@"
umount root/usr/bin/py3compile
chroot "$root" /bin/sh -eu -c "$finish"

find root/var/lib/apt/lists root/var/cache/apt root/var/log -type f -delete
umount root/usr/sbin/policy-rc.d
rm root/usr/sbin/policy-rc.d
close_root

# Deletions are written as image layers write them, not as overlayfs does.
find upper -type c -printf '%h\t%f\n' | while IFS=$'\t' read -r folder name; do
  rm "$folder/$name"
  touch "$folder/.wh.$name"
done
rm -f .policy-rc.d .layer.conf "$conf" "$sources"
