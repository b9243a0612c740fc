// Who may import whom: the picture in CONTRIBUTING.md, kept true.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
const LEAVES = ['progress', 'host']

/** What each folder may import besides itself and the leaves. `file.ts` after a folder means only that file. */
const ALLOWED: Record<string, readonly string[]> = {
  progress: [],
  host: [],
  site: ['server/inventory/objects.ts', 'images/references.ts'],
  images: [],
  server: [],
  cluster: ['site/site.ts', 'site/duties.ts', 'server/inventory/objects.ts', 'images/references.ts'],
  charts: ['site/site.ts', 'site/duties.ts', 'images/references.ts'],
  lab: ['site'],
  cli: ['site', 'server', 'cluster', 'charts', 'lab', 'images'],
}

for (const [folder, allowed] of Object.entries(ALLOWED)) {
  t.test(`${folder} imports only what it may`, async t => {
    const strangers = importsOf(folder).filter(
      ({ target }) =>
        ![folder, ...LEAVES, ...allowed].some(may => target === may || target.startsWith(`${may}/`)),
    )
    t.strictSame(strangers, [])
  })
}

t.test('protocol folders of the server never import each other', async t => {
  const protocols = ['dhcp', 'tftp', 'http', 'assets']
  const crossings = protocols.flatMap(one =>
    importsOf(`server/${one}`).filter(({ target }) =>
      protocols.some(other => other !== one && target.startsWith(`server/${other}/`) && one !== 'http'),
    ),
  )
  t.strictSame(crossings, [])
})

/** Every import of a top folder's files that leaves its file, as a path from the root. */
function importsOf(folder: string): { file: string; target: string }[] {
  return globSync(`${folder}/**/*.ts`, { cwd: ROOT }).flatMap(file =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/(?:from|import\()\s*'([#.][^']+)'/g)].map(
      ([, name = '']) => ({
        file,
        target: name.startsWith('#') ? name.slice(1) : join(file, '..', name),
      }),
    ),
  )
}
