// Pods and guests leave a node by its own address. These are the attacks that this invites, tried with the node's rules
// and, to show that they would succeed, without.

import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { chartFolder } from '#rack/charts/sources/ours.ts'
import { run } from '#host/command.ts'
import { smallSite } from '../small-site.ts'
import {
  firewallOf,
  openNodeLab,
  othersRules,
  renderFirewall,
  type NodeLab,
  type Party,
  type Who,
} from './nodes.ts'
import { absent, whyNoNamespaces } from '../absent.ts'

const skip = absent('ip', 'nft') || whyNoNamespaces('--mount', '--net', '--pid', '--fork')

t.setTimeout(180_000)

type Try = {
  readonly from: Party
  readonly to: string
  readonly port: number
  readonly protocol?: 'tcp' | 'udp'
  readonly who?: Who
}

/** As the agent asks, by what its script says. */
const [, group] = /setpriv --regid (\d+)/.exec(readFileSync(inIgnition('scripts/agent'), 'utf8')) ?? []
const agent = { gid: Number(group) }
const nobody = { uid: 65534, gid: 65534 }

const PROVISIONER = '10.20.0.1'
const NODE = '10.20.0.12'
const OTHER = '10.20.0.11'

/** What must not work, and does without the rules. */
const attacks: Readonly<Record<string, readonly Try[]>> = {
  'a pod or a guest fetches the config or the bundle of its node': [
    { from: 'pod', to: PROVISIONER, port: 8080 },
    { from: 'pod', to: PROVISIONER, port: 8443 },
    { from: 'guest', to: PROVISIONER, port: 8080 },
    { from: 'guest', to: PROVISIONER, port: 8443 },
    { from: 'tenant', to: PROVISIONER, port: 8080 },
  ],
  'a pod or a guest speaks DHCP or TFTP with the address of its node': [
    { from: 'pod', to: PROVISIONER, port: 67, protocol: 'udp' },
    { from: 'pod', to: PROVISIONER, port: 69, protocol: 'udp' },
    { from: 'guest', to: PROVISIONER, port: 67, protocol: 'udp' },
    { from: 'tenant', to: PROVISIONER, port: 69, protocol: 'udp' },
  ],
  'a pod reaches the provisioner through a Service that names it': [
    { from: 'pod', to: '10.3.0.66', port: 80 },
    { from: 'guest', to: '10.3.0.66', port: 80 },
  ],
  'a user of the machine, or a program of root that is not the agent, fetches its bundle': [
    { from: 'node', to: PROVISIONER, port: 8443 },
    { from: 'node', to: PROVISIONER, port: 8080 },
    { from: 'node', to: PROVISIONER, port: 8443, who: { ...nobody, gid: agent.gid } },
    { from: 'node', to: PROVISIONER, port: 8443, who: nobody },
    { from: 'node', to: PROVISIONER, port: 69, protocol: 'udp', who: nobody },
  ],
  "a pod reaches the node's own services, by whichever of its addresses": [
    { from: 'pod', to: NODE, port: 10250 },
    { from: 'pod', to: NODE, port: 22 },
    { from: 'pod', to: '10.2.1.1', port: 10250 },
    { from: 'pod', to: '172.24.4.1', port: 10250 },
  ],
  "a pod reaches another node's services with its own node's address": [
    { from: 'pod', to: OTHER, port: 2379 },
    { from: 'pod', to: OTHER, port: 2380 },
    { from: 'pod', to: OTHER, port: 10250 },
    { from: 'pod', to: OTHER, port: 8472, protocol: 'udp' },
  ],
  'a pod asks for the metadata of the machine, at the link-local address that clouds serve it at': [
    { from: 'pod', to: '169.254.169.254', port: 80 },
  ],
  "a pod reaches a node's own service through a Service that names it": [
    { from: 'pod', to: '10.3.0.67', port: 80 },
  ],
  'a guest reaches services of nodes': [
    { from: 'guest', to: NODE, port: 10250 },
    { from: 'guest', to: '172.24.4.1', port: 10250 },
    { from: 'guest', to: NODE, port: 5900 },
    { from: 'guest', to: OTHER, port: 6443 },
    { from: 'guest', to: OTHER, port: 4789, protocol: 'udp' },
    { from: 'tenant', to: NODE, port: 10250 },
    { from: 'tenant', to: OTHER, port: 6443 },
  ],
  'a guest, or a host of the wire, reaches pods and Services': [
    { from: 'guest', to: '10.2.1.5', port: 5000 },
    { from: 'guest', to: '10.3.0.2', port: 80 },
    { from: 'guest', to: '10.3.0.1', port: 443 },
    { from: 'tenant', to: '10.2.1.5', port: 5000 },
    { from: 'wire', to: '10.2.1.5', port: 5000 },
    { from: 'wire', to: '10.3.0.2', port: 80 },
  ],
  "a host of the wire reaches the node by the guests' gateway": [
    { from: 'wire', to: '172.24.4.1', port: 10250 },
  ],
}

