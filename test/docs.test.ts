// The documents name files, folders and verbs. What they name is there.

import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'
import { pilotlight } from './cli/pilotlight.ts'

const ROOT = join(import.meta.dirname, '..')
const pages = ['*.md', 'docs/**/*.md', '!(node_modules)/**/README.md']
  .flatMap(pattern => globSync(pattern, { cwd: ROOT }))
  .filter(page => !page.startsWith('node_modules'))
  .map(page => ({ page, text: readFileSync(join(ROOT, page), 'utf8') }))

t.test('every link within the project leads somewhere', async t => {
  for (const { page, text } of pages)
    for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g))
      if (!/^[a-z]+:/.test(target)) t.ok(existsSync(join(ROOT, dirname(page), target)), `${page}: ${target}`)
})

t.test('every link to a heading leads to one', async t => {
  const anchors = new Map(pages.map(({ page, text }) => [page, anchorsOf(text)]))
  for (const { page, text } of pages)
    for (const [, target = '', anchor = ''] of text.matchAll(/\]\(([^)#\s]*)#([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const linked = target === '' ? page : join(dirname(page), target)
      t.ok(anchors.get(linked)?.has(anchor), `${page}: ${target}#${anchor}`)
    }
})

t.test('every file and folder that a page names is there', async t => {
  const folders = globSync('*/', { cwd: ROOT, withFileTypes: true }).map(({ name }) => name)
  for (const { page, text } of pages)
    for (const [, path = ''] of text.matchAll(/`([\w.-]+(?:\/[\w.-]+)+\/?)`/g)) {
      if (!folders.includes(path.split('/')[0] ?? '') || /\bNAME\b/.test(path)) continue
      t.ok(
        [ROOT, join(ROOT, dirname(page))].some(from => existsSync(join(from, path))),
        `${page}: ${path}`,
      )
    }
})

t.test('every folder that the pages on design and boot name by one word is there', async t => {
  for (const { page, text } of pages.filter(it => ['docs/boot.md', 'docs/design.md'].includes(it.page)))
    for (const section of text.split(/^## /m)) {
      const [, below = '.'] = /Paths are below `([\w/]+)`/.exec(section) ?? []
      for (const [, folder = ''] of section.matchAll(/`([\w.-]+\/)`/g))
        t.ok(
          [ROOT, join(ROOT, below)].some(from => existsSync(join(from, folder))),
          `${page}: ${folder}`,
        )
    }
})

t.test('a test that has not the name of a file says in its first line what it tests', async t => {
  for (const path of globSync('test/**/*.test.ts', { cwd: ROOT }).map(file => relative('test', file)))
    if (!existsSync(join(ROOT, path.replace(/\.test\.ts$/, '.ts'))))
      t.match(readFileSync(join(ROOT, 'test', path), 'utf8'), /^\/\/ /, path)
})

t.test('the files that a way through the code passes are there', async t => {
  const [design = ''] = pages.flatMap(({ page, text }) => (page === 'docs/design.md' ? [text] : []))
  for (const section of design.split(/^## /m)) {
    const [, folder] = /Paths are below `([\w/]+)`/.exec(section) ?? []
    if (folder === undefined) continue
    for (const [, path = ''] of section.matchAll(/`([\w-]+(?:\/[\w-]+)*\.ts)`/g))
      t.ok(
        [folder, '.'].some(from => existsSync(join(ROOT, from, path))),
        `${folder}: ${path}`,
      )
  }
})

t.test(
  'the security page has a test for each finding of the review, and a row for each attack test',
  async t => {
    const text = readFileSync(join(ROOT, 'docs/security.md'), 'utf8')
    const rows = [...text.matchAll(/^\| ([\d, ]*)\| .*\.test\.ts` \|$/gm)]
    const findings = new Set(rows.flatMap(([, numbers = '']) => numbers.split(',').map(Number)))
    for (let finding = 1; finding <= 28; finding += 1) t.ok(findings.has(finding), `finding ${finding}`)
    for (const file of globSync('test/security/*.test.ts', { cwd: ROOT }))
      t.ok(
        rows.some(([row]) => row.includes(`\`${file}\``)),
        file,
      )
  },
)

t.test('every verb that a page names is one', async t => {
  const { out } = await pilotlight(['--help'])
  const verbs = new Set(out.match(/^ {2}[a-z]+(?= )/gm)?.map(line => line.trim()))
  for (const { page, text } of pages)
    for (const [, verb = ''] of text.matchAll(/(?:^ *|[`/(])pilotlight ([a-z]+)\b/gm))
      t.ok(verbs.has(verb), `${page}: pilotlight ${verb}`)
})

/** The anchors that GitHub gives the headings of a page: in lower case, without punctuation, `-` for a space. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm)
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
