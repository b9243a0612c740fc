#!/bin/bash
# Makes the external network's bridge on the nodes that have it, and configures the agent of this pod for it. Again and
# again gives the same: after a restart of the pod, and after one of the machine.
#
# With EXTERNAL_INTERFACE the bridge extends a network that is there. Without one it is a network of this node alone:
# the node has its first address, forwards for it, and hides it behind its own address. Guests reach the world by it, and
# of the machines (EXTERNAL_MACHINES) node ports alone; pods and Services (EXTERNAL_CLUSTER) they do not reach at all.
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

# ensure TABLE RULE...: appends a rule to its chain unless it is there.
ensure() {
  local table=$1
  shift
  iptables -w -t "$table" -C "$@" 2> /dev/null || iptables -w -t "$table" -A "$@"
}

# guard HOOK: has what comes from the bridge judged by the rules on standard input, which replace earlier ones at once. In
# the table mangle, which comes before Services are resolved and before any other table accepts. First in its chain.
guard() {
  { echo '*mangle' && echo ":PILOTLIGHT-GUESTS-$1 - [0:0]" && sed "/./!d; s/^/-A PILOTLIGHT-GUESTS-$1 /" && echo COMMIT; } |
    iptables-restore -w --noflush
  set -- "$1" -i "$EXTERNAL_BRIDGE" -j "PILOTLIGHT-GUESTS-$1"
  iptables -w -t mangle -C "$@" 2> /dev/null || iptables -w -t mangle -I "$@"
}

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
  # Guests are neighbours of the bridge: it has no address here, and no route to those that the node has.
  guard INPUT <<< '-j DROP'
  guard FORWARD <<< "! -o $EXTERNAL_BRIDGE -j DROP"
  add_port "$EXTERNAL_BRIDGE" "$EXTERNAL_INTERFACE"
  ip link set "$EXTERNAL_INTERFACE" up
  echo "$EXTERNAL_BRIDGE extends $EXTERNAL_INTERFACE"
  exit 0
fi

IFS=./ read -r a b c d bits <<< "$EXTERNAL_CIDR"
gateway=$a.$b.$c.$((d + 1))
ip address replace "$gateway/$bits" dev "$EXTERNAL_BRIDGE"
# node_ports_alone MATCH...: rules that leave of what matches node ports and ping.
node_ports_alone() {
  local what
  for what in '-p icmp' '-p tcp --dport 30000:32767' '-p udp --dport 30000:32767'; do echo "$* $what -j RETURN"; done
  echo "$* -j DROP"
}
# First, who claims to be a machine or a pod: as such it could begin what it may go on with as an answer.
guard PREROUTING <<RULES
$(for network in $EXTERNAL_MACHINES $EXTERNAL_CLUSTER; do echo "-s $network -j DROP"; done)
-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
$(for resolver in $EXTERNAL_RESOLVERS; do
  echo "-d $resolver -p udp --dport 53 -j RETURN"
  echo "-d $resolver -p tcp --dport 53 -j RETURN"
done)
$(for network in $EXTERNAL_CLUSTER; do echo "-d $network -j DROP"; done)
$(node_ports_alone -m addrtype --dst-type LOCAL)
$(for network in $EXTERNAL_MACHINES; do node_ports_alone -d "$network"; done)
RULES
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || echo 1 > /proc/sys/net/ipv4/ip_forward
ensure nat POSTROUTING -s "$EXTERNAL_CIDR" ! -o "$EXTERNAL_BRIDGE" -j MASQUERADE
ensure filter FORWARD -i "$EXTERNAL_BRIDGE" -j ACCEPT
ensure filter FORWARD -o "$EXTERNAL_BRIDGE" -j ACCEPT
echo "$EXTERNAL_BRIDGE is $EXTERNAL_CIDR, behind this node; its gateway is $gateway"
