// Matchbox's users' own programs, as they are released, over TLS with client certificates: bootcmd and the Terraform
// provider.

import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { commandPath, run } from '#host/command.ts'
import { testAuthority, type Issued, type TestAuthority } from '../../access/authority.ts'
import { testServer, type TestServer } from '../../serving.ts'
import { matchboxServer } from './matchbox.ts'
import { programs, skip } from './programs.ts'
import { startProvider, type Configuration, type Terraform } from './terraform/terraform.ts'

/** An authority, and a client certificate by it. */
async function clientFor(t: Test) {
  const authority = await testAuthority(join(t.testdir(), 'tls'))
  const server = await authority.issue('server')
  return { authority, server, client: await authority.issue('terraform') }
}

type Identities = { readonly authority: TestAuthority; readonly server: Issued; readonly client: Issued }

function pilotlight(t: Test, { authority, server }: Identities, dataPath: string): Promise<TestServer> {
  const { certFile, keyFile } = server
  return testServer(t, {
    dataPath,
    statePath: join(t.testdirName, 'state'),
    rpcAddress: '127.0.0.1:0',
    certFile,
    keyFile,
    caFile: authority.caFile,
  })
}

const INFRASTRUCTURE: Configuration = {
  'matchbox_profile.worker': {
    name: 'worker',
    kernel: '/assets/vmlinuz',
    initrd: ['--name main /assets/initrd'],
    args: ['initrd=main', 'quiet'],
    raw_ignition: '{"ignition":{"version":"3.4.0"}}',
    generic_config: 'k=v',
  },
  'matchbox_group.node-1': {
    name: 'node-1',
    profile: 'worker',
    selector: { mac: '52:54:00:a1:9c:ae' },
    metadata: { role: 'worker', n: '3' },
  },
}

async function providerFor(t: Test, { authority, client }: Identities, port: number): Promise<Terraform> {
  const terraform = await startProvider(t, programs.provider)
  const { cert, key } = client
  const endpoint = `127.0.0.1:${port}`
  await terraform.configure({ endpoint, ca: authority.ca, client_cert: cert, client_key: key })
  return terraform
}

t.test('the Terraform provider applies, finds drift, corrects it and destroys', { skip }, async t => {
  const identities = await clientFor(t)
  const server = await pilotlight(t, identities, emptyData(t))
  const terraform = await providerFor(t, identities, server.rpcPort)

  t.same(await terraform.apply(INFRASTRUCTURE), {
    'matchbox_profile.worker': 'create',
    'matchbox_group.node-1': 'create',
  })
  t.match(await (await server.get('/groups')).json(), [{ id: 'node-1', metadata: { n: '3' } }])
  t.match(await (await server.get('/ipxe?mac=52-54-00-a1-9c-ae')).text(), 'initrd=main quiet')
  t.same(await terraform.plan(INFRASTRUCTURE), {}, 'a second plan has nothing to do')

  await server.put('/v1/profiles/worker', { id: 'worker', boot: { kernel: '/other' } }, { 'if-match': '*' })
  t.same(await terraform.plan(INFRASTRUCTURE), { 'matchbox_profile.worker': 'replace' }, 'drift shows')
  await terraform.apply(INFRASTRUCTURE)
  t.match(await (await server.get('/ipxe?mac=52-54-00-a1-9c-ae')).text(), 'kernel /assets/vmlinuz')
  t.same(await terraform.plan(INFRASTRUCTURE), {})

  t.same(await terraform.destroy(), {
    'matchbox_group.node-1': 'delete',
    'matchbox_profile.worker': 'delete',
  })
  t.same(await (await server.get('/groups')).json(), [])
  t.same(await (await server.get('/profiles')).json(), [])
})

t.test('what Terraform made on Matchbox goes on here, from the same data directory', { skip }, async t => {
  const identities = await clientFor(t)
  const dataPath = emptyData(t)
  const before = await matchboxServer(t, dataPath, {
    ...identities.server,
    caFile: identities.authority.caFile,
  })
  const state = await providerFor(t, identities, before.port)
  await state.apply(INFRASTRUCTURE)
  await before.stop()

  const server = await pilotlight(t, identities, dataPath)
  const terraform = await providerFor(t, identities, server.rpcPort)
  terraform.takeOver(state)
  t.same(await terraform.plan(INFRASTRUCTURE), {}, 'everything is as it was')
  const { 'matchbox_group.node-1': node, ...rest } = INFRASTRUCTURE
  await terraform.apply({ ...rest, 'matchbox_group.node-1': { ...node, metadata: { role: 'other' } } })
  t.match(await (await server.get('/metadata?mac=52-54-00-a1-9c-ae')).text(), 'ROLE=other')
  await terraform.destroy()
  t.same(await (await server.get('/groups')).json(), [], 'files that Matchbox wrote are out of effect')
})

