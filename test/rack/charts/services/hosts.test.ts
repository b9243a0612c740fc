// What the charts do on the machines themselves: which containers may, and the scripts that make and remove networks, run
// in their own network namespaces.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { chartFolder, copyChart } from '#rack/charts/sources/ours.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { run } from '#host/command.ts'
import { findTool } from '../../cluster/api-server.ts'
import { smallSite } from '../../../small-site.ts'

const helm = findTool('helm')
const skip = helm === undefined ? 'helm not built yet (pilotlight lab builds it)' : false
const iptables = ['iptables', 'ebtables'].every(name => existsSync(join('/usr/sbin', name)))
const rootSkip =
  process.getuid?.() !== 0
    ? 'needs root: network namespaces'
    : iptables
      ? false
      : 'no iptables and ebtables here'
const directory = mkdtempSync(join(tmpdir(), 'hosts-'))
t.teardown(() => rmSync(directory, { recursive: true }))

type Container = { name: string; command?: string[]; securityContext: { privileged?: boolean } }
type PodSpec = {
  containers: Container[]
  initContainers?: Container[]
  hostPID?: boolean
  hostNetwork?: boolean
}
type Rendered = {
  kind: string
  metadata: { name: string }
  data?: Record<string, string>
  spec: { template: { metadata: { annotations?: object }; spec: PodSpec } }
}

async function render(chart: string, ...sets: string[]): Promise<Rendered[]> {
  const { path } = await copyChart(chart, directory)
  const args = ['template', chart, path, ...sets.flatMap(set => ['--set', set])]
  const { stdout } = await run(helm ?? 'helm', args, { limitSeconds: 30 })
  return parseAllDocuments(stdout).flatMap(document => (document.toJS() as Rendered | null) ?? [])
}

const daemonSets = (objects: Rendered[]) => objects.filter(({ kind }) => kind === 'DaemonSet')
const containersOf = ({ spec }: Rendered) => [
  ...(spec.template.spec.initContainers ?? []),
  ...spec.template.spec.containers,
]

const annotations = (objects: Rendered[]) =>
  Object.fromEntries(
    daemonSets(objects).map(({ metadata, spec }) => [
      metadata.name,
      JSON.stringify(spec.template.metadata.annotations),
    ]),
  )

t.test('only what Kubernetes leaves no other way is privileged', { skip }, async t => {
  const found: Record<string, string[]> = {}
  for (const chart of ['neutron', 'libvirt', 'nova', 'purge'])
    for (const set of daemonSets(await render(chart)))
      found[set.metadata.name] = containersOf(set)
        .filter(({ securityContext }) => securityContext.privileged)
        .map(({ name }) => name)
  t.strictSame(found, {
    'neutron-lb-agent': ['external-network', 'lb-agent'],
    'neutron-dhcp-agent': ['dhcp-agent'],
    'neutron-l3-agent': ['l3-agent'],
    'neutron-metadata-agent': [],
    libvirt: ['libvirt'],
    'nova-compute': ['compute'],
    purge: ['clean'],
  })
})

t.test('guests are processes of the machine, not of the pod', { skip }, async t => {
  const [libvirt] = daemonSets(await render('libvirt'))
  t.match(libvirt?.spec.template.spec, { hostPID: true, hostNetwork: true })
})

t.test("with Open vSwitch its agent takes the place of the bridges' one", { skip }, async t => {
  const objects = await render('neutron', 'network.backend={openvswitch}')
  const names = daemonSets(objects).map(({ metadata }) => metadata.name)
  t.ok(names.includes('neutron-ovs-agent') && !names.includes('neutron-lb-agent'))
  const files = objects.find(({ metadata }) => metadata.name === 'neutron-etc')?.data ?? {}
  t.match(files['ml2_conf.ini'], /^mechanism_drivers = openvswitch$/m)
  t.match(files['l3_agent.ini'], /^interface_driver = openvswitch$/m)
})

t.test('where a site chooses Open vSwitch, the plan awaits its agent', async t => {
  const values = { neutron: { network: { backend: ['openvswitch'] } } }
  const site = { ...smallSite, openstack: { ...smallSite.openstack, values } }
  const promises = planCharts(site).releases.find(({ name }) => name === 'neutron')?.promises ?? []
  t.match(
    promises.filter(({ kind }) => kind === 'agents'),
    [{ binaries: ['neutron-openvswitch-agent'], hosts: ['cmp-1'] }, { hosts: ['cmp-1'] }],
  )
  t.match(
    promises.filter(({ kind }) => kind === 'daemonset'),
    [{ name: 'neutron-ovs-agent' }],
  )
})

