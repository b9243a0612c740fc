// The figures of the server, for Prometheus. Labels come from small fixed sets: routes, statuses, layers, phases; never a machine.

import { setImmediate as turn } from 'node:timers/promises'
import type { BootEvent } from '#model/boot.ts'
import { Distribution, EXPOSITION_TYPE, Figures } from './exposition.ts'

/** What is measured at each request of `/metrics`. */
export type Measured = {
  /** How many there are of each kind, for example `{ groups: 12 }`. */
  readonly objects: Readonly<Record<string, number>>
  /** Machines by the phase of their last boot. */
  readonly machines: Readonly<Record<string, number>>
  /** Files of the data directory that cannot be used. */
  readonly problems: number
  /** Bytes of the store's files. */
  readonly storeBytes: number
  /** Whether the state directory takes writes, how many it did not take, and the bytes that are free there. */
  readonly writes: { readonly work: boolean; readonly failures: number; readonly freeBytes: number }
  /** Milliseconds since 1970 at which the certificate of a listener ends. */
  readonly certificates: Readonly<Record<string, number>>
  /** Milliseconds since 1970 at which a site's cluster can no longer renew certificates by itself. */
  readonly signing: Readonly<Record<string, number>>
}

/** A request that was answered, or broken off. */
type MeasuredRequest = {
  readonly route: string
  readonly method: string
  readonly status: number
  readonly seconds: number
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60]

/** All figures of one server. */
export class Metrics {
  readonly #all: { text(): string }[] = []
  readonly #requests = this.#counter('http_requests_total', 'HTTP requests', ['route', 'method', 'status'])
  readonly #durations = this.#histogram('http_request_duration_seconds', 'From headers to last byte', [
    'route',
  ])
  readonly #calls = this.#counter('rpc_calls_total', "Calls of Matchbox's gRPC API", ['method', 'code'])
  readonly #events = this.#counter(
    'boot_events_total',
    'Boot events: DHCP and TFTP packets, HTTP files, reports of the operating system',
    ['layer', 'kind'],
  )
  readonly #alarms = this.#counter('alarms_total', 'What no honest machine does, by its kind', ['kind'])
  readonly #commits = this.#histogram('store_commit_duration_seconds', 'From a boot event to the disk', [])
  readonly #refused = this.#counter('refused_total', 'What senders that asked too much were refused', [
    'reason',
  ])
  readonly #objects = this.#gauge('objects', 'Objects of the inventory', ['kind'])
  readonly #machines = this.#gauge('machines', 'Machines by the phase of their last boot', ['phase'])
  readonly #problems = this.#gauge('problems', 'Files of the data directory that cannot be used', [])
  readonly #storeBytes = this.#gauge('store_bytes', "Bytes of the store's files", [])
  readonly #writes = this.#gauge(
    'writes_work',
    '1 while the state directory takes writes, 0 while it does not',
    [],
  )
  readonly #writeFailures = this.#gauge(
    'write_failures',
    'Writes since the start that the disk did not take',
    [],
  )
  readonly #freeBytes = this.#gauge('state_free_bytes', 'Free bytes on the disk of the state directory', [])
  readonly #certificates = this.#gauge('certificate_expiry_seconds', 'Unix time at which it ends', [
    'listener',
  ])
  readonly #signing = this.#gauge(
    'site_signing_ends_seconds',
    "Unix time until which a site's controllers can renew the certificates of kubelets",
    ['site'],
  )
  readonly #measure: () => Promise<Measured>
  readonly #build: Figures<'version'>
  #ofProcess: Promise<() => Promise<string>> | undefined

  /** @param version of Pilotlight, for `pilotlight_build_info` */
  constructor(version: string, measure: () => Promise<Measured>) {
    this.#measure = measure
    const named = {
      name: 'pilotlight_build_info',
      help: 'Which Pilotlight runs',
      labels: ['version'] as const,
    }
    this.#build = new Figures('gauge', named)
    this.#build.set({ version }, 1)
  }

  /** The MIME type of `text`. */
  get contentType(): string {
    return EXPOSITION_TYPE
  }

  /** Counts a request. */
  request({ route, method, status, seconds }: MeasuredRequest): void {
    this.#requests.inc({ route, method, status })
    this.#durations.observe({ route }, seconds)
  }

  /** Counts a call of gRPC. */
  call(method: string, code: string): void {
    this.#calls.inc({ method, code })
  }

  /** Counts what a sender that asked too much was refused. */
  refused(reason: string, times: number): void {
    this.#refused.inc({ reason }, times)
  }

  /** Counts a boot event, and how long `kept` takes to be on disk. */
  bootEvent({ layer, kind }: Pick<BootEvent, 'layer' | 'kind'>, kept: Promise<unknown>): void {
    this.#events.inc({ layer, kind })
    const began = performance.now()
    const measure = () => this.#commits.observe({}, (performance.now() - began) / 1000)
    kept.then(measure, () => {}) // the caller of the write handles the failure
  }

  /** Counts an alarm. */
  alarm(kind: string): void {
    this.#alarms.inc({ kind })
  }

  /** Everything in Prometheus' text format. */
  async text(): Promise<string> {
    const { objects, machines, problems, storeBytes, writes, certificates, signing } = await this.#measure()
    this.#machines.reset() // a phase that no machine is in any more
    for (const [kind, count] of Object.entries(objects)) this.#objects.set({ kind }, count)
    for (const [phase, count] of Object.entries(machines)) this.#machines.set({ phase }, count)
    for (const [listener, at] of Object.entries(certificates)) this.#certificates.set({ listener }, at / 1000)
    this.#signing.reset() // a site that is gone
    for (const [site, at] of Object.entries(signing)) this.#signing.set({ site }, at / 1000)
    this.#problems.set({}, problems)
    this.#storeBytes.set({}, storeBytes)
    this.#writes.set({}, writes.work ? 1 : 0)
    this.#writeFailures.set({}, writes.failures)
    this.#freeBytes.set({}, writes.freeBytes)
    await turn() // requests that wait go first
    const ofProcess = await (await (this.#ofProcess ??= figuresOfProcess()))()
    const own = this.#all.map(figures => figures.text())
    return `${[...own, ofProcess, this.#build.text()].join('\n\n')}\n`
  }

  #counter<Label extends string>(name: string, help: string, labels: readonly Label[]): Figures<Label> {
    return this.#add(new Figures('counter', { name: `pilotlight_${name}`, help, labels }))
  }

  #gauge<Label extends string>(name: string, help: string, labels: readonly Label[]): Figures<Label> {
    return this.#add(new Figures('gauge', { name: `pilotlight_${name}`, help, labels }))
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
  ): Distribution<Label> {
    return this.#add(new Distribution(SECONDS, { name: `pilotlight_${name}`, help, labels }))
  }

  #add<Family extends { text(): string }>(family: Family): Family {
    this.#all.push(family)
    return family
  }
}

/**
 * What prom-client measures of any process of Node, as text: from the first request for metrics on, since it is large and has
 * the event loop look at the clock a hundred times a second.
 */
async function figuresOfProcess(): Promise<() => Promise<string>> {
  const { collectDefaultMetrics, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return async () => (await registry.metrics()).trimEnd()
}
