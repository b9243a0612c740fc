// The rack's server: the very `pilotlight serve` that a real rack has, started where the provisioner is.

import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Refusal } from '#client/refusal.ts'
import { ServerClient } from '#client/server.ts'
import { endProcess, isAlive } from '#host/process.ts'
import type { SiteObjects } from '#model/site.ts'
import { waitUntil } from '#progress/wait.ts'
import { startDetached } from './detached.ts'
import { LabError } from './errors.ts'
import type { Rack } from './rack.ts'
import type { RelayRoute } from './relay.ts'
import { labFiles, readState, writeState } from './state.ts'
import type { ServerState } from './state.ts'

const PILOTLIGHT = resolve(import.meta.dirname, '..', 'bin', 'pilotlight')
const HTTP_PORT = 8080

/** How the rack's server is started; absent paths are the rack's or the project's own. */
export type ServerOptions = {
  readonly dataPath?: string
  readonly assetsPath?: string
  /** Port of the host's loopback that leads to the server's HTTP port; 0 (the default) picks one. */
  readonly hostPort?: number
  /** More flags of `pilotlight serve`, passed on unchanged. */
  readonly flags?: readonly string[]
  /** Seconds until `/readyz` must answer, 15 by default. */
  readonly limitSeconds?: number
  readonly signal?: AbortSignal
}

/** A running server: how the machines call it, and how the host's loopback does. */
export type LabServer = { readonly url: string; readonly hostUrl: string }

/** What the server needs of its lab: what it serves, where it keeps it, and the way into the rack's network. */
export type ServerPlace = {
  readonly rack: Rack
  readonly directory: string
  inRack(argv: readonly string[]): string[]
  relay(routes: readonly RelayRoute[]): Promise<readonly RelayRoute[]>
}

/** What `Lab.startServer` does. */
export async function startServer(lab: ServerPlace, options: ServerOptions): Promise<LabServer> {
  const { rack, directory } = lab
  const files = labFiles(directory)
  const { address } = rack.bridge
  const url = `http://${address}:${HTTP_PORT}`
  const running = readState(files.server) as ServerState | undefined
  if (running?.url !== undefined && isAlive(running.process)) return { url, hostUrl: running.url }
  if (running) await stopServer(directory) // its start was broken off, or it ended
  options.signal?.throwIfAborted()
  const data = options.dataPath ?? rack.data
  const argv = [
    PILOTLIGHT,
    'serve',
    `--address=${address}`,
    `--http-port=${HTTP_PORT}`,
    `--state-path=${files.serverState}`,
    ...(data === undefined ? [] : [`--data-path=${data}`]),
    ...(options.assetsPath === undefined ? [] : [`--assets-path=${options.assetsPath}`]),
    ...(options.flags ?? []),
  ]
  const mark = startDetached(lab.inRack(argv), files.serverLog)
  writeState(files.server, { process: mark }) // whatever fails from here on, `down` finds it
  const [route] = await lab.relay([{ port: options.hostPort ?? 0, host: address, targetPort: HTTP_PORT }])
  const hostUrl = `http://127.0.0.1:${route?.port}`
  const anyone = new ServerClient(hostUrl, '') // without a token: the server makes its first one while it starts
  const signal = options.signal ?? new AbortController().signal
  await waitUntil(
    'the server answers',
    { limitSeconds: options.limitSeconds ?? 15, everyMs: 50, signal },
    async () => {
      if (!isAlive(mark)) return { value: false }
      const answer = await anyone.request('GET', '/readyz', {}, undefined, 2)
      await answer.body?.cancel()
      return { value: true }
    },
  )
  if (!isAlive(mark))
    throw new LabError(
      'NO_BOOT',
      `The server ended at once. The end of ${files.serverLog}:\n${tail(files.serverLog)}`,
    )
  if (rack.objects !== undefined) await putObjects(hostUrl, rack.name, rack.objects, files.serverState)
  writeState(files.server, { process: mark, url: hostUrl })
  return { url, hostUrl }
}

/** Ends the server of the lab in this folder; fine when none runs. */
export async function stopServer(labDirectory: string): Promise<void> {
  const file = labFiles(labDirectory).server
  const running = readState(file) as ServerState | undefined
  if (running) await endProcess(running.process, 5)
  rmSync(file, { force: true })
}

/** The URL by which the host's loopback reaches the server of the lab in this folder; absent when none runs. */
export function serverUrl(labDirectory: string): string | undefined {
  const server = readState(labFiles(labDirectory).server) as ServerState | undefined
  return server !== undefined && isAlive(server.process) ? server.url : undefined
}

async function putObjects(hostUrl: string, site: string, file: string, serverState: string): Promise<void> {
  const token = readFileSync(join(serverState, 'admin.token'), 'utf8').trim()
  try {
    // Checked by the server, which names each fault.
    await new ServerClient(hostUrl, token).putSite(
      site,
      JSON.parse(readFileSync(file, 'utf8')) as SiteObjects,
    )
  } catch (cause) {
    if (!(cause instanceof Refusal || cause instanceof SyntaxError)) throw cause
    throw new LabError('NO_BOOT', `The server cannot take ${file}: ${cause.message}`, { cause })
  }
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-12).join('\n')
}