t.test('a backend that there is not is refused with those that there are', { skip }, async t => {
  const tried = render('neutron', 'network.backend={ovn}')
  await t.rejects(tried, { message: /network.backend is "ovn": say linuxbridge or openvswitch/ })
})

t.test('a changed option of one agent rolls that agent alone', { skip }, async t => {
  const before = annotations(await render('neutron'))
  const after = annotations(await render('neutron', 'conf.dhcp_agent.DEFAULT.resync_interval=9'))
  const changed = Object.keys(before).filter(name => before[name] !== after[name])
  t.strictSame(changed, ['neutron-dhcp-agent'])
})

/** A chart, and a file of it. */
type Script = readonly [chart: string, file: string]

/** Runs shell commands in a network namespace, with `$script` the path of a chart's script. */
async function inNetwork(
  [chart, file]: Script,
  commands: string,
  env: Record<string, string>,
): Promise<string> {
  const path = join(chartFolder(chart), 'files', file)
  const text = `mount -t sysfs sysfs /sys\nip link set lo up\n${commands}`
  const argv = ['--net', '--mount', 'bash', '-euc', text]
  return (
    await run('unshare', argv, {
      limitSeconds: 20,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TMPDIR: directory, script: path, ...env },
    })
  ).stdout
}

const external = {
  NODE: 'cmp-1',
  BACKEND: 'linuxbridge',
  EXTERNAL_NODES: 'cmp-1',
  EXTERNAL_BRIDGE: 'br-ex',
  EXTERNAL_CIDR: '172.24.4.0/24',
  EXTERNAL_INTERFACE: '',
  EXTERNAL_MACHINES: '10.20.0.0/24',
  EXTERNAL_CLUSTER: '10.2.0.0/16 10.3.0.0/24',
  EXTERNAL_RESOLVERS: '10.20.0.53',
  EXTERNAL_LABEL: 'public',
}
const makeExternal = ['neutron', 'external-network.sh'] as const
const mappings = () => readFileSync(join(directory, 'mappings.ini'), 'utf8')

t.test('a network node is the gateway of the external network, once', { skip: rootSkip }, async t => {
  const show =
    'ip -4 -br address show br-ex; iptables -t nat -S POSTROUTING; cat /proc/sys/net/ipv4/ip_forward'
  const seen = await inNetwork(makeExternal, `bash $script; bash $script; ${show}`, external)
  t.match(seen, /br-ex +\w+ +172\.24\.4\.1\/24 *\n/)
  t.equal(seen.match(/-A POSTROUTING .*-j MASQUERADE/g)?.length, 1)
  t.match(seen, /\n1\n$/)
  const rules = await inNetwork(makeExternal, 'bash $script; iptables -t mangle -S', external)
  t.match(
    rules,
    /-A PILOTLIGHT-GUESTS-PREROUTING -s 10\.20\.0\.0\/24 -j DROP\n.*RELATED/s,
    'before all others',
  )
  t.match(rules, /-A PILOTLIGHT-GUESTS-PREROUTING -d 10\.20\.0\.0\/24 -j DROP/)
  t.match(rules, /-A PREROUTING -i br-ex -j PILOTLIGHT-GUESTS-PREROUTING/)
  const bare = { ...external, EXTERNAL_MACHINES: '', EXTERNAL_CLUSTER: '', EXTERNAL_RESOLVERS: '' }
  t.match(
    await inNetwork(makeExternal, 'bash $script; iptables -t mangle -S', bare),
    /--dst-type LOCAL -j DROP/,
    'a chart by itself, without the networks of a site, still guards the node',
  )
  t.equal(mappings(), '[linux_bridge]\nbridge_mappings = public:br-ex\n')
})

t.test('other nodes get neither the bridge nor a mapping', { skip: rootSkip }, async t => {
  const seen = await inNetwork(makeExternal, 'bash $script; ip -o link', { ...external, NODE: 'cmp-2' })
  t.notMatch(seen, /br-ex:/)
  t.equal(mappings(), '[linux_bridge]\n')
})

t.test(
  'an interface is taken into the bridge, unless it has an address to lose',
  { skip: rootSkip },
  async t => {
    const env = { ...external, EXTERNAL_INTERFACE: 'up0' }
    const cable = 'ip link add up0 type veth peer name up1'
    const seen = await inNetwork(
      makeExternal,
      `${cable}; bash $script; ip -o link show up0; iptables-save`,
      env,
    )
    t.match(seen, /master br-ex/)
    t.match(seen, /-A PILOTLIGHT-GUESTS-INPUT -j DROP/)
    t.match(seen, /-A PILOTLIGHT-GUESTS-FORWARD ! -o br-ex -j DROP/)
    t.notMatch(seen, /MASQUERADE/)
    const taken = inNetwork(makeExternal, `${cable}; ip address add 192.0.2.2/24 dev up0; bash $script`, env)
    await t.rejects(taken, { message: /up0 of cmp-1 has an address, which the bridge would cut off/ })
    await t.rejects(inNetwork(makeExternal, 'bash $script', env), { message: /cmp-1 has no interface up0/ })
  },
)

