// The inventory against a model of it: two maps, one over the other.

import t from 'tap'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import type { Change } from '#server/inventory/changes.ts'
import type { Kind, Objects } from '#model/kinds.ts'
import { unifiedDiff } from '#server/inventory/diff.ts'
import { Inventory } from '#server/inventory/inventory.ts'
import { fileTextOf } from '#server/inventory/matchbox-text.ts'
import { parseGroup, parseProfile } from '#server/inventory/matchbox-files.ts'
import type { Group } from '#model/group.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'

const ids = fc.constantFrom('a', 'b', 'c', 'a-b')
const group = fc
  .record(
    {
      id: ids,
      profile: fc.constantFrom('p', 'q'),
      selector: fc.dictionary(fc.constantFrom('os', 'rack'), fc.constantFrom('', '1', '2'), { maxKeys: 2 }),
      metadata: fc.dictionary(fc.string({ maxLength: 3 }), fc.jsonValue({ maxDepth: 2 }), {
        maxKeys: 2,
        noNullPrototype: true,
      }),
    },
    { requiredKeys: ['id', 'profile'], noNullPrototype: true },
  )
  .map(it => it as Group)

/** What may happen: a write of several changes, or a file that comes, changes or goes. */
type Step =
  | {
      readonly kind: 'write'
      readonly changes: readonly Change[]
      readonly dryRun: boolean
      readonly lenient: boolean
    }
  | { readonly kind: 'file'; readonly id: string; readonly object: Group | undefined }

const expectation = fc.constantFrom(undefined, undefined, 'absent', 'present', 'current', '999')
const change = fc.tuple(fc.boolean(), group, expectation).map(([isPut, object, expect]): Change => {
  const condition = expect === undefined ? {} : { expect }
  return isPut
    ? { action: 'put', kind: 'group', object, ...condition }
    : { action: 'delete', kind: 'group', id: object.id, ...condition }
})
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    changes: fc.uniqueArray(change, { minLength: 1, maxLength: 3, selector: idOfChange }),
    dryRun: fc.boolean(),
    lenient: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('file' as const), id: ids, object: fc.option(group, { nil: undefined }) }),
)

function idOfChange(it: Change): string {
  return it.action === 'delete' ? it.id : (it.object as Group).id
}

/** The model: what was put, what is in files, and which files were hidden as they were. */
class Model {
  stored = new Map<string, Group>()
  files = new Map<string, Group>()
  hidden = new Map<string, Group>()

  shown(id: string): Group | undefined {
    const file = this.files.get(id)
    return this.stored.get(id) ?? (file !== undefined && this.hidden.get(id) === file ? undefined : file)
  }

  copy(): Model {
    const copy = new Model()
    copy.stored = new Map(this.stored)
    copy.files = new Map(this.files)
    copy.hidden = new Map(this.hidden)
    return copy
  }

  /** What is there after all changes; undefined when one of them cannot be made. */
  after(changes: readonly Change[], lenient: boolean, isCurrent: (it: Change) => boolean): Model | undefined {
    const next = this.copy()
    for (const it of changes) {
      const id = idOfChange(it)
      const shown = this.shown(id)
      if (it.expect === 'absent' ? shown !== undefined : it.expect !== undefined && !isCurrent(it))
        return undefined
      if (it.action === 'put') {
        next.stored.set(id, it.object as Group)
        next.hidden.delete(id)
      } else {
        const file = this.files.get(id)
        if (shown === undefined || (!this.stored.has(id) && !lenient)) return undefined
        next.stored.delete(id)
        if (lenient && file !== undefined) next.hidden.set(id, file)
      }
    }
    return next
  }
}

