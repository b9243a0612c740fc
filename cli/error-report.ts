// What an operator or a program learns of a command that failed: code, what happened to which object, why, and what fixes it. One
// report, written as lines for people or as JSON.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemFault } from '#host/system-fault.ts'
import { cleanLines } from '#model/clean.ts'
import { PilotlightError } from '#model/error.ts'
import { isOfSystem, reasonOf } from '#model/reason.ts'
import { FileProblems, type Problem } from '#rack/site/problems.ts'
import { EXIT, statusOf } from './exit.ts'
import { ROOT } from './root.ts'

/** An error as `--json` prints it, below `error`. */
export type ErrorReport = {
  /** One of `ERROR_CODES`, or `PL-1001` and the like for a file. */
  readonly code: string
  readonly message: string
  /** Why, from the next cause to the first one. */
  readonly because: readonly string[]
  /** What to do, most often a command. */
  readonly fix: string
  /** The command that prints the page of the code. */
  readonly help: string
  readonly exitStatus: number
  /** Mistakes in a file, with their places. */
  readonly problems?: readonly Problem[]
  /** What is wrong in the body of a request, by JSON pointer. */
  readonly faults?: readonly unknown[]
  /** The request that a server refused. */
  readonly request?: { readonly method: string; readonly url: string; readonly status: number }
}

/** What is said of anything thrown. What is thrown without a code gets one: of the host, of an interruption, or of our own fault. */
export function reportOf(error: unknown): ErrorReport {
  if (error instanceof FileProblems) return ofProblems(error)
  const exitStatus = statusOf(error)
  if (error instanceof PilotlightError) {
    const { code, message, remedy } = error
    const { request, faults } = error as { request?: ErrorReport['request']; faults?: readonly unknown[] } // of a Refusal
    return {
      code,
      message,
      because: causesOf(error, message),
      fix: remedy || fixOf(code),
      help: helpOf(code),
      exitStatus,
      ...(faults !== undefined && faults.length > 0 ? { faults } : {}),
      ...(request === undefined ? {} : { request }),
    }
  }
  if (error instanceof Error && error.name === 'AbortError') {
    const again = 'run the same command again: what is done already is only checked'
    return {
      code: 'INTERRUPTED',
      message: 'interrupted',
      because: [],
      fix: again,
      help: helpOf('INTERRUPTED'),
      exitStatus,
    }
  }
  if (isOfSystem(error)) {
    const { why, fix } = systemFault(error)
    return {
      code: 'HOST_REFUSED',
      message: why,
      because: causesOf(error, why),
      fix,
      help: helpOf('HOST_REFUSED'),
      exitStatus,
    }
  }
  const fix = 'run it again with PILOTLIGHT_DEBUG=1, and report what it prints'
  const message = `this is a fault of Pilotlight: ${reasonOf(error)}`
  return {
    code: 'INTERNAL',
    message,
    because: causesOf(error, message),
    fix,
    help: helpOf('INTERNAL'),
    exitStatus,
  }
}

function ofProblems({ problems, message }: FileProblems): ErrorReport {
  const [first] = problems
  const code = first?.code ?? 'PL-1001'
  return {
    code,
    message: first === undefined ? message : `${first.file}:${first.line}:${first.column} ${first.what}`,
    because: [],
    fix: first?.remedy ?? fixOf(code),
    help: helpOf(code),
    exitStatus: EXIT.usage,
    problems,
  }
}

/** Whether the error's own message is about this cause: who has a port is in it. */
function isSaid(error: unknown, cause: Error): boolean {
  return error instanceof PilotlightError && error.code.startsWith('CANNOT_') && isOfSystem(cause)
}

/** The chain of causes, each said once. */
function causesOf(error: unknown, message: string): string[] {
  const said: string[] = []
  const seen = new Set<unknown>([error])
  for (let cause = (error as Error).cause; cause instanceof Error && !seen.has(cause); cause = cause.cause) {
    seen.add(cause)
    const reason = reasonOf(cause)
    if (!said.includes(reason) && !message.includes(reason) && !isSaid(error, cause)) said.push(reason)
    if (cause instanceof PilotlightError && cause.remedy) said.push(cause.remedy)
  }
  return said
}

/** What the page of codes has to do about one; of a mistake in a file, the command that prints its paragraph. */
function fixOf(code: string): string {
  const page = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8')
  const row = page.split('\n').find(line => line.startsWith(`| \`${code}\` |`))
  const toDo = row?.replace(/ \|$/, '').split(' | ').at(-1)?.replaceAll('`', '')
  return toDo === undefined ? helpOf(code) : withoutLinks(toDo).replace(/\.$/, '')
}

/** Markdown as a terminal shows it: a link as the path of its page. */
export function withoutLinks(text: string): string {
  return text.replaceAll(/\[[^\]]+\]\(([^)#]+)[^)]*\)/g, 'docs/$1')
}

function helpOf(code: string): string {
  return `pilotlight help ${code}`
}

/** What a person reads when a command fails, without what a terminal obeys. */
export function describeError(error: unknown): string {
  return cleanLines(textOf(error), Infinity)
}

function textOf(error: unknown): string {
  if (error instanceof FileProblems) {
    const { help } = reportOf(error)
    return `${error.message.replaceAll(/^PL-/gm, 'error PL-')}\n  nothing was started; more: ${help}`
  }
  const { code, message, because, fix, help } = reportOf(error)
  const lines = [`error ${code}: ${message}`, ...because.map(reason => `  because: ${reason}`)]
  lines.push(`  fix: ${fix}`)
  lines.push(`  more: ${help}`)
  if (process.env.PILOTLIGHT_DEBUG !== undefined) lines.push(...debugLines(error))
  return lines.join('\n')
}

/** The request that failed and the stack of each cause, for a report. */
function debugLines(error: unknown): string[] {
  const { request } = reportOf(error)
  const lines =
    request === undefined ? [] : [`${request.method} ${request.url} was answered ${request.status}`]
  for (let cause = error; cause instanceof Error && lines.length < 20; cause = cause.cause)
    lines.push(cause.stack ?? cause.message)
  return lines
}
