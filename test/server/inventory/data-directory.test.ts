import t from 'tap'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { DataDirectory } from '#server/inventory/data-directory.ts'

const limitSeconds = 5

t.test('a broken file is a problem, not a crash', async t => {
  const path = t.testdir({
    groups: {
      'good.json': '{"id":"good","profile":"p"}',
      'broken.json': '{"id":',
      'mac.json': '{"selector":{"mac":"x"}}',
    },
    profiles: {
      'p.json': '{"id":"p","boot":{"args":[1]}}',
      sub: { 'q.json': '{"id":"q"}' },
      'anonymous.json': '{}',
    },
  })
  const directory = new DataDirectory(path, () => {})
  t.teardown(() => directory.close())
  const { groups, profiles, problems } = directory.content
  t.same(
    groups.map(({ id }) => id),
    ['good'],
  )
  t.same([...profiles.keys()], ['sub/q'])
  t.match(problems, [
    { file: 'groups/broken.json', reason: /JSON/ },
    { file: 'groups/mac.json', reason: 'selector.mac: "x" is no MAC address' },
    { file: 'profiles/anonymous.json', reason: /id is missing/ },
    { file: 'profiles/p.json', reason: /boot.args holds 1/ },
  ])
})

t.test('changes are seen, and a file that breaks keeps its last good version', async t => {
  const path = t.testdir({ groups: { 'a.json': '{"id":"a","profile":"p"}' } })
  const directory = new DataDirectory(path, () => {})
  t.teardown(() => directory.close())
  const seen = (what: string, probe: () => boolean) =>
    waitUntil(what, { limitSeconds, everyMs: 10 }, async () =>
      probe() ? { value: true } : { not: JSON.stringify(directory.content.groups) },
    )
  writeFileSync(join(path, 'groups/a.json'), '{"id":"a","pro')
  await seen('the problem', () => directory.content.problems.length === 1)
  t.match(directory.content.groups, [{ id: 'a', profile: 'p' }], 'the last good version serves on')

  writeFileSync(join(path, 'groups/a.json'), '{"id":"a","profile":"new"}')
  await seen('the new version', () => directory.content.groups[0]?.profile === 'new')
  t.same(directory.content.problems, [])

  rmSync(join(path, 'groups/a.json'))
  await seen('that it is gone', () => directory.content.groups.length === 0)

  mkdirSync(join(path, 'profiles')) // it was not there at the start
  writeFileSync(join(path, 'profiles/p.json'), '{"id":"p"}')
  await seen('the new folder', () => directory.content.profiles.has('p'))

  renameSync(join(path, 'groups'), join(path, 'old'))
  mkdirSync(join(path, 'groups'))
  writeFileSync(join(path, 'groups/b.json'), '{"id":"b"}')
  await seen('the folder in place of another', () => directory.content.groups[0]?.id === 'b')
  writeFileSync(join(path, 'groups/b.json'), '{"id":"c"}')
  await seen('changes in it', () => directory.content.groups[0]?.id === 'c')
})
