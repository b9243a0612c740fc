// Which machines do what, for each layout that a site file can describe.

import t from 'tap'
import { dutiesOf, machinesWith } from '#rack/site/duties.ts'
import { parseSite } from '#rack/site/read.ts'

const machine = (name: string, last: number, role: string) =>
  `  - { name: ${name}, mac: '52:54:00:20:00:0${last}', role: ${role} }\n`
const siteOf = (machines: string, more = '') =>
  parseSite('site.yaml', `name: rack-1\nnetwork: { subnet: 10.20.0.0/24 }\nmachines:\n${machines}${more}`)
const namesWith = (site: ReturnType<typeof siteOf>, duty: Parameters<typeof machinesWith>[1]) =>
  machinesWith(site, duty).map(({ name }) => name)
const standard =
  machine('ctl-1', 1, 'controller') + machine('cmp-1', 2, 'compute') + machine('cmp-2', 3, 'compute')

t.test('compute machines run guests, and the first of them holds the external network', async t => {
  const site = siteOf(standard)
  t.strictSame(namesWith(site, 'control-plane'), ['ctl-1'])
  t.strictSame(namesWith(site, 'compute'), ['cmp-1', 'cmp-2'])
  t.strictSame(namesWith(site, 'network'), ['cmp-1'])
})

t.test('with an interface into the external network, every compute machine connects guests', async t => {
  const site = siteOf(standard, 'openstack: { external: { cidr: 192.0.2.0/24, interface: eth1 } }\n')
  t.strictSame(namesWith(site, 'network'), ['cmp-1', 'cmp-2'])
})

t.test('a controller alone does everything', async t => {
  const site = siteOf(machine('ctl-1', 1, 'controller'))
  t.strictSame(dutiesOf(site, site.machines[0]!), ['control-plane', 'compute', 'network'])
})
