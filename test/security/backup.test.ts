// A backup is one encrypted file with everything of a server, made while it runs, and it comes back on an empty machine.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import t from 'tap'
import { siteAuthority } from '#rack/cluster/bundle.ts'
import { run, type CommandFailed } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { makeBackup, restoreBackup } from '#server/state/backup.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { objectsOf } from '../server/store/contract.ts'
import { site } from '../server/serving.ts'
import { testPki } from '../site-pki.ts'
import { childServer, type DidNotStart } from './child-server.ts'

t.setTimeout(120_000) // a busy machine takes its time

const BIN = join(import.meta.dirname, '../../bin/pilotlight')
const PASSPHRASE = 'correct horse battery staple'
const ENV = { PILOTLIGHT_BACKUP_PASSPHRASE: PASSPHRASE }
const passphrase = { passphrase: PASSPHRASE }
const sealed = { seal: passphrase, version: '1', now: 1_800_000_000_000 }

/** Every row of every table of a store. */
function rowsOf(statePath: string): Record<string, unknown[]> {
  const sqlite = new Sqlite(join(statePath, 'pilotlight.db'), { readonly: true })
  try {
    const tables = sqlite
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")
      .pluck()
      .all() as string[]
    return Object.fromEntries(tables.map(name => [name, sqlite.prepare(`SELECT * FROM "${name}"`).all()]))
  } finally {
    sqlite.close()
  }
}

/** The files of a state directory with their content, but for the store. */
function filesOf(statePath: string): Record<string, string> {
  const names = readdirSync(statePath).filter(name => !/^pilotlight\.db|^lock/.test(name))
  return Object.fromEntries(names.map(name => [name, readFileSync(join(statePath, name), 'latin1')]))
}

async function refusalOf(doing: Promise<unknown>): Promise<CommandFailed> {
  return doing.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: unknown) => error as CommandFailed, // of `run`
  )
}

t.test('everything is back after a restore onto an empty machine', { timeout: 120_000 }, async t => {
  const folder = t.testdir()
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  const first = await childServer(t, { statePath: from })
  t.match(await first.ask('PUT', '/v1/sites/rack-1', site), { status: 200 })
  for (const args of [['a'], ['b']])
    await first.ask('PUT', '/v1/profiles/mine', { id: 'mine', boot: { args } })
  const authority = siteAuthority(await testPki(join(folder, 'pki')))
  t.match(await first.ask('PUT', '/v1/sites/rack-1/authority', authority), { status: 200, text: /true/ })
  const made = await first.ask('POST', '/v1/tokens', { name: 'ci', role: 'admin' })
  const { token } = JSON.parse(made.text) as { token: string }
  await first.ask('GET', '/ipxe?mac=52-54-00-20-00-02')
  await first.ask('GET', '/v1/events') // the journal is on disk
  await first.kill()
  const store = new SqliteStore(join(from, 'pilotlight.db'))
  const lease = { address: '10.20.0.100', mac: '52:54:00:20:00:77', state: 'bound', expiresAt: 2e12 } as const
  await store.leases.commit([{ kind: 'put', lease }])
  store.close()
  writeFileSync(join(from, 'further.key'), 'of a later version', { mode: 0o600 })
  const [rows, files] = [rowsOf(from), filesOf(from)]

  const file = join(folder, 'backup')
  const { stdout } = await run(BIN, ['backup', file, '--state-path', from], { limitSeconds: 60, env: ENV })
  t.match(stdout, /backup holds \d+ files, .*pilotlight\.db, admin\.token/)
  t.equal(statSync(file).mode & 0o777, 0o600)
  const bytes = readFileSync(file, 'latin1')
  t.match(bytes, /^age-encryption\.org\/v1\n/)
  for (const secret of ['PRIVATE KEY', 'SQLite format', 'bootstrap', 'of a later version']) {
    t.notOk(bytes.includes(secret), `${secret} is not in clear`)
  }

  await run(BIN, ['restore', file, '--state-path', to], { limitSeconds: 60, env: ENV })
  t.strictSame(rowsOf(to), rows, 'every row of every table')
  t.strictSame(filesOf(to), files, 'every file')
  t.equal(statSync(join(to, 'ca.key')).mode & 0o777, 0o600)
  const second = await childServer(t, { statePath: to })
  t.match(await second.ask('GET', '/v1/profiles/mine/history'), { status: 200, text: /"a"/ })
  t.match(await second.ask('GET', '/v1/machines/cmp-1/journal'), { text: /runs profile live/ })
  const asked = await fetch(`${second.url}/v1/tokens`, { headers: { authorization: `Bearer ${token}` } })
  t.equal(asked.status, 200, 'an access token is good as before')
  t.match(
    await second.ask('PUT', '/v1/sites/rack-1/authority', authority),
    { text: /false/ },
    'what was sealed opens',
  )
  await second.kill()
})

