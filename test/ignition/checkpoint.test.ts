// The checkpointer as it runs on a controller, in mount and network namespaces of its own: real sockets, real TLS.

import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { machineBundle } from '#cluster/bundle.ts'
import { ensurePki } from '#cluster/pki.ts'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { machineNamed, smallSite } from '../cluster/site.ts'

const script = join(import.meta.dirname, '../../ignition/scripts/checkpoint')
const skip = await run('unshare', ['--mount', '--net', '--pid', '--fork', 'true'], { limitSeconds: 10 }).then(
  () => false as const,
  () => 'namespaces need root',
)

/** Listens where the self-hosted copies do, and is ready or not, as its last argument says. */
const selfHosted = `
  import { readFileSync } from 'node:fs'
  import { createServer } from 'node:https'
  const [cert, key] = process.argv.slice(1, 3).map(file => readFileSync(file))
  const status = process.argv[3] === 'ready' ? 200 : 500
  const answer = (request, response) => { console.log(request.url); response.writeHead(status).end() }
  for (const [port, host] of [[6443], [10257, '127.0.0.1'], [10259, '127.0.0.1']]) {
    createServer({ cert, key }, answer).listen(port, host)
  }
`

t.test('the checkpointer', { skip, timeout: 60_000 }, async t => {
  const root = t.testdir({ etc: { kubernetes: { manifests: {} } } })
  const pki = await ensurePki(smallSite, join(root, 'pki'))
  for (const { path, content } of machineBundle(smallSite, pki, machineNamed(smallSite, 'ctl-1'))) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  const children: ChildProcess[] = []
  t.teardown(() => Promise.all(children.map(child => end(child))))
  const start = (command: string, ...args: string[]) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    return child
  }
  const prepare = `ip link set lo up && mount --bind "$0/etc" /etc && exec bash "$1"`
  const inside = ['--mount', '--net', '--pid', '--fork', '--kill-child', 'sh', '-euc', prepare]
  const machine = start('unshare', ...inside, root, script)
  const listen = (state: 'ready' | 'starting') => {
    const files = ['apiserver.crt', 'apiserver.key'].map(name => join(root, 'pki', name))
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

  await t.test('puts the static copies in place when nothing listens', async () => {
    await settled(all)
  })

  await t.test('leaves them while the self-hosted ones listen but are not ready', async t => {
    const starting = listen('starting')
    let asked = ''
    starting.stdout.on('data', (chunk: Buffer) => (asked += chunk.toString()))
    await waitUntil('five looks', { limitSeconds: 15 }, async () => {
      const looks = asked.split('/readyz').length - 1
      return looks >= 5 ? { value: true } : { not: `looked ${looks} times` }
    })
    t.strictSame(copies(), all)
    await end(starting)
  })

  await t.test('takes them away when those are ready, and puts them back when they are gone', async () => {
    const ready = listen('ready')
    await settled([])
    await end(ready)
    await settled(all)
  })
})

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}
