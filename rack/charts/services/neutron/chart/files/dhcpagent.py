"""The DHCP agent, which asks for its networks again once the server knows it.

It asks for them as it starts, and reports itself beside that. A server that answers the first before it has taken the
second knows no agent on this host, and gives it no network. The agent asks again when it is answered that it was
revived, but not that it is new; so a network that was there before would get no DHCP from it until its next port.
"""

from neutron.cmd.eventlet.agents import dhcp  # first: it replaces parts of Python's own library
from neutron.agent import rpc
from neutron_lib.agent import constants

report_state = rpc.PluginReportStateAPI.report_state


def report_new_as_revived(self, *args, **kwargs):
    """What the server answers to a report, with the consequences of a revival for an agent that is new."""
    status = report_state(self, *args, **kwargs)
    return constants.AGENT_REVIVED if status == constants.AGENT_NEW else status


rpc.PluginReportStateAPI.report_state = report_new_as_revived
main = dhcp.main
