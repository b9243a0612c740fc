// Debian's Chromium without a screen, driven by the Chrome DevTools protocol: what the tests of the page look through.

import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep, waitUntil } from '#progress/wait.ts'

const CHROMIUM = '/usr/bin/chromium'

/** Seconds for one answer of the browser; its start on a busy host takes most. */
const ANSWER_SECONDS = 30

/** Why no browser can be had here; undefined when one can. */
export function whyNoBrowser(): string | undefined {
  try {
    accessSync(CHROMIUM, constants.X_OK)
    return undefined
  } catch {
    return 'needs the package chromium'
  }
}

/** A node of the accessibility tree, as assistive technology gets it. */
export type AccessibleNode = {
  readonly role: string
  readonly name: string
}

/** A page in its own tab. */
export type Page = {
  /** Complaints: uncaught errors, and what the console and the content policy said. */
  readonly complaints: readonly string[]
  open(url: string): Promise<void>
  /** Gives the value of a JavaScript expression in the page; it must survive JSON. */
  evaluate<T>(expression: string): Promise<T>
  /** Types text into what has the focus, as a keyboard would. */
  type(text: string): Promise<void>
  /** Presses and releases one key. */
  press(key: 'Tab' | 'Enter'): Promise<void>
  emulate(scheme: 'light' | 'dark'): Promise<void>
  accessible(): Promise<AccessibleNode[]>
  /** A PNG of the window. */
  picture(width: number, height: number): Promise<Buffer>
}

/** A running browser. */
export type Browser = {
  /** Of the process and of its group. */
  readonly pid: number
  /** Its temporary folder. */
  readonly home: string
  page(): Promise<Page>
  close(): Promise<void>
}

/**
 * Starts the browser with its own profile and home; it resolves no names, so it reaches nothing but addresses.
 *
 * @throws an Error with the end of its log, when it does not come up
 */
export async function openBrowser(): Promise<Browser> {
  const home = mkdtempSync(join(tmpdir(), 'pilotlight-browser-'))
  const args = [
    '--headless=new',
    '--no-sandbox', // root, which the sandbox refuses; it sees only our own page
    '--disable-gpu',
    '--disable-quic',
    '--disable-sync',
    '--disable-breakpad',
    '--disable-component-update',
    '--disable-background-networking',
    '--no-first-run',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    '--remote-debugging-port=0',
    `--user-data-dir=${join(home, 'profile')}`,
    'about:blank',
  ]
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home }
  // Its own process group, so that its helpers can be ended with it.
  const child = spawn(CHROMIUM, args, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  const pid = child.pid ?? 0 // without one, the endpoint below says why
  const kill = () => void killGroup(pid)
  process.once('exit', kill) // of a test that runs out of time
  const end = async () => {
    await ended(child)
    await waitUntil('the end of Chromium', { limitSeconds: 10, everyMs: 50 }, () =>
      Promise.resolve(killGroup(pid) ? { not: 'some of its processes run' } : { value: true }),
    )
    process.off('exit', kill)
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
  try {
    const connection = await connect(await endpointOf(child))
    return {
      pid,
      home,
      page: () => openPage(connection),
      close: async () => {
        await connection.send('Browser.close').catch(() => {}) // it may be gone before it answers
        connection.close()
        await end()
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** Waits for the line in which the browser prints its address. */
function endpointOf(child: ChildProcess): Promise<string> {
  let said = ''
  return withDeadline('the start of Chromium', (resolve, reject) => {
    child.once('error', reject)
    child.once('exit', status => reject(new Error(`Chromium ended with ${status}: ${said.slice(-1000)}`)))
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000)
      const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? []
      if (url !== undefined) resolve(url)
    })
  })
}

/** Waits a while for the browser's own end. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise(resolve => child.once('exit', resolve))
  const stop = new AbortController()
  await Promise.race([exit, sleep(5000, stop.signal).catch(() => {})])
  stop.abort()
}

/** Ends what is left of a process group; says whether anything was. */
function killGroup(pid: number): boolean {
  try {
    return pid > 0 && process.kill(-pid, 'SIGKILL')
  } catch {
    return false
  }
}

type Params = Record<string, unknown>
type Message = {
  id?: number
  method?: string
  sessionId?: string
  params?: Params
  result?: Params
  error?: { message: string }
}

type Connection = {
  send(method: string, params?: Params, sessionId?: string): Promise<Params>
  listen(sessionId: string, heard: (method: string, params: Params) => void): void
  close(): void
}

async function connect(url: string): Promise<Connection> {
  const socket = new WebSocket(url)
  const waiting = new Map<number, (message: Message) => void>()
  const listeners = new Map<string, (method: string, params: Params) => void>()
  let lastId = 0
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    if (message.id !== undefined) waiting.get(message.id)?.(message)
    else listeners.get(message.sessionId ?? '')?.(message.method ?? '', message.params ?? {})
  })
  socket.addEventListener('close', () => {
    for (const answer of waiting.values()) answer({ error: { message: 'Chromium is gone' } })
  })
  await withDeadline<void>('the connection to Chromium', (resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error(`cannot connect to ${url}`)))
  })
  return {
    send: (method, params = {}, sessionId) => {
      const id = (lastId += 1)
      const answer = withDeadline<Params>(method, (resolve, reject) => {
        waiting.set(id, ({ result, error }) => {
          if (error === undefined) resolve(result ?? {})
          else reject(new Error(`${method}: ${error.message}`))
        })
        socket.send(JSON.stringify({ id, method, params, sessionId }))
      })
      return answer.finally(() => waiting.delete(id))
    },
    listen: (sessionId, heard) => void listeners.set(sessionId, heard),
    close: () => socket.close(),
  }
}

