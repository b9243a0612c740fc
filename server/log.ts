// How the server logs what it does: one line for each event, with fields for programs.

import { escapeJson } from '#model/clean.ts'

/** How much a line matters. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

/** What each name of a level shows, the least first. Matchbox has more names than we have differences. */
export const LOG_LEVELS = {
  panic: 'error',
  fatal: 'error',
  error: 'error',
  warn: 'warn',
  warning: 'warn',
  info: 'info',
  debug: 'debug',
  trace: 'debug',
} as const

/** `json` for programs, `text` for people (logfmt: `key=value`). */
export type LogFormat = 'json' | 'text'

/** Logs one event. */
export interface Log {
  (level: LogLevel, text: string, fields?: Readonly<Record<string, unknown>>): void
}

/** Where lines go, and which. */
export type LogSettings = {
  readonly stream: { write(text: string): unknown }
  /** The lowest level that is logged; `info` by default. */
  readonly level?: LogLevel
  readonly format?: LogFormat
}

const RANKS: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 }

/** A log, and a way to have everything written at once. */
export type LineLog = Log & { flush(): void }

/**
 * Writes each thing as one line. Lines of one turn of the event loop are written together, since a write for each
 * request would cost more than most requests; an error is written at once, with all lines before it.
 */
export function lineLog({ stream, level: least = 'info', format = 'json' }: LogSettings): LineLog {
  const lineOf = format === 'json' ? jsonLine : textLine
  let waiting: string[] = []
  const flush = () => {
    if (waiting.length === 0) return
    const lines = waiting.join('')
    waiting = []
    stream.write(lines)
  }
  const log: Log = (level, text, fields) => {
    if (RANKS[level] > RANKS[least]) return
    if (waiting.push(`${escapeJson(lineOf(level, text, fields))}\n`) === 1) setImmediate(flush)
    if (level === 'error') flush()
  }
  return Object.assign(log, { flush })
}

/** The level that a name of `LOG_LEVELS` stands for, in any case; undefined when it is none. */
export function logLevelOf(name: string): LogLevel | undefined {
  return new Map<string, LogLevel>(Object.entries(LOG_LEVELS)).get(name.toLowerCase())
}

function jsonLine(level: LogLevel, text: string, fields?: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ time: new Date().toISOString(), level, text, ...fields })
}

function textLine(level: LogLevel, text: string, fields: Readonly<Record<string, unknown>> = {}): string {
  const pairs = Object.entries({ time: new Date().toISOString(), level, msg: text, ...fields })
  const shown = pairs.filter(([, value]) => value !== undefined)
  return shown.map(([key, value]) => `${key}=${wordOf(value)}`).join(' ')
}

/** A value as logfmt has it: bare where it is one plain word, quoted otherwise. */
function wordOf(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[\w.:/@%+-]+$/.test(text) ? text : JSON.stringify(text)
}

/** The chain of causes of an error, in one line. */
export function causesOf(error: unknown): string {
  const said: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) said.push(at.message)
  return said.join(': ') || String(error)
}
