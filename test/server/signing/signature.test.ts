import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMessage, generateKey, sign, type PrivateKey } from 'openpgp'
import t from 'tap'
import { readKeys, verifyDetached } from '#server/signing/signature.ts'

t.setTimeout(120_000)

const BYTES = Buffer.from(Array.from({ length: 3_000_000 }, (_, n) => (n * 7) % 256))

async function keyPair(name: string) {
  const { privateKey, publicKey } = await generateKey({ userIDs: [{ name }], format: 'object' })
  return { privateKey, publicKey }
}

const signatureOf = async (key: PrivateKey, bytes: Uint8Array) =>
  (await sign({
    message: await createMessage({ binary: bytes }),
    signingKeys: key,
    detached: true,
    format: 'binary',
  })) as Uint8Array

t.test('a signature holds for the file that was signed, and names the signer', async t => {
  const maker = await keyPair('Maker')
  const other = await keyPair('Other')
  const path = join(t.testdir(), 'image')
  writeFileSync(path, BYTES)
  const signature = await signatureOf(maker.privateKey, BYTES)
  const armored = (await sign({
    message: await createMessage({ binary: BYTES }),
    signingKeys: maker.privateKey,
    detached: true,
  })) as string
  const ring = [
    ...(await readKeys(Buffer.from(other.publicKey.armor()), 'other.asc')),
    ...(await readKeys(maker.publicKey.write(), 'maker.gpg')),
  ]
  for (const one of [signature, Buffer.from(armored)]) {
    const signed = await verifyDetached(path, one, ring)
    t.match(signed, { users: ['Maker'], fingerprint: maker.publicKey.getFingerprint() })
    t.ok(Math.abs(signed.signedMs - Date.now()) < 60_000)
  }
})

t.test('nothing else passes', async t => {
  const maker = await keyPair('Maker')
  const other = await keyPair('Other')
  const path = join(t.testdir(), 'image')
  const changed = Buffer.from(BYTES)
  changed[2_999_999] = 0x55
  writeFileSync(path, changed)
  const good = await signatureOf(maker.privateKey, BYTES)
  const refused = { code: 'BAD_SIGNATURE' }
  await t.rejects(verifyDetached(path, good, [maker.publicKey]), refused, 'a byte changed')
  writeFileSync(path, BYTES)
  await t.rejects(verifyDetached(path, good, [other.publicKey]), refused, 'someone else signed it')
  await t.rejects(verifyDetached(path, good, []), refused, 'no one is trusted')
  await t.rejects(
    verifyDetached(path, Buffer.from('404 not found'), [maker.publicKey]),
    refused,
    'no signature',
  )
  await t.rejects(verifyDetached(path, good.subarray(0, 20), [maker.publicKey]), refused, 'half a signature')
  await t.rejects(readKeys(Buffer.from('<html>'), 'key.asc'), { ...refused, message: /key.asc holds no/ })
})

t.test('a file is never in memory as a whole', async t => {
  const maker = await keyPair('Maker')
  const path = join(t.testdir(), 'image')
  const bytes = Buffer.alloc(128 << 20, 'x')
  writeFileSync(path, bytes)
  const signature = await signatureOf(maker.privateKey, bytes)
  global.gc?.()
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }, 5)
  await verifyDetached(path, signature, [maker.publicKey])
  clearInterval(timer)
  t.ok(most < 64 << 20, `${(most / 1e6).toFixed(0)} MB beside what was there`)
})
