// A user's tour of the cloud with the unmodified `openstack` client, from outside of the cluster: everything that a guest
// needs is made, looked at and removed again, and nothing is left of it, in the cloud and on its nodes. In between the machines lose their
// power, and at the end they are shut down (power.ts).
//
// PILOTLIGHT_TEST_LAB=NAME takes the tour in a lab that is up already, and leaves it up; UPDATE_IMAGES=1 renews the
// dashboard's picture in docs/images.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { run } from '#host/command.ts'
import { findLab } from '#lab/lab.ts'
import { labFiles } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { openBrowser, whyNoBrowser } from '../web/browser.ts'
import { clientOf, consoleWith, accessOf, whyNoClient } from './client.ts'
import type { Client } from './client.ts'
import { cutPower, expectInstalled, shutDown } from './power.ts'
import { inRack, labOf, PILOTLIGHT, pilotlight, RUN, whyNotWhole } from './lab.ts'

const BORROWED = process.env['PILOTLIGHT_TEST_LAB']
const LAB = BORROWED ?? `tour-${RUN}`
/** The small rack with disks, and with the optional services that guests use. */
const RACK = 'lab/racks/waves/rack.yaml'
const NAME = 'tour'
const skip = whyNoClient() ?? (await whyNotWhole()) ?? false

t.setTimeout(1_500_000)
const folder = mkdtempSync(join(tmpdir(), 'tour-'))
t.teardown(async () => {
  rmSync(folder, { recursive: true })
  if (BORROWED === undefined && findLab(LAB) !== undefined)
    await pilotlight(['lab', 'down', '--lab', LAB], 60)
})

let up = false
await t.test(
  'a lab comes up',
  { skip: skip || (BORROWED === undefined ? false : `borrowed: ${LAB}`) },
  async t => {
    const { status, stderr } = await pilotlight(['lab', RACK, '--keep', '--lab', LAB], 900)
    up = t.equal(status, 0, stderr)
    await expectInstalled(t, LAB)
  },
)

const notUp = skip || (up || BORROWED !== undefined ? false : 'the lab did not come up')
const openstack = notUp ? ({} as Client) : clientOf(LAB) // not used when skipped
/** What must be done to leave the cloud as it was, the last first. */
const undo: (() => Promise<unknown>)[] = []
const later = (...words: readonly string[]) => undo.push(() => openstack.say(...words))
const text = (value: unknown) => String(value)

let before: Traces | undefined
let services: readonly string[] = []
await t.test('the client gets a token, and the catalog has the services', { skip: notUp }, async t => {
  t.match((await openstack.show('token', 'issue'))['id'], /^gAAAA/)
  services = (await openstack.list('service', 'list')).map(row => text(row['Type']))
  before = await tracesOf(LAB)
  for (const type of ['identity', 'image', 'placement', 'compute', 'network'])
    t.ok(services.includes(type), type)
})

await t.test('servers that end each connection say so, even without a body', { skip: notUp }, async t => {
  const { auth_url: authUrl } = await accessOf(LAB)
  for (const [service, port] of [
    ['keystone', 30500],
    ['placement', 30878],
    ['horizon', 30080],
  ]) {
    const url = authUrl.replace(':30500/v3', `:${port}/`)
    const head = await inRack(LAB, ['curl', '--silent', '--head', '--max-time', '20', url])
    t.match(head, /^connection: close\r$/im, `${service} lets no client send into its end`)
  }
})