/** What must go on working. */
const needed: Readonly<Record<string, readonly Try[]>> = {
  'pods reach the world, and so do guests': [
    { from: 'pod', to: '198.51.100.9', port: 80 },
    { from: 'guest', to: '198.51.100.9', port: 80 },
  ],
  'pods reach the API server, by its Service and by its address': [
    { from: 'pod', to: '10.3.0.1', port: 443 },
    { from: 'pod', to: OTHER, port: 6443 },
  ],
  'pods reach Services, those of host-network pods too': [
    { from: 'pod', to: '10.3.0.3', port: 80 },
    { from: 'node', to: '10.2.1.5', port: 5000 },
  ],
  "pods reach guests' screens": [
    { from: 'pod', to: NODE, port: 5900 },
    { from: 'pod', to: OTHER, port: 5900 },
  ],
  'node ports answer pods, guests and the wire': [
    { from: 'pod', to: OTHER, port: 30500 },
    { from: 'guest', to: NODE, port: 30500 },
    { from: 'guest', to: OTHER, port: 30500 },
    { from: 'wire', to: NODE, port: 30500 },
  ],
  'names are resolved by the resolver that the site file names': [
    { from: 'pod', to: PROVISIONER, port: 53, protocol: 'udp' },
    { from: 'guest', to: PROVISIONER, port: 53 },
    { from: 'node', to: PROVISIONER, port: 53, protocol: 'udp', who: nobody },
  ],
  'the agent reaches the provisioner, and the machine other nodes': [
    { from: 'node', to: PROVISIONER, port: 8443, who: agent },
    { from: 'node', to: OTHER, port: 2379 },
    { from: 'node', to: PROVISIONER, port: 67, protocol: 'udp', who: nobody },
    { from: 'wire', to: NODE, port: 10250 },
    { from: 'other', to: NODE, port: 10250 },
  ],
  'a tenant numbers its network as machines and pods are numbered': [
    { from: 'tenant', to: '10.7.0.6', port: 80 },
    { from: 'tenant', to: '10.20.0.50', port: 10250 },
    { from: 'tenant', to: '10.2.9.9', port: 80 },
  ],
  'floating addresses answer the provisioner': [{ from: 'wire', to: '172.24.4.9', port: 80 }],
}

/** How a sender takes others' addresses, and what counts on the node what comes through in another node's name. */
const lies = {
  rules: `table ip lies {
    chain postrouting {
      type nat hook postrouting priority srcnat;
      ip daddr ${OTHER} udp dport 31000 snat to ${PROVISIONER}:69
      ip daddr ${PROVISIONER} udp dport 69 snat to ${OTHER}:31000
    }
  }`,
  counter: `table ip lies {
    counter through { }
    chain postrouting {
      type filter hook postrouting priority srcnat + 10;
      oifname "eth0" ip saddr ${OTHER} ip daddr ${PROVISIONER} counter name through
    }
  }`,
}

/** What the chart gives external-network.sh, for the small rack. */
const externalNetwork = [
  'NODE=cmp-1 BACKEND=linuxbridge EXTERNAL_NODES=cmp-1 EXTERNAL_BRIDGE=br-ex EXTERNAL_CIDR=172.24.4.0/24',
  'EXTERNAL_INTERFACE= EXTERNAL_MACHINES=10.20.0.0/24 EXTERNAL_CLUSTER="10.2.0.0/16 10.3.0.0/24"',
  `EXTERNAL_RESOLVERS=${PROVISIONER} EXTERNAL_LABEL=public`,
].join(' ')

const PORTS = [
  22, 53, 67, 69, 80, 2379, 2380, 4789, 5000, 5900, 6443, 8080, 8443, 8472, 8888, 9100, 10250, 30500,
]

