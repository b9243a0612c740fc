// The modules of Go programs: locked in the tree, and held by the builds. The modules here are made by the test and served
// from a folder, so that no network is needed.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import t from 'tap'

import type { Work } from '#host/cache.ts'
import { goRecipe, type GoPrograms } from '#images/go.ts'
import { goToolRecipes } from '#images/go-tools.ts'
import { kubernetesRecipe } from '#images/kubernetes.ts'
import { DEFAULT_KUBERNETES } from '#images/references.ts'
import { silentStage } from '#progress/stage.ts'
import { rpcPeerRecipes } from '../server/protocols/rpc/programs.ts'

t.test('every program that is built has its modules and their hashes in the tree', async t => {
  for (const recipe of [kubernetesRecipe(DEFAULT_KUBERNETES), ...goToolRecipes, ...rpcPeerRecipes]) {
    const { module, version } = programsOf(recipe.inputs)
    const mod = readFileSync(join(recipe.locked, 'go.mod'), 'utf8')
    const sum = readFileSync(join(recipe.locked, 'go.sum'), 'utf8')
    t.match(
      mod,
      new RegExp(`(^|\\s)${module} ${version}$`, 'm'),
      `${recipe.name} requires ${module} ${version}`,
    )
    t.match(sum, new RegExp(`^${module} ${version} h1:.{44}$`, 'm'), `${recipe.name} has its hash`)
    t.notMatch(
      mod,
      /=>\s*[./]|^toolchain/m,
      `${recipe.name} replaces no module by a folder, and names no toolchain`,
    )
  }
})

t.test('the key of a program changes with each of its two files', async t => {
  const locked = t.testdir({ 'go.mod': 'module a\n', 'go.sum': '' })
  const inputs = () => JSON.stringify(goRecipe(HELLO, { locked }).inputs)
  const seen = new Set([inputs()])
  writeFileSync(join(locked, 'go.sum'), 'x')
  seen.add(inputs())
  writeFileSync(join(locked, 'go.mod'), 'module b\n')
  seen.add(inputs())
  t.equal(seen.size, 3)
})

t.test('a program is built from the modules that are locked, and from no others', async t => {
  const root = t.testdir({ proxy: {}, locked: {}, first: {}, second: {}, third: {}, fourth: {}, lock: {} })
  const before = { ...process.env }
  t.teardown(() => {
    for (const name of GO_VARIABLES) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  })
  Object.assign(process.env, {
    GOPROXY: `file://${join(root, 'proxy')}`,
    GONOSUMDB: 'example.test',
    GOMODCACHE: join(root, 'mod-1'),
  })
  publish(join(root, 'proxy'), 'v1.0.0', 'package main\n\nfunc main() { println("as locked") }\n')
  const locked = join(root, 'locked')
  const recipe = goRecipe(HELLO, { locked })
  const work = (name: string): Work => ({
    directory: join(root, name),
    needs: {},
    stage: silentStage,
    log: join(root, `${name}.log`),
  })

  await t.rejects(recipe.build(work('first')), {
    code: 'MODULES_NOT_LOCKED',
    message: /npm run lock -- hello/,
  })
  await recipe.lock(work('lock'))
  t.match(readFileSync(join(locked, 'go.sum'), 'utf8'), /^example\.test\/hello v1\.0\.0 h1:/m)
  await recipe.build(work('second'))
  t.ok(readFileSync(join(root, 'second', 'hello')).length > 0)

  // The same version with other content, as a proxy that was broken into serves it to a host that never had it.
  publish(join(root, 'proxy'), 'v1.0.0', 'package main\n\nfunc main() { println("not as locked") }\n')
  process.env['GOMODCACHE'] = join(root, 'mod-2')
  await t.rejects(recipe.build(work('third')), {
    code: 'COMMAND_FAILED',
    message: /does NOT match an earlier download recorded in go\.sum/,
  })

  // A module whose hash is not committed is not trusted.
  process.env['GOMODCACHE'] = join(root, 'mod-1')
  writeFileSync(join(locked, 'go.sum'), '')
  await t.rejects(recipe.build(work('fourth')), { code: 'COMMAND_FAILED', message: /missing go\.sum entry/ })
})

const GO_VARIABLES = ['GOPROXY', 'GONOSUMDB', 'GOMODCACHE']

const HELLO: GoPrograms = {
  name: 'hello',
  module: 'example.test/hello',
  version: 'v1.0.0',
  packages: { hello: 'example.test/hello' },
}

function programsOf(inputs: unknown): GoPrograms {
  const found = inputs as { programs: GoPrograms & { programs?: GoPrograms } } // see goRecipe, and ignition's around it
  return found.programs.programs ?? found.programs
}

/** Puts a version of the module into a folder, as Go's module proxy protocol has it (`go help goproxy`). */
function publish(proxy: string, version: string, main: string): void {
  const folder = join(proxy, 'example.test', 'hello', '@v')
  mkdirSync(folder, { recursive: true })
  const mod = 'module example.test/hello\n\ngo 1.26.0\n'
  const files = { 'go.mod': mod, 'main.go': main }
  writeFileSync(join(folder, 'list'), `${version}\n`)
  writeFileSync(join(folder, `${version}.info`), JSON.stringify({ Version: version }))
  writeFileSync(join(folder, `${version}.mod`), mod)
  writeFileSync(join(folder, `${version}.zip`), zipOf(files, `example.test/hello@${version}/`))
}

/** A zip archive whose files are stored as they are (APPNOTE 6.3 §4.3). */
function zipOf(files: Readonly<Record<string, string>>, prefix: string): Buffer {
  const locals: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const [file, text] of Object.entries(files)) {
    const name = Buffer.from(prefix + file)
    const bytes = Buffer.from(text)
    const common = Buffer.alloc(26) // from "version needed" to the length of the extra field
    common.writeUInt16LE(20, 0)
    common.writeUInt32LE(crc32(bytes), 10)
    common.writeUInt32LE(bytes.length, 14)
    common.writeUInt32LE(bytes.length, 18)
    common.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, bytes])
    const rest = Buffer.alloc(14) // comment, disk, attributes, offset
    rest.writeUInt32LE(offset, 10)
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, rest, name]))
    locals.push(local)
    offset += local.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(central.length, 4)
  end.writeUInt16LE(central.length, 6)
  end.writeUInt32LE(directory.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06'), end])
}
