// `pilotlight doctor` and `up` beside a real second DHCP server, in network namespaces: what keeps machines from booting is said in
// seconds, with a command, before one is switched on.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { EXIT } from '#cli/exit.ts'
import type { Diagnosis } from '#model/diagnosis.ts'
import { waitUntil } from '#progress/wait.ts'
import { pilotlight } from '../../cli/pilotlight.ts'
import { endChild } from '../../end-child.ts'
import { testNetwork, whyNoNetworks, type TestNetwork } from '../../network.ts'
import { testServer } from '../../server/serving.ts'

const ROOT = join(import.meta.dirname, '../../..')
const MAIN = join(ROOT, 'cli/main.js')
const SERVER = '10.20.0.2'
const MAC = '52:54:00:20:00:01'
const SITE = `name: rack-1
network: { subnet: 10.20.0.0/24, gateway: 10.20.0.9, pool: 10.20.0.100-10.20.0.120 }
machines: [{ name: ctl-1, mac: "${MAC}", role: controller, address: 10.20.0.11 }]
trust: { approve: first-boot }
`
/** Flags of an `up` that ends before a machine can have booted. */
const upTo = (state: string) => ['--until', 'cluster', '--boot-limit', '1', '--state', state]
const profile = (id: string) =>
  `{"id":"${id}","ignition_id":"a.ign.njk","boot":{"kernel":"/assets/k","initrd":[],"args":[]}}`

/** A server in one namespace, and another host on its wire, `eth0`, in a second. */
async function wire(t: Test, more: readonly string[] = []) {
  const folder = t.testdir({
    'site.yaml': SITE,
    data: {
      profiles: {
        'controller.json': profile('controller'),
        'live.json': profile('live'),
        'compute.json': profile('compute'),
      },
      ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
    },
    assets: { k: 'kernel' },
    loaders: { 'snponly.efi': 'loader', 'undionly.kpxe': 'loader', 'ipxe.efi': 'loader' },
  })
  const here = await testNetwork(t, ['--mount', '--propagation=private'])
  const other = await testNetwork(t, ['--mount', '--propagation=private'])
  await here.ip(
    `link add br0 type veth peer name eth0 address ${MAC} netns ${other.pid}`,
    `address add ${SERVER}/24 dev br0`,
    'link set br0 up',
  )
  await other.ip('link set eth0 up')
  const inside = ['nsenter', `--target=${here.pid}`, '--net', '--mount', `--wd=${folder}`] as const
  await here.run('true', [])
  const state = join(folder, 'state')
  const env = { ...process.env, PILOTLIGHT_STATE_PATH: state, PILOTLIGHT_SERVER: `http://${SERVER}:8080` }
  const run = (words: readonly string[]) => {
    const [program, ...args] = [...inside, process.execPath, MAIN, ...words]
    const child = spawn(program, args, { env, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    t.teardown(() => endChild(child))
    return child
  }
  const sysfs = spawn(inside[0], [...inside.slice(1), 'mount', '-t', 'sysfs', '-o', 'ro', 'sysfs', '/sys'])
  await new Promise(done => sysfs.once('exit', done))
  const serve = [
    'serve',
    '--address',
    SERVER,
    '--data-path',
    'data',
    '--assets-path',
    'assets',
    '--state-path',
    state,
    '--loaders-path',
    'loaders',
  ]
  const server = run([...serve, ...more])
  let log = ''
  server.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  server.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()))
  const command = async (...words: readonly string[]) => {
    const child = run(words)
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    const status = await new Promise<number | null>(done => child.once('close', done))
    return { status, out, err }
  }
  await waitUntil('the server', { limitSeconds: 30, everyMs: 100 }, async () => {
    const isUp = await here.run('curl', ['--silent', '--fail', `http://${SERVER}:8080/readyz`]).then(
      () => true,
      () => false,
    )
    return isUp ? { value: true } : { not: log }
  })
  const doctor = async (...words: readonly string[]) => {
    const { status, out, err } = await command('doctor', ...words, '--json', '--state', join(folder, 'up'))
    t.not(out, '', err)
    const { items } = JSON.parse(out) as { items: Diagnosis[] }
    return { status, found: Object.fromEntries(items.map(item => [item.check, item])), items }
  }
  return { folder, here, other, command, doctor }
}