t.test('a node with pods and guests behind its address', { skip, timeout: 150_000 }, async t => {
  const lab = await openNodeLab(PORTS)
  t.teardown(() => lab.close())
  await lab.nft(othersRules)

  await t.test('without the rules every attack succeeds', async t => {
    for (const [title, tries] of Object.entries(attacks)) {
      for (const it of await answers(lab, tries)) t.ok(it.seen, `${title}: ${it.line}`)
    }
    t.match(await seenFrom(lab, 'pod'), NODE, 'a pod has the address of its node')
    t.match(await seenFrom(lab, 'guest'), NODE, 'and so has a guest')
  })

  // With the provisioner's address one begins what looks like a question to another node, and the node's answer can be given
  // in its name: to the provisioner, by a sender who has neither address.
  const liars = ['liar-pod', 'liar-guest'] as const
  await lab.nft(lies.counter)
  for (const liar of liars) await lab.nft(lies.rules, liar)
  const arrived = async () => {
    await lab.nft('reset counters table ip lies')
    const counts: Record<string, boolean> = {}
    for (const liar of liars) {
      await lab.nft('reset counters table ip lies')
      for (const [to, port] of [
        [OTHER, 31000],
        [PROVISIONER, 69],
      ] as const)
        await lab.attempt(liar, 'udp', to, port)
      counts[liar] = !/packets 0 /.test(
        await lab.exec('node', 'nft', 'list', 'counters', 'table', 'ip', 'lies'),
      )
    }
    return counts
  }
  await t.test('without the rules a pod or a guest speaks in the name of another node', async t => {
    t.strictSame(await arrived(), { 'liar-pod': true, 'liar-guest': true })
  })

  await lab.nft(firewallOf(smallSite, 'cmp-1'))
  await t.test('no more: a pod or a guest speaks in the name of another node', async t => {
    t.strictSame(await arrived(), { 'liar-pod': false, 'liar-guest': false })
  })
  for (const [title, tries] of Object.entries(attacks)) {
    await t.test(`no more: ${title}`, async t => {
      for (const it of await answers(lab, tries)) t.notOk(it.seen, it.line)
    })
  }
  for (const [title, tries] of Object.entries(needed)) {
    await t.test(title, async t => {
      for (const it of await answers(lab, tries)) t.ok(it.seen, it.line)
    })
  }

  await t.test('a client that should not have asked gets an answer at once', async t => {
    for (const [to, port] of [
      [PROVISIONER, 8443],
      [NODE, 10250],
    ] as const) {
      t.strictSame(await lab.attempt('pod', 'tcp', to, port), { why: 'ECONNREFUSED' })
    }
  })

  await t.test('the rules stay when others rewrite theirs, and are loaded again as a whole', async t => {
    await lab.nft('delete table ip nat-of-others\ndelete table ip filter-of-others')
    await lab.nft(othersRules)
    await lab.nft(firewallOf(smallSite, 'cmp-1'))
    const [attempt] = await answers(lab, [{ from: 'pod', to: PROVISIONER, port: 8443 }])
    t.notOk(attempt?.seen)
  })

  const noIptables = existsSync('/usr/sbin/iptables') ? false : 'no iptables here'
  await t.test("the external network's own rules hold without the node's", { skip: noIptables }, async t => {
    await lab.nft('delete table inet pilotlight')
    for (const it of await answers(lab, ofGuests(attacks))) t.ok(it.seen, `before: ${it.line}`)
    const script = join(chartFolder('neutron'), 'files/external-network.sh')
    // Seen from the node: /sys shows the interfaces of the namespace that mounts it.
    const line = `mount -t sysfs sysfs /sys; exec env ${externalNetwork} bash ${script}`
    for (const _ of ['first', 'again']) await lab.exec('node', 'unshare', '--mount', 'sh', '-euc', line)
    for (const it of await answers(lab, ofGuests(attacks))) t.notOk(it.seen, it.line)
    for (const it of await answers(lab, ofGuests(needed))) t.ok(it.seen, it.line)
    t.match(await arrived(), { 'liar-guest': false })
    const rules = await lab.exec('node', 'iptables', '-t', 'mangle', '-S')
    t.equal(rules.match(/-i br-ex -j /g)?.length, 1, 'and are there once')
  })

  await t.test('a port that the site file opens to pods is open to them, and to no guest', async t => {
    const site = { ...smallSite, cluster: { ...smallSite.cluster, openToPods: [9100, 10250] } }
    await lab.nft(firewallOf(site, 'cmp-1'))
    const tries = [9100, 10250].flatMap(port => [{ from: 'pod', to: OTHER, port } as const])
    for (const it of await answers(lab, tries)) t.ok(it.seen, it.line)
    for (const it of await answers(lab, [{ from: 'guest', to: OTHER, port: 9100 }])) t.notOk(it.seen, it.line)
  })
})

