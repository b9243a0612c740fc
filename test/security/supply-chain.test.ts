// What is downloaded to run Pilotlight: each package by version and hash, and no code of a package runs while it is installed.
// Go modules: test/images/go.test.ts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

t.setTimeout(120_000) // a busy machine takes its time

const ROOT = join(import.meta.dirname, '../..')
const textOf = (file: string) => readFileSync(join(ROOT, file), 'utf8')

type Locked = {
  readonly version?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
  readonly link?: boolean
}
const { packages } = JSON.parse(textOf('package-lock.json')) as {
  readonly packages: Readonly<Record<string, Locked>>
}
const locked = Object.entries(packages).filter(([path]) => path !== '')

t.test('runs no install script of any package', async t => {
  t.match(textOf('.npmrc'), /^ignore-scripts=true$/m)
})

t.test('needs no install script', async t => {
  // That of protobufjs only compares version numbers and prints a hint.
  const scripted = locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)
  t.strictSame(scripted, ['node_modules/protobufjs'])
})

t.test('takes every package by its hash, and none from another repository or address', async t => {
  t.ok(locked.length > 100)
  const wrong = locked.filter(
    ([, { version, integrity, resolved, link }]) =>
      link ||
      !/^\d/.test(version ?? '') ||
      integrity?.startsWith('sha512-') !== true ||
      resolved !== undefined,
  )
  t.strictSame(wrong, [])
})

t.test('pins every direct dependency to one version', async t => {
  const manifest = JSON.parse(textOf('package.json')) as Readonly<
    Record<string, Readonly<Record<string, string>> | undefined>
  >
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies'])
    for (const [name, version] of Object.entries(manifest[kind] ?? {}))
      t.match(version, /^\d+\.\d+\.\d+$/, `${name} ${version}`)
})
