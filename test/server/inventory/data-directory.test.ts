import t from 'tap'
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { DataDirectory } from '#server/inventory/data-directory.ts'
import type { Group } from '#model/group.ts'

const limitSeconds = 5

function idsOf(directory: DataDirectory): string[] {
  return Array.from(directory.objects(), ({ kind, id }) => `${kind} ${id}`).toSorted()
}

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
  t.strictSame(idsOf(directory), ['group good', 'profile sub/q'])
  t.match(directory.problems, [
    { file: 'groups/broken.json', reason: /JSON/, line: 1, column: 7 },
    { file: 'groups/mac.json', reason: 'selector.mac: "x" is not a MAC address', line: 1, column: 20 },
    { file: 'profiles/anonymous.json', reason: /id is missing/, line: 1, column: 1 },
    { file: 'profiles/p.json', reason: /boot.args contains 1/, line: 1, column: 27 },
  ])
})

t.test('changes are seen, and a file that breaks keeps its last good version', async t => {
  const path = t.testdir({ groups: { 'a.json': '{"id":"a","profile":"p"}' } })
  const directory = new DataDirectory(path, () => {})
  t.teardown(() => directory.close())
  const profileOf = (id: string) => {
    const found = [...directory.objects()].find(it => it.kind === 'group' && it.id === id)
    return (found?.file?.object as Group | undefined)?.profile
  }
  const seen = (what: string, probe: () => boolean) =>
    waitUntil(what, { limitSeconds, everyMs: 10 }, async () =>
      probe() ? { value: true } : { not: JSON.stringify([...directory.objects()]) },
    )
  writeFileSync(join(path, 'groups/a.json'), '{"id":"a","pro')
  await seen('the problem', () => directory.problems.length === 1)
  t.equal(profileOf('a'), 'p', 'the last good version serves on')

  writeFileSync(join(path, 'groups/a.json'), '{"id":"a","profile":"new"}')
  await seen('the new version', () => profileOf('a') === 'new')
  t.same(directory.problems, [])

  rmSync(join(path, 'groups/a.json'))
  await seen('that it is gone', () => profileOf('a') === undefined)

  mkdirSync(join(path, 'profiles')) // it was not there at the start
  writeFileSync(join(path, 'profiles/p.json'), '{"id":"p"}')
  await seen('the new folder', () => idsOf(directory).includes('profile p'))

  renameSync(join(path, 'groups'), join(path, 'old'))
  mkdirSync(join(path, 'groups'))
  writeFileSync(join(path, 'groups/b.json'), '{"id":"b","profile":"one"}')
  await seen('the folder in place of another', () => profileOf('b') === 'one')
  writeFileSync(join(path, 'groups/b.json'), '{"id":"b","profile":"two"}')
  await seen('changes in it', () => profileOf('b') === 'two')
})

t.test(
  'a directory that is swapped behind a link, as Kubernetes mounts a ConfigMap, is read anew',
  async t => {
    const path = t.testdir({
      groups: { '..v1': { 'a.json': '{"profile":"one"}' }, '..v2': { 'a.json': '{"profile":"two"}' } },
    })
    const groups = join(path, 'groups')
    symlinkSync('..v1', join(groups, '..data'))
    symlinkSync('..data/a.json', join(groups, 'a.json'))
    const directory = new DataDirectory(path, () => {})
    t.teardown(() => directory.close())
    const profile = () => {
      const [found] = directory.objects()
      return (found?.file?.object as Group | undefined)?.profile
    }
    t.equal(profile(), 'one')
    symlinkSync('..v2', join(groups, '..new'))
    renameSync(join(groups, '..new'), join(groups, '..data'))
    await waitUntil('the other version', { limitSeconds, everyMs: 10 }, async () =>
      profile() === 'two' ? { value: true } : { not: String(profile()) },
    )
  },
)

t.test(
  'templates are files of any name, machines are checked, and what is not an object is left alone',
  async t => {
    const path = t.testdir({
      ignition: {
        'a.ign': '{"ignition":{"version":"3.4.0"}}',
        units: { 'a.service': '{{ not.checked }}' },
        '.swp': '',
      },
      machines: {
        'm.json': '{"name":"m","role":"compute","macs":["52-54-00-20-00-01"],"address":"10.20.0.9"}',
        'n.json': '{"name":"n","role":"cook","macs":[],"address":"10.20.0.8"}',
      },
      groups: { 'notes.txt': 'none', 'a.json~': '{}' },
      secrets: { 'x.json': '{}' },
    })
    const directory = new DataDirectory(path, () => {})
    t.teardown(() => directory.close())
    t.strictSame(idsOf(directory), [
      'machine m',
      'template ignition/.swp',
      'template ignition/a.ign',
      'template ignition/units/a.service',
    ])
    t.match(directory.problems, [
      { file: 'machines/n.json', reason: /role is one of controller compute/, column: 20 },
    ])
  },
)

