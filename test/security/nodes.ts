// A node in its own network namespaces, with the rules of ignition/firewall.nft.njk: a provisioner, another node, a
// pod, a guest on the external network and a guest on a tenant's network, who all leave by the node's address as behind
// flannel, kube-proxy and external-network.sh.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { directoryFiles } from '#server/boot/render/directory-files.ts'
import { Templates } from '#server/boot/render/templates.ts'
import { compileSite } from '#rack/site/compile.ts'
import type { Site } from '#rack/site/site.ts'
import { endChild } from '../end-child.ts'

/** The parties, each a network namespace. `wire` is the switch with the provisioner and all that is beyond it. */
export type Party =
  'wire' | 'node' | 'other' | 'pod' | 'guest' | 'tenant' | 'neighbour' | 'liar-pod' | 'liar-guest'

/** Numbers of the user and the group that a program has; 0 where it is not said. */
export type Who = { readonly uid?: number; readonly gid?: number }

/** The result of an attempt: an answer with the address that the other side saw, or why there is none. */
export type Attempt = { readonly seen: string } | { readonly why: string }

/** A laboratory of namespaces, all of which end with `close`. */
export type NodeLab = {
  /** Loads a ruleset into the node's namespace, or another's. */
  nft(rules: string, party?: Party): Promise<void>
  /** Runs a command in a party's namespace, and gives what it printed. */
  exec(party: Party, ...argv: string[]): Promise<string>
  /** Tries to reach `address`, as root by default. */
  attempt(party: Party, protocol: 'tcp' | 'udp', address: string, port: number, who?: Who): Promise<Attempt>
  close(): Promise<void>
}

/** The rules that `site`'s machine gets. */
export function firewallOf(site: Site, machine: string): string {
  const group = compileSite(site).groups.find(({ id }) => id === `${site.name}-${machine}`)
  return renderFirewall(group?.metadata ?? {})
}

/** The rules of a machine whose group has this metadata. */
export function renderFirewall(metadata: Readonly<Record<string, unknown>>): string {
  const templates = new Templates(directoryFiles(join(import.meta.dirname, '../..')))
  const server = { url: 'http://10.20.0.1:8080', address: '10.20.0.1', addresses: ['10.20.0.1'] }
  return templates.render('ignition/firewall.nft.njk', { server, metadata })
}

const topology = `
mount -t tmpfs none /run && mkdir /run/netns
for n in wire node other pod guest tenant neighbour liar-pod liar-guest; do ip netns add $n; ip -n $n link set lo up; done
ip -n wire link add br0 type bridge && ip -n wire addr add 10.20.0.1/24 dev br0 && ip -n wire link set br0 up
ip -n wire addr add 198.51.100.9/32 dev lo
ip -n wire addr add 169.254.169.254/32 dev lo # where clouds serve metadata to anyone who asks
port() { # NAMESPACE INTERFACE ADDRESS BRIDGE-NAMESPACE BRIDGE: an interface there, plugged into a bridge here
  ip -n $4 link add p-$1 type veth peer name $2 netns $1
  ip -n $4 link set p-$1 master $5 up
  ip -n $1 addr add $3 dev $2 && ip -n $1 link set $2 up
}
port node eth0 10.20.0.12/24 wire br0
port other eth0 10.20.0.11/24 wire br0
bridge() { ip -n node link add $1 address $3 type bridge forward_delay 0; ip -n node link set $1 up; [ $2 = - ] || ip -n node addr add $2 dev $1; }
bridge cni0 10.2.1.1/24 02:00:00:00:00:01
bridge br-ex 172.24.4.1/24 02:00:00:00:00:02
bridge brq0123 - 02:00:00:00:00:03
port pod eth0 10.2.1.5/24 node cni0
port guest eth0 172.24.4.9/24 node br-ex
port tenant eth0 10.7.0.5/24 node brq0123
port neighbour eth0 10.7.0.6/24 node brq0123
for a in 10.20.0.50 10.2.9.9; do ip -n neighbour addr add $a/32 dev eth0; ip -n tenant route add $a dev eth0; done
for n in node other; do ip -n $n route add default via 10.20.0.1; ip netns exec $n sysctl -qw net.ipv4.ip_forward=1; done
port liar-pod eth0 10.2.1.6/24 node cni0
port liar-guest eth0 172.24.4.10/24 node br-ex
ip -n liar-pod route add default via 10.2.1.1
ip -n liar-guest route add default via 172.24.4.1
ip -n pod route add default via 10.2.1.1
ip -n guest route add default via 172.24.4.1
# A tenant takes the bridge of its network for a router; the node is given a way back, to see what comes through.
ip -n tenant route add default via 10.7.0.254 onlink dev eth0
ip -n tenant neigh add 10.7.0.254 lladdr 02:00:00:00:00:03 dev eth0
ip -n node route add 10.7.0.0/24 dev brq0123
ip -n wire route add 10.2.1.0/24 via 10.20.0.12; ip -n wire route add 10.3.0.0/24 via 10.20.0.12
ip -n wire route add 172.24.4.0/24 via 10.20.0.12
ip netns exec node sysctl -qw net.bridge.bridge-nf-call-iptables=1 # as images/live has it
echo ready
exec cat
`

