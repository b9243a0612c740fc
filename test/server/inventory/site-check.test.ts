// A site is refused that gives away an address of the server, and what its DHCP will not do is said.

import t from 'tap'
import { compileSite } from '#rack/site/compile.ts'
import { parseSite } from '#rack/site/read.ts'
import { refuseServerAddresses, siteWarnings, type ServerPlace } from '#server/inventory/site-check.ts'
import { ServerAddressTaken } from '#server/errors.ts'

const siteOf = (network: string, head = '') =>
  compileSite(
    parseSite(
      'site.yaml',
      `name: r\nnetwork: { subnet: 10.40.0.0/24${network} }\nmachines:\n  - { name: head, mac: "52:54:00:40:00:01", role: controller${head} }\n`,
    ),
  )
const HERE: ServerPlace = { address: '10.40.0.5', addresses: ['10.40.0.5'], dhcp: true, forwards: true }

function refusal(
  site: ReturnType<typeof siteOf>,
  addresses: readonly string[],
): ServerAddressTaken | undefined {
  try {
    refuseServerAddresses('r', site, { ...HERE, addresses })
  } catch (error) {
    if (error instanceof ServerAddressTaken) return error
    throw error
  }
  return undefined
}

t.test('a machine at any address of the server is refused, and who gave the address is said', async t => {
  const chosen = refusal(siteOf(''), ['192.0.2.1', '10.40.0.11'])
  t.match(chosen, {
    code: 'SERVER_ADDRESS_TAKEN',
    statusCode: 409,
    message:
      'machine head of site r has 10.40.0.11 (chosen by Pilotlight), which is an address of this server. Give the machine another address in the site file, for example  address: 10.40.0.12.',
  })
  const written = refusal(siteOf('', ', address: 10.40.0.31'), ['10.40.0.31', '10.40.0.11'])
  t.match(written?.message, /has 10\.40\.0\.31 \(in the site file\), .* address: 10\.40\.0\.12\.$/)
  const { chosen: _, ...unsaid } = siteOf('')
  t.match(refusal(unsaid, ['10.40.0.11'])?.message, 'machine head of site r has 10.40.0.11, which is')
})

t.test('a pool with an address of the server is refused, with the larger part that has none', async t => {
  const given = refusal(siteOf(', pool: 10.40.0.50-10.40.0.90'), ['10.40.0.60'])
  t.match(
    given?.message,
    /pool 10\.40\.0\.50-10\.40\.0\.90 \(in the site file\) .* contains 10\.40\.0\.60, .* pool: 10\.40\.0\.61-10\.40\.0\.90\.$/,
  )
  t.match(
    refusal(siteOf(''), ['10.40.0.199'])?.message,
    /\(chosen by Pilotlight\) .* pool: 10\.40\.0\.100-10\.40\.0\.198\.$/,
  )
  t.equal(refusal(siteOf(', dhcp: proxy'), ['10.40.0.150']), undefined, 'a pool that no one uses')
})

t.test('a site beside the addresses of the server is taken, and one that has it as its gateway', async t => {
  t.equal(refusal(siteOf(''), ['10.40.0.5', '10.40.0.1', '10.40.0.200', '172.17.0.1']), undefined)
  t.strictSame(siteWarnings('r', siteOf(''), HERE), [])
})

const WARNED: readonly [what: string, network: string, place: Partial<ServerPlace>, says: RegExp][] = [
  [
    'DHCP that is off',
    '',
    { dhcp: false },
    /^DHCP is off in this server, and site r has "dhcp: full".* without --no-dhcp/,
  ],
  ['a proxy that is off', ', dhcp: proxy', { dhcp: false }, /"dhcp: proxy"/],
  [
    'DHCP on loopback',
    '',
    { address: '127.0.0.1', addresses: [] },
    /at 127\.0\.0\.1, which is not an address of 10\.40\.0\.0\/24: its DHCP does not answer/,
  ],
  [
    'DHCP elsewhere, where the host is on the network',
    '',
    { address: '10.9.0.1', addresses: ['10.9.0.1', '10.40.0.5'] },
    /Start it with {2}--address 10\.40\.0\.5$/,
  ],
  ['DHCP on every address', '', { address: '0.0.0.0' }, /--address 10\.40\.0\.5$/],
  [
    'a gateway that forwards nothing',
    '',
    { address: '10.40.0.1', addresses: ['10.40.0.1'], forwards: false },
    /^The gateway 10\.40\.0\.1, which the file of site r leaves out, is this server/,
  ],
]
for (const [what, network, place, says] of WARNED)
  t.test(`warns of ${what}`, async t => {
    const warnings = siteWarnings('r', siteOf(network), { ...HERE, ...place })
    t.equal(warnings.length, 1)
    t.match(warnings[0], says)
  })

t.test('does not warn of what the site file asks for', async t => {
  t.strictSame(siteWarnings('r', siteOf(', dhcp: off'), { ...HERE, dhcp: false, address: '127.0.0.1' }), [])
  const own = { ...HERE, address: '10.40.0.1', addresses: ['10.40.0.1'] }
  t.strictSame(siteWarnings('r', siteOf(', gateway: 10.40.0.1'), { ...own, forwards: false }), [])
  t.strictSame(siteWarnings('r', siteOf(''), { ...own, forwards: undefined }), [])
})
