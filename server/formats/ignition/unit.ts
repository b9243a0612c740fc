// Whether a systemd unit can be read: the checks that Ignition makes of a unit's text before it writes it. They are those of
// its reader (go-systemd), which differs from systemd's own: a section can begin within a line as long as there was none
// before, and its name can go over several lines.

/** Bytes of a line that systemd reads. */
const LONGEST_LINE = 2048
/** Bytes that the reader holds: a long line is only seen as far as they reach. */
const HELD = 4096

const [LF, CR, CLOSING] = [0x0a, 0x0d, 0x5d]
/** What Go calls a space (Unicode's White_Space). */
const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/
const ALL_SPACE = new RegExp(`^${SPACE.source}*$`)

/** What is wrong with the text of a unit or drop-in; undefined when nothing is. */
export function unitProblem(text: string): string | undefined {
  return new UnitReader(text).read().problem
}

/** Says whether a unit has an `[Install]` section with something in it, without which enabling it does nothing. */
export function hasInstallSection(text: string): boolean {
  return new UnitReader(text).read().sections.has('Install')
}

/** What ended the reading of a unit. */
class BadUnit extends Error {}

class UnitReader {
  readonly #bytes: Buffer
  #at = 0
  /** End of what the reader holds. */
  #held = 0
  /** Where the line ends, as far as it is known. */
  #newline = -1
  /** Where the piece begins that is read. */
  #from = 0

  constructor(text: string) {
    this.#bytes = Buffer.from(text)
  }

  /** Names of the sections that have options, and what is wrong. */
  read(): { readonly sections: ReadonlySet<string>; readonly problem?: string } {
    const sections = new Set<string>()
    try {
      for (let section: string | undefined; ;) {
        this.#refuseLongLine()
        const start = this.#at
        const char = this.#char()
        if (char === undefined) return { sections }
        if (char === '[') section = this.#section()
        else if (char === '#' || char === ';') this.#comment()
        else if (section !== undefined && !SPACE.test(char)) {
          this.#at = start
          this.#option()
          sections.add(section)
        }
      }
    } catch (error) {
      if (!(error instanceof BadUnit)) throw error
      const line = this.#bytes.toString('latin1', 0, this.#from).split('\n').length
      return { sections, problem: `line ${line} of the unit: ${error.message}` }
    }
  }

  /** After its opening bracket. */
  #section(): string {
    this.#step()
    const name = this.#until(CLOSING)
    if (!name.isFound) throw new BadUnit('a section name is not ended by ]')
    this.#step()
    if (!ALL_SPACE.test(this.#until(LF).text)) throw new BadUnit('something follows after a section name')
    return name.text
  }

  /** To the end of its line, and of lines that a backslash joins to it. */
  #comment(): void {
    this.#step()
    while (this.#until(LF).text.replace(/ $/, '').endsWith('\\'));
  }

  #option(): void {
    this.#step()
    let name = ''
    for (;;) {
      const char = this.#char()
      if (char === '=') break
      if (char === undefined || char === '\n' || char === '\r') {
        throw new BadUnit(`"${name.slice(0, 40)}" is neither a section nor NAME=value`)
      }
      name += char
    }
    for (;;) {
      this.#step()
      const { text } = this.#until(LF)
      if (ALL_SPACE.test(text) || !text.endsWith('\\')) return
    }
  }

  /** Begins a piece: where a fault in it is placed. */
  #step(): void {
    this.#from = this.#at
    this.#refuseLongLine()
  }

  #refuseLongLine(): void {
    if (this.#held - this.#at < LONGEST_LINE) return
    if (this.#newline < this.#at) {
      const found = this.#bytes.subarray(this.#at).findIndex(byte => byte === LF || byte === CR)
      this.#newline = found < 0 ? this.#bytes.length : this.#at + found
    }
    if (this.#newline - this.#at < LONGEST_LINE) return
    this.#from = this.#at
    throw new BadUnit(`the line is longer than ${LONGEST_LINE - 1} bytes`)
  }

  /** The next character; undefined at the end. */
  #char(): string | undefined {
    const first = this.#bytes[this.#at]
    if (first === undefined) return undefined
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    if (this.#at + length > this.#held) this.#fill()
    this.#at += length
    return this.#bytes.toString('utf8', this.#at - length, this.#at)
  }

  /** The text up to a byte, or to the end; the byte is passed over. */
  #until(byte: number): { readonly text: string; readonly isFound: boolean } {
    const start = this.#at
    const found = this.#bytes.indexOf(byte, start)
    const end = found < 0 ? this.#bytes.length : found
    // It is filled as often as the search comes to the end of what is held.
    while (this.#held <= end && this.#held < this.#bytes.length) {
      if (this.#held - this.#at >= HELD) this.#at = this.#held
      this.#fill()
    }
    this.#at = found < 0 ? end : end + 1
    return { text: this.#bytes.toString('utf8', start, end), isFound: found >= 0 }
  }

  #fill(): void {
    this.#held = Math.min(this.#bytes.length, this.#at + HELD)
  }
}
