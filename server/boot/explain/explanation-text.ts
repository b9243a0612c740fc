// An explanation as a person reads it in a terminal.

import { problemText } from '../../inventory/data-directory.ts'
import { lintText } from '../lint/findings.ts'
import { selectorText } from '../match/selector-text.ts'
import type { Candidate, Explanation, NamedMachine } from './explain.ts'
import type { Page } from './pages.ts'

/** Lines that each begin with a word for their subject. The script is shown in full, other pages by their size. */
export function explanationText(it: Explanation): string {
  const shown = Object.entries(it.labels).map(([key, value]) => `${key}=${value}`)
  const lines = [
    line('machine', it.machine ? machineText(it.machine) : 'not declared'),
    line('shows', shown.join(' ') || 'no labels'),
    ...it.dropped.map(text => line('dropped', text)),
    ...winnerLines(it),
    ...it.losers.map(loser => line('lost', `${candidateText(loser)}: ${loser.why}`)),
    ...moreLines(it),
    ...it.serves.flatMap(pageLines),
    ...it.lints.map(finding => line('lint', lintText(finding).replace('\n', `\n${INDENT}`))),
    ...(it.lints.length === 0 ? [line('lint', 'nothing to say')] : []),
    ...it.problems.map(problem => line('problem', problemText(problem))),
  ]
  return `${lines.join('\n')}\n`
}

function machineText({ name, role, address, by }: NamedMachine): string {
  return `${name}, ${role} at ${address}, known by its ${by === 'mac' ? 'MAC' : 'UUID'}`
}

const WIDTH = 10
const INDENT = ' '.repeat(WIDTH)

function line(word: string, text: string): string {
  return `${word.padEnd(WIDTH)}${text}`
}

function winnerLines({ winner, profile, groups }: Explanation): string[] {
  if (winner === undefined)
    return [line('group', `none of ${groups} takes it: the machine gets a 404, and waits`)]
  const missing = `${winner.profile}, which does not exist: the machine gets a 404`
  return [
    line('group', `${candidateText(winner)} wins: ${winner.why}`),
    line('profile', profile === undefined ? missing : winner.profile),
  ]
}

function moreLines({ more }: Explanation): string[] {
  return more > 0 ? [line('lost', `and ${more} more, which miss as much or more: --all lists them`)] : []
}

function candidateText({ id, selector, priority }: Candidate): string {
  const rank = priority === 0 ? '' : `, priority ${priority}`
  return `${id} (${selectorText(selector)}${rank})`
}

function pageLines(page: Page): string[] {
  if ('error' in page) return [line('serves', `${page.path} ${page.status}: ${page.error}`)]
  const head = line('serves', `${page.path} ${page.status}, ${Buffer.byteLength(page.text)} bytes`)
  if (page.path !== '/ipxe') return [head]
  return [
    head,
    ...page.text
      .trimEnd()
      .split('\n')
      .map(text => `${INDENT}| ${text}`),
  ]
}
