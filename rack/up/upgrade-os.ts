// Brings machines, one after another, to the version of the server's assets: the server keeps how far each is, the machines write
// by themselves, and this drains a node, has it restart and waits for it. It keeps no state of its own, so it may be stopped and run again.

import { Failure } from '#model/error.ts'
import type { OrderView, UpgradeState } from '#model/install.ts'
import { inStage, type Stage } from '#progress/stage.ts'
import { sleep, waitUntil } from '#progress/wait.ts'
import type { ServerClient } from '#client/server.ts'
import { cordon, evictAll, uncordon, type DrainClient } from '../kubernetes/drain.ts'
import { judgeNode } from '../kubernetes/judge.ts'
import { kinds, type Node } from '../kubernetes/objects.ts'

/** A machine to upgrade. */
export type UpgradedMachine = { readonly name: string; readonly role?: string | undefined }

/** What an upgrade works with. */
export type UpgradeNeeds = {
  readonly server: Pick<ServerClient, 'order' | 'orders' | 'restart'>
  /** The cluster of the machines; undefined restarts them with what runs there. */
  readonly cluster: DrainClient | undefined
}

/** How an upgrade is done; all limits in seconds. */
export type UpgradeOptions = {
  /** A single controller may restart. */
  readonly breakQuorum: boolean
  /** How long nothing may change while a machine writes, before those that are to write are left out. */
  readonly writeLimitSeconds: number
  /** The same while no machine writes, so all that are left do not ask: they are off. 1800 by default. */
  readonly askLimitSeconds?: number
  /** For the pods of a node to leave. */
  readonly drainLimitSeconds: number
  /** From the order to restart to `ready`. */
  readonly restartLimitSeconds: number
  /** How long after each of its starts the new image is marked good; the server's default where it is left out. */
  readonly healthySeconds?: number | undefined
  /** Milliseconds between two looks, 5000 by default. */
  readonly everyMs?: number
  readonly signal?: AbortSignal
  /** Keeps what a person must know when all is left as it is. */
  readonly wouldLeave?: (text: string | undefined) => void
}

/** What became of a machine: `done`, or why it is not. */
export type UpgradeOutcome = {
  readonly machine: string
  readonly target?: string
  readonly state: UpgradeState
  readonly why?: string
}

/**
 * Upgrades machines: all write at the same time, as far as the server lets them, and then restart one by one, controllers last.
 * Gives the outcome of each, in the order of `machines`; those that did not ask the server in time stay ordered.
 *
 * @throws {Failure} BREAKS_QUORUM before anything is ordered; UPGRADE_FAILED when one failed: no further machine restarts;
 *   WAITED_TOO_LONG; what the server refuses
 */
export async function upgradeOs(
  machines: readonly UpgradedMachine[],
  needs: UpgradeNeeds,
  options: UpgradeOptions,
  stage: Stage,
): Promise<readonly UpgradeOutcome[]> {
  const names = machines.map(({ name }) => name)
  const controllers = await controllersOf(needs)
  const [only] = controllers
  if (controllers.length === 1 && only !== undefined && names.includes(only) && !options.breakQuorum)
    throw onlyController(only)
  const { healthySeconds } = options
  await needs.server.order({
    verb: 'upgrade',
    machines: names,
    count: names.length,
    breakQuorum: false,
    ...(healthySeconds !== undefined && { healthySeconds }),
  })
  const outcomes = new Map<string, UpgradeOutcome>()
  // The controllers come last, also when they have written first: what is wrong with an image shows before it reaches them.
  const [last, first] = [machines.filter(isController), machines.filter(one => !isController(one))]
  for (const pending of [first, last]) {
    while (pending.length > 0) {
      const next = await inStage(stage, 'images', written => waitForNext(pending, needs, options, written))
      if (next === undefined) break
      pending.splice(pending.indexOf(next.machine), 1)
      const { name } = next.machine
      const left = pending === first ? [...first, ...last] : last
      if (next.order.state === 'failed') throw failed(next.order, left)
      const order = await inStage(stage, name, own =>
        restartOne(next.machine, next.order, needs, options, own),
      )
      if (order.state === 'failed') throw failed(order, left)
      outcomes.set(name, outcomeOf(name, order))
    }
  }
  const orders = outcomes.size === names.length ? undefined : await ordersOf(needs)
  return names.map(name => outcomes.get(name) ?? outcomeOf(name, orders?.get(name)))
}