t.test('the inventory equals the model after any sequence of changes', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
    const store = new SqliteStore(':memory:')
    const inventory = await Inventory.open(
      store.objects,
      () => 1000,
      () => {},
    )
    let model = new Model()
    let turn = 0
    for (const it of steps) {
      if (it.kind === 'file') {
        turn += 1
        const file = it.object && { object: it.object, version: `f${turn}`, path: `groups/${it.id}.json` }
        inventory.directoryChanged([{ kind: 'group', id: it.id, file }])
        if (it.object === undefined) model.files.delete(it.id)
        else model.files.set(it.id, it.object)
      } else {
        const { dryRun, lenient } = it
        const changes = it.changes.map(one => {
          const version = inventory.get('group', idOfChange(one))?.version
          return one.expect === 'current' ? { ...one, expect: version ?? 'present' } : one
        })
        const isCurrent = (one: Change) => {
          const version = inventory.get('group', idOfChange(one))?.version
          return version !== undefined && (one.expect === 'present' || one.expect === version)
        }
        const next = model.after(changes, lenient, isCurrent)
        const result = await inventory
          .write(changes, { who: 'model', dryRun, lenient })
          .catch((error: unknown) => error)
        if (Array.isArray(result) !== (next !== undefined))
          throw new Error(`unlike the model: ${String(result)}`)
        if (next !== undefined && !dryRun) model = next
      }
      same(inventory, model)
    }
    // A second inventory over the same store knows the same.
    const again = await Inventory.open(
      store.objects,
      () => 1000,
      () => {},
    )
    for (const { id, file } of filesOf(inventory)) again.directoryChanged([{ kind: 'group', id, file }])
    same(again, model)
    store.close()
  })
  await fc.assert(property, { numRuns: 150 })
})

function filesOf(inventory: Inventory) {
  return ['a', 'b', 'c', 'a-b'].map(id => ({ id, file: inventory.catalog.file('group', id) }))
}

function same(inventory: Inventory, model: Model): void {
  for (const id of ['a', 'b', 'c', 'a-b']) {
    const found = inventory.get('group', id)?.object
    if (!isDeepStrictEqual(normal(found), normal(model.shown(id)))) {
      throw new Error(`${id}: ${JSON.stringify(found)} is not ${JSON.stringify(model.shown(id))}`)
    }
  }
  const listed = inventory.list('group').map(({ id }) => id)
  const wanted = ['a-b', 'a', 'b', 'c'].filter(id => model.shown(id) !== undefined)
  if (!isDeepStrictEqual(listed, wanted)) throw new Error(`listed ${listed.join()}, not ${wanted.join()}`)
  const indexed = inventory.catalog.groups.groups.length
  if (indexed !== wanted.length) throw new Error(`${indexed} groups in the index, not ${wanted.length}`)
}

/** As JSON has it: what is put is kept as JSON. */
function normal(object: Objects[Kind] | undefined): unknown {
  return object === undefined ? undefined : JSON.parse(JSON.stringify(object))
}

t.test('writers who ask for the version they read never undo each other', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const inventory = await Inventory.open(
    store.objects,
    () => 1000,
    () => {},
  )
  const put = (n: number, expect?: string) =>
    inventory.write(
      [
        {
          action: 'put',
          kind: 'group',
          object: { id: 'g', profile: 'p', metadata: { n } },
          ...(expect ? { expect } : {}),
        },
      ],
      { who: `writer ${n}` },
    )
  await put(0)
  const version = inventory.get('group', 'g')?.version ?? ''
  const results = await Promise.allSettled([1, 2, 3, 4].map(n => put(n, version)))
  t.strictSame(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'rejected'],
  )
  t.strictSame(
    (await inventory.history('group', 'g')).map(({ who }) => who),
    ['writer 1', 'writer 0'],
  )
})

t.test('the history of what was removed ends with its time, and numbers are never given twice', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const inventory = await Inventory.open(
    store.objects,
    () => 1000,
    () => {},
  )
  const put = { action: 'put', kind: 'profile', object: { id: 'p' } } as const
  await inventory.write([put], { who: 'x' })
  await inventory.write([{ action: 'delete', kind: 'profile', id: 'p' }], { who: 'x' })
  const [newest] = await inventory.history('profile', 'p')
  await store.prune(5000)
  t.equal((await inventory.history('profile', 'p')).length, 1, 'but the newest number stays')
  const [outcome] = await inventory.write([put], { who: 'x' })
  t.ok(Number(outcome?.version) > (newest?.revision ?? 0))
})

