// A disk that is full, and a store that is damaged (findings 12 and 26): nothing is said to be done that is not kept.

import { spawn } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { AccessTokens } from '#server/access/access-tokens.ts'
import { serverIdentity } from '#server/access/own-authority.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { endChild } from '../end-child.ts'
import { childServer, type DidNotStart } from './child-server.ts'

t.setTimeout(120_000) // a busy machine takes its time

const skip = await run('unshare', ['--mount', 'true'], { limitSeconds: 10 }).then(
  () => false as const,
  () => 'mounting a small disk needs root',
)

/** No server shall have started. */
function started(): never {
  throw new Error('it started')
}

t.test('a full disk is said, changes nothing, and is recovered from', { skip, timeout: 120_000 }, async t => {
  const statePath = join(t.testdir({ state: {} }), 'state')
  // A process that keeps the small disk, whichever server lives and dies on it.
  const mount = 'mount -t tmpfs -o size=4m tmpfs "$0" && echo mounted && exec sleep 600'
  const keeper = spawn('unshare', ['--mount', 'sh', '-euc', mount, statePath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => endChild(keeper))
  await once(keeper.stdout, 'data')
  const seenAt = `/proc/${keeper.pid}/root${statePath}`
  const settings = { statePath, seenAt, within: ['nsenter', `--mount=/proc/${keeper.pid}/ns/mnt`] }
  const filling = join(seenAt, 'filling')
  const fill = () => {
    const file = openSync(filling, 'a')
    try {
      for (;;) writeSync(file, new Uint8Array(4096))
    } catch (error) {
      t.match(error, { code: 'ENOSPC' })
    } finally {
      closeSync(file)
    }
  }
  const profile = { id: 'x', boot: { args: ['a'.repeat(100_000)] } }

  const server = await childServer(t, settings)
  const { ask } = server
  const tokens = async () => (await ask('GET', '/v1/tokens')).text
  t.match(await ask('POST', '/v1/tokens', { name: 'old', role: 'admin' }), { status: 201 })
  t.match(await ask('PUT', '/v1/profiles/kept', { ...profile, id: 'kept' }), { status: 201 })
  t.match(await ask('GET', '/readyz'), { status: 200 })

  fill()
  t.match(await ask('GET', '/readyz'), {
    status: 503,
    text: /"trouble": "the disk of the state directory is full"/,
  })
  t.match(await ask('POST', '/v1/tokens', { name: 'new', role: 'admin' }), {
    status: 507,
    text: /tokens\.json cannot be written, there is no space left on its disk: nothing was changed\. Free some/,
  })
  t.notMatch(await tokens(), /"new"/, 'a token whose making failed is not listed')
  t.match(await ask('DELETE', '/v1/tokens/old'), { status: 507 })
  t.match(await tokens(), /"old"/, 'a token whose revocation failed is listed as it is')
  t.match(await ask('PUT', '/v1/profiles/x', profile), {
    status: 507,
    text: /pilotlight\.db cannot be written/,
  })
  t.match(await ask('GET', '/v1/profiles/x'), { status: 404 })
  t.match(await ask('GET', '/ipxe?mac=52-54-00-20-00-99'), { status: 404 }, 'reads go on')
  t.match(await ask('GET', '/metrics'), { text: /^pilotlight_writes_work 0$/m })
  const errors = server.said.filter(line => line.includes('"level":"error"'))
  t.equal(errors.length, 1, 'one line reports it')

  rmSync(filling)
  await waitUntil('writes work again', { limitSeconds: 15, everyMs: 100 }, async () => {
    const { status } = await ask('GET', '/readyz')
    return status === 200 ? { value: true } : { not: `readyz says ${status}` }
  })
  t.match(await ask('GET', '/metrics'), { text: /^pilotlight_writes_work 1$/m })
  t.match(await ask('DELETE', '/v1/tokens/old'), { status: 204 })
  t.match(await ask('PUT', '/v1/profiles/x', profile), { status: 201 })
  t.notOk(
    readdirSync(seenAt).some(name => name.endsWith('.new') || name === 'try-write'),
    'nothing half is left',
  )

  await server.kill()
  fill()
  const failed: DidNotStart = await childServer(t, settings).then(
    started,
    (error: unknown) => error as DidNotStart, // it throws no other
  )
  t.match(failed.message, /cannot be written, there is no space left on its disk/)
  t.equal(failed.status, 1)
  rmSync(filling)

  const again = await childServer(t, settings)
  t.notMatch((await again.ask('GET', '/v1/tokens')).text, /"(?:old|new)"/)
  for (const id of ['kept', 'x']) t.match(await again.ask('GET', `/v1/profiles/${id}`), { status: 200 })
  await again.kill()
})

t.test('a store with damaged pages is found at the start, with its name and the way back', async t => {
  const statePath = join(t.testdir({ state: {} }), 'state')
  const path = join(statePath, 'pilotlight.db')
  const store = new SqliteStore(path)
  const objects = Array.from({ length: 300 }, (_, at) => ({
    kind: 'profile' as const,
    id: `p${at}`,
    object: { id: `p${at}`, boot: { args: ['a'.repeat(500)] } },
  }))
  await store.objects.write(objects, { who: 't', at: 1 })
  store.close()
  const size = statSync(path).size
  const whole = readFileSync(path)
  const file = openSync(path, 'r+')
  for (let page = 10; page < 16; page += 1) writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, page * 4096)
  closeSync(file)
  t.ok(size > 16 * 4096)
  t.throws(() => new SqliteStore(path), {
    code: 'BROKEN_STATE',
    message: /pilotlight\.db is damaged \(.+\)\. Stop the server, .*'pilotlight restore FILE'/,
  })
  const failed: DidNotStart = await childServer(t, { statePath }).then(
    started,
    (error: unknown) => error as DidNotStart,
  )
  t.match(failed.message, /pilotlight\.db is damaged/)
  const again = openSync(path, 'r+')
  writeSync(again, whole)
  closeSync(again)
  new SqliteStore(path).close()
})