type Next = { readonly machine: UpgradedMachine; readonly order: OrderView }

/** Waits until a machine can go on; undefined when for the whole limit none of them got any further. */
async function waitForNext(
  pending: readonly UpgradedMachine[],
  needs: UpgradeNeeds,
  { writeLimitSeconds, askLimitSeconds = 1800, everyMs = 5000, signal }: UpgradeOptions,
  stage: Stage,
): Promise<Next | undefined> {
  let seen = ''
  let since = performance.now()
  for (;;) {
    signal?.throwIfAborted()
    // A server that is started again meanwhile is waited for like a machine.
    const orders = await ordersOf(needs).catch((error: unknown) => {
      if (error instanceof Failure && error.code === 'SERVER_UNREACHABLE') return undefined
      throw error
    })
    for (const machine of orders === undefined ? [] : pending) {
      const order = orders?.get(machine.name)
      if (order === undefined) throw takenBack(machine.name)
      if (order.state !== 'ordered' && order.state !== 'writing') return { machine, order }
    }
    const states =
      orders === undefined
        ? 'the server does not answer'
        : pending.map(({ name }) => `${name} ${orders.get(name)?.state ?? ''}`).join(', ')
    if (states !== seen) {
      seen = states
      since = performance.now()
    }
    const isWriting = pending.some(({ name }) => orders?.get(name)?.state === 'writing')
    const limitSeconds = isWriting ? writeLimitSeconds : Math.min(writeLimitSeconds, askLimitSeconds)
    if (performance.now() - since >= limitSeconds * 1000) return undefined
    stage.waiting(`no image is written yet: ${states.slice(0, 200)}`, limitSeconds)
    await sleep(everyMs, signal)
  }
}

/** Drains a machine, has it restart, and lets pods in again once it is ready with the target. */
async function restartOne(
  machine: UpgradedMachine,
  known: OrderView,
  needs: UpgradeNeeds,
  options: UpgradeOptions,
  stage: Stage,
): Promise<OrderView> {
  const { name } = machine
  const { cluster } = needs
  const { wouldLeave } = options
  if (known.state === 'written') {
    if (cluster !== undefined) {
      if (!options.breakQuorum) await requireOthers(machine, needs, options, stage)
      wouldLeave?.(`${name} may be cordoned: run the same again, or  kubectl uncordon ${name}`)
      await drain(cluster, known, options, stage)
    }
    await needs.server.restart(name, options.breakQuorum).catch(async (error: unknown) => {
      if (cluster !== undefined) await uncordon(cluster, name).catch(() => false)
      throw error
    })
  }
  const order = await waitRestarted(known, needs, options, stage)
  if (order.state !== 'failed' && cluster !== undefined) await waitJoined(cluster, name, options, stage)
  wouldLeave?.(undefined)
  return order
}

/** Cordons the node of an order and evicts its pods. Where that fails, pods are let in again: nothing of the machine was changed. */
async function drain(
  cluster: DrainClient,
  { machine: name, target }: OrderView,
  { drainLimitSeconds, everyMs = 5000, signal }: UpgradeOptions,
  stage: Stage,
): Promise<void> {
  await cordon(cluster, name, `upgrade to ${target ?? 'another image'}`)
  await inStage(stage, 'drain', async draining => {
    const limits = { limitSeconds: drainLimitSeconds, everyMs, stage: draining, signal }
    await evictAll(cluster, name, limits).catch(async (error: unknown) => {
      if (!(signal?.aborted ?? false)) await uncordon(cluster, name).catch(() => false)
      throw error
    })
  })
}

