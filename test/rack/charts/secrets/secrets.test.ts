// Secrets: generated once, sealed, kept, rotated, fit for where they are put.

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { SecretPlan } from '#rack/charts/plan/plan.ts'
import { rotateSecrets } from '#rack/charts/secrets/rotation.ts'
import { keyPath, keyVariable, openKey, seal, unseal } from '#host/seal.ts'
import {
  changeSecrets,
  ensureSecrets,
  fillSecrets,
  keptSecrets,
  redact,
  textsOf,
  withNewTexts,
} from '#rack/charts/secrets/secrets.ts'
import { NEW_TEXT, showNewTexts } from '#rack/charts/secrets/new-texts.ts'
import { storePath } from '#rack/charts/store.ts'
import { secretsIn } from '#rack/charts/secrets/versions.ts'

const plan: SecretPlan[] = [
  { name: 'db', entries: { password: { generate: 'password' }, user: { text: 'keystone' } } },
  {
    name: 'keys',
    entries: { 0: { generate: 'fernet-key' }, 1: { generate: 'fernet-key' } },
    rotation: 'key-repository',
  },
  {
    name: 'fixed',
    entries: { 0: { generate: 'fernet-key' } },
    rotation: { never: 'rows are encrypted with it' },
  },
]

async function directory(t: Test): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'secrets-'))
  t.teardown(() => rm(made, { recursive: true }))
  return made
}

t.test('a rerun gives the same secrets, and a grown plan only adds its own', async t => {
  const state = await directory(t)
  const first = await ensureSecrets(plan, state)
  t.strictSame(await ensureSecrets(plan, state), first)
  const grown = await ensureSecrets(
    [...plan, { name: 'mq', entries: { cookie: { generate: 'password' } } }],
    state,
  )
  t.match(grown, first)
  t.match(textsOf(grown)['mq']?.['cookie'], /^[\w-]{32}$/)
  t.strictSame(await keptSecrets(state), textsOf(grown))
})

t.test('what is not made yet is shown as new, in Base64 too, and what is kept as it is', async t => {
  const kept = [
    { name: 'db', version: 1, entries: { password: 'kept' } },
    { name: 'old', version: 1, entries: { password: 'of an earlier plan' } },
  ]
  const texts = withNewTexts(plan, kept)
  t.match(texts, { db: { password: 'kept', user: 'keystone' }, keys: { 0: NEW_TEXT, 1: NEW_TEXT } })
  t.match(texts, { fixed: { 0: NEW_TEXT }, old: { password: 'of an earlier plan' } })
  const encoded = Buffer.from(NEW_TEXT).toString('base64')
  t.equal(showNewTexts(`a: ${NEW_TEXT}\nb: ${encoded}\nc: kept\n`), 'a: «new»\nb: «new»\nc: kept\n')
})

t.test('a missing secret is not made by a caller that only reads', async t => {
  const state = await directory(t)
  t.strictSame(await keptSecrets(state), {})
  t.strictSame(await readdir(state), [])
})

t.test('the store reveals nothing without its key, which only its owner reads', async t => {
  const state = await directory(t)
  const { db } = textsOf(await ensureSecrets(plan, state))
  for (const name of await readdir(state))
    t.notOk((await readFile(join(state, name))).includes(db?.['password'] ?? ''), name)
  t.equal((await stat(keyPath(state))).mode & 0o777, 0o600)
  t.equal((await stat(storePath(state))).mode & 0o777, 0o600)
  await rm(keyPath(state))
  await t.rejects(ensureSecrets(plan, state), {
    code: 'SEALED',
    message: /Put it back as .*openstack-secrets.key/,
  })
  await writeFile(keyPath(state), Buffer.alloc(32).toString('base64'))
  await t.rejects(keptSecrets(state), { code: 'SEALED', message: /does not open with the key from/ })
})

t.test('a key given by the environment is written nowhere', async t => {
  const state = await directory(t)
  process.env[keyVariable] = Buffer.alloc(32, 7).toString('base64')
  t.teardown(() => delete process.env[keyVariable])
  await ensureSecrets(plan, state)
  t.notOk((await readdir(state)).some(name => name.endsWith('.key')))
  process.env[keyVariable] = 'short'
  await t.rejects(keptSecrets(state), { message: /holds 3 bytes where a key has 32/ })
})

t.test('a sealed text opens only in its place, and only whole', async t => {
  const key = openKey(await directory(t), true)
  const sealed = seal(key, 'grün', 'db version 1')
  t.equal(unseal(key, sealed, 'db version 1'), 'grün')
  t.throws(() => unseal(key, sealed, 'mq version 1'), { code: 'SEALED' })
  const bent = Uint8Array.from(sealed, (byte, index) => (index === 14 ? byte ^ 1 : byte))
  t.throws(() => unseal(key, bent, 'db version 1'), { code: 'SEALED' })
})

