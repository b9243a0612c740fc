// A machine's console as a log: every line begins with the seconds since power-on.

import { closeSync, openSync, writeSync } from 'node:fs'

/** A console log, open for one power-on. */
export class ConsoleLog {
  readonly #file: number
  readonly #since = performance.now()
  #atLineStart = true

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  /** Writes at once what the machine prints, lines stamped, carriage returns dropped. */
  write(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('latin1').replaceAll('\r', '') // latin1: bytes stay as they are
    const stamp = `${((performance.now() - this.#since) / 1000).toFixed(2).padStart(8)} `
    const stamped = text.replaceAll(/\n(?=.)/gs, `\n${stamp}`)
    writeSync(this.#file, (this.#atLineStart && text !== '' ? stamp : '') + stamped, null, 'latin1')
    if (text !== '') this.#atLineStart = text.endsWith('\n')
  }

  /** Writes our own line. */
  say(line: string): void {
    this.write(Buffer.from(`${this.#atLineStart ? '' : '\n'}${line}\n`))
  }

  close(): void {
    closeSync(this.#file)
  }
}
