// A server for tests: on loopback, with free ports and temporary folders, closed with its test.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Test } from 'tap'
import { serverConfig, type GivenSettings } from '#server/config.ts'
import type { SiteObjects } from '#model/site.ts'
import type { Log, LogLevel } from '#server/log.ts'
import { serve } from '#server/main.ts'

/** A server that listens, and what it logged. */
export type TestServer = {
  readonly url: string
  readonly agentUrl: string
  /** Where administration has its own listener, if it has. */
  readonly adminUrl: string
  /** Of gRPC, if it is on. */
  readonly rpcPort: number
  readonly statePath: string
  /** The header of an administrator: the token that the first start wrote. */
  readonly admin: { readonly authorization: string }
  /** The lines of the log: level and text. */
  readonly logged: string[]
  /** The same with their fields. */
  readonly records: { readonly level: LogLevel; readonly text: string; readonly fields: object }[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** As `admin` where only they may (sites and bundles), unless `headers` have an `authorization`: `''` is anonymous. */
  put(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  delete(path: string, headers?: Record<string, string>): Promise<Response>
  /** What SIGHUP does. */
  reload(): void
  close(): Promise<void>
}

/** Starts a server; `settings` override what tests want. */
export async function testServer(t: Test, settings: Partial<GivenSettings> = {}): Promise<TestServer> {
  const statePath = settings.statePath ?? join(t.testdir(), 'state')
  const stop = new AbortController()
  const logged: string[] = []
  const records: TestServer['records'] = []
  const log: Log = (level, text, fields = {}) => {
    logged.push(`${level} ${text}`)
    records.push({ level, text, fields })
  }
  const server = await serve(
    serverConfig({
      address: '127.0.0.1',
      httpPort: 0,
      agentPort: 0,
      dhcp: false,
      tftp: false,
      ...settings,
      statePath,
    }),
    { signal: stop.signal, log },
  )
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${server.httpPort}`
  const admin = () => ({
    authorization: `Bearer ${readFileSync(join(statePath, 'admin.token'), 'utf8').trim()}`,
  })
  const send = (method: string, path: string, body: unknown, headers: Record<string, string>) =>
    fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  return {
    url,
    agentUrl: `https://127.0.0.1:${server.agentPort}`,
    adminUrl: `https://127.0.0.1:${server.adminPort ?? 0}`,
    rpcPort: server.rpcPort ?? 0,
    statePath,
    get admin() {
      return admin()
    },
    logged,
    records,
    get: (path, headers = {}) => fetch(url + path, { headers, redirect: 'manual' }),
    put: (path, body, headers = {}) =>
      send('PUT', path, body, { ...(/^\/v1\/sites\/|\/bundle$/.test(path) ? admin() : {}), ...headers }),
    post: (path, body, headers = {}) => send('POST', path, body, headers),
    delete: (path, headers = {}) => fetch(url + path, { method: 'DELETE', headers }),
    reload: () => server.reload(),
    close: () => server.close(),
  }
}

/**
 * Gives a machine of a server that is closed another address: by default that of this host, by which tests ask. No site may have it: its networks are
 * looked at when it is put.
 */
export function moveToThisHost(statePath: string, machine: string, address = '127.0.0.1'): void {
  const store = new Database(join(statePath, 'pilotlight.db'))
  try {
    store.prepare("UPDATE claims SET value = ? WHERE what = 'address' AND machine = ?").run(address, machine)
    store
      .prepare(
        "UPDATE revisions SET content = json_set(content, '$.address', ?) WHERE kind = 'machine' AND id = ?",
      )
      .run(address, machine)
  } finally {
    store.close()
  }
}

/** One controller and one compute machine. */
export const site: SiteObjects = {
  network: {
    subnet: '10.20.0.0/24',
    gateway: '10.20.0.1',
    dhcp: 'full',
    pool: { first: '10.20.0.100', last: '10.20.0.199' },
    dns: [],
  },
  machines: [
    { name: 'ctl-1', macs: ['52:54:00:20:00:01'], role: 'controller', address: '10.20.0.11', labels: {} },
    {
      name: 'cmp-1',
      macs: ['52:54:00:20:00:02'],
      uuid: '4c4c4544-0000-2010-8020-b4c04f303232',
      role: 'compute',
      address: '10.20.0.12',
      labels: { rack: 'a' },
    },
  ],
  profiles: [],
  groups: [
    {
      id: 'rack-1-ctl-1',
      profile: 'controller',
      selector: { mac: '52:54:00:20:00:01' },
      metadata: {
        site: 'rack-1',
        name: 'ctl-1',
        role: 'controller',
        address: '10.20.0.11',
        apiAddress: '10.20.0.11',
        kubernetes: '1.36.3',
      },
    },
    { id: 'rack-1-cmp-1', profile: 'live', selector: { mac: '52:54:00:20:00:02' }, metadata: {} },
  ],
}
