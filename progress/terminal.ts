// Draws a tree of stages: repainted in place on a terminal, one plain line a change everywhere else.

import { RELAY_VARIABLE, relayTree } from './relay.ts'
import type { Stage } from './stage.ts'
import { runningLeaves, secondsOf, StageTree, summaryRows } from './tree.ts'
import type { StageNode } from './tree.ts'

/** Where progress is written: `process.stderr`, or something like it in a test. */
export type Screen = {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/** Progress that is being drawn. */
export type Drawing = {
  readonly root: Stage
  readonly tree: StageTree
  /** Prints a line above what is being repainted. */
  line(text: string): void
  /** Stops drawing and leaves the last state on the screen. */
  close(): void
}

const REPAINT_MS = 100
const HEARTBEAT_MS = 15_000
const GLYPHS = { running: '◐', done: '✓', skipped: '–', failed: '✗' } as const

/**
 * Starts drawing on `screen`: a tree on a terminal that can be repainted, plain lines elsewhere, and lines of
 * JSON for a parent process that set `PILOTLIGHT_PROGRESS=json`.
 */
export function drawProgress(
  screen: Screen = process.stderr,
  environment: NodeJS.ProcessEnv = process.env,
): Drawing {
  if (environment[RELAY_VARIABLE] === 'json') return relayLines(screen)
  const repaint = screen.isTTY === true && environment.TERM !== 'dumb' && environment.CI === undefined
  return repaint ? paintTree(screen, environment.NO_COLOR === undefined) : printLines(screen)
}

function relayLines(screen: Screen): Drawing {
  const line = (text: string) => void screen.write(`${text}\n`)
  const tree = relayTree(line)
  return { root: tree.root, tree, line, close: () => {} }
}

function printLines(screen: Screen): Drawing {
  let lastWrite = performance.now()
  const say = (text: string) => {
    lastWrite = performance.now()
    screen.write(`${text}\n`)
  }
  const tree = new StageTree((change, node) => {
    const at = `${(tree.elapsed() / 1000).toFixed(1)}s`.padStart(8)
    if (change === 'started') say(`${at}  ${pathOf(node)}`)
    else if (change === 'waiting') say(`${at}  ${pathOf(node)}: ${node.waiting}`)
    else say([`${at}  ${pathOf(node)}: ${endOf(node)}`, ...detailOf(node)].join('\n'))
  })
  const heartbeat = setInterval(() => {
    if (performance.now() - lastWrite < HEARTBEAT_MS) return
    const waits = runningLeaves(tree.node).map(
      node => `${pathOf(node)} ${secondsText(node)}${limitText(node)}`,
    )
    if (waits.length > 0)
      say(`${(tree.elapsed() / 1000).toFixed(1)}s`.padStart(8) + `  still waiting: ${waits.join('; ')}`)
  }, 1000)
  heartbeat.unref()
  return { root: tree.root, tree, line: say, close: () => clearInterval(heartbeat) }
}

function paintTree(screen: Screen, colour: boolean): Drawing {
  let painted = 0
  let dirty = true
  const shown = new Set<StageNode>()
  const tree = new StageTree(() => {
    dirty = true
  })
  const erase = () => (painted === 0 ? '' : `\u001B[${painted}A\u001B[0J`)
  const paint = (final: boolean) => {
    const settled = tree.node.children.filter(node => !shown.has(node) && (final || node.state !== 'running'))
    const before = settled.flatMap(node => linesOf(node, false))
    for (const node of settled) shown.add(node)
    const live = tree.node.children.filter(node => !shown.has(node)).flatMap(node => linesOf(node, true))
    const room = Math.max(4, (screen.rows ?? 24) - 2)
    const kept = live.length > room ? live.slice(-room) : live
    const fit = (line: string) => cut(line, (screen.columns ?? 80) - 1)
    screen.write(erase() + [...before, ...kept].map(line => `${dye(fit(line), colour)}\n`).join(''))
    painted = kept.length
  }
  const timer = setInterval(() => {
    if (dirty || painted > 0) paint(false)
    dirty = false
  }, REPAINT_MS)
  timer.unref()
  return {
    root: tree.root,
    tree,
    line: text => {
      screen.write(`${erase()}${text}\n`)
      painted = 0
      paint(false)
    },
    close: () => {
      clearInterval(timer)
      paint(true)
    },
  }
}

/** The lines of one stage and of what is worth seeing below it: all while it runs, failures once it ended. */
function linesOf(node: StageNode, live: boolean): string[] {
  const head = `${'  '.repeat(node.depth)}${GLYPHS[node.state]} ${node.title.padEnd(Math.max(1, 28 - 2 * node.depth))} ${secondsText(node).padStart(7)}`
  const tail = node.state === 'running' ? node.waiting + limitText(node) : node.note
  const below = node.children.filter(
    child => (live && node.state === 'running') || child.state === 'failed' || node.depth < 1,
  )
  return [
    tail === '' ? head : `${head}  ${tail}`,
    ...detailOf(node),
    ...below.flatMap(child => linesOf(child, live)),
  ]
}

/** A table of the stages with their times, for the end of a run. */
export function summaryTable(tree: StageTree, depth = 1): string {
  const rows = summaryRows(tree.node, tree.node.startedAt + tree.elapsed(), depth)
  const width = Math.max(...rows.map(({ title }) => title.length), 5)
  const line = (title: string, seconds: string, note: string) =>
    `${title.padEnd(width)}  ${seconds.padStart(8)}  ${note}`.trimEnd()
  return [
    line('stage', 'seconds', ''),
    ...rows.map(({ title, seconds, state, note }) =>
      line(title, seconds.toFixed(1), state === 'done' ? note : note === '' ? state : `${state}: ${note}`),
    ),
  ].join('\n')
}

/** All of the error of the stage that failed first: those above it fail with the same one. It is shown while others still run. */
function detailOf({ state, detail, children, depth }: StageNode): string[] {
  if (state !== 'failed' || children.some(child => child.state === 'failed')) return []
  return detail.map(line => `${'  '.repeat(depth + 2)}${line}`)
}

function pathOf(node: StageNode): string {
  const above = node.parent
  return above === undefined || above.depth < 0 ? node.title : `${pathOf(above)} > ${node.title}`
}

function endOf(node: StageNode): string {
  const note = node.note === '' ? '' : `, ${node.note}`
  return `${node.state} ${secondsText(node)}${note}`
}

function secondsText(node: StageNode): string {
  return `${secondsOf(node, performance.now()).toFixed(1)}s`
}

function limitText(node: StageNode): string {
  return node.limitSeconds === undefined ? '' : ` (limit ${node.limitSeconds} s)`
}

function cut(line: string, columns: number): string {
  return line.length > columns ? `${line.slice(0, columns - 1)}…` : line
}

function dye(line: string, colour: boolean): string {
  if (!colour) return line
  return line
    .replace(/^(\s*)✓/, '$1\u001B[32m✓\u001B[0m')
    .replace(/^(\s*)✗(.*)$/, '$1\u001B[31m✗$2\u001B[0m')
    .replace(/^(\s*)◐/, '$1\u001B[33m◐\u001B[0m')
}
