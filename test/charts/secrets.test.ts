// Secrets: generated once, kept, fit for where they are put.

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { SecretPlan } from '#charts/plan.ts'
import { ensureSecrets, fillSecrets, redact, secretsPath } from '#charts/secrets.ts'

const plan: SecretPlan[] = [
  { name: 'db', entries: { password: { generate: 'password' }, user: { text: 'keystone' } } },
  { name: 'keys', entries: { 0: { generate: 'fernet-key' } } },
]

t.test('a rerun gives the same secrets, and a grown plan only adds its own', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'secrets-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const first = await ensureSecrets(plan, directory)
  t.strictSame(await ensureSecrets(plan, directory), first)
  const grown = await ensureSecrets(
    [...plan, { name: 'mq', entries: { cookie: { generate: 'password' } } }],
    directory,
  )
  t.match(grown, first)
  t.match(grown['mq']?.['cookie'], /^[\w-]{32}$/)
  t.equal((await stat(secretsPath(directory))).mode & 0o777, 0o600)
})

t.test('a damaged file is refused, never replaced by new secrets', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'secrets-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await writeFile(secretsPath(directory), '{"db": {"passw')
  await t.rejects(ensureSecrets(plan, directory), { code: 'CHART_PLAN', message: /Put back the file/ })
  t.equal(await readFile(secretsPath(directory), 'utf8'), '{"db": {"passw')
})

const bytes = (size: number) => new Uint8Array(size).fill(0xff) // base64 of it would be all slashes

t.test('passwords are 32 URL-safe characters, Fernet keys 32 bytes in padded base64', async t => {
  const { db, keys } = fillSecrets(plan, {}, bytes)
  t.equal(db?.['password'], '_'.repeat(32))
  t.equal(db?.['user'], 'keystone')
  t.equal(keys?.['0']?.length, 44)
  t.strictSame(new Uint8Array(Buffer.from(keys?.['0'] ?? '', 'base64url')), bytes(32))
})

t.test('no secret is left in a text that people see', async t => {
  const secrets = { db: { password: 'x'.repeat(32), user: 'keystone' } }
  t.equal(redact(`keystone:${'x'.repeat(32)}@mariadb`, secrets), 'keystone:•••@mariadb')
})
