#!/bin/bash
# Runs a program of a root, with files of this host at /in and a directory of this host at /out. What the program
# changes in the root is dropped. Run in a mount and PID namespace of its own.
#   in-root.sh ROOT DIRECTORY [NAME=FILE...] -- COMMAND...
set -eu
lower=$1 directory=$2
shift 2
. "$(dirname "$0")/overlay.sh"
cd "$directory"
directory=$PWD
rm -rf --one-file-system .overlay # of a run that was killed: its mounts went with it
mkdir .overlay
cd .overlay
open_root "$lower"
mkdir root/in root/out
mount --bind "$directory" root/out
while [ "$1" != -- ]; do
  touch "root/in/${1%%=*}"
  mount --bind -o ro "${1#*=}" "root/in/${1%%=*}"
  shift
done
shift
status=0
LC_ALL=C.UTF-8 SOURCE_DATE_EPOCH=0 chroot root "$@" || status=$?
umount root/in/* root/out 2> /dev/null || true
close_root
rm -rf upper
cd ..
rmdir .overlay
exit $status