/** A second DHCP server on the wire, at `address`. */
async function dnsmasq(t: Test, other: TestNetwork, folder: string, address = '10.20.0.9') {
  await other.ip(`address add ${address}/24 dev eth0`)
  const [nsenter, network] = other.within
  const args = [
    '--no-daemon',
    '--port=0',
    '--interface=eth0',
    '--conf-file=/dev/null',
    '--dhcp-range=10.20.0.50,10.20.0.59',
    `--dhcp-leasefile=${join(folder, 'leases')}`,
    `--pid-file=${join(folder, 'dnsmasq.pid')}`,
  ]
  const child = spawn(nsenter, [network, 'dnsmasq', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => endChild(child))
  await new Promise<void>(started =>
    child.stderr.on('data', (chunk: Buffer) => /DHCP, IP range/.test(chunk.toString()) && started()),
  )
  return child
}

// Each test has namespaces of its own, and mostly waits: for a look at the wire (4 s), and for one to be made anew. So they run beside each other.
t.jobs = 4
const skip = whyNoNetworks('dnsmasq', 'curl', 'nft', '/sbin/udhcpc')

t.test(
  'beside no other server all that was looked at is right, and our own DHCP answers',
  { skip, buffered: true },
  async t => {
    const { other, folder, doctor, command } = await wire(t)
    await other.ip('address add 10.20.0.9/24 dev eth0')
    const { found } = await doctor('site.yaml')
    t.match(found, {
      site: { verdict: 'ok' },
      authority: { verdict: 'ok' },
      profiles: { verdict: 'ok' },
      dhcp: { verdict: 'ok', text: 'would answer in 10.20.0.0/24 (full)' },
      'other dhcp': { verdict: 'ok' },
      tftp: { verdict: 'ok' },
      http: { verdict: 'ok' },
      agents: { verdict: 'ok' },
      assets: { verdict: 'ok' },
      images: { verdict: 'unseen' },
      card: { verdict: 'ok', text: /^br0 has 10\.20\.0\.2, a link, and an MTU of 1500/ },
      gateway: { verdict: 'ok', text: 'the gateway 10.20.0.9 answers' },
      addresses: { verdict: 'ok' },
    })
    // With the site put, its own DHCP is seen to answer; the look leaves no machine and no lease.
    const up = await command('up', 'site.yaml', ...upTo(join(folder, 'up')))
    t.equal(up.status, EXIT.waitedTooLong, up.err)
    await new Promise(old => setTimeout(old, 5100)) // a look is given again for so long
    t.match((await doctor()).found['dhcp answer'], {
      verdict: 'ok',
      text: /^10\.20\.0\.2 offers 10\.20\.0\.1\d\d, boot file /,
    })
    t.notMatch((await command('get', 'leases')).out, /02:|10\.20\.0\.1\d\d/)
    t.notMatch((await command('get', 'machines')).out, /not declared/)
  },
)

t.test(
  'a second DHCP server is named, refused before a machine is on, and an alarm until it is gone',
  { skip, buffered: true },
  async t => {
    const { here, other, folder, doctor, command } = await wire(t)
    const server = await dnsmasq(t, other, folder)
    const chain = 'add table inet f; add chain inet f in { type filter hook input priority 0; }'
    await here.run('nft', [`${chain}; add rule inet f in iifname "br0" tcp dport 8443 drop`])
    const { status, found } = await doctor('site.yaml')
    t.equal(status, EXIT.failed)
    t.match(found['firewall'], {
      verdict: 'failed',
      blocks: true,
      text: /chain "inet f in"\) drops what machines send to TCP port 8443 by br0$/,
      fix: /^nft insert rule inet f in iifname br0 tcp dport 8443 accept /,
    })
    await here.run('nft', ['delete table inet f'])
    t.match(found['other dhcp'], {
      verdict: 'failed',
      blocks: true,
      text: /another DHCP server, 10\.20\.0\.9, offers 10\.20\.0\.5\d/,
      fix: /ip neighbour show 10\.20\.0\.9/,
    })
    const marker = join(folder, 'switched-on')
    const up = ['up', 'site.yaml', ...upTo(join(folder, 'up')), '--power-on', `touch ${marker}`]
    const refused = await command(...up)
    t.equal(refused.status, EXIT.refused)
    t.match(
      refused.err,
      /error CANNOT_BOOT: no machine was switched on.*\n.*another DHCP server, 10\.20\.0\.9/,
    )
    t.notOk(existsSync(marker))
    await command(...up, '--boot-anyway')
    t.ok(existsSync(marker), 'unless a person wants it all the same')
    const alarm = async () => (await command('get', 'alarms')).out
    await waitUntil('the alarm', { limitSeconds: 30, everyMs: 500 }, async () => {
      const out = await alarm()
      return /PL-7009/.test(out) ? { value: out } : { not: out }
    })
    await endChild(server)
    await new Promise(old => setTimeout(old, 5100)) // a look is given again for so long
    t.match((await doctor('site.yaml')).found['other dhcp'], { verdict: 'ok' })
    await waitUntil('the end of the alarm', { limitSeconds: 30, everyMs: 500 }, async () => {
      const out = await alarm()
      return /PL-7009/.test(out) ? { not: out } : { value: out }
    })
  },
)

