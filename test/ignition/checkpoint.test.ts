// The checkpointer as it runs on a controller, in its own mount and network namespaces: real sockets, real TLS.

import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from '../end-child.ts'
import { machineFiles, testPki } from '../site-pki.ts'
import { machineNamed, smallSite } from '../small-site.ts'
import { absent, skipFile } from '../absent.ts'

skipFile(t, absent('ip', 'curl', 'jq'))

const script = join(import.meta.dirname, '../../ignition/scripts/checkpoint')
const skip = await run('unshare', ['--mount', '--net', '--pid', '--fork', 'true'], { limitSeconds: 10 }).then(
  () => false as const,
  () => 'namespaces need root',
)

/** Listens where self-hosted copies do: of all three and ready, or of the API server alone and still starting. */
const selfHosted = `
  import { readFileSync } from 'node:fs'
  import { createServer } from 'node:https'
  const [cert, key] = process.argv.slice(1, 3).map(file => readFileSync(file))
  const starting = process.argv[3] === 'starting'
  const answer = (request, response) => { console.log(request.url); response.writeHead(starting ? 500 : 200).end() }
  const listen = (port, host) => createServer({ cert, key }, answer).listen(port, host)
  listen(6443)
  if (!starting) [10257, 10259].forEach(port => listen(port, '127.0.0.1'))
`

t.test('the checkpointer', { skip, timeout: 60_000 }, async t => {
  const root = t.testdir({ etc: { kubernetes: { manifests: {} } } })
  const pki = await testPki(join(root, 'pki'))
  for (const { path, content } of await machineFiles(smallSite, pki, machineNamed(smallSite, 'ctl-1'))) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  const children: ChildProcess[] = []
  t.teardown(() => Promise.all(children.map(child => endChild(child))))
  const start = (command: string, ...args: string[]) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    return child
  }
  const prepare = `ip link set lo up && mount --bind "$0/etc" /etc && exec bash "$1"`
  const inside = ['--mount', '--net', '--pid', '--fork', '--kill-child', 'sh', '-euc', prepare]
  const machine = start('unshare', ...inside, root, script)
  const listen = (state: 'ready' | 'starting') => {
    const files = ['tls.crt', 'tls.key'].map(name => join(root, 'etc/kubernetes/kube-apiserver', name))
    const program = [process.execPath, '--input-type=module', '--eval', selfHosted, ...files, state]
    return start('nsenter', `--net=/proc/${machine.pid}/ns/net`, ...program)
  }
  const copies = () => readdirSync(join(root, 'etc/kubernetes/manifests')).toSorted()
  const all = ['kube-apiserver.json', 'kube-controller-manager.json', 'kube-scheduler.json']
  const settled = (wanted: string[]) =>
    waitUntil('the static copies', { limitSeconds: 15 }, async () => {
      const now = copies().join(' ')
      return now === wanted.join(' ') ? { value: true } : { not: `there are ${now}` }
    })

  await t.test('puts a static API server in place when nothing listens', async () => {
    await settled(['kube-apiserver.json'])
  })

  await t.test('has its clients follow once it listens, and keeps all three until it is ready', async t => {
    const starting = listen('starting')
    let asked = ''
    starting.stdout.on('data', (chunk: Buffer) => (asked += chunk.toString()))
    await waitUntil('five looks', { limitSeconds: 15 }, async () => {
      const looks = asked.split('/readyz').length - 1
      return looks >= 5 ? { value: true } : { not: `looked ${looks} times` }
    })
    t.strictSame(copies(), all)
    await endChild(starting)
  })

  await t.test('takes them away when the self-hosted ones are ready', async () => {
    const ready = listen('ready')
    await settled([])
    await endChild(ready)
  })

  await t.test('begins again when those are gone', async () => {
    await settled(['kube-apiserver.json'])
  })
})
