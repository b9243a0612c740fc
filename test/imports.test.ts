// Who may import whom: the picture in docs/design.md, kept true.

import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
const LEAVES = ['model', 'progress', 'host']

/** What each folder may import besides itself and the leaves; `model` imports nothing of ours. `file.ts` after a folder means only that file. */
const ALLOWED: Record<string, readonly string[]> = {
  model: [],
  progress: [],
  host: [],
  site: ['images/references.ts'],
  images: [],
  server: [],
  cluster: ['site/site.ts', 'site/duties.ts', 'images/references.ts'],
  charts: ['site/site.ts', 'site/duties.ts', 'images/references.ts'],
  lab: ['site'],
  cli: ['site', 'server', 'cluster', 'charts', 'lab', 'images'],
}

for (const [folder, allowed] of Object.entries(ALLOWED)) {
  t.test(`${folder} imports only what it may`, async t => {
    const strangers = importsOf(`${folder}/**/*.ts`).filter(
      ({ target }) =>
        !isPackage(target) &&
        ![folder, ...(folder === 'model' ? [] : LEAVES), ...allowed].some(
          may => target === may || target.startsWith(`${may}/`),
        ),
    )
    t.strictSame(strangers, [])
  })
}

t.test('protocol folders of the server never import each other, but HTTP serves the assets', async t => {
  const protocols = ['dhcp', 'tftp', 'http', 'rpc', 'assets']
  const crossings = protocols.flatMap(one =>
    importsOf(`server/${one}/**/*.ts`).filter(({ target }) =>
      protocols.some(
        other =>
          other !== one && target.startsWith(`server/${other}/`) && !(one === 'http' && other === 'assets'),
      ),
    ),
  )
  t.strictSame(crossings, [])
})

/** Code that takes values and gives values: whole folders, and single files beside the edge that they decide for. */
const PURE = [
  'model/*.ts',
  'server/{match,gotemplate,nunjucks,ignition,explain}/*.ts',
  'server/butane/!(local-files).ts',
  'server/dhcp/{packet,options,offer,subnet}.ts',
  'server/tftp/{packet,transfer,name}.ts',
  'server/agent/{bundle,quote}.ts',
  'server/limits/{bucket,http}.ts',
  'server/state/write-failure.ts',
  'server/assets/{range,names}.ts',
  'server/inventory/{object-check,phase,matchbox-files,matchbox-text,diff}.ts',
  'site/{duties,compile}.ts',
  'cluster/{plan,judge,bundle,certificates,network}.ts',
  'cluster/manifests/*.ts',
  'lab/netboot/{dhcp,tftp,ipxe-script}.ts',
  'images/{oci,cpio,references}.ts',
  'host/{tar,canonical,shell}.ts',
]
/** What moves bytes: files, sockets, processes, the database. */
const EDGES = /^(node:(fs|dgram|http|https|http2|tls|child_process)(\/|$)|better-sqlite3|fastify|@grpc)/

t.test('pure code knows no file, no socket and no clock', async t => {
  for (const pattern of PURE) t.not(globSync(pattern, { cwd: ROOT }).length, 0, `${pattern} names files`)
  const edges = PURE.flatMap(importsOf).filter(({ target }) => EDGES.test(target))
  t.strictSame(edges, [])
  const clocks = PURE.flatMap(pattern => globSync(pattern, { cwd: ROOT })).filter(file =>
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(/.test(textOf(file)),
  )
  t.strictSame(clocks, [])
})

t.test('no file needs itself by way of others, not even for a type', async t => {
  const needs = Map.groupBy(
    importsOf('{model,progress,host,site,images,server,cluster,charts,lab,cli}/**/*.ts').filter(
      ({ target }) => !isPackage(target),
    ),
    ({ file }) => file,
  )
  const done = new Set<string>()
  const circles: string[] = []
  const walk = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' > '))
    if (way.includes(file) || done.has(file)) return
    for (const { target } of needs.get(file) ?? []) walk(target, [...way, file])
    done.add(file)
  }
  for (const file of needs.keys()) walk(file, [])
  t.strictSame(circles, [])
})

type Import = { readonly file: string; readonly target: string }

/** Every import of the files: the path of a file from the root, or the name of a package. */
function importsOf(pattern: string): Import[] {
  return globSync(pattern, { cwd: ROOT }).flatMap(file =>
    [...textOf(file).matchAll(/(?:import[^'"();]*?from|export[^'"();]*?from|import)\s*\(?\s*'([^']+)'/g)].map(
      ([, name = '']) => ({
        file,
        target: name.startsWith('#')
          ? name.slice(1)
          : name.startsWith('.')
            ? join(dirname(file), name)
            : name,
      }),
    ),
  )
}

function isPackage(target: string): boolean {
  return !target.endsWith('.ts')
}

function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}