t.test('bootcmd creates, lists and describes', { skip }, async t => {
  const identities = await clientFor(t)
  const server = await pilotlight(t, identities, emptyData(t))
  const file = (name: string, content: string) => {
    const path = join(t.testdirName, name)
    writeFileSync(path, content)
    return path
  }
  const say = (...args: string[]) => bootcmd(server, identities, args)
  await say('profile', 'create', '-f', file('p.json', '{"id":"p","boot":{"kernel":"/k","args":["a"]}}'))
  await say('group', 'create', '-f', file('g.json', '{"id":"g","profile":"p","selector":{"os":"installed"}}'))
  await say('ignition', 'create', '-f', file('x.ign', '{"ignition":{"version":"3.4.0"}}'))
  await say('generic', 'create', '-f', file('kickstart', 'k'))
  t.match(await say('group', 'list'), /^g\s.*"os":"installed".*\sp$/m)
  t.match(await say('profile', 'describe', 'p'), /\/k\s.*\[a\]/s)
  t.equal((await server.get('/v1/templates/ignition%2Fx.ign')).status, 200)
  t.equal((await server.get('/v1/templates/generic%2Fkickstart')).status, 200)
})

const noTerraform = isOnPath('terraform') ? skip : 'terraform is not on the PATH'
t.test('terraform itself applies, finds nothing to do, and destroys', { skip: noTerraform }, async t => {
  const identities = await clientFor(t)
  const server = await pilotlight(t, identities, emptyData(t))
  const work = join(t.testdirName, 'work')
  mkdirSync(work, { recursive: true })
  const folder = join(programs.provider, '..')
  writeFileSync(
    join(work, 'terraformrc'),
    `provider_installation {\n  dev_overrides { "poseidon/matchbox" = "${folder}" }\n  direct {}\n}\n`,
  )
  writeFileSync(join(work, 'main.tf'), mainTf(identities, server.rpcPort))
  const env = { TF_CLI_CONFIG_FILE: join(work, 'terraformrc'), CHECKPOINT_DISABLE: '1' }
  const terraform = (...args: string[]) => run('terraform', args, { cwd: work, env, limitSeconds: 60 })
  await terraform('apply', '-auto-approve', '-no-color')
  t.match(await (await server.get('/profiles/worker')).json(), { id: 'worker', boot: { args: ['quiet'] } })
  t.match((await terraform('plan', '-detailed-exitcode', '-no-color')).stdout, 'No changes')
  await terraform('destroy', '-auto-approve', '-no-color')
  t.same(await (await server.get('/profiles')).json(), [])
})

function mainTf({ authority, client }: Identities, port: number): string {
  return `
terraform {
  required_providers {
    matchbox = { source = "poseidon/matchbox" }
  }
}
provider "matchbox" {
  endpoint    = "127.0.0.1:${port}"
  client_cert = file("${client.certFile}")
  client_key  = file("${client.keyFile}")
  ca          = file("${authority.caFile}")
}
resource "matchbox_profile" "worker" {
  name         = "worker"
  kernel       = "/assets/vmlinuz"
  initrd       = ["/assets/initrd"]
  args         = ["quiet"]
  raw_ignition = "baz"
}
resource "matchbox_group" "node" {
  name     = "node"
  profile  = matchbox_profile.worker.name
  selector = { mac = "52:54:00:a1:9c:ae" }
}
`
}

async function bootcmd(
  server: TestServer,
  { authority, client }: Identities,
  args: readonly string[],
): Promise<string> {
  const who = [
    `--ca-file=${authority.caFile}`,
    `--cert-file=${client.certFile}`,
    `--key-file=${client.keyFile}`,
  ]
  const flags = [`--endpoints=127.0.0.1:${server.rpcPort}`, ...who]
  const { stdout } = await run(programs.bootcmd, [...args, ...flags], { limitSeconds: 30 })
  return stdout
}

function emptyData(t: Test): string {
  const path = join(t.testdirName, 'data')
  mkdirSync(path, { recursive: true })
  return path
}

function isOnPath(command: string): boolean {
  return commandPath(process.env['PATH'])
    .split(':')
    .some(folder => {
      try {
        accessSync(join(folder, command), constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