await t.test('images are stored as they were sent', { skip: notUp }, async t => {
  const store = async (name: string, file: string, format: string, ...properties: string[]) => {
    const path = join(labOf(LAB).directory, 'assets', 'guest', file)
    const container = format === 'raw' ? 'bare' : format
    const formats = ['--disk-format', format, '--container-format', container]
    const set = properties.flatMap(property => ['--property', property])
    const made = await openstack.show('image', 'create', ...formats, '--file', path, ...set, name)
    later('image', 'delete', text(made['id']))
    const { stdout } = await run('md5sum', [path], { limitSeconds: 30 })
    const { checksum, status } = await openstack.show('image', 'show', text(made['id']))
    t.equal(checksum, stdout.split(' ')[0], `${name} has its checksum`)
    t.equal(status, 'active')
    return text(made['id'])
  }
  const kernel = await store('tour-kernel', 'vmlinuz', 'aki')
  const ramdisk = await store('tour-initrd', 'initrd.img', 'ari')
  await store(
    NAME,
    'disk.raw',
    'raw',
    `kernel_id=${kernel}`,
    `ramdisk_id=${ramdisk}`,
    'os_command_line=console=ttyS0',
  )
})

let external = ''
await t.test('a network, its subnet and a router to the outside are made', { skip: notUp }, async t => {
  const found = await openstack.list('network', 'list', '--external')
  external = text(found[0]?.['ID'] ?? '')
  if (external === '') {
    const flat = ['--provider-network-type', 'flat', '--provider-physical-network', 'public']
    external = text((await openstack.show('network', 'create', '--external', ...flat, 'tour-public'))['id'])
    later('network', 'delete', external)
    const range = ['--subnet-range', '172.24.4.0/24', '--gateway', '172.24.4.1', '--no-dhcp']
    await openstack.show('subnet', 'create', '--network', external, ...range, 'tour-public')
  }
  t.equal((await openstack.show('network', 'create', NAME))['status'], 'ACTIVE')
  later('network', 'delete', NAME)
  const range = ['--subnet-range', '10.7.0.0/24', '--dns-nameserver', '10.7.0.1']
  t.equal(
    (await openstack.show('subnet', 'create', '--network', NAME, ...range, NAME))['gateway_ip'],
    '10.7.0.1',
  )
  t.equal((await openstack.show('router', 'create', NAME))['status'], 'ACTIVE')
  later('router', 'delete', NAME)
  await openstack.say('router', 'set', '--external-gateway', external, NAME)
  later('router', 'unset', '--external-gateway', NAME)
  await openstack.say('router', 'add', 'subnet', NAME, NAME)
  later('router', 'remove', 'subnet', NAME, NAME)
  const router = await openstack.show('router', 'show', NAME)
  t.equal((router['external_gateway_info'] as { network_id: string }).network_id, external)
})

let address = ''
await t.test('a security group, a key pair, a flavor and a port are made', { skip: notUp }, async t => {
  await openstack.show('security', 'group', 'create', NAME)
  later('security', 'group', 'delete', NAME)
  await openstack.show('security', 'group', 'rule', 'create', '--protocol', 'icmp', NAME)
  const http = await openstack.show(
    'security',
    'group',
    'rule',
    'create',
    '--protocol',
    'tcp',
    '--dst-port',
    '80',
    NAME,
  )
  t.equal(http['port_range_min'], 80)
  const key = join(folder, 'key')
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key], { limitSeconds: 30 })
  t.match(
    (await openstack.show('keypair', 'create', '--public-key', `${key}.pub`, NAME))['fingerprint'],
    /^[0-9a-f:]+$/,
  )
  later('keypair', 'delete', NAME)
  const size = ['--ram', '128', '--disk', '0', '--vcpus', '1']
  t.equal((await openstack.show('flavor', 'create', ...size, NAME))['ram'], 128)
  later('flavor', 'delete', NAME)
  const port = await openstack.show('port', 'create', '--network', NAME, '--security-group', NAME, NAME)
  later('port', 'delete', NAME)
  address = (port['fixed_ips'] as { ip_address: string }[])[0]?.ip_address ?? ''
  t.match(address, /^10\.7\.0\.\d+$/)
})