t.test('purging leaves a machine its own interfaces, rules and files', { skip: rootSkip }, async t => {
  const host = join(directory, 'host')
  mkdirSync(join(host, 'var/lib/neutron/dhcp'), { recursive: true })
  mkdirSync(join(host, 'var/lib/kubelet'), { recursive: true })
  writeFileSync(join(host, 'var/lib/neutron/dhcp/leases'), '')
  const commands = `
ip link add br-ex type bridge
ip link add brq01234567-89 type bridge
ip link add tap01234567-89 type veth peer name ns-0
ip link add vxlan-1 type vxlan id 1 local 127.0.0.1 dstport 4789
ip link add cni0 type bridge
iptables -N neutron-linuxbri-FORWARD
iptables -A FORWARD -j neutron-linuxbri-FORWARD
iptables -A FORWARD -i br-ex -j ACCEPT
iptables -A FORWARD -i cni0 -j ACCEPT
iptables -t nat -A POSTROUTING -s 172.24.4.0/24 ! -o br-ex -j MASQUERADE
iptables -t mangle -N PILOTLIGHT-GUESTS-PREROUTING
iptables -t mangle -A PILOTLIGHT-GUESTS-PREROUTING -d 10.20.0.0/24 -j DROP
iptables -t mangle -A PREROUTING -i br-ex -j PILOTLIGHT-GUESTS-PREROUTING
bash $script
bash $script
ip -br link
iptables -S
iptables -t nat -S
iptables -t mangle -S
find ${host} -mindepth 3`
  const env = { HOST: host, BRIDGES: 'br-ex', DIRECTORIES: '/var/lib/neutron /var/lib/nova' }
  const seen = await inNetwork(['purge', 'purge.sh'], commands, env)
  const left = seen.slice(seen.lastIndexOf('directories'))
  t.match(left, /cni0/)
  t.match(left, /-A FORWARD -i cni0 -j ACCEPT/)
  t.match(left, /var\/lib\/kubelet/)
  t.notMatch(left, /br-ex|brq|tap0|ns-0|vxlan|neutron|MASQUERADE|GUESTS/)
})

t.test('a guest that has started is moved beside the pods, in each tree of cgroups', async t => {
  const top = join(directory, 'cgroup-v1')
  mkdirSync(join(directory, 'qemu'))
  writeFileSync(join(directory, 'qemu', 'guest-1.pid'), '4711')
  for (const tree of ['memory', 'cpuset']) {
    mkdirSync(join(top, tree), { recursive: true })
    writeFileSync(join(top, tree, 'cgroup.procs'), '')
  }
  for (const [file, text] of [
    ['cpuset.cpus', '0-1'],
    ['cpuset.mems', '0'],
  ] as const)
    writeFileSync(join(top, 'cpuset', file), text)
  const hook = join(chartFolder('libvirt'), 'files/guest-hook.sh')
  const env = { CGROUP: top, RUN: directory, INSTANCES: directory }
  await run('bash', [hook, 'guest-1', 'prepare', 'begin', '-'], { limitSeconds: 10, env })
  t.notOk(existsSync(join(top, 'memory', 'pilotlight-guests')), 'before it runs there is no process to move')
  await run('bash', [hook, 'guest-1', 'started', 'begin', '-'], { limitSeconds: 10, env })
  for (const tree of ['memory', 'cpuset'])
    t.equal(readFileSync(join(top, tree, 'pilotlight-guests', 'cgroup.procs'), 'utf8'), '4711\n')
  t.equal(readFileSync(join(top, 'cpuset', 'pilotlight-guests', 'cpuset.cpus'), 'utf8'), '0-1')

  const unified = join(directory, 'cgroup-v2')
  mkdirSync(join(unified, 'kubepods'), { recursive: true })
  for (const folder of [unified, join(unified, 'kubepods')]) writeFileSync(join(folder, 'cgroup.procs'), '')
  await run('bash', [hook, 'guest-1', 'started', 'begin', '-'], {
    limitSeconds: 10,
    env: { ...env, CGROUP: unified },
  })
  t.equal(readFileSync(join(unified, 'pilotlight-guests', 'cgroup.procs'), 'utf8'), '4711\n')
  t.notOk(existsSync(join(unified, 'kubepods', 'pilotlight-guests')))
})