async function openPage(connection: Connection): Promise<Page> {
  const { targetId } = await connection.send('Target.createTarget', { url: 'about:blank' })
  const attached = await connection.send('Target.attachToTarget', { targetId, flatten: true })
  const sessionId = String(attached['sessionId'])
  const send = (method: string, params?: Params) => connection.send(method, params, sessionId)
  const complaints: string[] = []
  let loaded: (() => void) | undefined
  connection.listen(sessionId, (method, params) => {
    if (method === 'Page.loadEventFired') loaded?.()
    if (method === 'Runtime.exceptionThrown') complaints.push(JSON.stringify(params['exceptionDetails']))
    if (method === 'Log.entryAdded') complaints.push((params['entry'] as { text: string }).text)
    if (method === 'Runtime.consoleAPICalled') complaints.push(JSON.stringify(params['args']))
  })
  for (const domain of ['Page', 'Runtime', 'Log', 'Accessibility']) await send(`${domain}.enable`)

  return {
    complaints,
    open: async url => {
      const load = withDeadline<void>(`loading ${url}`, resolve => (loaded = resolve))
      const { errorText } = await send('Page.navigate', { url })
      if (typeof errorText === 'string') throw new Error(`${url}: ${errorText}`)
      await load
    },
    evaluate: async <T>(expression: string) => {
      const options = { expression, returnByValue: true, awaitPromise: true }
      const { result, exceptionDetails } = await send('Runtime.evaluate', options)
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
      return (result as { value: T }).value
    },
    type: async text => void (await send('Input.insertText', { text })),
    press: async key => {
      const code = { Tab: 9, Enter: 13 }[key]
      const down = { key, code: key, windowsVirtualKeyCode: code, ...(key === 'Enter' && { text: '\r' }) }
      await send('Input.dispatchKeyEvent', { type: 'keyDown', ...down })
      await send('Input.dispatchKeyEvent', { type: 'keyUp', key, code: key, windowsVirtualKeyCode: code })
    },
    emulate: async scheme => {
      const features = [{ name: 'prefers-color-scheme', value: scheme }]
      await send('Emulation.setEmulatedMedia', { features })
    },
    accessible: async () => {
      const { nodes } = (await send('Accessibility.getFullAXTree')) as { nodes: AxNode[] }
      return nodes.filter(({ ignored }) => !ignored).map(accessibleNode)
    },
    picture: async (width, height) => {
      await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
      const { data } = await send('Page.captureScreenshot', { format: 'png' })
      return Buffer.from(String(data), 'base64')
    },
  }
}

type AxNode = {
  ignored: boolean
  role?: { value?: string }
  name?: { value?: string }
}

function accessibleNode({ role, name }: AxNode): AccessibleNode {
  return {
    role: role?.value ?? '',
    name: name?.value ?? '',
  }
}

function withDeadline<T>(
  what: string,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`${what}: no answer within ${ANSWER_SECONDS} s`))
    const timer = setTimeout(late, ANSWER_SECONDS * 1000)
    const done = (settle: () => void) => {
      clearTimeout(timer)
      settle()
    }
    start(
      value => done(() => resolve(value)),
      error => done(() => reject(error)),
    )
  })
}
