// What is known of the templates while they are linted, so that nothing is said twice, and not too much is rendered.

import { hash } from 'node:crypto'
import type { PlacedFinding } from '../../formats/ignition/findings.ts'
import { pathText } from '../../formats/ignition/tree.ts'

/** What was found so far, and how much was rendered for it. */
export class KnownFindings {
  /** Files that are known to be wrong already: they are not rendered. */
  readonly broken = new Set<string>()
  /** What was found, of a file each. */
  readonly #found = new Set<string>()
  /** Digests of files with the texts that came of them. */
  readonly #texts = new Set<string>()
  /** Files with how many different texts of them were not checked, because enough others were. */
  readonly unchecked = new Map<string, number>()
  #renderings = 0

  /** Remembers a finding; false when it is known. */
  isNew(
    file: string,
    finding: Pick<PlacedFinding, 'path' | 'message'> & { readonly kind?: string },
  ): boolean {
    const before = this.#found.size
    this.#found.add(keyOf(file, finding))
    return this.#found.size > before
  }

  /** Those of a list that were not found in an earlier text; all that one text has count. */
  news(file: string, findings: readonly PlacedFinding[]): readonly PlacedFinding[] {
    const fresh = findings.filter(finding => !this.#found.has(keyOf(file, finding)))
    for (const finding of fresh) this.#found.add(keyOf(file, finding))
    return fresh
  }

  /** Says whether a text is to be checked: it is not known yet, and not too many were. */
  isToCheck(file: string, text: string, most: number): boolean {
    const digest = hash('sha256', `${file}\0${text}`, 'base64')
    if (this.#texts.has(digest)) return false
    if (this.#texts.size >= most) {
      this.unchecked.set(file, (this.unchecked.get(file) ?? 0) + 1)
      return false
    }
    this.#texts.add(digest)
    return true
  }

  /** Takes so many renderings as are left, at most `wanted`. */
  take(wanted: number, most: number): number {
    const granted = Math.min(wanted, Math.max(0, most - this.#renderings))
    this.#renderings += granted
    return granted
  }
}

/** The same for two groups whose texts differ in nothing but values. */
function keyOf(
  file: string,
  { path, message, kind }: Pick<PlacedFinding, 'path' | 'message'> & { readonly kind?: string },
): string {
  // Another mode wants another number: 0755, not 0644.
  const isOfValue = kind === 'decimal-mode' || kind === 'special-bits'
  const words = isOfValue ? message : (kind ?? message.replaceAll(/"[^"]*"|\d+|\/\S+/g, '_'))
  return JSON.stringify([file, pathText(path), words])
}
