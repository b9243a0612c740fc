// The tree of stages as data: who runs, who ended how, and when. Drawing it is another file's work.

import type { Stage } from './stage.ts'
import { messageOf } from './wait.ts'

/** The state of a stage. */
export type StageState = 'running' | 'done' | 'skipped' | 'failed'

/** One stage as the tree keeps it. Times are milliseconds of the tree's clock. */
export type StageNode = {
  readonly title: string
  readonly depth: number
  readonly parent: StageNode | undefined
  readonly children: StageNode[]
  readonly startedAt: number
  state: StageState
  endedAt: number | undefined
  /** What it waits for, while it runs. */
  waiting: string
  limitSeconds: number | undefined
  /** What it said at its end. */
  note: string
  /** Of a stage that failed: the lines of its error after the first. */
  detail: readonly string[]
}

/** Called on each change, so that it may be drawn. */
export type StageWatcher = (change: 'started' | 'waiting' | 'ended', node: StageNode) => void

/** A tree of stages whose root is not shown; `root` is passed to the code that does the work. */
export class StageTree {
  readonly root: Stage
  readonly node: StageNode
  readonly #watch: StageWatcher
  readonly #clock: () => number
  /** What stages failed with. */
  readonly #failures = new Set<unknown>()

  /** `clock` gives milliseconds; it is a parameter so that tests own the time. */
  constructor(watch: StageWatcher, clock: () => number = () => performance.now()) {
    this.#watch = watch
    this.#clock = clock
    this.node = this.#makeNode('', undefined)
    this.root = this.#stageOf(this.node)
  }

  /** Milliseconds since the tree was made. */
  elapsed(): number {
    return this.#clock() - this.node.startedAt
  }

  #makeNode(title: string, parent: StageNode | undefined): StageNode {
    const node: StageNode = {
      title,
      parent,
      depth: parent === undefined ? -1 : parent.depth + 1,
      children: [],
      startedAt: this.#clock(),
      state: 'running',
      endedAt: undefined,
      waiting: '',
      limitSeconds: undefined,
      note: '',
      detail: [],
    }
    parent?.children.push(node)
    return node
  }

  #stageOf(node: StageNode): Stage {
    const end = (state: StageState, note: string, detail: readonly string[] = []) => {
      if (node.state !== 'running') return // a stage ends once; inStage may say `done` after `skipped`
      Object.assign(node, { state, note, detail, endedAt: this.#clock(), waiting: '' })
      this.#watch('ended', node)
    }
    return {
      child: title => {
        const child = this.#makeNode(title, node)
        this.#watch('started', child)
        return this.#stageOf(child)
      },
      waiting: (reason, limitSeconds) => {
        if (node.state !== 'running' || node.waiting === reason) return
        Object.assign(node, { waiting: reason, limitSeconds })
        this.#watch('waiting', node)
      },
      done: (note = '') => end('done', note),
      skipped: note => end('skipped', note),
      failed: error => {
        // One failure ends stages beside it, by its signal: they have not failed for its reason.
        const isOfAnother =
          this.#failures.has(error) && !node.children.some(({ state }) => state === 'failed')
        if (isOfAnother) return end('skipped', 'stopped, since another stage failed')
        if (typeof error === 'object') this.#failures.add(error)
        const [note = '', ...detail] = messageOf(error).split('\n')
        end('failed', note, detail)
      },
    }
  }
}

/** Seconds that a stage took, or has taken by `now`. */
export function secondsOf(node: StageNode, now: number): number {
  return ((node.endedAt ?? now) - node.startedAt) / 1000
}

/** The deepest stages that run now, oldest first: what a person would want to know about. */
export function runningLeaves(node: StageNode): StageNode[] {
  const below = node.children.filter(({ state }) => state === 'running').flatMap(runningLeaves)
  return below.length > 0 || node.depth < 0 ? below : [node]
}

/** One row of the summary at the end. */
export type SummaryRow = {
  readonly title: string
  readonly seconds: number
  readonly state: StageState
  readonly note: string
}

/** A row for each stage down to `depth`; below the first level, skipped stages are left out. */
export function summaryRows(node: StageNode, now: number, depth = 1): SummaryRow[] {
  const listed = node.children.filter(child => child.depth === 0 || child.state !== 'skipped')
  return listed.flatMap(child => [
    {
      title: `${'  '.repeat(child.depth)}${child.title}`,
      seconds: secondsOf(child, now),
      state: child.state,
      note: child.note,
    },
    ...(child.depth < depth ? summaryRows(child, now, depth) : []),
  ])
}
