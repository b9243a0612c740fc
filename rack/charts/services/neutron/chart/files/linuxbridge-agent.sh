#!/bin/bash
# Becomes the agent. Rules against forged addresses that an earlier one left cannot be deleted one by one: where ebtables
# speaks nftables, deleting a rule that names addresses is refused, and the agent would try for ever and wire no port.
# The agent writes all of them again, for every port, as its first work; frames pass meanwhile.
set -eu
ebtables -t nat -F
ebtables -t nat -X

# A network's bridge stays behind, empty, when its last port was removed while the agent was taking the bridge apart.
for bridge in /sys/class/net/brq*; do
  [ -d "$bridge/brif" ] && [ -z "$(ls "$bridge/brif")" ] || continue
  ip link delete "${bridge##*/}"
done
exec python3 /opt/pilotlight/agent.py "$@"
