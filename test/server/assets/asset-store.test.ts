import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { AssetStore, type Checked } from '#server/assets/asset-store.ts'

t.setTimeout(120_000)

const sha256 = (text: string | Uint8Array) => createHash('sha256').update(text).digest('hex')

async function* bytesOf(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text)
}

function store(root: string) {
  return new AssetStore(root)
}

const blobs = (root: string) =>
  existsSync(join(root, '.pilotlight/sha256'))
    ? readdirSync(join(root, '.pilotlight/sha256'), { recursive: true, encoding: 'utf8' })
        .filter(name => name.length > 2)
        .map(name => name.slice(3))
        .toSorted()
    : []

const incoming = (root: string) =>
  existsSync(join(root, '.pilotlight/incoming')) ? readdirSync(join(root, '.pilotlight/incoming')) : []

t.test('the same bytes under several names are kept once, as plain files', async t => {
  const root = t.testdir()
  const it = store(root)
  const first = await it.add('live/vmlinuz', bytesOf('ker', 'nel'))
  t.match(first, { name: 'live/vmlinuz', size: 6, sha256: sha256('kernel'), result: 'created' })
  t.equal((await it.add('old/vmlinuz', bytesOf('kernel'))).result, 'created')
  t.equal((await it.add('old/vmlinuz', bytesOf('kernel'))).result, 'unchanged')
  t.equal((await it.add('old/vmlinuz', bytesOf('other'))).result, 'changed')
  t.equal(readFileSync(join(root, 'live/vmlinuz'), 'utf8'), 'kernel')
  await it.add('b', bytesOf('kernel'))
  t.equal(statSync(join(root, 'b')).ino, statSync(join(root, 'live/vmlinuz')).ino)
  t.strictSame(blobs(root), [sha256('kernel'), sha256('other')].toSorted())
  t.strictSame(incoming(root), [])
})

t.test('a name that goes back to older bytes looks newer to who compares dates', async t => {
  const root = t.testdir()
  const it = store(root)
  await it.add('a', bytesOf('one'))
  const between = await it.add('a', bytesOf('two'))
  const back = await it.add('a', bytesOf('one'))
  t.ok(back.modifiedMs >= between.modifiedMs)
})

t.test('bytes that are not those announced are not kept', async t => {
  const root = t.testdir()
  const it = store(root)
  for (const wanted of [{ sha256: sha256('other') }, { sha512: 'ab'.repeat(64) }]) {
    await t.rejects(it.add('a', bytesOf('text'), wanted), { code: 'DIGEST_MISMATCH', statusCode: 422 })
  }
  t.equal((await it.add('a', bytesOf('text'), { sha256: sha256('text').toUpperCase() })).result, 'created')
  await t.rejects(
    it.add(
      'b',
      (async function* () {
        yield Buffer.from('half')
        throw new Error('the line is dead')
      })(),
    ),
    /the line is dead/,
  )
  t.strictSame(
    (await it.list()).map(({ name }) => name),
    ['a'],
  )
  t.strictSame(incoming(root), [])
})

t.test('no name leads out of the directory, or into the folder of the store', async t => {
  const root = t.testdir({ assets: { real: {} }, outside: {} })
  const assets = join(root, 'assets')
  symlinkSync('../outside', join(assets, 'out'))
  symlinkSync('real', join(assets, 'in'))
  symlinkSync('.pilotlight', join(assets, 'own'))
  symlinkSync('nowhere', join(assets, 'dangling'))
  const it = store(assets)
  await it.add('in/file', bytesOf('x'))
  t.equal(readFileSync(join(assets, 'real/file'), 'utf8'), 'x', 'a link that stays inside is followed')
  const bad = ['', '/etc/x', '../x', 'a/../../x', 'a//b', './a', 'a/', 'a\0b', 'a\nb', '.pilotlight/x']
  for (const name of [...bad, 'x'.repeat(256), 'out/x', 'out/deep/x', 'own/sha256/x']) {
    await t.rejects(it.add(name, bytesOf('x')), { code: 'INVALID_ASSET_NAME' }, JSON.stringify(name))
    await t.rejects(it.remove(name), { code: 'INVALID_ASSET_NAME' })
  }
  await t.rejects(it.add('dangling/x', bytesOf('x')), { code: 'ASSET_IN_THE_WAY' })
  await t.rejects(it.add('in/file/x', bytesOf('x')), { code: 'ASSET_IN_THE_WAY' })
  await t.rejects(it.add('real', bytesOf('x')), { code: 'ASSET_IN_THE_WAY' })
  t.strictSame(readdirSync(join(root, 'outside')), [])
  writeFileSync(join(root, 'outside/secret'), 's')
  symlinkSync('../outside/secret', join(assets, 'leak'))
  const names = (await it.list()).map(({ name }) => name)
  t.strictSame(names, ['real/file'], 'what leads away is not listed')
  t.strictSame(incoming(assets), [])
})

t.test('files that were there before are listed as not of the store, and may be replaced', async t => {
  const root = t.testdir({ old: 'by hand' })
  const it = store(root)
  t.match(await it.get('old'), { sha256: undefined, size: 7 })
  t.equal((await it.add('old', bytesOf('new'))).result, 'changed')
  t.match(await it.get('old'), { sha256: sha256('new') })
  t.equal(await it.get('none'), undefined)
})

