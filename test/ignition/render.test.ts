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

function render(template: string, role: string | undefined): string {
  const machine = { name: 'ctl-1', role, address: '10.20.0.11', macs: ['52:54:00:20:00:01'], labels: {} }
  return templates.render(`ignition/${template}`, {
    server: { url: 'http://10.20.0.1:8080', address: '10.20.0.1', addresses: ['10.20.0.1'] },
    agent: { url: 'https://10.20.0.1:8443', ca: '-----BEGIN CERTIFICATE-----\n', token: 'once' },
    machine: role === undefined ? null : machine,
    metadata: {},
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
    'pilotlight-renew.service',
    'pilotlight-renew.timer',
    'kubelet.service',
  ])
  t.strictSame(unitsOf('controller'), [
    'pilotlight-agent.service',
    'pilotlight-firewall.service',
    'pilotlight-renew.service',
    'pilotlight-renew.timer',
    'kubelet.service',
    'etcd.service',
    'pilotlight-checkpoint.service',
  ])
})

t.test(
  'only the agent, its timer and the firewall start by themselves: the rest waits for the bundle',
  async t => {
    const { systemd } = JSON.parse(render('node.ign.njk', 'controller')) as Config
    const enabled = systemd?.units.filter(unit => unit.enabled).map(unit => unit.name)
    t.strictSame(enabled, [
      'pilotlight-agent.service',
      'pilotlight-firewall.service',
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

t.test('a config is at most 14 KB without a role, and 24 KB of a controller', async t => {
  for (const { template, role, most } of [
    { template: 'live.ign.njk', role: 'compute', most: 14_000 },
    { template: 'node.ign.njk', role: 'controller', most: 24_000 },
  ]) {
    const { length } = JSON.stringify(JSON.parse(render(template, role)))
    t.ok(length < most, `${template}: ${length} bytes`)
  }
})

t.test('the scripts are what bash can read', async t => {
  for (const script of ['agent', 'checkpoint']) {
    const file = join(import.meta.dirname, '../../ignition/scripts', script)
    await t.resolves(run('bash', ['-n', file], { limitSeconds: 10 }), script)
    const config = JSON.parse(render('node.ign.njk', 'controller')) as Config
    t.match(contentOf(config, `/usr/local/lib/pilotlight/${script}`), /^#!\/bin\/bash\n/)
  }
})
