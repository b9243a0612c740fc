// Downloads whose clients take nothing: what they hold of memory and file descriptors, and what is left for machines.

import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from '../end-child.ts'
import { testNetwork, whyNoNetworks } from '../network.ts'
import { site } from '../server/serving.ts'
import { childServer } from './child-server.ts'

t.setTimeout(300_000) // a busy machine takes its time
const skip = whyNoNetworks('curl')

const SERVER = '10.99.0.1'
const HTTP = `http://${SERVER}:8080`
/** Of the site's controller. */
const MACHINE = '10.20.0.11'
const FILE_BYTES = 64 << 20
/** Bytes that the kernel keeps for a reader: little, so that the rest is with the server. */
const SMALL_WINDOW = '4096 4096 4096'

/** A server in its own network namespace, with hosts 10.99.0.2 to 10.99.0.40 and a machine of the site. */
async function served(t: Test, { descriptors }: { readonly descriptors?: number } = {}) {
  const network = await testNetwork(t)
  await network.ip(
    ...Array.from({ length: 40 }, (_, at) => `address add 10.99.0.${at + 1}/24 dev lo`),
    `address add ${MACHINE}/24 dev lo`,
  )
  const folder = t.testdir()
  const assets = join(folder, 'assets')
  mkdirSync(assets)
  writeFileSync(join(assets, 'root.img'), '')
  truncateSync(join(assets, 'root.img'), FILE_BYTES)
  const limited = ['sh', '-c', `ulimit -n ${descriptors}; exec "$0" "$@"`]
  const { child, said } = await childServer(t, {
    statePath: join(folder, 'state'),
    within: [...network.within, ...(descriptors === undefined ? [] : limited)],
    tftp: true,
    flags: ['--address', SERVER, '--http-port', '8080', '--assets-path', assets],
  })
  const token = readFileSync(join(folder, 'state', 'admin.token'), 'utf8').trim()
  const curl = async (...args: string[]) =>
    (await network.run('curl', ['--silent', '--show-error', '--max-time', '60', ...args], 70)).stdout
  const put = ['--request', 'PUT', '--header', `Authorization: Bearer ${token}`]
  const json = ['--header', 'Content-Type: application/json', '--data', JSON.stringify(site)]
  t.match(await curl(...put, ...json, `${HTTP}/v1/sites/rack-1`), /"changed": *true/)
  const window = async (bytes: string) => {
    await network.run('sh', ['-c', `echo '${bytes}' > /proc/sys/net/ipv4/tcp_rmem`])
  }
  return {
    said,
    curl,
    window,
    /** Starts clients that take nothing; gives how many of them are open. */
    read: async (url: string, first: number, last: number, each: number) => {
      const script = join(import.meta.dirname, 'readers.ts')
      const args = [...network.within.slice(1), process.execPath, '--no-warnings', script, url]
      const readers = spawn(network.within[0], [...args, String(first), String(last), String(each)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.teardown(() => endChild(readers))
      let open: number | undefined
      createInterface(readers.stdout).on('line', line => (open = Number(line)))
      await waitUntil('all have asked', { limitSeconds: 60, everyMs: 100 }, async () =>
        open === undefined ? { not: 'not yet' } : { value: open },
      )
      return () => open ?? 0
    },
    residentBytes: () =>
      Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024,
    descriptors: () => readdirSync(`/proc/${child.pid}/fd`).length,
  }
}

/** Has a machine of the site, or another host, fetch the file; gives the bytes that it got. */
async function fetched(curl: (...args: string[]) => Promise<string>, address: string): Promise<number> {
  const get = ['--interface', address, '--output', '/dev/null', '--write-out', '%{size_download}']
  return Number(await curl(...get, `${HTTP}/assets/root.img`))
}

t.test('readers that take nothing hold little memory, and are closed', { skip }, async t => {
  const { curl, window, read, residentBytes } = await served(t)
  t.equal(await fetched(curl, MACHINE), FILE_BYTES)
  const before = residentBytes()
  await window(SMALL_WINDOW)
  const open = await read(`${HTTP}/assets/root.img`, 2, 13, 64)
  await window('4096 131072 6291456')
  const grown = residentBytes() - before
  t.ok(grown < 150 << 20, `${Math.round(grown / 2 ** 20)} MiB more for ${open()} readers`)
  t.equal(await fetched(curl, MACHINE), FILE_BYTES, 'a machine of the site gets its file meanwhile')
  await waitUntil('the readers are closed', { limitSeconds: 150 }, async () =>
    // One whose window was widened meanwhile may have got the whole file.
    open() < 8 ? { value: true } : { not: `${open()} are open` },
  )
  t.equal(await fetched(curl, '10.99.0.40'), FILE_BYTES, 'and another host again')
  const metrics = await curl(`${HTTP}/metrics`)
  t.match(metrics, /pilotlight_refused_total\{reason="download_slow"\} [1-9]/)
})

t.test('downloads leave the file descriptors of TFTP and the store alone', { skip }, async t => {
  const limit = 400
  const { curl, window, read, descriptors, said } = await served(t, { descriptors: limit })
  await window(SMALL_WINDOW)
  await read(`${HTTP}/assets/root.img`, 2, 13, 40)
  await window('4096 131072 6291456')
  const used = descriptors()
  // A quarter of what is not our own is for TFTP.
  t.ok(used <= limit - 84, `${used} of ${limit} are used`)
  t.ok(used >= 200, `${used} are used`)
  t.equal(await fetched(curl, MACHINE), FILE_BYTES)
  const loader = await curl(
    '--output',
    '/dev/null',
    '--write-out',
    '%{size_download}',
    `tftp://${SERVER}/undionly.kpxe`,
  )
  t.ok(Number(loader) > 10_000, `${loader} bytes by TFTP`)
  t.notMatch(said.join('\n'), /EMFILE/)
})
