// docs/site.md has every key that a site file may have, and is what its command writes.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pilotlight } from '#test/cli/pilotlight.ts'
import { parseSite } from '#rack/site/read.ts'
import { FULL_SITE, MINIMAL_SITE, siteReference } from '#rack/site/reference.ts'
import { SITE_KEYS, type SiteKeys } from '#rack/site/site-keys.ts'

const CONTROLLER = { name: 'ctl-1', mac: '52:54:00:20:00:01', role: 'controller' }
const OTHER_MAC = '52:54:00:20:00:02'
const COMPUTE = { name: 'cmp-1', mac: OTHER_MAC, role: 'compute' }
/** How a mistake of a site file begins: its code, and where. */
const WHERE = { message: /^PL-\d{4} site\.yaml:1:\d+ / }
const PAGE = join(import.meta.dirname, '../../../docs/site.md')

t.test('the page is what npm run site-reference writes', async t => {
  t.equal(readFileSync(PAGE, 'utf8'), siteReference(), 'stale? run:  npm run site-reference')
})

t.test('every key has a type, a default, an example and a description', async t => {
  for (const [path, key] of all('', SITE_KEYS))
    for (const field of ['type', 'default', 'example', 'description'] as const)
      t.match(key[field], /\S/, `${path}: ${field}`)
})

t.test('the readers allow exactly these keys', async t => {
  const inner = all('', SITE_KEYS).filter(([, { keys }]) => keys !== undefined)
  const places: [string, SiteKeys][] = [
    ['', SITE_KEYS],
    ...inner.map(([at, { keys = {} }]) => [at, keys] as [string, SiteKeys]),
  ]
  for (const [place, keys] of places) {
    const wrong = place
      .split('.')
      .filter(Boolean)
      .reduceRight((value: unknown, step) => ({ [step]: step === 'machines' ? [value] : value }), {
        zzzzzzzzzz: 1,
      })
    t.throws(
      () => parseSite('site.yaml', JSON.stringify(wrong)),
      { message: new RegExp(`zzzzzzzzzz: unknown key\\n  allowed: ${Object.keys(keys).join(' ')}(\\n|$)`) },
      place,
    )
  }
})

t.test('the examples of the page can be planned', async t => {
  const folder = t.testdir({ 'minimal.yaml': MINIMAL_SITE, 'full.yaml': FULL_SITE })
  for (const file of ['minimal.yaml', 'full.yaml']) {
    const { status, err } = await pilotlight(['plan', file, '--state', join(folder, 'state')], {
      cwd: folder,
    })
    t.equal(status, 0, `${file}: ${err}`)
  }
})

t.test('the defaults of the page are what the reader fills in', async t => {
  const { network, trust, cluster, openstack } = parseSite('site.yaml', MINIMAL_SITE)
  t.equal(network.dhcp, usual(SITE_KEYS.network.keys.dhcp.default))
  t.equal(trust.level, usual(SITE_KEYS.trust.keys.level.default))
  t.equal(trust.approve, usual(SITE_KEYS.trust.keys.approve.default))
  t.equal(`${trust.deadlineMinutes}m`, usual(SITE_KEYS.trust.keys.deadline.default))
  for (const key of ['kubernetes', 'podCidr', 'serviceCidr'] as const)
    t.equal(cluster[key], usual(SITE_KEYS.cluster.keys[key].default))
  t.equal(openstack.plan, usual(SITE_KEYS.openstack.keys.plan.default))
  t.equal(openstack.external.cidr, usual(SITE_KEYS.openstack.keys.external.keys.cidr.default))
})

const SSH_KEY = SITE_KEYS.ssh_keys.example.slice(1, -1).replace(' anna', '')

/** For each key with limits: a value at the limit that is taken, and values beyond it. Set by path in a site of one machine. */
const BOUNDS: Readonly<
  Record<string, { readonly taken: readonly unknown[]; readonly refused: readonly unknown[] }>