t.test('a restore ends the tokens of boots that had no bundle yet', async t => {
  const folder = t.testdir()
  const [from, to, file] = [join(folder, 'from'), join(folder, 'to'), join(folder, 'backup')]
  const server = await childServer(t, { statePath: from })
  await server.kill()
  const store = new SqliteStore(join(from, 'pilotlight.db'))
  const boot = { machine: 'ctl-1', tokens: 1, proven: true }
  for (const [hash, id] of [
    ['runs', 'b-0001'],
    ['shown', 'b-0002'],
    ['fresh', 'b-0003'],
  ] as const) {
    await store.machines.change('ctl-1', record =>
      record.addToken({ hash, machine: 'ctl-1', boot: id, until: 4e12 }, { ...boot, boot: id }),
    )
  }
  await store.machines.change('ctl-1', record => {
    record.spend('b-0001', 3, { token: 'runs', key: 'age1', fingerprint: 'SHA256:one' })
    record.useToken('shown', 3)
  })
  store.close()
  const seal = { passphrase: 'correct horse battery staple' }
  await makeBackup(from, file, { seal, version: '1', now: Date.now() })
  await restoreBackup(file, to, seal)
  const restored = new SqliteStore(join(to, 'pilotlight.db'))
  t.teardown(() => restored.close())
  t.match(await restored.machines.token('runs'), { boot: 'b-0001' }, 'that of a machine that runs and renews')
  t.equal(await restored.machines.token('shown'), undefined)
  t.equal(await restored.machines.token('fresh'), undefined)
})

t.test('a backup of a server under load is as of one point in time', { timeout: 120_000 }, async t => {
  const folder = t.testdir()
  const [from, to] = [join(folder, 'from'), join(folder, 'to')]
  const server = await childServer(t, { statePath: from })
  const progress = { acknowledged: 0, isOver: false }
  // Two objects with one number in each transaction: a copy of two points in time would have two numbers.
  const load = (async () => {
    for (let number = 1; !progress.isOver; number += 1) {
      const changes = ['a', 'b'].map(id => ({
        action: 'put',
        kind: 'profile',
        object: { id, boot: { args: [`n=${number}`, 'x'.repeat(20_000)] } },
      }))
      const { status } = await server.ask('POST', '/v1/transactions', { changes })
      if (status === 200) progress.acknowledged = number
    }
  })()
  await waitUntil('there is something', { limitSeconds: 30, everyMs: 20 }, async () =>
    progress.acknowledged >= 20 ? { value: true } : { not: `${progress.acknowledged} writes` },
  )
  const before = progress.acknowledged
  const file = join(folder, 'backup')
  const identity = await generateX25519Identity()
  const recipient = await identityToRecipient(identity)
  await run(BIN, ['backup', file, '--state-path', from, '--recipient', recipient], { limitSeconds: 60 })
  const after = progress.acknowledged + 1
  progress.isOver = true
  await load
  t.match(await server.ask('GET', '/readyz'), { status: 200 })
  writeFileSync(join(folder, 'identity'), `# made by a test\n${identity}\n`)
  const restore = ['restore', file, '--identity-file', join(folder, 'identity'), '--state-path']
  const inUse = await refusalOf(run(BIN, [...restore, from], { limitSeconds: 60 }))
  t.match(inUse.stderr, /is in use by the server with the process id \d+/)
  t.equal(inUse.status, 4)
  await server.kill()
  await run(BIN, [...restore, to], { limitSeconds: 60 })
  const store = new SqliteStore(join(to, 'pilotlight.db'))
  t.teardown(() => store.close())
  const numbers = (await objectsOf(store.objects))
    .filter(({ kind, id }) => kind === 'profile' && /^[ab]$/.test(id))
    .map(({ object }) => Number(/n=(\d+)/.exec(JSON.stringify(object))?.[1]))
  t.equal(numbers.length, 2)
  t.equal(numbers[0], numbers[1], 'one point in time')
  t.ok(numbers[0]! >= before && numbers[0]! <= after, `${before} <= ${numbers[0]} <= ${after}`)
})

