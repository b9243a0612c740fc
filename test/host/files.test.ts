// Files that are replaced as a whole, files that may be missing, and folders that last as long as their work.

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bytesIfThere, textIfThere, textIfThereSync } from '#host/read-if-there.ts'
import { replaceFile } from '#host/replace-file.ts'
import { inScratch } from '#host/scratch.ts'

const modeOf = (path: string) => statSync(path).mode & 0o777

t.test('a replaced file has the new text and exactly the rights that were asked for', async t => {
  const directory = t.testdir({ secret: 'old', page: 'old' })
  const [secret, page] = [join(directory, 'secret'), join(directory, 'page')]
  replaceFile(secret, 'new')
  t.equal(readFileSync(secret, 'utf8'), 'new')
  t.equal(modeOf(secret), 0o600)
  const umask = process.umask(0o077)
  t.teardown(() => process.umask(umask))
  replaceFile(page, Buffer.from('new'), { mode: 0o644 })
  t.equal(modeOf(page), 0o644)
  replaceFile(page, 'newer', { mode: 'umask', flush: false })
  t.equal(readFileSync(page, 'utf8'), 'newer')
  t.equal(modeOf(page), 0o600)
  t.strictSame(readdirSync(directory).toSorted(), ['page', 'secret'])
})

t.test('where a file cannot be replaced, the old one stays and nothing is left beside it', async t => {
  const directory = t.testdir({ taken: { inside: 'kept' } })
  t.throws(() => replaceFile(join(directory, 'taken'), 'new'), { code: /EISDIR|ENOTEMPTY|EEXIST/ })
  t.strictSame(readdirSync(directory), ['taken'])
  t.equal(readFileSync(join(directory, 'taken', 'inside'), 'utf8'), 'kept')
  t.throws(() => replaceFile(join(directory, 'none', 'file'), 'new'), { code: 'ENOENT' })
})

t.test('only a missing file reads as undefined', async t => {
  const directory = t.testdir()
  const path = join(directory, 'file')
  t.equal(await textIfThere(path), undefined)
  t.equal(await bytesIfThere(path), undefined)
  t.equal(textIfThereSync(path), undefined)
  writeFileSync(path, 'text')
  t.equal(await textIfThere(path), 'text')
  t.strictSame(await bytesIfThere(path), Buffer.from('text'))
  t.equal(textIfThereSync(path), 'text')
  mkdirSync(join(directory, 'folder'))
  await t.rejects(textIfThere(join(directory, 'folder')), { code: 'EISDIR' })
  await t.rejects(bytesIfThere(join(path, 'below')), { code: 'ENOTDIR' })
  t.throws(() => textIfThereSync(join(directory, 'folder')), { code: 'EISDIR' })
})

t.test('a scratch folder is there while its work runs, and is removed however that ends', async t => {
  const seen: string[] = []
  const result = await inScratch(async directory => {
    seen.push(directory)
    writeFileSync(join(directory, 'file'), 'text')
    return readdirSync(directory)
  })
  t.strictSame(result, ['file'])
  const failing = inScratch(async directory => {
    seen.push(directory)
    throw new Error(`stopped with ${readdirSync(directory).length} files`)
  })
  await t.rejects(failing, { message: 'stopped with 0 files' })
  t.equal(new Set(seen).size, 2)
  for (const directory of seen) t.throws(() => statSync(directory), { code: 'ENOENT' })
})