t.test(
  'verify names each file whose bytes changed, and adding the good ones repairs all of its names',
  async t => {
    const root = t.testdir()
    const it = store(root)
    for (const name of ['a', 'b/c']) await it.add(name, bytesOf('good'))
    await it.add('fine', bytesOf('fine'))
    chmodSync(join(root, 'a'), 0o644)
    writeFileSync(join(root, 'a'), 'rotten')
    const bad = (await lookedAt(it)).filter(({ sha256, found }) => sha256 !== found)
    t.match(bad, [{ sha256: sha256('good'), found: sha256('rotten'), names: ['a', 'b/c'] }])
    await it.add('d', bytesOf('good'))
    t.equal(readFileSync(join(root, 'b/c'), 'utf8'), 'good')
    const now = await lookedAt(it)
    t.ok(now.every(({ sha256, found }) => sha256 === found))
    t.strictSame(incoming(root), [])
  },
)

t.test('what a caller expects is checked again before the name changes', async t => {
  const it = store(t.testdir())
  const outcomes = await Promise.allSettled(
    ['one', 'two', 'three'].map(text => it.add('same', bytesOf(text), { expect: isAbsent })),
  )
  t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  t.equal((await it.list()).length, 1)
})

t.test('a collection beside adds takes nothing that has a name', async t => {
  const root = t.testdir()
  const it = store(root)
  const other = store(root)
  const done = new AbortController()
  const collecting = (async () => {
    while (!done.signal.aborted) await other.gc()
  })()
  for (let turn = 0; turn < 40; turn += 1) {
    await it.add(`n${turn % 3}`, bytesOf(`text ${turn % 2}`))
    if (turn % 5 === 4) await it.remove(`n${turn % 3}`)
  }
  done.abort()
  await collecting
  for (const { name, sha256: digest } of await it.list()) {
    t.equal(digest, sha256(readFileSync(join(root, name))), name)
  }
})

function isAbsent(now: unknown): void {
  if (now !== undefined) throw new Error('someone was faster')
}

const NAMES = ['a', 'b', 'b/c', 'd/e/f', 'd/e', 'ü'] as const
const operation = fc.oneof(
  fc.record({
    do: fc.constant('add' as const),
    name: fc.constantFrom(...NAMES),
    text: fc.constantFrom('', 'x', 'y', 'zz'),
  }),
  fc.record({ do: fc.constant('remove' as const), name: fc.constantFrom(...NAMES) }),
  fc.record({ do: fc.constant('unlink' as const), name: fc.constantFrom('a', 'ü') }),
  fc.record({
    do: fc.constant('by hand' as const),
    name: fc.constantFrom('a', 'ü'),
    text: fc.constantFrom('x', 'q'),
  }),
  fc.record({ do: fc.constant('gc' as const) }),
)

t.test('whatever is done to it, it holds what a map of names would', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 10 }), async operations => {
      const root = await mkdtemp(join(tmpdir(), 'assets-'))
      const it = store(root)
      const model = new Map<string, { text: string; isKept: boolean }>()
      const isFree = (name: string) =>
        ![...model.keys()].some(one => one.startsWith(`${name}/`) || name.startsWith(`${one}/`))
      try {
        for (const step of operations) {
          if (step.do === 'gc') await it.gc()
          else if (step.do === 'add') {
            const before = model.get(step.name)
            const outcome = await it
              .add(step.name, bytesOf(step.text))
              .catch((error: { code: string }) => error.code)
            if (!isFree(step.name)) same(outcome, 'ASSET_IN_THE_WAY')
            else {
              const isSame = before?.isKept && before.text === step.text
              const result = before === undefined ? 'created' : isSame ? 'unchanged' : 'changed'
              same((outcome as { result: string }).result, result)
              model.set(step.name, { text: step.text, isKept: true })
            }
          } else if (step.do === 'remove') {
            const outcome = await it.remove(step.name).catch((error: { code: string }) => error.code)
            same(outcome, model.delete(step.name) ? undefined : 'NOT_FOUND')
          } else if (step.do === 'unlink') {
            rmSync(join(root, step.name), { force: true })
            model.delete(step.name)
          } else {
            rmSync(join(root, step.name), { force: true }) // as an editor that replaces the file
            writeFileSync(join(root, step.name), step.text)
            model.set(step.name, { text: step.text, isKept: false })
          }
          const listed = (await it.list()).map(({ name, sha256: digest }) => [name, digest])
          const wanted = [...model].map(([name, { text, isKept }]) => [
            name,
            isKept ? sha256(text) : undefined,
          ])
          same(
            listed,
            wanted.toSorted(([a = ''], [b = '']) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
          )
          for (const [name, { text }] of model) same(readFileSync(join(root, name), 'utf8'), text)
        }
        await it.gc()
        const kept = [...model.values()].filter(({ isKept }) => isKept).map(({ text }) => sha256(text))
        same(blobs(root), [...new Set(kept)].toSorted())
        same(incoming(root), [])
      } finally {
        rmSync(root, { recursive: true })
      }
    }),
    { numRuns: 30 },
  )
})

function same(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)
  }
}

t.test('what a killed add left behind is swept by the next one', async t => {
  const root = t.testdir()
  mkdirSync(join(root, '.pilotlight/incoming'), { recursive: true })
  const { hostname } = await import('node:os')
  const dead = join(root, '.pilotlight/incoming', `4194303.1.00ff.${hostname()}`)
  const foreign = join(dirname(dead), '12.1.00ff.other-host')
  writeFileSync(dead, 'half')
  writeFileSync(foreign, 'half')
  await store(root).add('a', bytesOf('x'))
  t.notOk(existsSync(dead))
  t.ok(existsSync(foreign), 'another host may still write it')
})

async function lookedAt(one: AssetStore): Promise<Checked[]> {
  const all: Checked[] = []
  for await (const checked of one.verify()) all.push(checked)
  return all
}
