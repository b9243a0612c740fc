// Secure Boot by an operator's own key: what is refused as a key, and OVMF with its secure variables, which takes the keys in. What
// it starts then, and what it refuses: test/secure-boot/starts.ts.

import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { checkPair, signAssets } from '#images/secure-boot.ts'
import { readSlot } from '#images/slot.ts'
import { pilotlight } from '../cli/pilotlight.ts'
import { makePair, signedSlot, signedSlotNeeds } from './signed-slot.ts'

const needs = await signedSlotNeeds()
t.setTimeout(300_000) // the start of an emulated machine, while others use the processors
const limit = { limitSeconds: 60 }

t.test('a key that firmware or sbsign cannot use is refused before anything is signed', async t => {
  const folder = t.testdir({ text: 'nothing' })
  const at = (name: string) => join(folder, name)
  await makePair(folder, 'good')
  await makePair(folder, 'other')
  await makePair(folder, 'short', ['-newkey', 'rsa:1024'])
  await makePair(folder, 'curve', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'])
  const locked = [
    'pkey',
    '-in',
    at('good.key'),
    '-aes256',
    '-passout',
    'pass:secret',
    '-out',
    at('locked.key'),
  ]
  await run('openssl', locked, limit)
  await checkPair(at('good.key'), at('good.crt'))
  for (const [key, certificate, message] of [
    ['absent.key', 'good.crt', /absent\.key cannot be read .*openssl req -new/],
    ['text', 'good.crt', /text is not a private key in PEM/],
    ['locked.key', 'good.crt', /locked\.key has a passphrase/],
    ['short.key', 'short.crt', /RSA with 1024 bits; firmware takes RSA from 2048/],
    ['curve.key', 'curve.crt', /of type ec/],
    ['good.key', 'text', /text is not a certificate/],
    ['good.key', 'other.crt', /other\.crt is not the certificate of .*good\.key/],
  ] as const)
    await t.rejects(checkPair(at(key), at(certificate)), { code: 'UNFIT_SIGNING_KEY', message })
  const args = ['images', 'sign', '--key', at('good.key'), '--cert', at('other.crt'), '--assets-path', folder]
  t.match(await pilotlight(args), { status: 2, err: /is not the certificate of/ })
})

t.test('assets without a slot are refused with the command that makes one', async t => {
  const folder = t.testdir({
    'slot.json': '{"version":"0123456789ab"}',
    bad: { 'slot.json': '{' },
    empty: {},
  })
  await t.rejects(readSlot(join(folder, 'empty')), { code: 'NO_SLOT', message: /images build --assets-path/ })
  await t.rejects(readSlot(join(folder, 'bad')), { code: 'NO_SLOT', message: /is not JSON/ })
  await t.rejects(readSlot(folder), {
    code: 'NO_SLOT',
    message: /has no files/,
  })
})

t.test('what is signed is listed anew, and firmware takes the keys in', { skip: needs.skip }, async t => {
  const { live, signed, signing, start } = await signedSlot(t.testdir(), needs)
  t.strictSame(
    signed,
    [join(live, 'pilotlight.efi'), join(live, 'systemd-bootx64.efi')],
    'and no kernel without its initrd',
  )
  t.strictSame(await signAssets(signing), [], 'what is signed already stays as it is')
  const bare = await readFile(join(live, 'vmlinuz'))
  t.strictSame(bare, await readFile(join(needs.guest, 'vmlinuz')), 'the kernel of network boots is as it was')
  const { files } = await readSlot(live)
  for (const name of ['pilotlight.efi', 'loader.conf'] as const) {
    const { stdout } = await run('sha256sum', [join(live, name)], limit)
    t.ok(stdout.startsWith(files[name]!.sha256), `slot.json has ${name} as it is now`)
  }
  t.ok(Object.keys(files).includes('keys/PK.auth'))
  const forNetwork = { ...signing, assets: join(live, '../../network') }
  await cp(join(live, '..'), forNetwork.assets, { recursive: true })
  const kernel = join(forNetwork.assets, 'live/vmlinuz')
  t.strictSame(await signAssets({ ...forNetwork, networkBoot: true }), [kernel], 'unless it is asked for')
  const { stdout: digest } = await run('sha256sum', [kernel], limit)
  t.ok(digest.startsWith((await readSlot(join(forNetwork.assets, 'live'))).files['vmlinuz']!.sha256))
  // In setup mode: the keys go in, and the machine starts again by itself.
  await start('enrols', {}, /Secure Boot keys successfully enrolled/)
  t.pass('its firmware has them')
})
