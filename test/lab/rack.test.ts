import t from 'tap'
import { parseRack, readRack } from '#lab/rack.ts'
import { readSiteFile } from '#site/read.ts'

const MACHINE =
  '{ name: a, mac: 52:54:00:20:00:01, uuid: 5a0e7f00-0020-4000-8000-000000000001, driver: qemu }'
const GOOD = `name: small
bridge: { address: 10.20.0.1/24 }
site: site.yaml
machines:
  - ${MACHINE}
`

t.test('a rack file becomes a rack: paths count from its folder, what is left out has a value', async t => {
  t.same(parseRack(GOOD, '/racks/small/rack.yaml'), {
    name: 'small',
    bridge: { address: '10.20.0.1', prefix: 24 },
    site: '/racks/small/site.yaml',
    machines: [
      {
        name: 'a',
        mac: '52:54:00:20:00:01',
        uuid: '5a0e7f00-0020-4000-8000-000000000001',
        driver: 'qemu',
        firmware: 'bios',
        accelerator: 'tcg',
      },
    ],
  })
})

const MISTAKES: [title: string, text: string, place: string, message: RegExp][] = [
  ['a text that is no YAML', 'name: [', '1:8', /./],
  ['an empty file', '', '1:1', /must be a mapping/],
  ['an unknown key', GOOD.replace('site:', 'sight:'), '3:1', /unknown key sight; known: name, bridge/],
  ['a missing name', GOOD.replace('name: small\n', ''), '1:1', /the rack lacks name/],
  ['a name that no namespace can have', GOOD.replace('small', 'Small_1'), '1:7', /name must be lower case/],
  [
    'a bridge without prefix',
    GOOD.replace('/24', ''),
    '2:20',
    /address must be an IPv4 address with its prefix/,
  ],
  [
    'a bridge that is no address',
    GOOD.replace('10.20.0.1/', '10.20.0.300/'),
    '2:20',
    /no address of a network/,
  ],
  [
    'a driver that is none',
    GOOD.replace('driver: qemu', 'driver: xen'),
    '5:92',
    /driver must be qemu or container/,
  ],
  ['a short MAC', GOOD.replace('52:54:00:20:00:01', '52:54:00'), '5:21', /mac must be a MAC address/],
  [
    'a firmware for a container machine',
    GOOD.replace('driver: qemu', 'driver: container, firmware: uefi'),
    '5:113',
    /has no firmware/,
  ],
  [
    'a fraction of memory',
    GOOD.replace('driver: qemu', 'driver: qemu, memoryMiB: 0.5'),
    '5:109',
    /whole number/,
  ],
  ['two machines of one name', `${GOOD}  - ${MACHINE}\n`, '6:13', /another machine has the name a/],
]

for (const [title, text, place, message] of MISTAKES)
  t.test(`${title} is told with its line and column`, async t => {
    const thrown = t.throws(() => parseRack(text, '/r.yaml'), { code: 'RACK_FILE', message })
    t.match(String(thrown), `/r.yaml:${place}: `)
  })

t.test("the project's own racks are sound, and each machine of a site is in its rack", async t => {
  for (const name of ['small', 'mixed', 'firmware']) {
    const rack = await readRack(`lab/racks/${name}/rack.yaml`)
    t.equal(rack.name, name)
    if (rack.site === undefined) continue
    const site = await readSiteFile(rack.site)
    t.equal(site.network.gateway, rack.bridge.address)
    t.same(
      site.machines.map(({ name, macs }) => [name, ...macs]),
      rack.machines.map(({ name, mac }) => [name, mac]),
    )
  }
})
