// Patterns with `*` and `?`: as much as names of machines need, in time that is bounded for every pattern.

/** Says whether `text` is as `pattern` says: `*` is any text, `?` any one character, all else is itself. */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0
  let star = -1 // the last * that was met, and the text after what it takes so far
  let resume = 0
  for (let read = 0; read < text.length;) {
    const wanted = pattern[at]
    if (wanted === '*') {
      star = at
      resume = read
      at += 1
    } else if (wanted === '?' || wanted === text[read]) {
      at += 1
      read += 1
    } else if (star >= 0) {
      at = star + 1 // the star takes one more
      resume += 1
      read = resume
    } else return false
  }
  while (pattern[at] === '*') at += 1
  return at === pattern.length
}

/** What every text that matches begins with. */
export function literalPrefix(pattern: string): string {
  const [prefix = ''] = /^[^*?]*/.exec(pattern) ?? []
  return prefix
}