/** What a guest tries to reach, as its image reads it: the provisioner, a controller, and its own node by the gateway. */
const forbidden = async () => {
  const provisioner = labOf(LAB).rack.bridge.address
  const controller = new URL((await accessOf(LAB)).auth_url).hostname
  return [
    `${provisioner}:8080/ignition?mac=52-54-00-20-00-02`,
    `${provisioner}:8443/agent/v1/bundle`,
    ...[2379, 6443, 10250].map(port => `${controller}:${port}/`),
    '172.24.4.1:10250/healthz',
  ]
}
/** The host and port of such a target. */
const place = (target: string) => target.slice(0, target.indexOf('/'))
/** What it may: a public endpoint. */
const allowed = async () => `${new URL((await accessOf(LAB)).auth_url).host}/v3`

let server = ''
await t.test(
  'a server on that port becomes ACTIVE, and its guest has the address of the port',
  { skip: notUp },
  async t => {
    const parts = ['--image', NAME, '--flavor', NAME, '--port', NAME, '--key-name', NAME]
    parts.push('--property', `probe=${[...(await forbidden()), await allowed()].join(' ')}`)
    const made = await openstack.show('server', 'create', ...parts, '--wait', NAME)
    server = text(made['id'])
    later('server', 'delete', '--wait', server)
    t.equal(made['status'], 'ACTIVE')
    t.match(made['addresses'], { [NAME]: [address] })
    const said = await consoleWith(openstack, server, /^GUEST-UP /m, 120)
    t.match(said, new RegExp(`^GUEST-UP ${address}\\s*$`, 'm'))
  },
)

await t.test('the guest learns from the metadata service who it is', { skip: notUp }, async t => {
  t.match(
    await consoleWith(openstack, server, /^GUEST-META /m, 120),
    new RegExp(`^GUEST-META name=${NAME} uuid=${server}`, 'm'),
  )
})

await t.test(
  'the guest does not get the config of its node, nor anything else of nodes but node ports',
  { skip: notUp },
  async t => {
    const said = await consoleWith(openstack, server, /^GUEST-PROBE done/m, 60)
    const lines = said.matchAll(/^GUEST-PROBE (\S+) (answers|is silent)/gm)
    const silent = (await forbidden()).map(to => `${place(to)} is silent`)
    t.strictSame(
      [...lines].map(([, to, how]) => `${to} ${how}`).toSorted(),
      [...silent, `${place(await allowed())} answers`].toSorted(),
    )
  },
)