/** Waits until an order is done or has failed; one that was taken back has failed, too. */
async function waitRestarted(
  known: OrderView,
  needs: UpgradeNeeds,
  { restartLimitSeconds, everyMs = 5000, signal }: UpgradeOptions,
  stage: Stage,
): Promise<OrderView> {
  const { machine: name, target } = known
  return inStage(stage, 'restart', restarting =>
    waitUntil(
      `${name} is ready with ${target ?? 'the new image'}`,
      { limitSeconds: restartLimitSeconds, everyMs, stage: restarting, ...(signal && { signal }) },
      async () => {
        const one = (await ordersOf(needs)).get(name)
        if (one === undefined)
          return { value: { ...known, state: 'failed' as const, why: 'its order was taken back' } }
        return one.state === 'done' || one.state === 'failed'
          ? { value: one }
          : { not: `it is ${one.state ?? ''}` }
      },
    ),
  )
}

/** Waits until a node is Ready, and lets pods in again. */
async function waitJoined(
  cluster: DrainClient,
  name: string,
  { everyMs = 5000, signal }: UpgradeOptions,
  stage: Stage,
): Promise<void> {
  await inStage(stage, 'node', joining =>
    waitUntil(
      `the node ${name}`,
      { limitSeconds: 600, everyMs, stage: joining, ...(signal && { signal }) },
      async () => {
        const node = judgeNode(name, await cluster.read<Node>({ ...kinds.node, name }))
        if (node.state !== 'ready') return { not: node.reason }
        await uncordon(cluster, name)
        return { value: true }
      },
    ),
  )
}

/** A controller restarts only while the cluster sees all others: the server knows what they reported, not whether they still run. */
async function requireOthers(
  machine: UpgradedMachine,
  needs: UpgradeNeeds,
  { everyMs = 5000, signal }: UpgradeOptions,
  stage: Stage,
): Promise<void> {
  const { cluster } = needs
  if (!isController(machine) || cluster === undefined) return
  const others = (await controllersOf(needs)).filter(name => name !== machine.name)
  await waitUntil(
    'the other controllers',
    { limitSeconds: 600, everyMs, stage, ...(signal && { signal }) },
    async () => {
      for (const name of others) {
        const node = judgeNode(name, await cluster.read<Node>({ ...kinds.node, name }))
        if (node.state !== 'ready') return { not: node.reason }
      }
      return { value: true }
    },
  )
}

/** The controllers of the cluster; none are known without one, and the server's own rule holds. */
async function controllersOf({ cluster }: UpgradeNeeds): Promise<string[]> {
  const nodes = await cluster?.list<Node>({ ...kinds.node, labels: 'node-role.kubernetes.io/control-plane' })
  return nodes?.items.map(({ metadata }) => metadata.name) ?? []
}

async function ordersOf({ server }: UpgradeNeeds): Promise<Map<string, OrderView>> {
  const orders = await server.orders()
  return new Map(orders.flatMap(order => (order.verb === 'upgrade' ? [[order.machine, order] as const] : [])))
}

function outcomeOf(machine: string, order: OrderView | undefined): UpgradeOutcome {
  const { target, state = 'ordered', why } = order ?? {}
  return { machine, state, ...(target !== undefined && { target }), ...(why !== undefined && { why }) }
}

function isController({ role }: UpgradedMachine): boolean {
  return role === 'controller'
}

function failed({ machine, target, why }: OrderView, left: readonly UpgradedMachine[]): Failure {
  const others = left.length === 0 ? '' : `; ${left.map(({ name }) => name).join(', ')} did not restart`
  const what = `${machine} was not upgraded to ${target ?? 'the new image'}: ${why ?? 'it does not say why'}${others}`
  const remedy =
    `look at its starts:  pilotlight console ${machine} --boots   and begin it anew:  pilotlight upgrade os ${machine}` +
    `\nits node stays cordoned if it was drained; to use it as it is:  kubectl uncordon ${machine}`
  return new Failure('UPGRADE_FAILED', what, remedy)
}

function onlyController(name: string): Failure {
  return new Failure(
    'BREAKS_QUORUM',
    `${name} is the only controller: the API of its cluster is away while it restarts, and nothing is rescheduled. Nothing was ordered`,
    'if that may be: the same again with --break-quorum; or name the other machines alone',
  )
}

function takenBack(machine: string): Failure {
  return new Failure(
    'UPGRADE_FAILED',
    `the upgrade of ${machine} was taken back, or another order took its place`,
    `pilotlight journal ${machine}   shows who did`,
  )
}
