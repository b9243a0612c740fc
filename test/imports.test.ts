// Who may import whom: the picture in docs/design.md, kept true.

import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { pointsUp, roomOf } from './floors.ts'

const ROOT = join(import.meta.dirname, '..')
/** What every other folder may import. */
const FOUNDATION = ['model', 'progress', 'host']

/** What each folder (or room of one) may import besides itself and the foundation. `file.ts` after a folder means only that file. */
const ALLOWED: Record<string, readonly string[]> = {
  model: [],
  progress: ['model'],
  host: ['model', 'progress'],
  images: [],
  server: [],
  client: [],
  'rack/site': ['images/references.ts', 'images/locked-kubernetes.ts'],
  'rack/kubernetes': [],
  'rack/cluster': ['rack/kubernetes', 'rack/site/site.ts', 'rack/site/duties.ts', 'images/references.ts'],
  'rack/openstack': ['rack/site/site.ts'],
  'rack/charts': [
    'rack/kubernetes',
    'rack/openstack',
    'rack/site/site.ts',
    'rack/site/duties.ts',
    'rack/site/helm-yaml.ts',
    'images/references.ts',
  ],
  'rack/up': ['rack', 'client'],
  lab: ['rack/site', 'client'],
  'lab/up': ['lab', 'rack', 'client', 'images'],
  cli: ['client', 'rack', 'server', 'lab', 'images'],
}

for (const [folder, allowed] of Object.entries(ALLOWED)) {
  t.test(`${folder} imports only what it may`, async t => {
    const rooms = Object.keys(ALLOWED).filter(other => other.startsWith(`${folder}/`)) // have their own row
    const strangers = importsOf(`${folder}/**/*.ts`).filter(
      ({ file, target }) =>
        !rooms.some(room => file.startsWith(`${room}/`)) &&
        !isPackage(target) &&
        ![folder, ...(FOUNDATION.includes(folder) ? [] : FOUNDATION), ...allowed].some(
          may => target === may || target.startsWith(`${may}/`),
        ),
    )
    t.strictSame(strangers, [])
  })
}

t.test('protocol folders of the server never import each other, but HTTP serves the assets', async t => {
  const protocols = ['protocols/dhcp', 'protocols/tftp', 'protocols/http', 'protocols/rpc', 'assets']
  const crossings = protocols.flatMap(one =>
    importsOf(`server/${one}/**/*.ts`).filter(({ target }) =>
      protocols.some(
        other =>
          other !== one &&
          target.startsWith(`server/${other}/`) &&
          !(one === 'protocols/http' && other === 'assets'),
      ),
    ),
  )
  t.strictSame(crossings, [])
})

t.test(
  'the parts of HTTP meet in http/app.ts: its wire knows no routes, and no routes know others',
  async t => {
    const parts = ['wire', 'boot', 'api', 'agent']
    const crossings = parts.flatMap(part =>
      importsOf(`server/protocols/http/${part}/*.ts`).filter(
        ({ target }) =>
          target.startsWith('server/protocols/http/') &&
          !['wire', part].some(may => target.startsWith(`server/protocols/http/${may}/`)),
      ),
    )
    t.strictSame(crossings, [])
  },
)

/** Imports in the server that point up, each with its reason; none today. */
const UPWARD: Readonly<Record<string, string>> = {}

t.test('in the server every import points to a lower floor, or has its reason', async t => {
  const imports = importsOf('server/**/*.ts').filter(({ target }) => target.startsWith('server/'))
  const files = new Set(imports.flatMap(({ file, target }) => [file, target]))
  t.strictSame(
    [...files].filter(file => roomOf(file) === undefined),
    [],
    'every file is in a room of test/floors.ts',
  )
  const upward = imports.filter(({ file, target }) => pointsUp(roomOf(file) ?? '', roomOf(target) ?? ''))
  t.strictSame(
    upward.map(({ file, target }) => `${file} > ${target}`).toSorted(),
    Object.keys(UPWARD).toSorted(),
  )
})

/** Code that takes values and gives values: whole folders, and single files beside the edge that they decide for. */
const PURE = [
  'model/*.ts',
  'server/boot/{match,explain}/*.ts',
  'server/formats/{gotemplate,nunjucks,ignition}/*.ts',
  'server/formats/butane/!(local-files).ts',
  'server/protocols/dhcp/{packet,options,raw-options,offer,subnet,other-servers}.ts',
  'server/protocols/tftp/{packet,transfer,name}.ts',
  'server/agent/{bundle,proof,quote,trust}.ts',
  'server/disks/{install-decision,install-views,upgrade-steps}.ts',
  'server/store/disk-key-records.ts',
  'server/limits/{bounded,bucket,by-address,http}.ts',
  'server/process/write-failure.ts',
  'server/assets/{http-date,range,names}.ts',
  'server/inventory/{object-check,site-check,matchbox-files,matchbox-text,diff}.ts',
  'server/machines/{identity,firmware}.ts',
  'server/diagnosis/{firewall,dhcp-verdict}.ts',
  'rack/up/plan-disk.ts',
  'rack/site/{duties,compile,helm-yaml,yaml-limits}.ts',
  'rack/kubernetes/{objects,judge,judge-pod,readiness}.ts',
  'rack/cluster/{plan,nodes,bundle,certificates,network}.ts',
  'rack/cluster/manifests/*.ts',
  'rack/charts/{plan,services,values}/!(defaults).ts',
  'rack/charts/services/*/plan.ts',
  'rack/charts/preflight/capacity.ts',
  'rack/charts/gates/gates.ts',
  'rack/charts/releases/manifests.ts',
  'rack/openstack/{catalog,endpoints}.ts',
  'lab/netboot/{dhcp,tftp,ipxe-script}.ts',
  'images/{oci,cpio,references,medium}.ts',
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
    importsOf('{model,progress,host,images,server,client,rack,lab,cli}/**/*.ts').filter(
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

t.test(
  'the official Kubernetes library is imported by one file alone, and that file only when it is needed',
  async t => {
    const everything = '{model,progress,host,images,server,client,rack,lab,cli}/**/*.ts'
    const users = importsOf(everything).filter(({ target }) => target.startsWith('@kubernetes/'))
    t.strictSame([...new Set(users.map(({ file }) => file))], ['rack/kubernetes/library.ts'])
    const loaders = importsOf(everything).filter(({ target }) => target === 'rack/kubernetes/library.ts')
    t.strictSame(
      loaders.map(({ file }) => file),
      ['rack/kubernetes/connect.ts'],
    )
    t.match(textOf('rack/kubernetes/connect.ts'), "await import('./library.ts')")
  },
)

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
