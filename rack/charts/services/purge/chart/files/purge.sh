#!/bin/bash
# Removes what OpenStack's pods leave on a machine: guests, which outlive them, the networks made for guests, and the
# directories of data. The machine's root is at /host. Again and again gives the same.
set -eu
host=${HOST:-/host}

echo guests
for procs in "$host"/sys/fs/cgroup/pilotlight-guests/cgroup.procs "$host"/sys/fs/cgroup/*/pilotlight-guests/cgroup.procs; do
  [ -e "$procs" ] || continue
  folder=${procs%/*}
  for _ in {1..50}; do
    mapfile -t pids < "$procs"
    [ ${#pids[@]} -gt 0 ] || break
    kill -KILL "${pids[@]}" 2> /dev/null || true
    sleep 0.1
  done
  rmdir "$folder" && echo "  ${folder#"$host"}"
done

echo namespaces
for path in "$host"/run/netns/qdhcp-* "$host"/run/netns/qrouter-*; do
  [ -e "$path" ] || continue
  umount -l "$path" && rm -f "$path"
  echo "  ${path##*/}"
done

echo interfaces
for name in $(ip -o link show | sed -E 's/^[0-9]+: ([^:@]+).*/\1/'); do
  case " $BRIDGES " in *" $name "*) wanted=yes ;; *) wanted= ;; esac
  case $name in brq* | tap*-?? | vxlan-*) wanted=yes ;; esac
  [ -n "$wanted" ] || continue
  ip link delete "$name" 2> /dev/null || continue # the other end of a pair may have taken it along
  echo "  $name"
done

echo rules
rules=${TMPDIR:-/tmp}/rules
ours='neutron-|PILOTLIGHT-GUESTS-'
for bridge in $BRIDGES; do ours="$ours| $bridge( |\$)"; done
for table in raw mangle nat filter; do
  iptables-save -t $table > "$rules"
  grep -Eq -- "$ours" "$rules" || continue
  grep -Ev -- "$ours" "$rules" | iptables-restore -w -T $table
  echo "  $table"
done
ebtables -t nat -F
ebtables -t nat -X
for set in $(ipset list -name 2> /dev/null | grep -E '^N(IP|ET)' || true); do
  for _ in {1..20}; do # the kernel releases a rule's set shortly after the rule
    ! ipset destroy "$set" 2> /dev/null || break
    sleep 0.1
  done
  ! ipset list -name | grep -qx "$set" || echo "  the set $set is in use and stays" >&2
done

echo directories
for directory in $DIRECTORIES; do
  [ -e "$host$directory" ] || continue
  rm -rf --one-file-system "$host$directory"
  echo "  $directory"
done
