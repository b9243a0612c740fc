// docs/site.md has every key that a site file may have, and is what its command writes.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pilotlight } from '#test/cli/pilotlight.ts'
import { parseSite } from '#rack/site/read.ts'
import { FULL_SITE, MINIMAL_SITE, siteReference } from '#rack/site/reference.ts'
import { SITE_KEYS, type SiteKeys } from '#rack/site/site-keys.ts'

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
