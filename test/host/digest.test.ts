import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { sha256OfFile } from '#host/digest.ts'

t.test('a digest is of all bytes of the file', async t => {
  const path = join(t.testdir(), 'file')
  writeFileSync(path, 'abc')
  t.equal(await sha256OfFile(path), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad') // FIPS 180-4
})

t.test('a missing file gives the same error as reading it does', async t => {
  await t.rejects(sha256OfFile(join(t.testdir(), 'none')), { code: 'ENOENT' })
})
