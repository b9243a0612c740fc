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
import t from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { AccessTokens } from '#server/access/tokens.ts'
import { serverIdentity } from '#server/agent/authority.ts'
import { SqliteStore } from '#server/inventory/sqlite.ts'
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
  t.equal(errors.length, 1, 'one line tells of it')

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
  await store.write(objects, { who: 't', at: 1 })
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

t.test(
  'a large store is checked beside the start, and /readyz says what was found',
  { timeout: 120_000 },
  async t => {
    const statePath = join(t.testdir({ state: {} }), 'state')
    mkdirSync(statePath, { recursive: true })
    const path = join(statePath, 'pilotlight.db')
    const store = new SqliteStore(path)
    const big = Array.from({ length: 40 }, (_, at) => ({
      kind: 'template' as const,
      id: `generic/t${at}`,
      object: { kind: 'generic' as const, name: `t${at}`, text: `${at}${'b'.repeat(500_000)}` },
    }))
    for (const one of big) await store.write([one as never], { who: 't', at: 1 })
    store.close()
    t.ok(statSync(path).size > 16 << 20)
    const good = await childServer(t, { statePath })
    t.match(await good.ask('GET', '/readyz'), { status: 200 })
    await good.kill()
    const file = openSync(path, 'r+')
    for (let page = 1000; page < 1200; page += 1)
      writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, page * 4096)
    closeSync(file)
    // In time it refuses to start; on a busy machine it says so a little later.
    const outcome = await childServer(t, { statePath }).catch((error: unknown) => error as DidNotStart)
    if ('message' in outcome) {
      t.match(outcome.message, /pilotlight\.db is damaged/)
      return
    }
    await waitUntil('the damage is found', { limitSeconds: 60, everyMs: 200 }, async () => {
      const { status, text } = await outcome.ask('GET', '/readyz')
      return status === 503 && text.includes('the store is damaged') ? { value: true } : { not: text }
    })
  },
)

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

t.test('a first start that could not write the first token locks nobody out', async t => {
  const statePath = join(t.testdir({ state: {} }), 'state')
  mkdirSync(join(statePath, 'admin.token.new', 'in the way'), { recursive: true })
  t.throws(() => new AccessTokens(statePath, () => 1))
  rmSync(join(statePath, 'admin.token.new'), { recursive: true })
  const tokens = new AccessTokens(statePath, () => 1)
  const token = readFileSync(join(statePath, 'admin.token'), 'utf8').trim()
  t.match(tokens.identityOf(token), { name: 'bootstrap', role: 'admin' })
})
