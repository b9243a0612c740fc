// The audit log in SQLite: what a write and its entry have in common, and how much is kept.

import t from 'tap'
import type { Auditing } from '#server/store/audit.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { site } from '../../serving.ts'

const audit: Auditing = { who: 'ci', role: 'admin', by: 'token', from: '127.0.0.1', action: 'group.put' }
const author = { who: 'ci', at: 1000, audit }
const group = (id: string, profile = 'live') => ({ kind: 'group', id, object: { id, profile } }) as const

t.test('the entry of a write is committed with it, and names its revisions', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const [made] = await store.objects.write([group('spare')], author)
  await store.objects.write([group('spare', 'other')], author)
  await store.objects.write([group('spare', 'other')], author)
  await store.objects.write([{ kind: 'group', id: 'spare' }], {
    ...author,
    audit: { ...audit, action: 'group.delete' },
  })
  const first = String(made?.after?.revision)
  t.match(await store.audit.list({ limit: 9 }), [
    { action: 'group.delete', entity: 'group:spare', before: /^\d+$/ },
    { action: 'group.put', entity: 'group:spare', before: first, after: /^\d+$/ },
    { action: 'group.put', entity: 'group:spare', after: first, at: 1000, who: 'ci', outcome: 'done' },
  ])
  t.equal((await store.audit.list({ limit: 9 })).length, 3, 'a write that changes nothing leaves no entry')
})

t.test('a write that fails, or is only tried, leaves no entry', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  await store.objects.dryRun([group('spare')], author)
  const together = [
    store.objects.write([{ ...group('spare'), expect: 7 }], author),
    store.objects.write([group('other')], author),
  ]
  await Promise.allSettled(together)
  t.match(await store.audit.list({ limit: 9 }), [{ entity: 'group:other' }])
  t.equal((await store.audit.list({ limit: 9 })).length, 1)
})

t.test('several objects have one entry, with their number and their revisions', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  await store.objects.write([group('a'), group('b')], author)
  await store.objects.write([group('a', 'x'), group('c'), { kind: 'group', id: 'b' }], author)
  await store.objects.putSite('rack-1', site, { ...author, audit: { ...audit, action: 'site.put' } })
  await store.objects.putSite('rack-1', site, { ...author, audit: { ...audit, action: 'site.put' } })
  t.match(await store.audit.list({ limit: 9 }), [
    { action: 'site.put', entity: 'site:rack-1', summary: /^4 created; revisions \d+ to \d+$/ },
    { entity: 'transaction:objects', summary: /^1 created, 1 changed, 1 removed; revisions \d+ to \d+$/ },
    { entity: 'transaction:objects', summary: '2 created; revisions 1 to 2' },
  ])
  t.equal((await store.audit.list({ limit: 9 })).length, 3)
})

t.test('what was not done is kept 10,000 times, and drives out nothing that was done', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const done = { ...audit, at: 1000, entity: 'group:spare', outcome: 'done' } as const
  await store.audit.add(done)
  const refused = { ...done, outcome: 'refused', code: 'NOT_ALLOWED' } as const
  await Promise.all(Array.from({ length: 12_000 }, () => store.audit.add(refused)))
  const entries = await store.audit.list({ limit: 100_000 })
  t.ok(entries.length <= 11_001, `${entries.length} entries`)
  t.match(entries.at(-1), { outcome: 'done' })
})

t.test('old entries are pruned with old events, a share at once', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const entry = { ...audit, entity: 'group:spare', outcome: 'done' } as const
  for (let at = 0; at < 10; at += 1) await store.audit.add({ ...entry, at })
  await store.prune(5, 0.2)
  t.equal((await store.audit.list({ limit: 99 })).length, 8)
  await store.prune(5)
  t.strictSame(
    (await store.audit.list({ limit: 99 })).map(({ at }) => at),
    [9, 8, 7, 6, 5],
  )
  await store.prune(100)
  const next = await store.audit.add({ ...entry, at: 200 })
  t.equal(next.id, 11, 'no number is given twice')
})