> = {
  name: { taken: ['a', 'a'.repeat(63)], refused: ['', 'A', 'a_b', 'a'.repeat(64)] },
  machines: {
    taken: [[CONTROLLER]],
    refused: [[], [COMPUTE], [CONTROLLER, { ...CONTROLLER, name: 'ctl-2', mac: OTHER_MAC }]],
  },
  'network.subnet': {
    taken: ['10.20.0.0/29', '172.32.0.0/12', '100.0.0.0/8'],
    refused: ['10.20.0.0/30', '10.20.0.0/31', '100.0.0.0/7', '10.20.0.1/24', 'fd00::/64', '10.2.0.0/24'],
  },
  'network.gateway': {
    taken: ['10.20.0.1', '10.20.0.254'],
    refused: ['10.20.0.0', '10.20.0.255', '10.21.0.1'],
  },
  'network.pool': {
    taken: ['10.20.0.100-10.20.0.100', '10.20.0.2-10.20.0.10'],
    refused: ['10.20.0.101-10.20.0.100', '10.20.0.1-10.20.0.10', '10.20.1.1-10.20.1.9'],
  },
  'network.dns': {
    taken: [['10.20.0.1', '9.9.9.9', '1.1.1.1']],
    refused: [
      ['10.20.0.1', '9.9.9.9', '1.1.1.1', '8.8.8.8'],
      ['9.9.9.9', '9.9.9.9'],
      ['10.2.0.9'],
      ['10.3.0.9'],
      ['172.24.4.9'],
    ],
  },
  'network.ntp': {
    taken: [['10.20.0.1'], ['10.20.0.1', '192.0.2.1', '192.0.2.2', '192.0.2.3']],
    refused: [
      [],
      Array.from({ length: 5 }, (_, at) => `192.0.2.${at}`),
      ['192.0.2.1', '192.0.2.1'],
      ['pool.ntp.org'],
      ['10.2.0.9'],
      ['10.3.0.9'],
      ['172.24.4.9'],
    ],
  },
  'machines.name': { taken: ['a', 'a'.repeat(63)], refused: ['', 'Ctl', 'a.b', 'a'.repeat(64)] },
  'machines.mac': {
    taken: ['52-54-00-20-00-01', '525400200001', '5254.0020.0001'],
    refused: ['01:00:5e:00:00:01', '00:00:00:00:00:00', '52:54:00:20:00'],
  },
  'machines.uuid': {
    taken: ['8d2c1c3e-6a70-4c2f-9d4b-0a1b2c3d4e5f'],
    refused: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '8d2c'],
  },
  'machines.role': { taken: ['controller'], refused: ['compute', 'boss'] },
  'machines.address': {
    taken: ['10.20.0.2', '10.20.0.99', '10.20.0.200'],
    refused: ['10.20.0.1', '10.20.0.100', '10.20.0.199', '10.21.0.2'],
  },
  'machines.tpm': {
    taken: [`SHA256:${'0a'.repeat(32)}`],
    refused: [`SHA256:${'0'.repeat(63)}`, '0'.repeat(64)],
  },
  'machines.firmware': {
    taken: [`SHA256:${'0a'.repeat(32)}`],
    refused: [`SHA256:${'0'.repeat(65)}`, 'SHA256:'],
  },
  'machines.labels': {
    taken: [{ rack: 'x'.repeat(256) }, { 'example.org/rack': 'a' }],
    refused: [
      { rack: 'x'.repeat(257) },
      { rack: 'a\nb' },
      { mac: 'x' },
      { 'kubernetes.io/a': 'b' },
      { 'a b': 'c' },
      ['a'],
    ],
  },
  'machines.notes': { taken: ['x'.repeat(4096)], refused: ['x'.repeat(4097)] },
  disk: { taken: ['none', { mirror: true }, { encrypt: 'no' }], refused: [{}, 'ram', [], true, ''] },
  'disk.match': {
    taken: [{ type: 'nvme' }, { model: 'a*', type: 'ssd', minSize: '1TB' }],
    refused: [{}, 'nvme', [], { size: '1TB' }, { type: 'nvme', serial: 'a' }],
  },
  'disk.match.by-id': {
    taken: ['wwn-0x5000c500a1b2c3d4', `/dev/disk/by-id/${'a'.repeat(200)}`],
    refused: ['', 'a'.repeat(201), '../sda', '/dev/sda', 'ata-X-part1', 'a b', 'a*', "a'b", 'a$(b)'],
  },
  'disk.match.serial': {
    taken: ['S64GNE0R600123', '0012', 'a b', 'a'.repeat(128)],
    refused: ['', ' a', 'a ', 'a'.repeat(129), 'a*', 'a"b', 'a\\b', 'a\nb', 'é', ['a']],
  },
  'disk.match.model': {
    taken: ['SAMSUNG MZ?L2*', 'PERC H730P Mini', 'a'.repeat(128)],
    refused: ['', '*', '?*', 'a'.repeat(129), 'a[bc]', 'a{b,c}', '`id`', 'a;b', 'a|b'],
  },
  'disk.match.minSize': {
    taken: ['16GiB', '17.18GB', '1000TB', '1.92TB', '909TiB'],
    refused: [
      '15GiB',
      '17.1GB',
      '1000.1TB',
      '910TiB',
      '100',
      '100G',
      '100 GB',
      '100gb',
      '1e3GB',
      '-1TB',
      '',
      'TB',
    ],
  },
  'disk.encrypt': { taken: ['no', 'tpm', 'server', 'auto'], refused: ['yes', true] },
  'disk.mirror': { taken: [true, false], refused: ['true', 'yes', 1, null, ['a'], {}] },
  'disk.overwrite': { taken: [false], refused: [true, 'true', 'no', 0] },
  'machines.disk': {
    taken: ['none', { match: { serial: 'a' } }, { match: { type: 'hdd' }, overwrite: true, mirror: true }],
    refused: [{}, 'None', { overwrite: true }, { match: { serial: 'a' }, mirror: true }],
  },
  ssh_keys: {
    taken: [[SSH_KEY], [`${SSH_KEY} anna`]],
    refused: [
      [],
      SSH_KEY,
      ['ssh-ed25519 AAAA'],
      [SSH_KEY, SSH_KEY],
      Array.from({ length: 21 }, () => SSH_KEY),
    ],
  },
  'console.login': { taken: ['off', 'autologin'], refused: ['password', 'on', true] },
  'console.password_hash': { taken: [], refused: ['secret', `$y$j9T$a$${'b'.repeat(43)}`] },
  'trust.approve': { taken: [{ racks: ['a'] }], refused: [{}, 'nobody', { racks: [] }] },
  'trust.reboot': { taken: ['auto', 'same-key'], refused: ['never'] },
  'trust.deadline': { taken: ['1m', '168h'], refused: ['0m', '169h', '60'] },
  'cluster.kubernetes': {
    taken: [SITE_KEYS.cluster.keys.kubernetes.default.replaceAll('`', '')],
    refused: ['1.2.3', '1'],
  },
  'cluster.podCidr': {
    taken: ['10.2.0.0/24', '11.0.0.0/8'],
    refused: ['10.2.0.0/25', '10.2.0.1/16', '10.20.0.0/16', '12.0.0.0/7'],
  },
  'cluster.serviceCidr': {
    taken: ['10.3.0.0/28', '11.16.0.0/12'],
    refused: ['10.3.0.0/29', '10.0.0.0/11', '10.2.0.0/24', '10.3.0.1/24'],
  },
  'cluster.apiVip': { taken: [], refused: ['10.20.0.5'] },
  'cluster.openToPods': { taken: [[1, 65_535]], refused: [[0], [65_536]] },
  'openstack.plan': { taken: ['compute-kit'], refused: ['openstack-helm', 'kolla'] },
  'openstack.features': { taken: [], refused: [['2026.1'], ['a b']] },
  'openstack.registries': {
    taken: [['registry.example.org/openstack'], ['localhost:5000']],
    refused: [['openstack'], ['https://registry.example.org']],
  },
  'openstack.external.cidr': {
    taken: ['172.24.4.0/29', '11.0.0.0/8'],
    refused: ['172.24.4.0/30', '172.24.4.1/24', '10.20.0.0/24', '12.0.0.0/7'],
  },
  'openstack.external.interface': {
    taken: ['e', 'eth1.100@bond-0_'.slice(0, 15)],
    refused: ['e'.repeat(16), 'lo', 'cni0', 'br-ex', '..', 'a/b'],
  },
}

