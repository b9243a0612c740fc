// Whether a systemd unit can be read: the checks that Ignition makes of a unit's text before it writes it.

/** Bytes of a line that systemd reads. */
const LONGEST_LINE = 2048

/** What is wrong with the text of a unit or drop-in; undefined when nothing is. */
export function unitProblem(text: string): string | undefined {
  return readUnit(text).problem
}

/** Says whether a unit has an `[Install]` section, without which enabling it does nothing. */
export function hasInstallSection(text: string): boolean {
  return readUnit(text).sections.includes('Install')
}

function readUnit(text: string): { readonly sections: readonly string[]; readonly problem?: string } {
  const sections: string[] = []
  const lines = text.split('\n').map(line => (line.endsWith('\r') ? line.slice(0, -1) : line))
  for (let at = 0; at < lines.length; at += 1) {
    const raw = lines[at] ?? ''
    if (raw.length >= LONGEST_LINE && Buffer.byteLength(raw) >= LONGEST_LINE) {
      return bad(at, `the line is longer than ${LONGEST_LINE - 1} bytes`)
    }
    const line = raw.trimStart()
    if (line === '') continue
    if (line.startsWith('#') || line.startsWith(';')) {
      while (at < lines.length - 1 && (lines[at] ?? '').replace(/ $/, '').endsWith('\\')) at += 1
      continue
    }
    const section = sections.length > 0 || line.startsWith('[') ? line : line.slice(line.search(/\[|$/))
    if (section.startsWith('[')) {
      const end = section.indexOf(']')
      if (end < 0) return bad(at, 'a section name is not ended by ]')
      if (section.slice(end + 1).trim() !== '') return bad(at, 'something follows after a section name')
      sections.push(section.slice(1, end))
      continue
    }
    if (sections.length === 0) continue // text before the first section is ignored
    if (!line.includes('=')) return bad(at, `"${line.slice(0, 40)}" is neither a section nor NAME=value`)
    while (at < lines.length - 1 && (lines[at] ?? '').endsWith('\\')) {
      at += 1
      if ((lines[at] ?? '').trim() === '') break
    }
  }
  return { sections }

  function bad(at: number, problem: string) {
    return { sections, problem: `line ${at + 1} of the unit: ${problem}` }
  }
}
