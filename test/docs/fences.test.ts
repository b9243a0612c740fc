// Every fenced command of the pages runs as written, or is in a list that says why it does not.

import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { findArtefact } from '#host/cache.ts'
import { containerImagesRecipe } from '#images/container-images.ts'
import { DEFAULT_KUBERNETES } from '#images/references.ts'
import { contains } from '#model/ipv4.ts'
import { parseSite } from '#rack/site/read.ts'
import { whyNoNetworks } from '#test/network.ts'
import { blocksOf, commandsOf, fencesOf, firstAbsent, runBlocks, transcriptOf, without } from './fences.ts'
import { NOT_RUN, OTHER_YAML, SBOM_OF_IMAGES, SET_UP } from './pages.ts'

const ROOT = join(import.meta.dirname, '../..')
const GOLDEN = join(import.meta.dirname, 'golden')
const PAGES = globSync(['*.md', 'docs/**/*.md', '*/README.md', 'rack/*/README.md'], { cwd: ROOT })
  .filter(page => !page.startsWith('node_modules'))
  .toSorted()
/** Programs that pages use, beside those of every Debian. */
const TOOLS = ['curl', 'jq', 'age', 'openssl', 'dnsmasq', '/usr/lib/ipxe/snponly.efi']

/** How a command begins that a page should have in a fence. */
const COMMAND = /^(?:sudo |bin\/|npm |npx |pilotlight |node_modules\/|cd |export |curl |apt-get |systemctl |git |ip )/

t.test('every command runs or is listed, and every entry of the list is of a command', async t => {
  const lines = PAGES.flatMap(page =>
    blocksOf(read(page)).flatMap(({ text }) => text.split('\n').map(line => ({ page, line }))),
  )
  for (const [page, begin] of NOT_RUN)
    t.equal(lines.filter(it => it.page === page && it.line.startsWith(begin)).length, 1, `${page}: ${begin}`)
  const commands = PAGES.flatMap(page => blocksOf(read(page)))
    .flatMap(({ text }) => commandsOf(text))
    .filter(command => /^[^\s#]/.test(command)).length
  t.comment(`${commands - NOT_RUN.length} of ${commands} commands run, ${NOT_RUN.length} are listed`)
})

t.test('commands are fenced: an indented block would not run', async t => {
  for (const page of PAGES)
    t.strictSame(indentedCommandsOf(read(page)), [], page)
  t.strictSame(indentedCommandsOf('so:\n\n    sudo bin/pilotlight up\n'), ['sudo bin/pilotlight up'])
  t.strictSame(indentedCommandsOf('```sh\n    npm ci\n```\n\n    NAME   a namespace\n'), [])
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
      if (OTHER_YAML.some(([of, first]) => of === page && text.startsWith(first))) continue
      const base = { name: 'rack-1', network: { subnet: '10.20.0.0/24' }, machines: [MACHINE] }
      const site = JSON.stringify({ ...base, ...data })
        .replaceAll('SHA256:…', `SHA256:${'0'.repeat(64)}`)
        .replaceAll('$y$j9T$…', () => `$y$j9T$salt$${'0'.repeat(43)}`)
      t.doesNotThrow(() => parseSite(page, site), `${page}: ${text}`)
    }
})

const MACHINE = { name: 'ctl-1', mac: '52:54:00:20:00:01', role: 'controller' }

const images = await findArtefact(containerImagesRecipe(DEFAULT_KUBERNETES))
t.test(
  SBOM_OF_IMAGES.join(': '),
  { skip: images === undefined ? 'images not built yet' : whyNoNetworks() },
  async t => {
    const [page, begin] = SBOM_OF_IMAGES
    const commands = blocksOf(read(page)).flatMap(({ text }) => commandsOf(text))
    const text = commands.find(command => command.startsWith(begin)) ?? ''
    const setUp = `export PILOTLIGHT_CACHE=${dirname(images?.path ?? '')}`
    const after = { first: '', text: 'jq -r .bomFormat pilotlight.cdx.json', expected: [] }
    const { failed, outputs } = await runBlocks(setUp, [{ first: text, text, expected: [] }, after])
    t.equal(failed, undefined)
    t.equal(outputs[1]?.trim(), 'CycloneDX')
  },
)

t.test('the server of the README is not the gateway that its site file chooses', async t => {
  const [, server = ''] = /serve --address (\S+) --assets-path/.exec(read('README.md')) ?? []
  const [, subnet = ''] = /pilotlight init site\.yaml .*--subnet (\S+)/.exec(read('README.md')) ?? []
  const { network } = parseSite('site.yaml', JSON.stringify({ name: 'a', network: { subnet }, machines: [MACHINE] }))
  t.ok(contains(subnet, server))
  t.not(network.gateway, server)
  t.notOk(network.dns.includes(server))
})

/** The lines of indented blocks that begin with a program of ours or of a shell, outside fences. */
function indentedCommandsOf(page: string): string[] {
  const blocks = page.replaceAll(/^( *)```[^]*?^\1```$/gm, '').matchAll(/^\n(?: {4}.*\n)+/gm)
  return [...blocks].flatMap(([block]) => block.split('\n').map(line => line.trim()).filter(line => COMMAND.test(line)))
}


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
