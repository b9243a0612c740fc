// What must not be in the tree: secrets, hosts of registries that a build would silently depend on, scripts that are run as they
// come from the network, files that everyone may write.

import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

t.setTimeout(120_000) // a busy machine takes its time

const ROOT = join(import.meta.dirname, '../..')
const SELF = 'test/security/tree.test.ts'
const NOT_OURS = ['node_modules', '.git', '.tap', 'lab-state', 'server-state', 'pilotlight-state']
const files = globSync('**/*', {
  cwd: ROOT,
  exclude: ({ name }) => NOT_OURS.includes(name),
  withFileTypes: true,
})
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
  .filter(file => file !== SELF && !/\.(png|raw)$/.test(file))
const hidden = ['.npmrc', '.ci/run'].filter(file => !files.includes(file))
const texts = [...files, ...hidden].map(file => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }))

/** The lines of all files that match, as `file: line`; `but` are files that may. */
function linesWith(pattern: RegExp, but = /^$/): string[] {
  return texts
    .filter(({ file }) => !but.test(file))
    .flatMap(({ file, text }) =>
      text
        .split('\n')
        .filter(line => pattern.test(line))
        .map(line => `${file}: ${line.trim()}`),
    )
}

t.test('has no key and no token', async t => {
  t.ok(texts.length > 500, `${texts.length} files`)
  // A key is a header with a body: what only names the header writes or recognizes keys.
  const keys = texts.filter(({ text }) => /BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}/.test(text))
  t.strictSame(
    keys.map(({ file }) => file),
    [],
  )
  t.strictSame(linesWith(/AGE-SECRET-KEY-1[A-Z0-9]{20}|\bgh[pousr]_\w{30}|\bAKIA[0-9A-Z]{16}\b/), [])
})

t.test(
  'names no host of a registry, so that the settings of the host decide where packages come from',
  async t => {
    const hosts = [
      String.raw`registry\.npmjs|npmjs\.(org|com)|pypi\.org`,
      String.raw`(proxy|sum)\.golang\.org|goproxy\.\w+`,
      String.raw`\b(docker|quay|ghcr|gcr)\.io\b|registry\.k8s\.io`,
      String.raw`\b(deb|security|ftp)\.debian\.org`,
    ].join('|')
    t.strictSame(linesWith(new RegExp(hosts), /(^|\/)go\.(mod|sum)$/), [])
  },
)

t.test('runs no script as it comes from the network', async t => {
  t.strictSame(linesWith(/\b(curl|wget)\b[^|\n]*\|\s*(sudo\s+)?(ba|da|z)?sh\b/), [])
})

t.test('has no file that everyone may write', async t => {
  const open = files.filter(file => (statSync(join(ROOT, file)).mode & 0o002) !== 0)
  t.strictSame(open, [])
})
