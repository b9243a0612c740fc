// Runs Tempest's smoke tests against a lab that is up, and writes what they showed into docs/tempest.md:
//
//   sudo node_modules/.bin/node test/tempest/run.ts LAB [--regex REGEX] [--workers N]
//
// With --regex other tests are run, and the page stays as it is. What is made for the tests is removed again.

import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from '#host/command.ts'
import { lackingPackages } from '#host/prerequisites.ts'
import { testPrerequisites } from '../prerequisites.ts'
import { accessOf, clientOf, type Client } from '../system/client.ts'
import { inRack, labOf } from '../system/lab.ts'
import { tempestConf, type CloudFacts } from './config.ts'
import { LOGIN_COMMAND_LINE, withLogin } from './guest.ts'
import { countsOf, readResults, reasonOf, reportOf, shortName } from './results.ts'

const PAGE = new URL('../../docs/tempest.md', import.meta.url)
/** The page below this line is written by the run. */
const MARK = '<!-- written by test/tempest/run.ts -->'
const LIMIT_SECONDS = 5400

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { regex: { type: 'string' }, workers: { type: 'string', default: '1' } },
})
const [lab = 'small'] = positionals
const needed = ['tempest', 'cpio', 'dropbear']
const missing = (await lackingPackages(testPrerequisites)).filter(({ command }) => needed.includes(command))
if (missing.length > 0)
  throw new Error(`apt-get install --no-install-recommends ${missing.map(need => need.package).join(' ')}`)

const folder = await mkdtemp(join(tmpdir(), 'tempest-'))
const client = clientOf(lab)
const undo: string[][] = []
try {
  const facts = await prepare(client)
  const { stdout: version } = await run('tempest', ['--version'], { limitSeconds: 30, cwd: folder })
  const began = performance.now()
  const stream = await tempest(facts)
  const seconds = (performance.now() - began) / 1000
  const results = readResults(await decoded(stream))
  for (const result of results.filter(({ status }) => status === 'fail'))
    process.stdout.write(`FAILED ${shortName(result.test)}: ${reasonOf(result)}\n`)
  const { passed, failed, skipped, unfinished } = countsOf(results)
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped, ${unfinished} not run\n`)
  if (values.regex === undefined) {
    const date = new Date().toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' })
    const report = reportOf(results, { date, rack: lab, version: version.trim(), seconds })
    const [above = ''] = (await readFile(PAGE, 'utf8')).split(MARK)
    await writeFile(PAGE, `${above}${MARK}\n\n${report}`)
  }
  if (failed + unfinished > 0 || results.length === 0) process.exitCode = 1
} finally {
  for (const words of undo.toReversed())
    await client.say(...words).catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
  await rm(folder, { recursive: true })
}

/** Finds out what the cloud has, and makes what every test needs. */
async function prepare(openstack: Client): Promise<CloudFacts> {
  const { auth_url: authUrl, password } = await accessOf(lab)
  const services = (await openstack.list('service', 'list')).map(row => String(row['Type']))
  const extensions = (await openstack.list('extension', 'list', '--network')).map(row => String(row['Alias']))
  const hosts = (await openstack.list('hypervisor', 'list')).length
  const dashboardUrl = authUrl.replace(':30500/v3', ':30080/')
  const hasDashboard = await inRack(lab, [
    'curl',
    '--silent',
    '--fail',
    '--max-time',
    '5',
    dashboardUrl,
  ]).then(
    () => true,
    () => false,
  )
  return {
    authUrl,
    password,
    services,
    extensions,
    image: await storeGuest(openstack),
    flavors: [
      await makeFlavor(openstack, 'tempest-1', '128'),
      await makeFlavor(openstack, 'tempest-2', '160'),
    ],
    external: await externalNetwork(openstack),
    computeHosts: hosts,
    ...(hasDashboard ? { dashboardUrl } : {}),
    locks: folder,
  }
}

/** Each test makes its own project, so the image must be public. */
async function storeGuest(openstack: Client): Promise<string> {
  const store = async (name: string, path: string, format: string, properties: readonly string[]) => {
    const container = format === 'raw' ? 'bare' : format
    const formats = ['--public', '--disk-format', format, '--container-format', container]
    const set = properties.flatMap(property => ['--property', property])
    const { id } = await openstack.show('image', 'create', ...formats, '--file', path, ...set, name)
    undo.push(['image', 'delete', String(id)])
    return String(id)
  }
  const kernel = await store('tempest-kernel', built('vmlinuz'), 'aki', [])
  const initrd = await store('tempest-initrd', await withLogin(built('initrd.img'), folder), 'ari', [])
  const direct = [`kernel_id=${kernel}`, `ramdisk_id=${initrd}`, `os_command_line=${LOGIN_COMMAND_LINE}`]
  return store('tempest-guest', built('disk.raw'), 'raw', direct)
}

/** A file of the verification guest. */
function built(file: string): string {
  return join(labOf(lab).directory, 'assets', 'guest', file)
}

async function makeFlavor(openstack: Client, name: string, ram: string): Promise<string> {
  // A flavor without a disk is for administrators alone; the tests are ordinary users.
  const { id } = await openstack.show('flavor', 'create', '--ram', ram, '--disk', '1', '--vcpus', '1', name)
  undo.push(['flavor', 'delete', String(id)])
  return String(id)
}

async function externalNetwork(openstack: Client): Promise<{ id: string; name: string }> {
  const [found] = await openstack.list('network', 'list', '--external')
  if (found) return { id: String(found['ID']), name: String(found['Name']) }
  const flat = ['--provider-network-type', 'flat', '--provider-physical-network', 'public']
  const made = await openstack.show('network', 'create', '--external', ...flat, 'tempest-public')
  undo.push(['network', 'delete', String(made['id'])])
  const range = ['--subnet-range', '172.24.4.0/24', '--gateway', '172.24.4.1', '--no-dhcp']
  await openstack.show('subnet', 'create', '--network', String(made['id']), ...range, 'tempest-public')
  return { id: String(made['id']), name: 'tempest-public' }
}

/** Runs the tests in the rack, and gives the stream of their results. */
async function tempest(facts: CloudFacts): Promise<Buffer> {
  const workspace = join(folder, 'workspace')
  const env = { ...process.env, HOME: folder } // where it keeps its list of workspaces
  await run('tempest', ['init', workspace], { limitSeconds: 60, cwd: folder, env: { HOME: folder } })
  await mkdir(join(workspace, 'etc'), { recursive: true })
  await writeFile(join(workspace, 'etc', 'tempest.conf'), tempestConf(facts), { mode: 0o600 })
  const which = values.regex === undefined ? ['--smoke'] : ['--regex', values.regex]
  const [command = '', ...args] = labOf(lab).inRack([
    'tempest',
    'run',
    ...which,
    '--subunit',
    '--concurrency',
    values.workers,
  ])
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: workspace, env, stdio: ['ignore', 'pipe', 'inherit'] })
    const timer = setTimeout(() => child.kill('SIGTERM'), LIMIT_SECONDS * 1000)
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(chunks)) // failures are read from the results, not from how it ended
    })
  })
}

async function decoded(stream: Buffer): Promise<string> {
  const file = join(folder, 'results.subunit')
  await writeFile(file, stream)
  const script = join(import.meta.dirname, 'results.py')
  // Debian's Python, which has Debian's modules.
  const { stdout } = await run('sh', ['-c', '/usr/bin/python3 "$1" < "$2"', 'sh', script, file], {
    limitSeconds: 60,
  })
  return stdout
}