t.test('the limits of the page are those of the reader, value by value', async t => {
  const limited = all('', SITE_KEYS).filter(([, { limits }]) => limits !== '')
  t.strictSame(
    limited.map(([path]) => path).filter(path => !(path in BOUNDS)),
    [],
    'every key with limits is tried',
  )
  for (const [path, { taken, refused }] of Object.entries(BOUNDS)) {
    for (const value of taken)
      t.doesNotThrow(() => parseSite('site.yaml', siteWith(path, value)), `${path}: ${JSON.stringify(value)}`)
    for (const value of refused) {
      t.throws(
        () => parseSite('site.yaml', siteWith(path, value)),
        WHERE,
        `${path}: ${JSON.stringify(value)}`,
      )
    }
  }
})

/** A site of one machine in which one key is set. */
function siteWith(path: string, value: unknown): string {
  const machine: Record<string, unknown> = { ...CONTROLLER }
  const site: Record<string, unknown> = {
    name: 'rack-1',
    network: { subnet: '10.20.0.0/24' },
    machines: [machine],
  }
  const steps = path.split('.')
  const last = steps.pop() ?? ''
  let place: Record<string, unknown> = site
  for (const step of steps)
    place = step === 'machines' ? machine : ((place[step] ??= {}) as Record<string, unknown>)
  place[last] = value
  return JSON.stringify(site)
}

/** Each key with its path. */
function all(place: string, keys: SiteKeys): [string, SiteKeys[string]][] {
  return Object.entries(keys).flatMap(([name, key]) => [
    [`${place}${name}`, key] as [string, SiteKeys[string]],
    ...all(`${place}${name}.`, key.keys ?? {}),
  ])
}

/** A default as it is without its Markdown. */
function usual(text: string): string {
  return text.replaceAll('`', '')
}
