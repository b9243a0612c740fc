// An address that Pilotlight chose and the server has is chosen anew, and stays so.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Refusal } from '#client/refusal.ts'
import type { SiteObjects } from '#model/site.ts'
import { settledSite } from '#rack/up/settle.ts'
import { claimState } from '#rack/site/kept-of-site.ts'
import { readSiteFile } from '#rack/site/read.ts'
import { ServerAddressTaken } from '#server/inventory/errors.ts'
import { refuseServerAddresses } from '#server/inventory/site-check.ts'

const SITE = `name: west
network: { subnet: 10.50.0.0/24 }
machines:
  - { name: head, mac: 52:54:00:50:00:01, role: controller }
  - { name: work, mac: 52:54:00:50:00:02, role: compute }
`

/** A server with these addresses, which has these machines already. */
function serverWith(addresses: readonly string[], declared: Readonly<Record<string, string>> = {}) {
  const checkSite = async (name: string, site: SiteObjects) => {
    try {
      refuseServerAddresses(
        name,
        site,
        { address: addresses[0] ?? '', addresses },
        machine => declared[machine],
      )
      return ['DHCP is off']
    } catch (error) {
      if (!(error instanceof ServerAddressTaken)) throw error
      const { code: title, message, avoid } = error
      throw new Refusal({ method: 'PUT', url: '/', status: 409 }, { title, avoid }, message, 'fix it')
    }
  }
  return { checkSite }
}

function filesOf(t: Test, text = SITE) {
  const state = t.testdir()
  const file = join(state, 'site.yaml')
  writeFileSync(file, text)
  return { file, state }
}

t.test(
  'machines and pool are moved from the addresses of the server, and every later command knows it',
  async t => {
    const { file, state } = filesOf(t)
    const said: string[] = []
    const server = serverWith(['10.50.0.11', '10.50.0.13', '10.50.0.199'])
    const { site, warnings } = await settledSite(file, state, server, line => said.push(line))
    t.match(site.machines, [{ address: '10.50.0.12' }, { address: '10.50.0.14' }])
    t.equal(site.cluster.apiAddress, '10.50.0.12')
    t.equal(site.network.pool.last, '10.50.0.198')
    t.strictSame(warnings, ['DHCP is off'])
    t.strictSame(said, [
      'head gets 10.50.0.12 in place of 10.50.0.11, since the server has an address there',
      'work gets 10.50.0.14 in place of 10.50.0.12, since the server has an address there',
      'the pool is 10.50.0.100-10.50.0.198 in place of 10.50.0.100-10.50.0.199, since the server has an address there',
    ])
    t.strictSame((await readSiteFile(file, state)).machines, site.machines)
    t.match((await readSiteFile(file)).machines, [{ address: '10.50.0.11' }], 'not so without the state')
    said.length = 0
    const again = await settledSite(file, state, serverWith(['10.50.0.99']), line => said.push(line))
    t.strictSame(
      [again.site.machines, said],
      [site.machines, []],
      'also when the server is elsewhere by then',
    )
  },
)

t.test('an address of the file, and one that a machine has already, are refused', async t => {
  const written = filesOf(t, SITE.replace('role: controller', 'role: controller, address: 10.50.0.30'))
  const show = () => t.fail('nothing is moved')
  await t.rejects(settledSite(written.file, written.state, serverWith(['10.50.0.30']), show), {
    code: 'SERVER_ADDRESS_TAKEN',
    message: /head of site west has 10\.50\.0\.30 \(in the site file\)/,
  })
  const { file, state } = filesOf(t)
  const running = serverWith(['10.50.0.11'], { head: '10.50.0.11' })
  await t.rejects(settledSite(file, state, running, show), { code: 'SERVER_ADDRESS_TAKEN' })
})

t.test('what is kept is read with care', async t => {
  const { file, state } = filesOf(t)
  for (const text of ['', '[]', '{"avoid": 5}', '{"avoid": ["x", 7, null]}', '{"avo']) {
    writeFileSync(join(state, 'server-addresses.json'), text)
    t.match((await readSiteFile(file, state)).machines, [{ address: '10.50.0.11' }], text)
  }
})

t.test('a state directory is of one site', async t => {
  const { file, state } = filesOf(t)
  t.equal((await readSiteFile(file, state)).name, 'west', 'a new one is of no site')
  claimState(state, 'west')
  t.equal((await readSiteFile(file, state)).name, 'west')
  writeFileSync(file, SITE.replace('west', 'east'))
  const refusal = {
    code: 'OTHER_SITE',
    message: /is that of site west, and the file is of site east/,
    remedy: new RegExp(`--state ${state}-east$`),
  }
  await t.rejects(readSiteFile(file, state), refusal)
  rmSync(join(state, 'site-name'))
  writeFileSync(join(state, 'signing.json'), '{"site":"west","until":"2027-01-01T00:00:00.000Z"}')
  await t.rejects(readSiteFile(file, state), refusal, 'and one from before names were kept')
})