/** A state whose store is too large to be checked before the start, and damaged where the start does not read. */
async function largeDamagedStore(t: Test): Promise<string> {
  const statePath = join(t.testdir({ state: {} }), 'state')
  const path = join(statePath, 'pilotlight.db')
  new SqliteStore(path).close()
  const sqlite = new Sqlite(path)
  sqlite.exec('CREATE TABLE unread (bytes BLOB)')
  const row = sqlite.prepare('INSERT INTO unread VALUES (?)')
  for (let rows = 0; rows < 40; rows += 1) row.run(Buffer.alloc(500_000, 0x62))
  sqlite.close()
  t.ok(statSync(path).size > 16 << 20)
  const good = await childServer(t, { statePath })
  t.match(await good.ask('GET', '/readyz'), { status: 200 })
  await good.kill()
  const file = openSync(path, 'r+')
  for (let page = 1000; page < 1200; page += 1)
    writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, page * 4096)
  closeSync(file)
  return statePath
}

/** The environment of a server whose check of the store, or whose start, waits for the other. */
const waiting = (settings: Readonly<Record<string, string>>) => ({
  NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'held-check.mjs')).href}`,
  ...settings,
})

t.test('damage of a large store that is found before the end of the start ends it', async t => {
  const statePath = await largeDamagedStore(t)
  // The start reads its loaders: this one can be read once the check is over.
  const loaders = join(statePath, '../loaders')
  const loader = join(loaders, 'held.efi')
  mkdirSync(loaders)
  await run('mkfifo', [loader], { limitSeconds: 5 })
  const failed: DidNotStart = await childServer(t, {
    statePath,
    flags: ['--loaders-path', loaders],
    env: waiting({ START_UNTIL_CHECKED: loader }),
  }).then(started, (error: unknown) => error as DidNotStart)
  t.match(failed.message, /pilotlight\.db is damaged/)
  t.equal(failed.status, 1)
})

t.test('damage of a large store that is found while the server runs is in /readyz and the log', async t => {
  const statePath = await largeDamagedStore(t)
  const gate = join(statePath, '../open')
  const server = await childServer(t, { statePath, env: waiting({ CHECK_AFTER: gate }) })
  t.match(await server.ask('GET', '/readyz'), { status: 200 })
  writeFileSync(gate, '')
  await waitUntil('the damage is found', { limitSeconds: 60, everyMs: 200 }, async () => {
    const { status, text } = await server.ask('GET', '/readyz')
    return status === 503 && text.includes('the store is damaged') ? { value: true } : { not: text }
  })
  t.match(server.said.join('\n'), /"level":"error".*pilotlight\.db is damaged/)
  await server.kill()
})

t.test('a certificate whose key is of another one is made anew', async t => {
  const statePath = join(t.testdir(), 'state')
  const first = await serverIdentity(statePath, '127.0.0.1', Date.now())
  const other = await serverIdentity(statePath, '127.0.0.1', Date.now(), 'other')
  // What a disk that filled up between the two files left.
  writeFileSync(join(statePath, 'agent.key'), other.key)
  const next = await serverIdentity(statePath, '127.0.0.1', Date.now())
  t.equal(next.ca, first.ca)
  t.ok(new X509Certificate(next.certificate).checkPrivateKey(createPrivateKey(next.key)))
})

t.test('a first start that could not write the first token locks no one out', async t => {
  const statePath = join(t.testdir({ state: {} }), 'state')
  mkdirSync(join(statePath, 'admin.token.new', 'in the way'), { recursive: true })
  t.throws(() => new AccessTokens(statePath, () => 1))
  rmSync(join(statePath, 'admin.token.new'), { recursive: true })
  const tokens = new AccessTokens(statePath, () => 1)
  const token = readFileSync(join(statePath, 'admin.token'), 'utf8').trim()
  t.match(tokens.identityOf(token), { name: 'bootstrap', role: 'admin' })
})
