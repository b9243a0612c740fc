"""The agent of Linux' bridges, with one of its functions replaced.

The agent keeps a chain of ebtables for each port, which lets the port's own addresses through, and renews its rules by
deleting them one by one. Where ebtables speaks nftables, deleting a rule that names addresses is refused: after a hard
reboot of a server, whose port is there already, the agent would try that for ever and wire no other port.
"""

from neutron.cmd.eventlet.plugins import linuxbridge_neutron_agent  # first: it replaces parts of Python's own library
from neutron.plugins.ml2.drivers.linuxbridge.agent import arp_protect


def empty_chain(port, rules):
    """Empties the port's chain but for its last word, instead of deleting what names addresses; the caller fills it."""
    if any(f'-i {port}' in rule and '--among-src' in rule for rule in rules):
        chain = arp_protect._mac_chain_name(port)
        arp_protect.ebtables(['-F', chain])
        arp_protect.ebtables(['-A', chain, '-j', 'DROP'])


arp_protect._delete_vif_mac_rules = empty_chain
main = linuxbridge_neutron_agent.main
