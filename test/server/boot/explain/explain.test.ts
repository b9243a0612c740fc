import t from 'tap'
import fc from 'fast-check'
import { explain } from '#server/boot/explain/explain.ts'
import { explanationText } from '#server/boot/explain/explanation-text.ts'
import type { Group } from '#model/group.ts'
import type { Profile } from '#model/profile.ts'
import { templateFiles } from '#server/inventory/template-files.ts'
import { givenLabels, parseLabels } from '#server/boot/match/labels.ts'
import { GoTemplates } from '#server/boot/render/go-templates.ts'
import { Templates } from '#server/boot/render/templates.ts'
import type { Sources } from '#server/boot/render/answers.ts'
import { catalogOf } from '../../catalogs.ts'
import { site } from '../../serving.ts'

const profiles: Profile[] = [
  { id: 'p', boot: { kernel: '/assets/k', args: ['quiet'] }, ignition_id: 'bad.ign', generic_id: 'g' },
  { id: 'q', boot: { kernel: '/k' } },
]
const groups: Group[] = [
  { id: 'default', profile: 'q' },
  { id: 'rack-a', profile: 'p', selector: { rack: 'a' }, metadata: { x: 'y' } },
  { id: 'rack-a-installed', profile: 'q', selector: { rack: 'a', os: 'installed' } },
  { id: 'row-1', profile: 'gone', selector: { row: ['1', '2'] } },
]
const templates = [
  { id: 'ignition/bad.ign', content: '{"ignition": {"version": "9.0.0"}}' },
  { id: 'generic/g', content: 'x is {{.x}}' },
]

function sourcesOf(catalog: Sources['catalog']): Sources {
  const files = templateFiles(catalog)
  return {
    catalog,
    templates: new Templates(files),
    goTemplates: new GoTemplates(files),
    localFiles: { read: () => 'there are none', tree: () => 'there are none' },
    endpoints: {
      server: { url: 'http://s', address: '10.0.0.1', addresses: ['10.0.0.1'] },
      agent: { url: 'https://s', ca: '' },
    },
  }
}

const sources = sourcesOf(catalogOf({ groups, profiles, templates, machines: site.machines }))

function ask(query: string, from = sources) {
  return explain(from, parseLabels(query), { given: givenLabels(query), assetsPath: undefined })
}

t.test('the winner is shown with its reason, and what it goes before', async t => {
  const { winner, losers, profile } = ask('rack=a')
  t.match(winner, {
    id: 'rack-a',
    why: 'all that it asks for is there (1 requirement); before default: 1 requirement, not 0',
  })
  t.equal(profile?.id, 'p')
  t.strictSame(
    losers.map(({ id, fits, why }) => [id, fits, why]),
    [
      ['default', true, 'fits, but behind: 1 requirement, not 0'],
      ['rack-a-installed', false, 'wants os=installed; the machine shows none'],
      ['row-1', false, 'wants row=1 or row=2; the machine shows none'],
    ],
  )
})

t.test('a file that cannot be used is reported with its place', async t => {
  const problem = { file: 'groups/a.json', line: 2, column: 13, reason: 'a value is wanted' }
  t.match(
    explanationText({ ...ask('rack=a'), problems: [problem] }),
    /^problem +groups\/a\.json:2:13: a value is wanted$/m,
  )
})

t.test('what would be served is there, or the reason why it is not', async t => {
  const { serves, lints } = ask('rack=a')
  const pages = new Map(serves.map(page => [page.path, page]))
  t.match(pages.get('/ipxe'), { status: 200, text: '#!ipxe\nkernel /assets/k quiet\nboot\n' })
  t.match(pages.get('/ignition'), { status: 503, error: /"9.0.0" is not a stable version/ })
  t.match(pages.get('/generic'), { status: 200, text: 'x is y' })
  t.match(pages.get('/metadata'), { status: 200, text: /^X=y$/m })
  t.match(lints, [
    { code: 'PL-2041', file: 'profiles/p.json', what: /no assets folder, so \/assets\/k is answered 404/ },
    { code: 'PL-2030', file: 'ignition/bad.ign' },
  ])
})

t.test('a tie, a missing profile and a malformed MAC are reported', async t => {
  const tie = ask('rack=a&row=1&mac=zz')
  t.match(tie.winner, { id: 'row-1', why: /before rack-a: as many requirements, and its text sorts last/ })
  t.strictSame(tie.dropped, ['mac=zz is not a MAC address, and is left out'])
  t.equal(tie.profile, undefined)
  t.match(
    tie.lints.map(({ code, file }) => `${code} ${file}`),
    ['PL-2013 /v1/groups/rack-a', 'PL-2020 /v1/groups/row-1'],
  )
  t.match(explanationText(tie), /^profile {3}gone, which does not exist: the machine gets a 404$/m)
})

t.test('where no group fits, that is the answer', async t => {
  const { winner, serves, groups } = ask('mac=52:54:00:20:00:01', sourcesOf(catalogOf({ groups: groups1 })))
  t.equal(winner, undefined)
  t.strictSame(serves, [])
  t.equal(groups, 1)
})
const groups1: Group[] = [{ id: 'one', profile: 'p', selector: { mac: '52:54:00:20:00:99' } }]

t.test('a declared machine is named, known by each of its MACs and by its UUID', async t => {
  const text = explanationText(ask('mac=52-54-00-20-00-02&rack=a'))
  t.match(text, /^machine {3}cmp-1, compute at 10.20.0.12, known by its MAC$/m)
  t.match(text, /^shows {5}mac=52:54:00:20:00:02 rack=a$/m)
  const { machine } = ask('mac=52-54-00-66-66-66&uuid=44454C4C-0000-1020-8020-B4C04F303232')
  t.match(machine, { name: 'cmp-1', by: 'uuid' }, 'in either order of bytes')
})

t.test('any query is explained', async () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.array(fc.constantFrom('rack=a', 'row=1', 'os=', 'mac=%00', 'uuid=x')),
      (noise, parts) => {
        return explanationText(ask([noise, ...parts].join('&'))).endsWith('\n')
      },
    ),
  )
})

t.test('of many groups those are listed that miss least, and all of them where that is asked', async t => {
  const many = Array.from({ length: 10_000 }, (_, at): Group => {
    const rack = String(at % 100)
    return { id: `g-${at}`, profile: 'q', selector: { hostname: `n-${at}`, rack } }
  })
  const from = sourcesOf(catalogOf({ groups: [...many, { id: 'any', profile: 'q' }], profiles }))
  const before = performance.now()
  const few = ask('rack=7', from)
  t.ok(performance.now() - before < 2000, 'a look at each group is quick')
  t.equal(few.winner?.id, 'any')
  t.equal(few.losers.length, 5)
  t.ok(few.losers.every(({ selector, why }) => selector.rack === '7' && why.startsWith('wants hostname=')))
  t.equal(few.more, 9995)
  t.match(explanationText(few), /^lost +and 9995 more/m)
  const query = 'rack=7'
  const all = explain(from, parseLabels(query), {
    given: givenLabels(query),
    assetsPath: undefined,
    all: true,
  })
  t.equal(all.losers.length, 10_000)
  t.strictSame(all.losers.slice(0, 5), few.losers, 'in the same order')
  t.equal(all.more, 0)
  t.notMatch(explanationText(all), /more, which/)
})