t.test(
  'a declared machine that takes the offer of another server is an alarm, and in its journal',
  { skip, buffered: true },
  async t => {
    const { other, folder, command } = await wire(t)
    await command('up', 'site.yaml', ...upTo(join(folder, 'up')))
    // A client that was given its address elsewhere: it names that server in its REQUEST (RFC 2131 §4.3.2).
    const script = join(import.meta.dirname, 'choose-other.ts')
    await other.ip('address add 10.20.0.99/24 dev eth0', 'route add default via 10.20.0.2 dev eth0')
    await other.run(process.execPath, [script, MAC, '10.20.0.77'])
    await waitUntil('the alarm', { limitSeconds: 30, everyMs: 500 }, async () => {
      const { out } = await command('get', 'alarms')
      return /PL-7009[^]*ctl-1 .*took the offer of another DHCP server, 10\.20\.0\.77/.test(out)
        ? { value: out }
        : { not: out }
    })
    t.match((await command('journal', 'ctl-1')).out, /takes the offer of another DHCP server, 10\.20\.0\.77/)
  },
)

t.test('another host at the address of a machine is found', { skip, buffered: true }, async t => {
  const { other, doctor } = await wire(t)
  await other.ip('link set eth0 address 02:00:00:00:00:99', 'address add 10.20.0.11/24 dev eth0')
  t.match((await doctor('site.yaml')).found['addresses'], {
    verdict: 'failed',
    text: /10\.20\.0\.11, the address of ctl-1, is used by 02:00:00:00:00:99/,
  })
})

t.test('a server that does not answer is status 6, and what was not looked at is said', async t => {
  const folder = t.testdir({ 'site.yaml': SITE })
  const args = [
    'doctor',
    join(folder, 'site.yaml'),
    '--server',
    'http://127.0.0.1:1',
    '--state',
    join(folder, 'up'),
  ]
  const { status, out } = await pilotlight(args)
  t.equal(status, EXIT.unreachable)
  t.match(out, /^server +FAILED +no answer from the server at http:\/\/127\.0\.0\.1:1\n +fix: start it with/)
  t.match(out, /^network +not looked at +the server did not answer/m)
  t.match(out, /\d failed, .*not looked at, \d ok\n$/)
})

t.test(
  'without a token the network is not looked at; a site file with a mistake is named with its line',
  async t => {
    const folder = t.testdir({ 'site.yaml': SITE.replace('address: 10.20.0.11', 'address: 10.99.0.11') })
    const server = await testServer(t, { statePath: join(folder, 'server') })
    const args = [
      'doctor',
      join(folder, 'site.yaml'),
      '--server',
      server.url,
      '--state',
      join(folder, 'up'),
      '--json',
    ]
    const { status, out } = await pilotlight(args)
    t.equal(status, EXIT.failed)
    const { items } = JSON.parse(out) as { items: Diagnosis[] }
    t.match(
      items.find(({ check }) => check === 'site'),
      { verdict: 'failed', text: /site\.yaml:3: PL-1004/ },
    )
    t.match(
      items.find(({ check }) => check === 'token'),
      { verdict: 'failed', fix: /PILOTLIGHT_TOKEN_FILE/ },
    )
    t.match(
      items.find(({ check }) => check === 'network'),
      { verdict: 'unseen' },
    )
  },
)

t.test('another state directory, and so another authority, is found', async t => {
  const folder = t.testdir({ 'site.yaml': SITE.replace('subnet', 'dhcp: off, subnet') })
  const server = await testServer(t, { dataPath: ROOT, statePath: join(folder, 'server') })
  const env = { PILOTLIGHT_STATE_PATH: server.statePath }
  const site = join(folder, 'site.yaml')
  const common = ['--server', server.url]
  const up = ['up', site, ...common, ...upTo(join(folder, 'a')), '--boot-anyway']
  await pilotlight(up, { env })
  const { out } = await pilotlight(['doctor', site, ...common, '--state', join(folder, 'b'), '--json'], {
    env,
  })
  const { items } = JSON.parse(out) as { items: Diagnosis[] }
  t.match(
    items.find(({ check }) => check === 'authority'),
    {
      verdict: 'failed',
      text: /the server has site rack-1 with the authority .* and .*b has none yet/,
      fix: /--state/,
    },
  )
  t.notOk(existsSync(join(folder, 'b/pki')), 'nothing was made')
})
