// A real etcd and kube-apiserver on loopback, with the flags and files of the product: the controller's bundle is
// laid out below a temporary root, and only paths, addresses and ports are turned to fit.

import { spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { adminKubeconfig } from '#rack/cluster/kubeconfig.ts'
import { staticPod } from '#rack/cluster/manifests/control-plane.ts'
import type { Pki } from '#rack/cluster/pki.ts'
import { askReadiness, connect } from '#rack/kubernetes/connect.ts'
import type { Site } from '#rack/site/site.ts'
import { findTools } from '../../built-tools.ts'
import { freePorts } from '../../free-ports.ts'
import { machineFiles } from '../../site-pki.ts'
import { machineNamed } from '../../small-site.ts'

const tools = await findTools()

/** The path of one of the host's tools, as the lab runs them; nothing when they are not built yet. */
export function findTool(name: string): string | undefined {
  const path = join(tools ?? '', name)
  return tools !== undefined && existsSync(path) ? path : undefined
}

/** Why no API server can run here, or false: what tap takes as `skip`. */
export function missingTools(): string | false {
  const missing = ['etcd', 'kube-apiserver', 'kubectl'].filter(name => findTool(name) === undefined)
  return missing.length === 0 ? false : `needs ${missing.join(', ')}: bin/pilotlight images build`
}

/** Where the two answer. */
export type ApiServer = {
  readonly server: string
  readonly etcd: string
  /** Kills the API server, starts it again, and resolves when it is ready. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** Starts both, and gives the API's URL once it is ready. */
export async function startApiServer(site: Site, pki: Pki, root: string): Promise<ApiServer> {
  const [etcdPort, peerPort, apiPort] = await freePorts(3)
  await mkdir(join(root, 'var/log/kubernetes'), { recursive: true })
  for (const file of await machineFiles(site, pki, machineNamed(site, 'ctl-1'))) {
    await mkdir(dirname(root + file.path), { recursive: true })
    await writeFile(root + file.path, file.content, { mode: file.mode })
  }
  const turned = (text: string) =>
    text
      .replaceAll('/etc/', `${root}/etc/`)
      .replaceAll('/var/lib/etcd', `${root}/etcd-data`)
      .replaceAll('/var/log/', `${root}/var/log/`)
      .replaceAll('$(HOST_IP)', '127.0.0.1')
      .replaceAll('10.20.0.11', '127.0.0.1')
      .replaceAll('2379', String(etcdPort))
      .replaceAll('2380', String(peerPort))
      .replaceAll('=6443', `=${apiPort}`)
  const environment = turned(await readFile(join(root, 'etc/etcd/etcd.env'), 'utf8')).replace(
    /^(ETCD_LISTEN_CLIENT_URLS=[^,]*).*$/m,
    '$1', // its two addresses have become one
  )
  const processes: ChildProcess[] = []
  const start = (name: string, args: string[], env: Record<string, string>) => {
    const child = spawn(findTool(name) ?? name, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const log = createWriteStream(join(root, `${name}.log`))
    child.stdout.pipe(log)
    child.stderr.pipe(log)
    processes.push(child)
    return child
  }
  const close = async () => {
    for (const child of processes.toReversed()) await end(child)
  }
  start(
    'etcd',
    [],
    Object.fromEntries(
      environment
        .trim()
        .split('\n')
        .map(line => cut(line)),
    ),
  )
  const [, ...flags] = commandOf(staticPod(site, 'kube-apiserver')).map(turned)
  let apiServer = start('kube-apiserver', flags, {})
  const server = `https://127.0.0.1:${apiPort}`
  const restart = async () => {
    await end(apiServer)
    apiServer = start('kube-apiserver', flags, {})
    await untilReady(server, pki)
  }
  try {
    await untilReady(server, pki)
  } catch (error) {
    await close()
    throw error
  }
  return { server, etcd: `https://127.0.0.1:${etcdPort}`, restart, close }
}

async function untilReady(server: string, pki: Pki): Promise<void> {
  const client = await connect(adminKubeconfig(pki, server))
  try {
    await waitUntil('the API server on loopback', { limitSeconds: 60 }, async () => {
      const said = await askReadiness(client)
      return said === 'ok' ? { value: true } : { not: said }
    })
  } finally {
    await client.close()
  }
}

/** Kills a process, nothing in which is worth keeping, and waits for its end. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

function commandOf(pod: { readonly [field: string]: unknown }): string[] {
  const spec = pod['spec'] as { containers: { command: string[] }[] }
  return spec.containers[0]?.command ?? []
}

function cut(line: string): [string, string] {
  const at = line.indexOf('=')
  return [line.slice(0, at), line.slice(at + 1)]
}
