// The worst of the words that CONTRIBUTING.md asks to avoid stay out of the code. bench/english.ts counts all of them.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
const PRODUCT = ['model', 'server', 'rack', 'client', 'cli', 'host', 'progress', 'images', 'lab', 'web']
/** Rows of the table in bench/english.ts. */
const BANNED = /\[[^\]]*\b(?:mend|nobody|metaphor|empty comment)\b[^\]]*\]/

t.test('no comment or text of the code has one of the banned words', async t => {
  const args = [join(ROOT, 'bench/english.ts'), '--list', '', ROOT]
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 })
  const lines = stdout.split('\n').filter(line => /^[^:]+\.(?:ts|js):/.test(line) && BANNED.test(line))
  t.strictSame(
    lines.filter(line => PRODUCT.includes(line.split('/')[0] ?? '')),
    [],
  )
})

t.test('a comment that repeats the name of a verb counts as empty', async t => {
  const folder = t.testdir({ 'a.ts': '/** Defines `images`. */\n// Defines `x` as the sum.\n' })
  const git = promisify(execFile)
  await git('git', ['-C', folder, 'init', '-q'])
  await git('git', ['-C', folder, 'add', '.'])
  const { stdout } = await git(process.execPath, [join(ROOT, 'bench/english.ts'), '--list', '', folder])
  t.equal(stdout, 'a.ts:1: [empty comment] /** Defines `images`. */\n')
})

t.test('the words are found where they are', async t => {
  const folder = t.testdir({ 'a.ts': "// Tells nobody.\nconst mended = 'mend it'\n" })
  await promisify(execFile)('git', ['-C', folder, 'init', '-q'])
  await promisify(execFile)('git', ['-C', folder, 'add', '.'])
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(ROOT, 'bench/english.ts'),
    '--list',
    '',
    folder,
  ])
  t.equal(stdout, "a.ts:1: [tell, nobody] // Tells nobody.\na.ts:2: [mend] 'mend it'\n")
})
