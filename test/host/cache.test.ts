// The cache of built artefacts: keys, building once, failures, locks, pruning; in a temporary directory.

import { mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { listCache, pruneCache } from '#host/artefacts.ts'
import { findArtefact, keyOf, obtain, obtainAll, type Input, type Recipe } from '#host/cache.ts'
import { markProcess } from '#host/process.ts'
import { messageOf, sleep } from '#progress/wait.ts'

async function temporaryCache(t: Tap): Promise<string> {
  const cache = await mkdtemp(join(tmpdir(), 'pilotlight-cache-'))
  t.teardown(() => rm(cache, { recursive: true }))
  return cache
}
type Tap = { teardown(end: () => Promise<void>): unknown }

function writing(name: string, inputs: Input, built: string[], needs: readonly Recipe[] = []): Recipe {
  return {
    name,
    title: name,
    inputs,
    needs,
    async build(work) {
      built.push(name)
      const below = await Promise.all(
        Object.values(work.needs).map(path => readFile(join(path, 'text'), 'utf8')),
      )
      await writeFile(join(work.directory, 'text'), [name, ...below].join(' '))
    },
  }
}

t.test('the key depends on name, inputs and needs, and not on the order of members', async t => {
  const recipe = (inputs: Input, needs: readonly Recipe[] = []) => writing('a', inputs, [], needs)
  t.equal(keyOf(recipe({ one: 1, two: [2] })), keyOf(recipe({ two: [2], one: 1 })))
  t.not(keyOf(recipe({ one: 1 })), keyOf(recipe({ one: 2 })))
  t.not(keyOf(recipe(1)), keyOf(writing('b', 1, [])))
  t.not(keyOf(recipe(1, [writing('c', 1, [])])), keyOf(recipe(1, [writing('c', 2, [])])))
  t.match(keyOf(recipe(1)), /^[0-9a-f]{12}$/)
})

t.test('an artefact is built once with what it needs, and found afterwards', async t => {
  const cache = await temporaryCache(t)
  const built: string[] = []
  const base = writing('base', 1, built)
  const top = writing('top', 1, built, [
    writing('left', 1, built, [base]),
    writing('right', 1, built, [base]),
  ])
  t.equal(await findArtefact(top, cache), undefined)
  const artefact = await obtain(top, { cache })
  t.equal(await readFile(join(artefact.path, 'text'), 'utf8'), 'top left base right base')
  t.same(built.toSorted(), ['base', 'left', 'right', 'top'])
  t.same(await obtain(top, { cache }), artefact)
  t.same(await findArtefact(top, cache), artefact)
  t.equal(built.length, 4)
})

t.test('two that want the same at once get one build', async t => {
  const cache = await temporaryCache(t)
  const built: string[] = []
  const slow: Recipe = {
    ...writing('slow', 1, built),
    build: async () => {
      built.push('slow')
      await sleep(300)
    },
  }
  const [one, two] = await Promise.all([obtain(slow, { cache }), obtain(slow, { cache })])
  t.same(one, two)
  t.same(built, ['slow'])
})

t.test('a failed build leaves its log and nothing else, says where, and can be run again', async t => {
  const cache = await temporaryCache(t)
  let broken = true
  const recipe: Recipe = {
    name: 'fragile',
    title: 'the fragile part',
    inputs: 1,
    async build(work) {
      await writeFile(join(work.directory, 'half'), '')
      if (broken) throw new Error('the mirror is away')
    },
  }
  const failure = await obtain(recipe, { cache }).catch((error: unknown) => error)
  t.match(failure, { code: 'BUILD_FAILED' })
  t.match(
    messageOf(failure),
    /the fragile part: the mirror is away\n {2}The whole log: .*fragile-[0-9a-f]{12}\.log/,
  )
  t.same(await readdir(join(cache, '.building')), [])
  t.equal(await findArtefact(recipe, cache), undefined)
  broken = false
  t.same(await readdir((await obtain(recipe, { cache })).path), ['.built.json', 'half'])
})

t.test('after a failure what had begun is finished, and nothing new begins', async t => {
  const cache = await temporaryCache(t)
  const built: string[] = []
  const failing: Recipe = { ...writing('failing', 1, built), build: () => Promise.reject(new Error('no')) }
  const slow: Recipe = {
    ...writing('slow', 1, built),
    build: async () => {
      await sleep(200)
      built.push('slow')
    },
  }
  await t.rejects(obtainAll([failing, writing('later', 1, built, [slow])], { cache }), {
    code: 'BUILD_FAILED',
  })
  t.same(built, ['slow'])
  t.ok(await findArtefact(slow, cache))
})

t.test('the lock of a dead process is taken over', async t => {
  const cache = await temporaryCache(t)
  const built: string[] = []
  const recipe = writing('orphan', 1, built)
  const lock = join(cache, `orphan-${keyOf(recipe)}.lock`)
  await writeFile(lock, JSON.stringify({ pid: process.pid, startTicks: 1 }))
  await obtain(recipe, { cache })
  t.same(built, ['orphan'])
  t.notOk((await readdir(cache)).includes(lock))
})

t.test('the lock of a living process is waited for, up to the limit', async t => {
  const cache = await temporaryCache(t)
  const recipe = writing('busy', 1, [])
  await mkdir(cache, { recursive: true })
  const me = JSON.stringify(markProcess(process.pid))
  await writeFile(join(cache, `busy-${keyOf(recipe)}.lock`), me)
  const message = `process ${process.pid} builds the same`
  await t.rejects(obtain(recipe, { cache, lockLimitSeconds: 0.3 }), {
    code: 'WAITED_TOO_LONG',
    reason: message,
  })
})

t.test('pruning keeps the most recently used versions of each name, and sweeps up dead builds', async t => {
  const cache = await temporaryCache(t)
  for (const version of [1, 2, 3]) {
    const { path } = await obtain(writing('image', version, []), { cache })
    await utimes(join(path, '.built.json'), version, version)
  }
  await obtain(writing('other', 1, []), { cache })
  await mkdir(join(cache, '.building', 'image-000000000000.1-2'))
  await symlink('/nonexistent', join(cache, 'stray'))
  const removed = await pruneCache(2, cache)
  t.equal(removed.length, 2)
  const left = await listCache(cache)
  t.same(
    left.map(it => it.name),
    ['image', 'image', 'other'],
  )
  t.equal(await findArtefact(writing('image', 1, []), cache), undefined)
})

t.test('a directory without its note is not an artefact, and is replaced by a build', async t => {
  const cache = await temporaryCache(t)
  const built: string[] = []
  const recipe = writing('half', 1, built)
  const { path } = await obtain(recipe, { cache })
  await rm(join(path, '.built.json'))
  await writeFile(join(path, 'rest'), 'of a removal cut short')
  t.equal(await findArtefact(recipe, cache), undefined)
  await obtain(recipe, { cache })
  t.same(built, ['half', 'half'])
  t.same((await readdir(path)).toSorted(), ['.built.json', 'text'])
})
