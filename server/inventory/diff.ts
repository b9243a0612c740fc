// What differs between two texts, line by line, in the form that `diff -u` made known.

/** Lines around a difference that are shown with it. */
const CONTEXT = 3

/** Pairs of lines that are compared at most; beyond them a difference is shown as a whole. */
const MOST_PAIRS = 4_000_000

type Line = { readonly sign: ' ' | '-' | '+'; readonly text: string }

/** The differences from `before` to `after`; undefined stands for nothing there. The empty text when there are none. */
export function unifiedDiff(name: string, before: string | undefined, after: string | undefined): string {
  if (before === after) return ''
  const lines = diffLines(linesOf(before), linesOf(after))
  const heading = `--- ${before === undefined ? '/dev/null' : name}\n+++ ${after === undefined ? '/dev/null' : name}\n`
  return heading + hunksOf(lines).join('')
}

/** Lines with their ends; a last one without is marked as `diff` marks it. */
function linesOf(text: string | undefined): string[] {
  if (text === undefined || text === '') return []
  const lines = text.split('\n')
  const last = lines.pop() ?? ''
  return [...lines, ...(last === '' ? [] : [`${last}\n\\ No newline at end of file`])]
}

/** All lines of both, with what happens to each: the fewest changes. */
function diffLines(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1
  let tail = 0
  const most = Math.min(before.length, after.length) - head
  while (tail < most && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1
  return [
    ...kept(before.slice(0, head)),
    ...changed(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...kept(before.slice(before.length - tail)),
  ]
}

function kept(lines: readonly string[]): Line[] {
  return lines.map(text => ({ sign: ' ', text }))
}

/** The longest common subsequence, by the table that every textbook has. */
function changed(before: readonly string[], after: readonly string[]): Line[] {
  const gone = before.map(text => ({ sign: '-', text }) as const)
  const come = after.map(text => ({ sign: '+', text }) as const)
  if (before.length * after.length > MOST_PAIRS) return [...gone, ...come]
  const width = after.length + 1
  const common = new Uint32Array((before.length + 1) * width)
  const at = (row: number, column: number) => common[row * width + column] ?? 0
  for (let row = before.length - 1; row >= 0; row -= 1) {
    for (let column = after.length - 1; column >= 0; column -= 1) {
      common[row * width + column] =
        before[row] === after[column]
          ? at(row + 1, column + 1) + 1
          : Math.max(at(row + 1, column), at(row, column + 1))
    }
  }
  const lines: Line[] = []
  let row = 0
  let column = 0
  while (row < before.length && column < after.length) {
    const text = before[row] ?? ''
    if (text === after[column]) {
      lines.push({ sign: ' ', text })
      row += 1
      column += 1
    } else if (at(row + 1, column) >= at(row, column + 1))
      lines.push(gone[row++]!) // row < its length
    else lines.push(come[column++]!) // column < its length
  }
  return [...lines, ...gone.slice(row), ...come.slice(column)]
}

/** Parts of the text that hold differences, each with the lines around it, and where it is on both sides. */
function hunksOf(lines: readonly Line[]): string[] {
  const shown = nearChanges(lines)
  const hunks: string[] = []
  let hunk: Line[] = []
  let oldLine = 1
  let newLine = 1
  for (const [at, line] of lines.entries()) {
    if (shown[at]) hunk.push(line)
    if (line.sign !== '+') oldLine += 1
    if (line.sign !== '-') newLine += 1
    if (hunk.length > 0 && !shown[at + 1]) {
      hunks.push(hunkText(hunk, oldLine, newLine))
      hunk = []
    }
  }
  return hunks
}

/** For each line, whether a change is near enough that it is shown. */
function nearChanges(lines: readonly Line[]): boolean[] {
  const shown = lines.map(() => false)
  for (const [at, { sign }] of lines.entries()) {
    if (sign !== ' ') shown.fill(true, Math.max(0, at - CONTEXT), at + CONTEXT + 1)
  }
  return shown
}

/** A hunk that ends before these lines of both sides. */
function hunkText(hunk: readonly Line[], oldEnd: number, newEnd: number): string {
  const removed = hunk.filter(({ sign }) => sign !== '+').length
  const added = hunk.filter(({ sign }) => sign !== '-').length
  const heading = `@@ -${rangeOf(oldEnd - removed, removed)} +${rangeOf(newEnd - added, added)} @@\n`
  return heading + hunk.map(({ sign, text }) => `${sign}${text}\n`).join('')
}

function rangeOf(line: number, count: number): string {
  return count === 1 ? String(line) : `${count === 0 ? line - 1 : line},${count}`
}
