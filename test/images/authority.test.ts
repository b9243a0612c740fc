// A live image that trusts one provisioner: what goes in, and the archive behind the initrd.

import fc from 'fast-check'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { lackingPackages } from '#host/prerequisites.ts'
import { keyOf } from '#host/cache.ts'
import { authorityArchive, readAuthority, trustingInitrdRecipe } from '#images/authority.ts'
import { cpioArchive, cpioPadding } from '#images/cpio.ts'
import { initrdRecipe } from '#images/initrd.ts'
import { rootfsRecipe } from '#images/rootfs.ts'
import { silentStage } from '#progress/stage.ts'
import { serverIdentity } from '#server/access/own-authority.ts'
import { pilotlight } from '../cli/pilotlight.ts'

const lacking = await lackingPackages([{ command: 'cpio', package: 'cpio', why: 'an independent reader' }])
const noCpio = lacking.length > 0 ? 'needs cpio' : false

t.test("takes the server's authority, and nothing else that is in the file", async t => {
  const folder = t.testdir()
  const { ca, certificate, key } = await serverIdentity(folder, '10.20.0.1', Date.now())
  const file = (text: string) => {
    writeFileSync(join(folder, 'given.crt'), text)
    return join(folder, 'given.crt')
  }
  const clean = await readAuthority(join(folder, 'ca.crt'))
  t.match(clean, /^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/)
  t.equal(await readAuthority(file(`a comment\n${ca}\n${ca}`)), clean + clean)
  for (const [text, message] of [
    [certificate, /not an authority's \(CN=10\.20\.0\.1\)/],
    [`${ca}${key}`, /holds a private key/],
    ['', /holds no certificate/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /cannot be read/],
  ] as const)
    await t.rejects(readAuthority(file(text)), { code: 'UNFIT_AUTHORITY', message })
  const absent = await pilotlight(['images', 'build', '--ca', join(folder, 'absent.crt')])
  t.equal(absent.status, 2)
  t.match(
    absent.err,
    /absent\.crt cannot be read \(.*absent\.crt is not there\)\. Give the provisioner's certificate authority/,
  )
})

t.test('cpio unpacks what is put behind another archive', { skip: noCpio }, async t => {
  const folder = t.testdir({ root: {} })
  const first = cpioArchive([{ path: 'first', mode: 0o600, content: 'odd' }])
  const archive = Buffer.concat([first, cpioPadding(first.length), authorityArchive('CA\n', 'ab'.repeat(32))])
  const cwd = join(folder, 'root')
  // cpio reads one archive, and leaves the rest of a file to the next call; the kernel reads on by itself.
  writeFileSync(join(folder, 'both'), archive)
  const twice =
    'cpio --extract --quiet --make-directories && cpio --extract --quiet --make-directories --unconditional'
  await run('sh', ['-c', `{ ${twice}; } < ../both`], { limitSeconds: 10, cwd })
  t.equal(readFileSync(join(cwd, 'first'), 'utf8'), 'odd')
  t.equal(readFileSync(join(cwd, 'etc/pilotlight/ca.crt'), 'utf8'), 'CA\n')
  t.equal(readFileSync(join(cwd, 'etc/ssl/certs/ca-certificates.crt'), 'utf8'), 'CA\n')
  t.equal(readFileSync(join(cwd, 'etc/pilotlight/rootfs.sha256'), 'utf8'), 'ab'.repeat(32))
})

t.test('builds it behind the initrd, with the digest of the root image that belongs to it', async t => {
  const folder = t.testdir({
    initrd: { 'initrd.img': 'odd', 'initrd-vm.img': 'few', vmlinuz: 'kernel', 'microcode.img': 'code' },
    rootfs: { 'rootfs.sha256': `${'ab'.repeat(32)}\n` },
    built: {},
  })
  const rootfs = rootfsRecipe('1.36.3')
  const at = (name: string) => join(folder, name)
  const needs = { [initrdRecipe.name]: at('initrd'), [rootfs.name]: at('rootfs') }
  const work = { directory: at('built'), needs, stage: silentStage, log: at('log') }
  await trustingInitrdRecipe('CA\n', rootfs).build(work)
  const added = Buffer.from(authorityArchive('CA\n', 'ab'.repeat(32)))
  const whole = Buffer.concat([Buffer.from('odd'), new Uint8Array(509), added])
  t.ok(readFileSync(at('built/initrd.img')).equals(whole))
  t.equal(
    readFileSync(at('built/initrd-vm.img')).subarray(512).compare(added),
    0,
    'that of virtual machines too',
  )
  t.equal(readFileSync(at('built/microcode.img'), 'utf8'), 'code', 'and nothing behind the microcode')
  t.equal(readFileSync(at('built/vmlinuz'), 'utf8'), 'kernel')
  t.not(keyOf(trustingInitrdRecipe('CA\n', rootfs)), keyOf(trustingInitrdRecipe('other\n', rootfs)))
})

t.test('every archive is whole blocks, and cpio lists its entries', { skip: noCpio }, async t => {
  const name = fc.stringMatching(/^[a-z]{1,30}$/)
  const files = fc.uniqueArray(fc.record({ path: name, content: fc.string({ maxLength: 700 }) }), {
    selector: ({ path }) => path,
    maxLength: 6,
  })
  await fc.assert(
    fc.asyncProperty(files, async entries => {
      const archive = cpioArchive(entries.map(it => ({ ...it, mode: 0o644 })))
      const { stdout } = await run('cpio', ['--list', '--quiet'], { limitSeconds: 10, input: archive })
      const listed = stdout.split('\n').filter(line => line !== '')
      return archive.length % 512 === 0 && listed.join() === entries.map(({ path }) => path).join()
    }),
    { numRuns: 25 },
  )
  t.pass()
})