/** The profile of group a. */
function profileIn(directory: DataDirectory): string | undefined {
  const found = [...directory.objects()].find(it => it.kind === 'group' && it.id === 'a')
  return (found?.file?.object as Group | undefined)?.profile
}

/** Waits until group a has this profile. */
async function profileIs(directory: DataDirectory, profile: string | undefined): Promise<void> {
  await waitUntil(`profile ${profile}`, { limitSeconds, everyMs: 10 }, async () =>
    profileIn(directory) === profile ? { value: true } : { not: String(profileIn(directory)) },
  )
}

const groupOf = (profile: string) => JSON.stringify({ id: 'a', profile })

t.test(
  'a data directory whose own link is turned to another release is read anew, and watched there',
  async t => {
    const path = t.testdir({
      v1: { groups: { 'a.json': groupOf('one') } },
      v2: { groups: { 'a.json': groupOf('two') } },
    })
    symlinkSync('v1', join(path, 'now'))
    const directory = new DataDirectory(join(path, 'now'), () => {})
    t.teardown(() => directory.close())
    t.equal(profileIn(directory), 'one')
    symlinkSync('v2', join(path, 'next'))
    renameSync(join(path, 'next'), join(path, 'now'))
    await directory.caughtUp()
    t.equal(profileIn(directory), 'two', 'at once where it is asked for')
    writeFileSync(join(path, 'v2/groups/a.json'), groupOf('three'))
    await profileIs(directory, 'three')

    symlinkSync('v1', join(path, 'next'))
    renameSync(join(path, 'next'), join(path, 'now'))
    await profileIs(directory, 'one')
  },
)

t.test('a file behind a link to elsewhere is read again when it changes there', async t => {
  const path = t.testdir({ data: { groups: {} }, pool: { 'a.json': groupOf('one') } })
  symlinkSync('../../pool/a.json', join(path, 'data/groups/a.json'))
  const directory = new DataDirectory(join(path, 'data'), () => {})
  t.teardown(() => directory.close())
  t.equal(profileIn(directory), 'one')
  writeFileSync(join(path, 'pool/a.json'), groupOf('two'))
  await profileIs(directory, 'two')
  unlinkSync(join(path, 'pool/a.json'))
  await profileIs(directory, undefined)
  writeFileSync(join(path, 'pool/a.json'), groupOf('three'))
  await profileIs(directory, 'three')
})

t.test(
  'what is on disk is there once it was asked for: files, folders, and the last of many edits',
  async t => {
    const path = t.testdir({ groups: {} })
    const directory = new DataDirectory(path, () => {})
    t.teardown(() => directory.close())
    for (let edit = 100; edit < 160; edit += 1) {
      // Of one size, and often within one step of the file system's clock.
      writeFileSync(join(path, 'groups/a.json'), groupOf(`p${edit}`))
      if (edit % 10 === 0) await directory.caughtUp()
    }
    await directory.caughtUp()
    t.equal(profileIn(directory), 'p159')
    mkdirSync(join(path, 'ignition/deep/er'), { recursive: true })
    writeFileSync(join(path, 'ignition/deep/er/x'), '')
    await directory.caughtUp()
    t.ok(idsOf(directory).includes('template ignition/deep/er/x'))
    rmSync(join(path, 'groups/a.json'))
    await directory.caughtUp()
    t.equal(profileIn(directory), undefined)
  },
)

t.test('a folder that cannot be listed for a while is a problem, and its groups serve on', async t => {
  const path = t.testdir({ groups: { 'a.json': groupOf('one') }, profiles: { 'p.json': '{"id":"p"}' } })
  const directory = new DataDirectory(path, () => {})
  t.teardown(() => directory.close())
  renameSync(join(path, 'groups'), join(path, 'kept'))
  symlinkSync('groups', join(path, 'groups')) // a link to itself: ELOOP, for root too
  await directory.caughtUp()
  t.equal(profileIn(directory), 'one')
  t.match(directory.problems, [
    { file: 'groups', reason: 'cannot be listed: ELOOP' },
    { file: 'groups/a.json' },
  ])
  rmSync(join(path, 'groups'))
  renameSync(join(path, 'kept'), join(path, 'groups'))
  writeFileSync(join(path, 'groups/a.json'), groupOf('two'))
  await profileIs(directory, 'two')
  t.same(directory.problems, [])
})

t.test('a template that was broken from the start stays a problem when its file is touched', async t => {
  const path = t.testdir({ generic: { a: '{{ .x' } })
  const directory = new DataDirectory(path, () => {})
  t.teardown(() => directory.close())
  t.equal(directory.problems.length, 1)
  writeFileSync(join(path, 'generic/a'), '{{ .x')
  await directory.caughtUp()
  t.equal(directory.problems.length, 1)
  writeFileSync(join(path, 'generic/a'), '{{ .y')
  await directory.caughtUp()
  writeFileSync(join(path, 'generic/a'), '{{ .x')
  await directory.caughtUp()
  t.equal(directory.problems.length, 1, 'the text of before is as broken as it was')
})
