#!/bin/bash
# Called by libvirt at each step of a guest's life: GUEST STEP PART. Puts QEMU, once it runs, into a cgroup beside the
# pods': whoever ends this pod ends what is in its cgroups, and guests are to live on. There they also get a share of
# the processors as pods together do, not the pod's.
[ "$2/$3" = started/begin ] || exit 0
pid=$(cat "/run/libvirt/qemu/$1.pid") || exit 0

# Each tree of version 1, or the only one of version 2.
for tree in /host/cgroup /host/cgroup/*; do
  [ -e "$tree/cgroup.procs" ] && [ ! -L "$tree" ] || continue
  guests=$tree/pilotlight-guests
  mkdir -p "$guests"
  if [ -e "$guests/cpuset.cpus" ] && [ -z "$(cat "$guests/cpuset.cpus")" ] && [ "$tree" != /host/cgroup ]; then
    cat "$tree/cpuset.cpus" > "$guests/cpuset.cpus" # takes no process before
    cat "$tree/cpuset.mems" > "$guests/cpuset.mems"
  fi
  echo "$pid" > "$guests/cgroup.procs" || echo "guest $1 stays in the pod's cgroup of $tree" >&2
  [ "$tree" != /host/cgroup ] || exit 0
done
exit 0