await t.test('its console has an address for browsers, which answers', { skip: notUp }, async t => {
  const { url } = await openstack.show('console', 'url', 'show', '--novnc', server)
  t.match(url, /^http:\/\/[\d.]+:30680\//)
  t.match(await inRack(LAB, ['curl', '--silent', '--fail', '--max-time', '20', text(url)]), /noVNC/)
})

let outside = ''
const answerFromOutside = () =>
  waitUntil(`http://${outside}/`, { limitSeconds: 120, everyMs: 1000 }, async () => ({
    value: await inRack(LAB, ['curl', '--silent', '--fail', '--max-time', '3', `http://${outside}/`]),
  }))
await t.test('its floating IP answers ping and HTTP from outside', { skip: notUp }, async t => {
  const made = await openstack.show('floating', 'ip', 'create', external)
  outside = text(made['floating_ip_address'])
  later('floating', 'ip', 'delete', outside)
  await openstack.say('server', 'add', 'floating', 'ip', server, outside)
  t.match(await answerFromOutside(), address)
  t.match(await inRack(LAB, ['ping', '-c', '3', '-W', '2', outside]), /0% packet loss/)
})

await t.test('it answers again after a hard reboot', { skip: notUp }, async t => {
  await openstack.say('server', 'reboot', '--hard', '--wait', server)
  t.match(await answerFromOutside(), address)
})

const noDashboard = notUp || (whyNoBrowser() ?? false)
await t.test('a browser logs in at the dashboard and lists the server', { skip: noDashboard }, async t => {
  const { auth_url: authUrl, username, password } = await accessOf(LAB)
  const [route] = await labOf(LAB).relay([{ port: 0, host: new URL(authUrl).hostname, targetPort: 30080 }])
  const browser = await openBrowser()
  t.teardown(() => browser.close())
  const page = await browser.page()
  const dashboard = `http://127.0.0.1:${route?.port}`
  await page.open(`${dashboard}/auth/login/`)
  t.equal(await page.evaluate('document.activeElement.id'), 'id_username')
  await page.type(username)
  await page.press('Tab')
  await page.type(password)
  await page.press('Enter')
  await waitUntil('the overview', { limitSeconds: 90, everyMs: 1000 }, async () => {
    const title = await page.evaluate<string>('document.title')
    return /Overview|Projects/.test(title) ? { value: title } : { not: title }
  })
  const row = await waitUntil('the server is in the list', { limitSeconds: 60, everyMs: 2000 }, async () => {
    await page.open(`${dashboard}/project/instances/`)
    const shown = await page.evaluate<string>(
      `document.querySelector('[data-object-id="${server}"]')?.innerText ?? ''`,
    )
    return shown === '' ? { not: await page.evaluate<string>('document.body.innerText') } : { value: shown }
  })
  t.match(row, new RegExp(`${NAME}.*${address}.*Active.*Running`, 's'))
  const picture = await page.picture(1280, 720)
  if (process.env['UPDATE_IMAGES'] === '1')
    writeFileSync(new URL('../../docs/images/horizon.png', import.meta.url), picture)
})

const volumeBecomes = (wanted: string) =>
  waitUntil(`the volume is ${wanted}`, { limitSeconds: 120, everyMs: 1000 }, async () => {
    const { status } = await openstack.show('volume', 'show', NAME)
    return status === wanted ? { value: true } : { not: text(status) }
  })
const noVolumes = notUp || (services.includes('volumev3') ? false : 'the cloud has no volumes')
await t.test(
  'a volume made from an image is seen by the guest that it is attached to',
  { skip: noVolumes },
  async t => {
    await openstack.show('volume', 'create', '--size', '1', '--image', NAME, NAME)
    later('volume', 'delete', NAME)
    await volumeBecomes('available')
    await openstack.say('server', 'add', 'volume', server, NAME)
    await volumeBecomes('in-use')
    t.match(
      await consoleWith(openstack, server, /^GUEST-DISK vd/m, 60),
      /^GUEST-DISK vd[a-z] 1073741824\s*$/m,
    )
    await openstack.say('server', 'remove', 'volume', server, NAME)
    await volumeBecomes('available')
  },
)

/** With its own network and guest. */
const STACK = `
heat_template_version: 2018-08-31
resources:
  network: { type: OS::Neutron::Net }
  subnet:
    type: OS::Neutron::Subnet
    properties: { network: { get_resource: network }, cidr: 10.8.0.0/24 }
  server:
    type: OS::Nova::Server
    depends_on: subnet
    properties: { image: ${NAME}, flavor: ${NAME}, networks: [{ network: { get_resource: network } }] }
outputs:
  address: { value: { get_attr: [server, first_address] } }
`

const noStacks = notUp || (services.includes('orchestration') ? false : 'the cloud has no stacks')
await t.test('a stack makes its own network and server', { skip: noStacks }, async t => {
  const template = join(folder, 'stack.yaml')
  writeFileSync(template, STACK)
  later('stack', 'delete', '--yes', '--wait', NAME)
  // While it waits it prints what happens, which is not JSON.
  await openstack.say('stack', 'create', '--template', template, '--wait', '--timeout', '10', NAME)
  const made = await openstack.show('stack', 'show', NAME)
  t.equal(made['stack_status'], 'CREATE_COMPLETE')
  const { output_value: given } = await openstack.show('stack', 'output', 'show', NAME, 'address')
  t.match(given, /^10\.8\.0\.\d+$/)
})

await t.test('a verification passes, and removes what a killed one has left', { skip: notUp }, async t => {
  const { rack, directory } = labOf(LAB)
  const state = [`--state=${labFiles(directory).up}`, `--server=http://${rack.bridge.address}:8080`]
  const [command = '', ...args] = labOf(LAB).inRack([PILOTLIGHT, 'verify', rack.site ?? '', ...state])
  const killed = spawn(command, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  for await (const line of createInterface(killed.stderr)) if (/network: done/.test(line)) break
  process.kill(-(killed.pid ?? 0), 'SIGKILL')
  const left = await openstack.list('network', 'list')
  t.ok(left.some(row => text(row['Name']).startsWith('pilotlight-verify-')))
  const said = await inRack(LAB, [PILOTLIGHT, 'verify', rack.site ?? '', ...state, '--json'], 600)
  const { passed, checks, guest } = JSON.parse(said) as Verified
  t.ok(passed)
  t.match(guest, { host: /./, driver: { name: 'libvirt' } })
  t.match(checks.find(({ name }) => name === 'leftovers')?.note, /^[1-9]\d* things/)
  for (const { name, state, note } of checks) t.equal(state, 'passed', `${name}: ${note}`)
})

type Verified = {
  passed: boolean
  checks: { name: string; state: string; note: string }[]
  guest: { host: string; driver: { name: string } }
}

// The power of a lab that is someone's stays on.
const noCuts = BORROWED === undefined ? noVolumes : `borrowed: ${LAB}`
await t.test('the guest gets its volume again', { skip: noCuts }, async () => {
  await openstack.say('server', 'add', 'volume', server, NAME)
  undo.push(async () => {
    await openstack.say('server', 'remove', 'volume', server, NAME)
    await volumeBecomes('available')
  })
  await volumeBecomes('in-use')
})
await cutPower(t, LAB, () => outside, noCuts)

await t.test('everything is removed again with the same client', { skip: notUp }, async t => {
  for (const step of undo.toReversed()) await t.resolves(step())
})

await t.test('nothing is left in the cloud and on its nodes', { skip: notUp }, async t => {
  const after = await waitUntil('the traces are gone', { limitSeconds: 90, everyMs: 3000 }, async () => {
    const traces = await tracesOf(LAB)
    return JSON.stringify(traces) === JSON.stringify(before)
      ? { value: traces }
      : { not: JSON.stringify(traces) }
  }).catch(() => tracesOf(LAB))
  t.strictSame(after, before)
})

await shutDown(t, LAB, noCuts)

/** What a tour leaves traces in: the lists of the cloud, and on each node interfaces, namespaces and guests. */
type Traces = {
  readonly cloud: Readonly<Record<string, string[]>>
  readonly nodes: Readonly<Record<string, string[]>>
}

async function tracesOf(lab: string): Promise<Traces> {
  const kinds = [
    'image',
    'network',
    'subnet',
    'router',
    'port',
    'security group',
    'keypair',
    'flavor',
    'floating ip',
  ]
  const optional = [
    ...(services.includes('volumev3') ? ['volume'] : []),
    ...(services.includes('orchestration') ? ['stack'] : []),
  ]
  const cloud: Record<string, string[]> = {}
  for (const kind of [...kinds, 'server', ...optional]) {
    const rows = await openstack.list(...kind.split(' '), 'list')
    // Neutron makes a security group called default for every project by itself, the first time that it is asked.
    const made = kind === 'security group' ? rows.filter(row => row['Name'] !== 'default') : rows
    cloud[kind] = made.map(row => text(row['ID'] ?? row['Name'])).toSorted()
  }
  const nodes: Record<string, string[]> = {}
  const look = 'ls /sys/class/net; ls /run/netns; cat /proc/[0-9]*/comm 2>/dev/null'
  for (const { name } of labOf(lab).rack.machines) {
    const { stdout } = await labOf(lab).machine(name).exec(['sh', '-c', look])
    nodes[name] = stdout
      .split('\n')
      .filter(line => /^(tap|brq|vxlan-|qg-|qr-|qdhcp-|qrouter-|qemu-system)/.test(line))
      .toSorted()
  }
  return { cloud, nodes }
}
