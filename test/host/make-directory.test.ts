import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeDirectory } from '#host/make-directory.ts'

t.test('all that is missing is made, with its mode, and what is there stays', async t => {
  const root = t.testdir()
  makeDirectory(join(root, 'a/b/c'), { mode: 0o700 })
  t.equal(statSync(join(root, 'a/b')).mode & 0o777, 0o700)
  const before = statSync(join(root, 'a/b')).mtimeMs
  makeDirectory(join(root, 'a/b/c'))
  makeDirectory(join(root, 'a/../a/b'))
  makeDirectory('/')
  t.equal(statSync(join(root, 'a/b')).mtimeMs, before)
})

t.test('the level that cannot be made is named, at once', async t => {
  const root = t.testdir({ file: '' })
  const refused = (path: string, message: RegExp) =>
    t.throws(() => makeDirectory(path), { code: 'CANNOT_MAKE_DIRECTORY', message }, path)
  refused('/proc/x/y', /^directory \/proc\/x\/y cannot be made: nothing can be made in \/proc$/)
  refused(join(root, 'file/a'), /file is there, and is not a directory$/)
  refused(join(root, 'file'), /file is there, and is not a directory$/)
  refused(join(root, 'n'.repeat(300)), /ENAMETOOLONG/)
})

t.test('of several who make the same directory none fails', async t => {
  const root = t.testdir()
  mkdirSync(join(root, 'a'))
  makeDirectory(join(root, 'a/b'))
  writeFileSync(join(root, 'a/b/file'), '')
  t.doesNotThrow(() => makeDirectory(join(root, 'a/b')))
})
