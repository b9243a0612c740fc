// The Ignition configs as a machine gets them, judged by the real ignition-validate.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { run } from '#host/command.ts'
import { directoryFiles } from '#server/boot/render/directory-files.ts'
import { Templates } from '#server/boot/render/templates.ts'
import { findTools } from '../built-tools.ts'

const templates = new Templates(directoryFiles(join(import.meta.dirname, '../..')))
const tools = await findTools()

type Config = {
  storage?: { files: { path: string; mode: number; contents: { source: string; compression?: string } }[] }
  systemd?: { units: { name: string; enabled?: boolean; contents: string }[] }
}

function render(
  template: string,
  role: string | undefined,
  more: object = {},
  metadata: object = {},
): string {
  const machine = {
    name: 'ctl-1',
    role,
    address: '10.20.0.11',
    macs: ['52:54:00:20:00:01'],
    labels: {},
    ...more,
  }
  return templates.render(`ignition/${template}`, {
    server: { url: 'http://10.20.0.1:8080', address: '10.20.0.1', addresses: ['10.20.0.1'] },
    agent: { url: 'https://10.20.0.1:8443', ca: '-----BEGIN CERTIFICATE-----\n', token: 'once' },
    machine: role === undefined ? null : machine,
    metadata,
    labels: { mac: '52:54:00:20:00:01' },
    profile: { id: role ?? 'live' },
  })
}

function contentOf(config: Config, path: string): string {
  const file = config.storage?.files.find(file => file.path === path)
  const bytes = Buffer.from(file?.contents.source.replace('data:;base64,', '') ?? '', 'base64')
  return String(file?.contents.compression === 'gzip' ? gunzipSync(bytes) : bytes)
}

function unitsOf(role: string): string[] {
  const config = JSON.parse(render('node.ign.njk', role)) as Config
  return config.systemd?.units.map(unit => unit.name) ?? []
}

const cases = [
  { title: 'a controller', template: 'node.ign.njk', role: 'controller' },
  { title: 'a compute machine', template: 'node.ign.njk', role: 'compute' },
  { title: 'a known machine without a role to play', template: 'live.ign.njk', role: 'compute' },
  { title: 'a stranger', template: 'live.ign.njk', role: undefined },
]

for (const { title, template, role } of cases) {
  const skip = tools === undefined ? 'needs the host tools: bin/pilotlight images build' : false
  t.test(`ignition-validate accepts the config of ${title}`, { skip }, async t => {
    const file = join(t.testdir(), 'config.ign')
    await writeFile(file, render(template, role))
    await t.resolves(run(join(tools ?? '', 'ignition-validate'), [file], { limitSeconds: 10 }))
  })
}

t.test('a controller gets etcd and a checkpointer, a compute machine does not', async t => {
  t.strictSame(unitsOf('compute'), [
    'pilotlight-agent.service',
    'pilotlight-firewall.service',
    'pilotlight-pods.service',
    'cri-containerd-.scope',
    'pilotlight-renew.service',
    'pilotlight-renew.timer',
    'kubelet.service',
  ])
  t.strictSame(unitsOf('controller'), [
    'pilotlight-agent.service',
    'pilotlight-firewall.service',
    'pilotlight-pods.service',
    'cri-containerd-.scope',
    'pilotlight-renew.service',
    'pilotlight-renew.timer',
    'kubelet.service',
    'etcd.service',
    'pilotlight-checkpoint.service',
  ])
})

t.test(
  'only the agent, its timer, the firewall and the order of a shutdown start by themselves: the rest waits for the bundle',
  async t => {
    const { systemd } = JSON.parse(render('node.ign.njk', 'controller')) as Config
    const enabled = systemd?.units.filter(unit => unit.enabled).map(unit => unit.name)
    t.strictSame(enabled, [
      'pilotlight-agent.service',
      'pilotlight-firewall.service',
      'pilotlight-pods.service',
      'pilotlight-renew.timer',
    ])
  },
)

t.test('the token is for root only, and the only secret', async t => {
  const config = JSON.parse(render('node.ign.njk', 'controller')) as Config
  const secret = config.storage?.files.filter(file => (file.mode & 0o077) === 0).map(file => file.path)
  t.strictSame(secret, ['/etc/pilotlight/authorization'])
  t.equal(contentOf(config, '/etc/pilotlight/authorization'), 'Authorization: Bearer once\n')
  for (const { path } of config.storage?.files ?? []) t.notMatch(contentOf(config, path), /PRIVATE KEY/, path)
})

t.test('the machine has its name, and the agent knows what it is for', async t => {
  const config = JSON.parse(render('node.ign.njk', 'compute')) as Config
  t.equal(contentOf(config, '/etc/hostname'), 'ctl-1\n')
  t.match(contentOf(config, '/etc/hosts'), '10.20.0.11 ctl-1')
  t.strictSame(contentOf(config, '/etc/pilotlight/agent.env').trim().split('\n'), [
    'AGENT_URL=https://10.20.0.1:8443',
    'MACHINE=ctl-1',
    'ROLE=compute',
    'BUNDLE=yes',
    'TPM=no',
  ])
})