/** As flannel, kube-proxy and external-network.sh do it. The last two Services are what an attacker could declare. */
export const othersRules = `
table ip nat-of-others {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ip daddr 10.3.0.1 tcp dport 443 dnat to 10.20.0.11:6443
    ip daddr 10.20.0.12 tcp dport 30500 dnat to 10.2.1.5:5000
    ip daddr 10.3.0.2 tcp dport 80 dnat to 10.2.1.5:5000
    ip daddr 10.3.0.3 tcp dport 80 dnat to 10.20.0.11:8888
    ip daddr 10.3.0.66 tcp dport 80 dnat to 10.20.0.1:8080
    ip daddr 10.3.0.67 tcp dport 80 dnat to 10.20.0.11:2379
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr 10.2.0.0/16 ip daddr != 10.2.0.0/16 masquerade
    ip saddr 172.24.4.0/24 oifname != "br-ex" masquerade
    ip saddr 10.7.0.0/24 oifname "eth0" masquerade
  }
}
table ip filter-of-others {
  chain forward {
    type filter hook forward priority filter;
    accept
  }
}
`

const listener = `
import { createServer } from 'node:net'
import { createSocket } from 'node:dgram'
const ports = process.argv.slice(1).map(Number)
for (const port of ports) {
  createServer(socket => { socket.on('error', () => {}); socket.end(socket.remoteAddress) }).listen(port, '0.0.0.0')
  const udp = createSocket('udp4')
  udp.on('message', (_, from) => udp.send(from.address, from.port, from.address))
  udp.bind(port, '0.0.0.0')
}
console.log('listening')
`

const prober = `
import { connect } from 'node:net'
import { createSocket } from 'node:dgram'
const [protocol, host, port, uid, gid] = process.argv.slice(1)
process.setgroups([])
process.setgid(Number(gid))
process.setuid(Number(uid))
const end = result => { console.log(JSON.stringify(result)); process.exit(0) }
setTimeout(() => end({ why: 'no answer' }), 700)
if (protocol === 'tcp') {
  let seen = ''
  const socket = connect(Number(port), host)
  socket.on('data', data => (seen += data))
  socket.on('end', () => end({ seen }))
  socket.on('error', error => end({ why: error.code }))
} else {
  const socket = createSocket('udp4')
  socket.on('message', data => end({ seen: data.toString() }))
  socket.on('error', error => end({ why: error.code }))
  socket.connect(Number(port), host, () => socket.send('x'))
}
`

/** Makes the namespaces and starts a listener on `ports` in each. Needs root. */
export async function openNodeLab(ports: readonly number[]): Promise<NodeLab> {
  const own = ['--mount', '--net', '--pid', '--fork', '--kill-child', 'sh', '-euc', topology]
  const maker = spawn('unshare', own, { stdio: ['pipe', 'pipe', 'inherit'] })
  const children = [maker]
  const ready = (child: typeof maker, word: string) =>
    waitUntil(word, { limitSeconds: 20, everyMs: 20 }, async () => {
      if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before "${word}"`)
      return said.get(child)?.includes(word) === true ? { value: true } : { not: said.get(child) ?? '' }
    })
  const said = new Map<typeof maker, string>()
  const hear = (child: typeof maker) =>
    void child.stdout.on('data', (chunk: Buffer) =>
      said.set(child, `${said.get(child) ?? ''}${chunk.toString()}`),
    )
  hear(maker)
  await ready(maker, 'ready')
  // `unshare --fork`: its child is in the namespaces.
  const inner = (await run('pgrep', ['--parent', String(maker.pid)], { limitSeconds: 5 })).stdout.trim()
  const within = (party: Party, argv: readonly string[]) => [
    '--target',
    inner,
    '--mount',
    `--net=/proc/${inner}/root/run/netns/${party}`,
    '--',
    ...argv,
  ]
  for (const party of ['wire', 'node', 'other', 'pod', 'guest', 'neighbour'] as const) {
    const child = spawn('nsenter', within(party, program(listener, ...ports.map(String))), {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.push(child)
    hear(child)
    await ready(child, 'listening')
  }
  return {
    async nft(rules, party = 'node') {
      await run('nsenter', within(party, ['nft', '--file', '-']), { limitSeconds: 10, input: rules })
    },
    async exec(party, ...argv) {
      return (await run('nsenter', within(party, argv), { limitSeconds: 10 })).stdout
    },
    async attempt(party, protocol, address, port, { uid = 0, gid = 0 } = {}) {
      const args = [protocol, address, port, uid, gid].map(String)
      const { stdout } = await run('nsenter', within(party, program(prober, ...args)), { limitSeconds: 10 })
      return JSON.parse(stdout) as Attempt
    },
    async close() {
      await Promise.all(children.toReversed().map(child => endChild(child)))
    },
  }
}

function program(text: string, ...args: string[]): string[] {
  return [process.execPath, '--input-type=module', '--eval', text, ...args]
}