t.test('nothing is mixed, and nothing half is served', { timeout: 120_000 }, async t => {
  const folder = t.testdir({ full: { 'tokens.json': '[]' }, none: {}, bad: {} })
  const from = join(folder, 'from')
  await (await childServer(t, { statePath: from })).kill()
  const file = join(folder, 'backup')
  await makeBackup(from, file, sealed)
  await t.rejects(makeBackup(from, file, sealed), { code: 'BAD_BACKUP', message: /is there already/ })
  await t.rejects(makeBackup(join(folder, 'none'), `${file}2`, sealed), { code: 'NOTHING_TO_BACK_UP' })
  await t.rejects(makeBackup(from, `${file}2`, { ...sealed, seal: { passphrase: 'short' } }), {
    code: 'BAD_BACKUP',
  })
  t.notOk(
    readdirSync(from).some(name => name.startsWith('backup-copy')),
    'no copy of the store is left',
  )

  await t.rejects(restoreBackup(file, join(folder, 'full'), passphrase), {
    code: 'STATE_NOT_EMPTY',
    message: /full is not empty: it holds tokens\.json\.$/,
    remedy: /^name another directory, or move this one: {2}mv \S+full \S+full\.old$/,
  })
  t.strictSame(readdirSync(join(folder, 'full')), ['tokens.json'])

  const bad = join(folder, 'bad')
  await t.rejects(restoreBackup(file, bad, { passphrase: 'another passphrase' }), {
    code: 'BAD_BACKUP',
    message: /cannot be opened with this key/,
  })
  const bytes = readFileSync(file)
  const broken: [string, Uint8Array][] = [
    ['cut', bytes.subarray(0, bytes.length - 70_000)],
    ['changed', bytes.map((byte, at) => (at === bytes.length - 100 ? byte ^ 1 : byte))],
    ['other', Buffer.from('not a backup')],
  ]
  for (const [name, content] of broken) {
    writeFileSync(`${file}.${name}`, content)
    await t.rejects(restoreBackup(`${file}.${name}`, bad, passphrase), { code: 'BAD_BACKUP' }, name)
    t.strictSame(readdirSync(bad), [], `nothing of it is left: ${name}`)
  }

  // As a restore that was killed leaves it.
  mkdirSync(join(folder, 'half'))
  for (const name of ['restore-unfinished', 'pilotlight.db'])
    writeFileSync(join(folder, 'half', name), 'half')
  const failed: DidNotStart = await childServer(t, { statePath: join(folder, 'half') }).then(
    () => Promise.reject(new Error('it started')),
    (error: unknown) => error as DidNotStart, // it throws no other
  )
  t.match(failed.message, /holds a restore that was not finished. Run the same 'pilotlight restore' again/)
  await restoreBackup(file, join(folder, 'half'), passphrase)
  t.notOk(existsSync(join(folder, 'half', 'restore-unfinished')))
  await (await childServer(t, { statePath: join(folder, 'half') })).kill()
})

t.test('a backup is refused without a key, and never takes one on its command line', async t => {
  const folder = t.testdir({ state: {} })
  const refused = await refusalOf(
    run(BIN, ['backup', join(folder, 'b'), '--state-path', join(folder, 'state')], { limitSeconds: 60 }),
  )
  t.match(refused.stderr, /a backup is encrypted, and no key was given/)
  t.equal(refused.status, 2)
  t.notOk(existsSync(join(folder, 'b')))
})