t.test('a hundred revisions are kept', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const inventory = await Inventory.open(
    store.objects,
    () => 1000,
    () => {},
  )
  for (let n = 0; n < 120; n += 1) {
    await inventory.write([{ action: 'put', kind: 'profile', object: { id: 'p', name: `${n}` } }], {
      who: 'x',
    })
  }
  const history = await inventory.history('profile', 'p', 1000)
  t.equal(history.length, 100)
  t.match([history[0], history.at(-1)], [{ object: { name: '119' } }, { object: { name: '20' } }])
})

t.test('groups and profiles written as Matchbox files read back the same', async () => {
  fc.assert(
    fc.property(group, it => {
      const back = parseGroup(fileTextOf({ kind: 'group', object: it }))
      const { selector = {}, metadata, ...rest } = it
      const wanted = {
        ...rest,
        ...(Object.keys(selector).length > 0 ? { selector } : {}),
        ...(metadata && { metadata }),
      }
      return isDeepStrictEqual(normal(back), normal(wanted))
    }),
  )
  const profile = fc.record(
    {
      id: fc.constantFrom('p', 'sub/q'),
      ignition_id: fc.string({ minLength: 1 }),
      boot: fc.record({ kernel: fc.string({ minLength: 1 }), args: fc.array(fc.string(), { minLength: 1 }) }),
    },
    { requiredKeys: ['id'], noNullPrototype: true },
  )
  fc.assert(
    fc.property(profile, it => {
      const text = fileTextOf({ kind: 'profile', object: it })
      const back = parseProfile(text)
      // What was written is written again with the same bytes.
      return (
        isDeepStrictEqual(normal(back), normal(it)) && fileTextOf({ kind: 'profile', object: back }) === text
      )
    }),
  )
})

t.test('a difference, applied to what was, gives what is', async () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 }).map(lines => lines.join('\n'))
  fc.assert(
    fc.property(text, text, (before, after) => {
      const patched = patch(before, unifiedDiff('x', before, after))
      return patched === after
    }),
    { numRuns: 1000 },
  )
})

/** A reader of unified differences, written apart from their writer. */
function patch(before: string, diff: string): string {
  if (diff === '') return before
  const NO_END = '\\ No newline at end of file'
  const source = before === '' ? [] : before.replace(/\n$/, '').split('\n')
  const result: string[] = []
  let at = 0
  let hasEnd = before === '' || before.endsWith('\n')
  const lines = diff.split('\n').slice(2, -1)
  for (const [index, line] of lines.entries()) {
    const hunk = /^@@ -(\d+)(?:,(\d+))? /.exec(line)
    const isLast = lines[index + 1] === NO_END
    if (hunk !== null) {
      const start = hunk[2] === '0' ? Number(hunk[1]) : Number(hunk[1]) - 1
      while (at < start) result.push(source[at++] ?? '')
    } else if (line.startsWith('+')) {
      result.push(line.slice(1))
      hasEnd = !isLast
    } else if (line.startsWith('-') || line.startsWith(' ')) {
      if (source[at] !== line.slice(1)) throw new Error(`line ${at + 1} is ${source[at]}, not ${line}`)
      at += 1
      if (line.startsWith(' ')) {
        result.push(line.slice(1))
        hasEnd = !isLast
      } else if (at === source.length && isLast) hasEnd = true
    }
  }
  const rest = source.slice(at)
  if (rest.length > 0) hasEnd = before.endsWith('\n')
  const all = [...result, ...rest]
  return all.length === 0 ? '' : all.join('\n') + (hasEnd ? '\n' : '')
}
