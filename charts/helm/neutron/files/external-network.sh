#!/bin/bash
# Makes the external network's bridge on the nodes that have it, and tells the agent of this pod about it. Again and
# again gives the same: after a restart of the pod, and after one of the machine.
#
# With EXTERNAL_INTERFACE the bridge extends a network that is there. Without one it is a network of this node alone:
# the node has its first address, forwards for it, and hides it behind its own address.
set -eu

mappings=${TMPDIR:-/tmp}/mappings.ini # read by the agent after its other files
case $BACKEND in
  linuxbridge)
    echo '[linux_bridge]' > $mappings
    add_bridge() { [ -e "/sys/class/net/$1" ] || ip link add "$1" type bridge stp_state 0 forward_delay 0 mcast_snooping 0; }
    add_port() { ip link set "$2" master "$1"; }
    ;;
  openvswitch)
    echo '[ovs]' > $mappings
    add_bridge() { ovs-vsctl --timeout=30 --may-exist add-br "$1"; }
    add_port() { ovs-vsctl --timeout=30 --may-exist add-port "$1" "$2"; }
    ;;
esac
case " $EXTERNAL_NODES " in
  *" $NODE "*) echo "bridge_mappings = $EXTERNAL_LABEL:$EXTERNAL_BRIDGE" >> $mappings ;;
  *)
    echo "$NODE has no part in the external network"
    exit 0
    ;;
esac

add_bridge "$EXTERNAL_BRIDGE"
ip link set "$EXTERNAL_BRIDGE" up

if [ -n "$EXTERNAL_INTERFACE" ]; then
  if [ ! -e "/sys/class/net/$EXTERNAL_INTERFACE" ]; then
    echo "$NODE has no interface $EXTERNAL_INTERFACE. Set openstack.external.interface to one that it has." >&2
    exit 1
  fi
  if ip -4 address show dev "$EXTERNAL_INTERFACE" | grep -q 'inet '; then
    echo "$EXTERNAL_INTERFACE of $NODE has an address, which the bridge would cut off. Name an interface without." >&2
    exit 1
  fi
  add_port "$EXTERNAL_BRIDGE" "$EXTERNAL_INTERFACE"
  ip link set "$EXTERNAL_INTERFACE" up
  echo "$EXTERNAL_BRIDGE extends $EXTERNAL_INTERFACE"
  exit 0
fi

IFS=./ read -r a b c d bits <<< "$EXTERNAL_CIDR"
gateway=$a.$b.$c.$((d + 1))
ip address replace "$gateway/$bits" dev "$EXTERNAL_BRIDGE"
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || echo 1 > /proc/sys/net/ipv4/ip_forward

# ensure TABLE RULE...: appends a rule to its chain unless it is there.
ensure() {
  local table=$1
  shift
  iptables -w -t "$table" -C "$@" 2> /dev/null || iptables -w -t "$table" -A "$@"
}
ensure nat POSTROUTING -s "$EXTERNAL_CIDR" ! -o "$EXTERNAL_BRIDGE" -j MASQUERADE
ensure filter FORWARD -i "$EXTERNAL_BRIDGE" -j ACCEPT
ensure filter FORWARD -o "$EXTERNAL_BRIDGE" -j ACCEPT
echo "$EXTERNAL_BRIDGE is $EXTERNAL_CIDR, behind this node; its gateway is $gateway"