t.test('the disk of the site file is in the config, and none where the machine stays in RAM', async t => {
  const disk = {
    match: { byId: 'wwn-0x5', serial: 'a b', model: 'PERC H7?0*', type: 'nvme', minSize: 2 ** 34 },
    explicit: true,
    mirror: true,
    encrypt: 'tpm',
    overwrite: false,
  }
  const pathsOf = (config: Config) => config.storage?.files.map(({ path }) => path) ?? []
  const config = JSON.parse(render('node.ign.njk', 'compute', { disk })) as Config
  t.strictSame(JSON.parse(contentOf(config, '/etc/pilotlight/disk.json')), disk)
  for (const more of [{}, { disk: 'none' }]) {
    const ram = JSON.parse(render('node.ign.njk', 'compute', more)) as Config
    t.notOk(pathsOf(ram).includes('/etc/pilotlight/disk.json'), JSON.stringify(more))
  }
  const live = JSON.parse(render('live.ign.njk', 'compute', { disk })) as Config
  t.notOk(pathsOf(live).includes('/etc/pilotlight/disk.json'), 'nor the live system without a role')
  const asked = JSON.parse(render('live.ign.njk', 'compute', { disk }, { install: 'yes' })) as Config
  t.strictSame(
    JSON.parse(contentOf(asked, '/etc/pilotlight/disk.json')),
    disk,
    'unless its group asks for it',
  )
})

t.test('the time servers of the site are asked also where another DHCP server names none', async t => {
  const path = '/etc/systemd/timesyncd.conf.d/50-pilotlight.conf'
  const config = JSON.parse(
    render('node.ign.njk', 'compute', {}, { ntp: ['10.20.0.1', '192.0.2.1'] }),
  ) as Config
  t.equal(contentOf(config, path), '[Time]\nNTP=10.20.0.1 192.0.2.1\n')
  const without = JSON.parse(render('node.ign.njk', 'compute')) as Config
  t.notOk(without.storage?.files.some(file => file.path === path))
})

const SSH_KEYS = ['ssh-ed25519 AAAA anna', 'ssh-ed25519 BBBB bert']

const withMetadata = (metadata: object) =>
  JSON.parse(render('node.ign.njk', 'compute', {}, metadata)) as Config
const named = ({ storage, systemd }: Config) => [
  ...(storage?.files.map(({ path }) => path) ?? []),
  ...(systemd?.units.map(({ name }) => name) ?? []),
]
const isWay = (name: string) => /ssh|getty|console|sudo|shadow|passwd/.test(name)

t.test('people get in where the site file says so, and only then', async t => {
  t.strictSame(named(withMetadata({})).filter(isWay), [])
  t.strictSame(named(withMetadata({ sshKeys: [] })).filter(isWay), [])
  const ssh = withMetadata({ sshKeys: SSH_KEYS })
  t.strictSame(named(ssh).filter(isWay), [
    '/etc/pilotlight/ssh/authorized_keys',
    '/etc/pilotlight/ssh/sshd_config',
    '/usr/local/lib/pilotlight/ssh-host-key',
    'pilotlight-ssh.service',
  ])
  t.equal(contentOf(ssh, '/etc/pilotlight/ssh/authorized_keys'), `${SSH_KEYS.join('\n')}\n`)
  t.match(
    ssh.storage?.files.find(({ path }) => path.endsWith('authorized_keys')),
    { mode: 0o600 },
  )
  t.match(
    ssh.systemd?.units.find(({ name }) => name === 'pilotlight-ssh.service'),
    { enabled: true },
  )
  const screen = withMetadata({ console: 'autologin' })
  t.strictSame(named(screen).filter(isWay), ['serial-getty@.service', 'getty@.service', 'getty@tty1.service'])
  t.match(JSON.stringify(screen), /--autologin root [^"]*\$\{TERM\}/)
  t.strictSame(
    named(withMetadata({ console: 'password' })).filter(isWay),
    [],
    'a password comes in the bundle',
  )
})

for (const metadata of [{ sshKeys: SSH_KEYS, console: 'autologin', ntp: ['10.20.0.1'] }]) {
  const skip = tools === undefined ? 'needs the host tools: bin/pilotlight images build' : false
  t.test('ignition-validate accepts the config with all ways in', { skip }, async t => {
    const file = join(t.testdir(), 'config.ign')
    await writeFile(file, render('node.ign.njk', 'controller', {}, metadata))
    await t.resolves(run(join(tools ?? '', 'ignition-validate'), [file], { limitSeconds: 10 }))
  })
}

t.test('a config is at most 15 KB without a role, and 26 KB of a controller', async t => {
  for (const { template, role, most } of [
    { template: 'live.ign.njk', role: 'compute', most: 15_000 },
    { template: 'node.ign.njk', role: 'controller', most: 26_000 },
  ]) {
    const { length } = JSON.stringify(JSON.parse(render(template, role)))
    t.ok(length < most, `${template}: ${length} bytes`)
  }
})

t.test('the scripts are what bash can read', async t => {
  for (const script of ['agent', 'checkpoint', 'ssh-host-key']) {
    const file = join(import.meta.dirname, '../../ignition/scripts', script)
    await t.resolves(run('bash', ['-n', file], { limitSeconds: 10 }), script)
    const config = JSON.parse(render('node.ign.njk', 'controller', {}, { sshKeys: SSH_KEYS })) as Config
    t.match(contentOf(config, `/usr/local/lib/pilotlight/${script}`), /^#!\/bin\/bash\n/)
  }
})
