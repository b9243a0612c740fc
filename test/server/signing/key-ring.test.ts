import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateKey } from 'openpgp'
import t, { type Test } from 'tap'
import { openKeyRing } from '#server/signing/key-ring.ts'

const hasGpg = spawnSync('gpg', ['--version']).status === 0

/** A ring with one RSA key, and a GnuPG that knows its public half. */
async function ringIn(t: Test, passphrase?: string) {
  const folder = t.testdir()
  const made = await generateKey({
    type: 'rsa',
    rsaBits: 2048,
    userIDs: [{ name: 'Test' }],
    format: 'binary',
    ...(passphrase === undefined ? {} : { passphrase }),
  })
  const ring = join(folder, 'ring.sec')
  const home = join(folder, 'gpg')
  mkdirSync(home, { mode: 0o700 })
  writeFileSync(ring, made.privateKey)
  writeFileSync(join(folder, 'ring.pub'), made.publicKey)
  const gpg = (...args: string[]) =>
    spawnSync('gpg', ['--homedir', home, '--batch', '--no-tty', ...args], { encoding: 'utf8' })
  if (hasGpg) gpg('--import', join(folder, 'ring.pub'))
  return { folder, ring, gpg }
}

const bodies: readonly [what: string, body: Buffer][] = [
  ['a script', Buffer.from('#!ipxe\nkernel /k a\ninitrd /i\nboot\n')],
  ['nothing', Buffer.alloc(0)],
  ['lines of all kinds', Buffer.from('a \r\nb\n\n c\rd')],
  ['bytes that are not text', Buffer.from([0x61, 0xff, 0x0a, 0xfe])],
]

t.test('GnuPG finds the signatures good, in both forms', { skip: !hasGpg && 'there is no gpg' }, async t => {
  const { folder, ring, gpg } = await ringIn(t, 'walnut')
  const signer = await openKeyRing(ring, 'walnut')
  for (const [what, body] of bodies) {
    writeFileSync(join(folder, 'body'), body)
    for (const form of ['binary', 'armored'] as const) {
      writeFileSync(join(folder, 'signature'), await signer.sign(body, form))
      const { status, stderr } = gpg('--verify', join(folder, 'signature'), join(folder, 'body'))
      t.equal(status, 0, `${what}, ${form}: ${stderr}`)
    }
  }
  t.notOk(readFileSync(join(folder, 'signature'), 'utf8').endsWith('\n'), 'armour has no final line end')
})

t.test('a script is signed as a text, by SHA-256', { skip: !hasGpg && 'there is no gpg' }, async t => {
  const { folder, ring, gpg } = await ringIn(t)
  const signer = await openKeyRing(ring, undefined)
  writeFileSync(join(folder, 'signature'), await signer.sign(Buffer.from('a\n'), 'binary'))
  const { stdout } = gpg('--list-packets', join(folder, 'signature'))
  t.match(stdout, /sigclass 0x01/)
  t.match(stdout, /digest algo 8/)
})

t.test('a ring that cannot be used is refused with the reason', async t => {
  const { folder, ring } = await ringIn(t, 'walnut')
  await t.rejects(openKeyRing(ring, undefined), { message: /missing passphrase for encrypted private key/ })
  await t.rejects(openKeyRing(ring, 'wrong'), { message: /does not fit/ })
  await t.rejects(openKeyRing(join(folder, 'none'), ''), { message: /cannot be read/ })
  await t.rejects(openKeyRing(join(folder, 'ring.pub'), ''), { message: /not a binary ring of secret keys/ })
})
