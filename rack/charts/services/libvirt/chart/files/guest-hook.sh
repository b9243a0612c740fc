#!/bin/bash
# Called by libvirt at each step of a guest's life: GUEST STEP PART.
#
# Before it starts, its disks are written from the page cache: Nova has copied them from an image without a sync, and calls the guest
# active next. libvirt waits for this.
if [ "$2/$3" = prepare/begin ]; then
  sync --file-system "${INSTANCES:-/var/lib/nova/instances}" ||
    echo "the disks of $1 were not written before its start: a power cut within half a minute may lose them" >&2
  exit 0
fi

# Puts QEMU, once it runs, into a cgroup beside the pods': ending this pod ends what is in its cgroups, and guests are to live on.
# There they also get a share of the processors as pods together do, not the pod's.
[ "$2/$3" = started/begin ] || exit 0
top=${CGROUP:-/host/cgroup}
pid=$(cat "${RUN:-/run/libvirt}/qemu/$1.pid") || exit 0

# move TREE: the guest goes into the tree's group for guests. A cpuset group takes no process before it has processors.
move() {
  local guests=$1/pilotlight-guests
  mkdir -p "$guests"
  if [ "$1" != "$top" ] && [ -e "$1/cpuset.cpus" ]; then
    cat "$1/cpuset.cpus" > "$guests/cpuset.cpus"
    cat "$1/cpuset.mems" > "$guests/cpuset.mems"
  fi
  echo "$pid" > "$guests/cgroup.procs" || echo "a guest stays in the cgroup of this pod below $1, and will end with it" >&2
}

# Version 2 is one tree, version 1 has one for each controller; the names of some are links to others.
if [ -e "$top/cgroup.procs" ]; then
  move "$top"
else
  for tree in "$top"/*; do
    [ ! -e "$tree/cgroup.procs" ] || [ -L "$tree" ] || move "$tree"
  done
fi
exit 0 # a guest that could not be moved is not refused for that
