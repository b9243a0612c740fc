// The documents name files, folders and verbs. What they name is there.

import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Command } from 'commander'
import t from 'tap'
import { addVerb, VERBS } from '#cli/verbs.ts'

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

t.test('every verb, verb below it and flag that a page names is one', async t => {
  const program = new Command('pilotlight')
  for (const verb of VERBS) await addVerb(program, verb)
  for (const { page, text } of pages)
    for (const words of commandsIn(text))
      t.equal(whatIsUnknown(program, words), undefined, `${page}: ${words}`)
  for (const [words, unknown] of [
    ['upp site.yaml', 'upp'],
    ['charts lokc site.yaml', 'lokc'],
    ['charts lock --flg', '--flg'],
    ['up site.yaml --approve first-boot', undefined],
  ] as const)
    t.equal(whatIsUnknown(program, words), unknown, words)
})

/** What follows `pilotlight` in each command of a page: in fences and in code, up to the end of it, a comment or the next command. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/(?:^ *|[`/(])pilotlight ([a-z]+\b[^`\n]*)/gm)].map(([, words = '']) =>
    words.replace(/(?<=^lab exec) .*| {2,}.*| [#|&;>].*|[;|].*|, .*/, ''),
  )
}

/** The first word of a command that is no verb, no verb below it, or no flag; undefined when all are known. */
function whatIsUnknown(program: Command, text: string): string | undefined {
  const words = text.split(/\s+/)
  const verb = program.commands.find(it => it.name() === words[0])
  if (verb === undefined) return words[0] === 'help' ? undefined : words[0]
  const [, second = ''] = words
  const below = verb.commands.find(it => it.name() === second || it.aliases().includes(second))
  const isRequired = verb.commands.length > 0 && verb.registeredArguments.length === 0
  if (below === undefined && isRequired && /^[a-z-]+$/.test(second) && !second.startsWith('-')) return second
  const known = [verb, ...verb.commands].flatMap(it => it.options.flatMap(({ long }) => long ?? []))
  const flags = words.flatMap(word => /^\[?(--[a-z-]+)/.exec(word)?.[1] ?? [])
  return flags.find(flag => flag !== '--help' && !known.includes(flag))
}

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