t.test('the plain file of the first versions is taken over, and goes', async t => {
  const state = await directory(t)
  const old = { db: { password: 'p'.repeat(32), user: 'keystone' } }
  await writeFile(join(state, 'openstack-secrets.json'), JSON.stringify(old))
  t.strictSame(await keptSecrets(state), old)
  t.match(textsOf(await ensureSecrets(plan, state)), old)
  t.notOk((await readdir(state)).includes('openstack-secrets.json'))
  t.match(await keptSecrets(state), old)
})

t.test('a damaged plain file is refused, never replaced by new secrets', async t => {
  const state = await directory(t)
  const path = join(state, 'openstack-secrets.json')
  await writeFile(path, '{"db": {"passw')
  await t.rejects(ensureSecrets(plan, state), { code: 'CHART_PLAN', message: /Put back the file/ })
  t.equal(await readFile(path, 'utf8'), '{"db": {"passw')
})

const bytes = (size: number) => new Uint8Array(size).fill(0xff) // base64 of it would be all slashes

t.test('passwords are 32 URL-safe characters, Fernet keys 32 bytes in padded base64', async t => {
  const { db, keys } = textsOf(fillSecrets(plan, [], bytes))
  t.equal(db?.['password'], '_'.repeat(32))
  t.equal(db?.['user'], 'keystone')
  t.equal(keys?.['0']?.length, 44)
  t.strictSame(new Uint8Array(Buffer.from(keys?.['0'] ?? '', 'base64url')), bytes(32))
})

t.test('a password that would begin with a dash, as an option does, begins with a letter', async t => {
  const [secret] = fillSecrets(plan, [], size => new Uint8Array(size).fill(0xfb, 0, 1))
  t.match(secret?.entries['password'], /^x[\w-]{31}$/)
})

t.test('a rotated password is another one of the next version; what is not a password stays', async t => {
  const state = await directory(t)
  const before = textsOf(await ensureSecrets(plan, state))
  const [rotated] = await changeSecrets(state, kept => rotateSecrets(plan, ['db'], kept, bytes))
  t.strictSame(rotated, { name: 'db', version: 2, entries: { password: '_'.repeat(32), user: 'keystone' } })
  t.strictSame(await keptSecrets(state), { ...before, db: rotated?.entries })
  t.strictSame((await ensureSecrets(plan, state))[0], rotated)
})

t.test('a key repository stages, promotes and retires', async t => {
  const kept = [{ name: 'keys', version: 1, entries: { 0: 'staged', 1: 'primary' } }]
  const fresh = `${'_'.repeat(42)}8=`
  const once = rotateSecrets(plan, ['keys'], kept, bytes)
  t.strictSame(once, [{ name: 'keys', version: 2, entries: { 0: fresh, 1: 'primary', 2: 'staged' } }])
  const twice = rotateSecrets(plan, ['keys'], once, bytes)
  t.strictSame(twice[0]?.entries, { 0: fresh, 2: 'staged', 3: fresh })
  t.strictSame(fillSecrets(plan, twice, bytes)[1], twice[0], 'a rerun does not bring key 1 back')
})

t.test('what cannot be rotated is refused with the reason, and left out of `all`', async t => {
  const kept = fillSecrets(plan, [], bytes)
  const rotate = (...names: string[]) => rotateSecrets(plan, names, kept, bytes)
  t.throws(() => rotate('fixed'), { code: 'CHART_PLAN', message: /rows are encrypted/ })
  t.throws(() => rotate('dbb'), { message: /no secret "dbb". It can rotate: db keys/ })
  t.throws(() => rotateSecrets(plan, ['db'], [], bytes), { message: /not made yet/ })
  t.strictSame(
    rotateSecrets(plan, 'all', kept, bytes).map(({ name }) => name),
    ['db', 'keys'],
  )
})

t.test('the secrets that rendered objects use are found wherever they are', async t => {
  const manifest = `
spec:
  containers:
    - env:
        - { name: A, valueFrom: { secretKeyRef: { name: one, key: password } } }
      envFrom: [{ secretRef: { name: two } }]
  volumes:
    - { name: v, secret: { secretName: three } }
    - { name: w, projected: { sources: [{ secret: { name: four } }, { configMap: { name: none } }] } }
---
data: { text: 'secret: { name: none }' }
`
  t.strictSame([...secretsIn(manifest)], ['one', 'two', 'three', 'four'])
})

t.test('no secret is left in a text that people see', async t => {
  const secrets = { db: { password: 'x'.repeat(32), user: 'keystone' } }
  t.equal(redact(`keystone:${'x'.repeat(32)}@mariadb`, secrets), 'keystone:•••@mariadb')
})
