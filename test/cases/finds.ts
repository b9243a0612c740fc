// Compares what lint says with what it should say: each finding in its place, and none besides.

import type { Test } from 'tap'

/** Fails where a finding does not match the pattern at its place, and where there are more or fewer of them. */
export function finds(
  t: Test,
  found: readonly string[],
  patterns: readonly RegExp[],
  name = 'as many findings, and the same',
): void {
  const said = Array.from({ length: Math.max(found.length, patterns.length) }, (_, at) => {
    const [text, pattern] = [found[at], patterns[at]]
    if (text === undefined || pattern === undefined) return text ?? 'nothing'
    return pattern.test(text) ? String(pattern) : text
  })
  t.strictSame(said, patterns.map(String), name)
}
