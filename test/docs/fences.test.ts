// Every fenced command of the pages runs as written, or is in a list that says why it does not.

import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { parseSite } from '#rack/site/read.ts'
import { SITE_KEYS } from '#rack/site/site-keys.ts'
import { whyNoNetworks } from '#test/network.ts'
import { blocksOf, fencesOf, firstAbsent, runBlocks, transcriptOf, without } from './fences.ts'
import { NOT_RUN, SET_UP } from './pages.ts'

const ROOT = join(import.meta.dirname, '../..')
const GOLDEN = join(import.meta.dirname, 'golden')
const PAGES = globSync(['*.md', 'docs/**/*.md', '*/README.md', 'rack/*/README.md'], { cwd: ROOT })
  .filter(page => !page.startsWith('node_modules'))
  .toSorted()
/** Programs that pages use, beside those of every Debian. */
const TOOLS = ['curl', 'jq', 'age', 'openssl', 'dnsmasq', '/usr/lib/ipxe/snponly.efi']

t.test('every command runs or is listed, and every entry of the list is of a command', async t => {
  const lines = PAGES.flatMap(page =>
    blocksOf(read(page)).flatMap(({ text }) => text.split('\n').map(line => ({ page, line }))),
  )
  for (const [page, begin] of NOT_RUN)
    t.equal(lines.filter(it => it.page === page && it.line.startsWith(begin)).length, 1, `${page}: ${begin}`)
  const commands = lines.filter(({ line }) => /^[^\s#]/.test(line)).length
  t.comment(`${commands - NOT_RUN.length} of ${commands} commands run, ${NOT_RUN.length} are listed`)
})

t.jobs = 2 // pages beside each other: each has a network of its own
for (const page of PAGES) {
  const listed = NOT_RUN.filter(([of]) => of === page).map(([, begin]) => begin)
  const blocks = blocksOf(read(page))
    .map(block => without(block, listed))
    .filter(({ text }) => text.trim() !== '')
  if (blocks.length === 0) continue
  t.test(page, { skip: whyNoNetworks(...TOOLS), buffered: true }, async t => {
    const { outputs, ran, failed } = await runBlocks(SET_UP[page] ?? '', blocks)
    t.equal(failed, undefined, 'no command fails')
    for (const [index, { first, expected = [] }] of blocks.entries()) {
      const output = outputs[index] ?? ''
      t.equal(firstAbsent(expected, output), undefined, first, { output })
    }
    if (failed === undefined) isAsBefore(t, page, transcriptOf(ran))
  })
}

t.test('data of the pages is JSON or YAML, and what is of a site file can be read', async t => {
  for (const page of PAGES)
    for (const { language, text } of fencesOf(read(page))) {
      if (language === 'json') t.doesNotThrow(() => JSON.parse(text), page)
      if (language !== 'yaml') continue
      const data: Record<string, unknown> = parse(text)
      if (!Object.keys(data).every(key => key in SITE_KEYS)) continue
      const base = { name: 'rack-1', network: { subnet: '10.20.0.0/24' }, machines: [MACHINE] }
      const site = JSON.stringify({ ...base, ...data }).replaceAll('SHA256:…', `SHA256:${'0'.repeat(64)}`)
      t.doesNotThrow(() => parseSite(page, site), `${page}: ${text}`)
    }
})

const MACHINE = { name: 'ctl-1', mac: '52:54:00:20:00:01', role: 'controller' }

t.test('a command that fails, and a line that is not printed, are seen', { skip: whyNoNetworks() }, async t => {
  const fails = blocksOf('```sh\ntrue\n```\n\n```sh\necho so\nfalse\ntrue\n```')
  t.match((await runBlocks('', fails)).failed, /^false\n/)
  const [block] = blocksOf('  ```sh\n  ls\n  ```\n\n  ```text\n  a … c\n  b-0002 x\n  ```')
  t.equal(firstAbsent(block?.expected ?? [], 'a b c\nb-0001 x'), undefined)
  t.equal(firstAbsent(block?.expected ?? [], 'b-0001 x\na b c'), 'b-0002 x')
})

/** Compares what a page's commands printed with the golden file, which `UPDATE_GOLDEN=1` writes. */
function isAsBefore(t: Test, page: string, transcript: string): void {
  const file = join(GOLDEN, `${page.replaceAll('/', '-').replace(/\.md$/, '')}.txt`)
  const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(GOLDEN, { recursive: true })
    writeFileSync(file, transcript)
  }
  t.equal(transcript, before, `what the commands of ${page} print; if it is meant:  UPDATE_GOLDEN=1`)
}

function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
}
