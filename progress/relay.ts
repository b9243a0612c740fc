// Progress across processes: a child writes its stages as lines of JSON, its parent inserts them into its own
// tree. So one tree shows a run that several processes make.

import type { Stage } from './stage.ts'
import { StageTree } from './tree.ts'
import type { StageNode } from './tree.ts'

/** The environment variable which makes `drawProgress` write lines for a parent. */
export const RELAY_VARIABLE = 'PILOTLIGHT_PROGRESS'

type Line = {
  readonly stage: number
  readonly parent: number
  readonly change: 'started' | 'waiting' | 'done' | 'skipped' | 'failed'
  readonly text: string
  readonly limitSeconds?: number
}

/** A tree that writes each change as one line of JSON. */
export function relayTree(write: (line: string) => void): StageTree {
  const numbers = new Map<StageNode | undefined, number>()
  const tree: StageTree = new StageTree((change, node) => {
    if (change === 'started') numbers.set(node, numbers.size + 1)
    const line: Line = {
      stage: numbers.get(node) ?? 0,
      parent: numbers.get(node.parent) ?? 0,
      change: change === 'ended' ? (node.state as 'done' | 'skipped' | 'failed') : change,
      text: change === 'started' ? node.title : change === 'waiting' ? node.waiting : node.note,
      ...(node.limitSeconds === undefined ? {} : { limitSeconds: node.limitSeconds }),
    }
    write(JSON.stringify(line))
  })
  return tree
}

/**
 * Gives a function that takes a child's lines and repeats them below `parent`. It says false to a line that
 * is not progress, so that the caller can show it unchanged.
 */
export function graftLines(parent: Stage): (line: string) => boolean {
  const stages = new Map<number, Stage>([[0, parent]])
  return text => {
    const line = readLine(text)
    if (line === undefined) return false
    if (line.change === 'started')
      stages.set(line.stage, (stages.get(line.parent) ?? parent).child(line.text))
    else if (line.change === 'waiting') stages.get(line.stage)?.waiting(line.text, line.limitSeconds)
    else stages.get(line.stage)?.[line.change](line.text)
    return true
  }
}

function readLine(text: string): Line | undefined {
  if (!text.startsWith('{"stage":')) return undefined
  try {
    return JSON.parse(text) as Line
  } catch {
    return undefined // a line cut short by the child's death
  }
}
