// Neutron's own DHCP agent, from the images' layers: what it does when the server had not known it.

import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { chartFolder } from '#rack/charts/sources/ours.ts'
import { cacheDirectory } from '#host/artefacts.ts'
import { run } from '#host/command.ts'

const python = '/usr/bin/python3'
const packages = globSync('openstack-*/{upper,root}/usr/lib/python3/dist-packages', { cwd: cacheDirectory() })
  .map(folder => join(cacheDirectory(), folder))
  .toSorted()
const hasNeutron = packages.some(folder => existsSync(join(folder, 'neutron')))
const skip = hasNeutron && existsSync(python) ? false : 'needs the images: bin/pilotlight images build'

/** Has the agent report itself, and prints whether it then asks for all networks. The server's answer is made up. */
const REPORT = `
import sys
main, answer = sys.argv[1:]
__import__(main)
from neutron.agent import rpc
from neutron.agent.dhcp import agent

class Server:
    def prepare(self, **_):
        return self
    def call(self, *_, **__):
        return answer

class Cache:
    def get_state(self):
        return {}

reports = object.__new__(rpc.PluginReportStateAPI)
reports.client, reports.timeout = Server(), 1
dhcp = object.__new__(agent.DhcpAgentWithStateReport)
dhcp.agent_state = {'configurations': {}, 'start_flag': True}
dhcp.cache, dhcp.state_rpc, dhcp.failed_report_state = Cache(), reports, False
did = []
dhcp.schedule_resync = lambda reason: did.append('resync')
dhcp.run = lambda: did.append('run')
dhcp._report_state()
print(*did)
`

async function reported(main: string, answer: string): Promise<string> {
  const environment = ['PYTHONDONTWRITEBYTECODE=1', `PYTHONPATH=${[files, ...packages].join(':')}`]
  const line = [...environment, python, '-W', 'ignore', '-c', REPORT, main, answer]
  return (await run('env', line, { limitSeconds: 120 })).stdout.trim()
}

const files = join(chartFolder('neutron'), 'files')
t.setTimeout(600_000) // Neutron is large, and a busy machine takes its time

t.test(
  'an agent that is new to the server asks for its networks again, as one that was revived',
  { skip },
  async t => {
    t.equal(await reported('dhcpagent', 'new'), 'resync run')
    t.equal(await reported('dhcpagent', 'revived'), 'resync run')
    t.equal(await reported('dhcpagent', 'alive'), 'run', 'but not with every report')
  },
)

t.test('Neutron itself does so only for one that was revived', { skip }, async t => {
  t.equal(await reported('neutron.cmd.eventlet.agents.dhcp', 'new'), 'run', 'else our own file may go')
})