t.test(
  'sshd of a node answers its network and the provisioner, and no one else',
  { skip, timeout: 60_000 },
  async t => {
    const lab = await openNodeLab([22])
    t.teardown(() => lab.close())
    await lab.nft(othersRules)
    const site = { ...smallSite, access: { ...smallSite.access, sshKeys: ['ssh-ed25519 AAAA anna'] } }
    const rules = firewallOf(site, 'cmp-1')
    const from = async (...parties: Party[]) => {
      const all = await answers(
        lab,
        parties.map(party => ({ from: party, to: NODE, port: 22 }) as const),
      )
      return Object.fromEntries(all.map(({ seen }, at) => [parties[at], seen]))
    }
    await lab.nft(rules)
    t.strictSame(await from('wire', 'other', 'pod', 'guest', 'tenant'), {
      wire: true,
      other: true,
      pod: false,
      guest: false,
      tenant: false,
    })
    // The provisioner in another network, and then a host there that is not it.
    const elsewhere = rules.replaceAll('10.20.0.0/24', '10.20.0.8/29')
    await lab.nft(elsewhere)
    t.strictSame(await from('wire', 'other'), { wire: true, other: true })
    await lab.nft(elsewhere.replaceAll(/(set provisioner \{[^}]*elements = \{ )[0-9.]+/g, '$1192.0.2.1'))
    t.strictSame(await from('wire', 'other'), { wire: false, other: true })
    t.strictSame(await lab.attempt('wire', 'tcp', NODE, 22), { why: 'ECONNREFUSED' }, 'it is refused at once')
  },
)

t.test('a group without the networks of a site gives rules without them', { skip }, async t => {
  const rules = renderFirewall({})
  t.match(rules, /set provisioner \{ type ipv4_addr; elements = \{ 10\.20\.0\.1 \}; \}/)
  t.match(rules, /set cluster \{ type ipv4_addr; flags interval; \}/)
  await t.resolves(run('unshare', ['--net', 'nft', '--file', '-'], { limitSeconds: 10, input: rules }))
})

t.test(
  'a kernel that cannot hold the rules, or rules that are none, leave the unit failed',
  { skip },
  async t => {
    const unit = await readFile(inIgnition('units/pilotlight-firewall.service'), 'utf8')
    const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? []
    const [program = '', option = '', file = ''] = command.split(' ')
    t.strictSame([option, file], ['--file', '/etc/pilotlight/firewall.nft'])
    const here = join(t.testdir(), 'firewall.nft')
    await writeFile(
      here,
      firewallOf(smallSite, 'cmp-1').replace('ct status dnat', 'ct status of-a-later-kernel'),
    )
    await t.rejects(
      run('unshare', ['--net', program, option, here], { limitSeconds: 10 }),
      /of-a-later-kernel/,
    )
    const kubelet = await readFile(inIgnition('units/kubelet.service'), 'utf8')
    t.match(kubelet, /^Requires=pilotlight-firewall\.service$/m)
    t.match(kubelet, /^After=.*pilotlight-firewall\.service$/m)
  },
)

function ofGuests(titled: Readonly<Record<string, readonly Try[]>>): Try[] {
  return Object.values(titled).flatMap(tries => tries.filter(({ from }) => from === 'guest'))
}

async function answers(lab: NodeLab, tries: readonly Try[]) {
  return Promise.all(
    tries.map(async ({ from, to, port, protocol = 'tcp', who }) => {
      const attempt = await lab.attempt(from, protocol, to, port, who)
      const line = `${from}${who === undefined ? '' : ` as ${JSON.stringify(who)}`} -> ${to}:${port}/${protocol}`
      return { seen: 'seen' in attempt, line: `${line}: ${JSON.stringify(attempt)}` }
    }),
  )
}

async function seenFrom(lab: NodeLab, from: Party): Promise<string> {
  const attempt = await lab.attempt(from, 'tcp', PROVISIONER, 8080)
  return 'seen' in attempt ? attempt.seen : attempt.why
}

function inIgnition(path: string): string {
  return join(import.meta.dirname, '../../ignition', path)
}
