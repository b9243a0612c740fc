// What the linter says of names that no file has, of links that lead nowhere, and of what it did not look at.

import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { lintDirectory } from '#server/boot/lint/directory.ts'
import { lintText } from '#server/boot/lint/findings.ts'
import { waitUntil } from '#progress/wait.ts'
import { testServer } from '../../serving.ts'

const group = (id: string, metadata: object = {}) =>
  JSON.stringify({ id, profile: 'p', selector: { n: id }, metadata })
const BUTANE = 'variant: fcos\nversion: 1.5.0\n'

t.test('an id of a file is read as the server reads it', async t => {
  const lintOf = (id: string) => {
    const path = t.testdir({
      groups: { 'g.json': group('g') },
      profiles: { 'p.json': JSON.stringify({ id: 'p', ignition_id: id }) },
      ignition: { 'n.yaml': `${BUTANE}overwite: true\n# {{.n}}\n`, sub: { 'n.yaml': BUTANE } },
    })
    return lintDirectory(path, '').map(({ code, file }) => `${code} ${file}`)
  }
  const used = ['PL-2031 ignition/n.yaml', 'PL-2029 ignition/sub/n.yaml']
  for (const id of [
    'n.yaml',
    './n.yaml',
    '/n.yaml',
    '//n.yaml',
    'x/../n.yaml',
    '../ignition/n.yaml',
    'sub/../n.yaml',
  ]) {
    t.strictSame(lintOf(id), used, id)
  }
  t.strictSame(lintOf('./sub//n.yaml'), ['PL-2029 ignition/n.yaml'])
  for (const id of ['../groups/g.json', '../../x', '..']) t.match(lintOf(id), ['PL-2029 ignition/n.yaml'], id)
  t.ok(lintOf('../groups/g.json').includes('PL-2027 profiles/p.json'))
  t.ok(lintOf('none').includes('PL-2021 profiles/p.json'))
})

t.test('links to themselves and names that no file can have are findings like others', async t => {
  const path = t.testdir({
    groups: { 'g.json': group('g') },
    profiles: {
      'p.json': JSON.stringify({
        id: 'p',
        ignition_id: 'a\0b',
        boot: { kernel: `/assets/${'x'.repeat(5000)}`, args: ['initrd=x'], initrd: ['/assets/loop'] },
      }),
    },
    ignition: {},
    assets: {},
  })
  for (const link of ['groups/loop.json', 'ignition/loop.yaml', 'assets/loop']) {
    symlinkSync(link.replace(/.*\//, ''), join(path, link))
  }
  t.strictSame(
    lintDirectory(path).map(({ code, file }) => `${code} ${file}`),
    [
      'PL-2001 groups/loop.json',
      'PL-2001 ignition/loop.yaml',
      'PL-2021 profiles/p.json',
      'PL-2023 profiles/p.json',
      'PL-2023 profiles/p.json',
    ],
  )
})

t.test('no text of a file makes lines or colours of its own', async t => {
  const path = t.testdir({ groups: { 'a\nPL-2000 x.json': '{', 'b.json': group('\u001b[31mred') } })
  for (const finding of lintDirectory(path, '')) {
    const text = lintText(finding)
    t.equal(text.split('\n').length, 2, 'the finding, and its remedy')
    t.notOk(text.includes('\u001b'))
  }
})

t.test('how many groups were not looked at is said', async t => {
  const limits = { groups: 100, renderings: 1000, texts: 40 }
  const groups = Array.from({ length: 120 }, (_, at) => [`g${at}.json`, group(`g${at}`, { text: `t${at}` })])
  const files = {
    groups: Object.fromEntries(groups) as Record<string, string>,
    profiles: { 'p.json': '{"id":"p","ignition_id":"n.yaml"}' },
    ignition: { 'n.yaml': `${BUTANE}# {{.text}}\n` },
  }
  t.match(
    lintDirectory(t.testdir(files), '', limits).map(it => lintText(it)),
    [
      /^PL-2044 ignition\/n\.yaml:1:1 warning: 60 texts that come of this file were rendered and not checked, since 40 others were\n {2}'pilotlight explain/,
      /^PL-2044 profiles\/p\.json:1:7 warning: its files were rendered for 100 of 120 groups, which differ most: the other 20 were not looked at\n/,
    ],
  )
  const few = Object.fromEntries(groups.slice(0, 40)) as Record<string, string>
  t.strictSame(
    lintDirectory(t.testdir({ ...files, groups: few }), '', limits),
    [],
    'nothing is said where all were',
  )
})

t.test('the server lists what lint finds beside the files that cannot be used', async t => {
  const dataPath = t.testdir({
    groups: { 'g.json': group('g', { motd: 'x' }), 'torn.json': '{' },
    profiles: { 'p.json': '{"id":"p","ignition_id":"n.yaml"}' },
    ignition: { 'n.yaml': `${BUTANE}overwite: true # {{.motd}}\n` },
  })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const problems = async () => (await (await server.get('/v1/problems')).json()) as Record<string, unknown>[]
  const [torn, unknown, ...more] = await problems()
  t.strictSame(more, [])
  t.match(torn, { file: 'groups/torn.json', line: 1, reason: /JSON|key/ })
  t.equal(torn?.['code'], undefined, 'what cannot be used has its reason from the reader')
  const [finding] = lintDirectory(dataPath, '').filter(({ code }) => code === 'PL-2031')
  const { what, ...rest } = finding ?? { what: '' }
  t.strictSame(unknown, { reason: what, ...rest }, 'as lint shows it')

  writeFileSync(join(dataPath, 'ignition/n.yaml'), BUTANE)
  writeFileSync(join(dataPath, 'groups/torn.json'), group('torn'))
  await waitUntil('nothing is left', { limitSeconds: 20, everyMs: 100 }, async () => {
    const left = await problems()
    return left.length === 0 ? { value: true } : { not: JSON.stringify(left) }
  })
})
