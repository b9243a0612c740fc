#!/bin/bash
# Becomes the agent. Rules against forged addresses that an earlier one left cannot be deleted one by one: where ebtables
# speaks nftables, deleting a rule that names addresses is refused, and the agent would try for ever and wire no port.
# The agent writes all of them again, for every port, as its first work; frames pass meanwhile.
set -eu
ebtables -t nat -F
ebtables -t nat -X
exec python3 /opt/pilotlight/agent.py "$@"
