// What a server loads before it serves: what a machine's boot does not need is loaded when it is first asked for.

import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../..')

/** Serves the folder of the first argument from the second, asks for a script, and prints what the process has loaded. */
const PROGRAM = `
import { createRequire } from 'node:module'
import { serverConfig } from '#server/config.ts'
import { serve } from '#server/main.ts'
const [dataPath, statePath] = process.argv.slice(1)
const settings = { address: '127.0.0.1', httpPort: 0, agentPort: 0, dhcp: false, tftp: false, dataPath, statePath }
const server = await serve(serverConfig(settings), { signal: new AbortController().signal, log: () => {} })
const names = Object.keys(createRequire(process.cwd() + '/x.js').cache)
const packages = names.flatMap(name => /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(name)?.[1] ?? [])
const own = process.moduleLoadList.filter(name => name.includes('internal/deps/')).map(name => name.replace('NativeModule ', ''))
console.log(JSON.stringify([...new Set([...packages, ...own])]))
await server.close()
process.exit()
`

t.test('a server that starts loads nothing that a boot script does not need', async t => {
  const data = t.testdir()
  for (const folder of ['profiles', 'groups']) mkdirSync(join(data, folder))
  writeFileSync(join(data, 'profiles/p.json'), '{"id":"p","boot":{"kernel":"/k"}}')
  writeFileSync(join(data, 'groups/g.json'), '{"id":"g","profile":"p"}')
  const state = join(data, 'state')
  const unneeded = [
    'ajv',
    '@fastify/fast-json-stringify-compiler',
    '@fastify/swagger',
    'prom-client',
    'yaml',
    'nunjucks',
    '@peculiar/x509',
    'age-encryption',
    'openpgp',
    '@grpc/grpc-js',
    'internal/deps/undici/undici', // by any import of a value from node:http
  ]
  // The first start makes certificates, with a library that is loaded in their process alone.
  for (const start of ['first', 'second']) {
    const loaded = await loadedBy(data, state)
    t.ok(loaded.includes('fastify'), 'what is loaded is seen')
    t.strictSame(
      unneeded.filter(name => loaded.includes(name)),
      [],
      `the ${start} start`,
    )
  }
})

async function loadedBy(...paths: string[]): Promise<string[]> {
  const args = ['--input-type=module', '--eval', PROGRAM, ...paths]
  const { NODE_OPTIONS: _, ...env } = process.env // of the test runner, which loads more
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
  return JSON.parse(await text(child.stdout)) as string[]
}
