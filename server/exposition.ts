// Counters, gauges and histograms, and Prometheus' text format (its version 0.0.4) of them.

/** The MIME type of the text format. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** What every family of figures says of itself. */
type Named<Label extends string> = {
  readonly name: string
  readonly help: string
  readonly labels: readonly Label[]
}

type Labels<Label extends string> = Readonly<Record<Label, string | number>>

/** A figure for each set of values of its labels; one without labels is 0 until it is set. */
export class Figures<Label extends string> {
  readonly #named: Named<Label>
  readonly #kind: 'counter' | 'gauge'
  readonly #values = new Map<string, number>()

  constructor(kind: 'counter' | 'gauge', named: Named<Label>) {
    this.#kind = kind
    this.#named = named
    this.reset()
  }

  /** Adds to a figure. */
  inc(labels: Labels<Label>, by = 1): void {
    const key = keyOf(this.#named.labels, labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + by)
  }

  /** Sets a figure. */
  set(labels: Labels<Label>, value: number): void {
    this.#values.set(keyOf(this.#named.labels, labels), value)
  }

  /** Forgets all figures. */
  reset(): void {
    this.#values.clear()
    if (this.#named.labels.length === 0) this.#values.set('', 0)
  }

  /** All of them as text. */
  text(): string {
    const { name } = this.#named
    const lines = [...this.#values].map(([key, value]) => `${name}${braced(key)} ${numberText(value)}`)
    return [...headOf(this.#named, this.#kind), ...lines].join('\n')
  }
}

/** How many observed values are at most as large as each bound, for each set of values of its labels. */
export class Distribution<Label extends string> {
  readonly #named: Named<Label>
  readonly #bounds: readonly number[]
  /** For each: how many fell below each bound and above the one before it, the last one above all; and their sum. */
  readonly #observed = new Map<string, { readonly counts: number[]; sum: number }>()

  /** @param bounds growing */
  constructor(bounds: readonly number[], named: Named<Label>) {
    this.#bounds = bounds
    this.#named = named
    if (named.labels.length === 0) this.#of('')
  }

  /** Takes one value. */
  observe(labels: Labels<Label>, value: number): void {
    const of = this.#of(keyOf(this.#named.labels, labels))
    let at = 0
    while (at < this.#bounds.length && value > this.#bounds[at]!) at += 1 // at is within
    of.counts[at]! += 1 // there is one more than bounds
    of.sum += value
  }

  /** All of them as text. */
  text(): string {
    const { name } = this.#named
    const lines = headOf(this.#named, 'histogram')
    for (const [key, { counts, sum }] of this.#observed) {
      let all = 0
      for (const [at, count] of counts.entries()) {
        all += count
        const le = `le="${numberText(this.#bounds[at] ?? Infinity)}"`
        lines.push(`${name}_bucket${braced(key === '' ? le : `${le},${key}`)} ${all}`)
      }
      lines.push(`${name}_sum${braced(key)} ${numberText(sum)}`, `${name}_count${braced(key)} ${all}`)
    }
    return lines.join('\n')
  }

  #of(key: string) {
    const known = this.#observed.get(key)
    if (known !== undefined) return known
    const fresh = { counts: [...this.#bounds, Infinity].map(() => 0), sum: 0 }
    this.#observed.set(key, fresh)
    return fresh
  }
}

/** The labels as the text has them: they are also the key. */
function keyOf<Label extends string>(names: readonly Label[], labels: Labels<Label>): string {
  let key = ''
  for (const name of names) key += `${key === '' ? '' : ','}${name}="${escaped(String(labels[name]))}"`
  return key
}

function braced(key: string): string {
  return key === '' ? '' : `{${key}}`
}

function escaped(value: string): string {
  if (!/[\\"\n]/.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function headOf({ name, help }: Named<string>, kind: string): string[] {
  return [`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${kind}`]
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
}
