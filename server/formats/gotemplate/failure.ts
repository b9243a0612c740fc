// The one error of the template engine: what is wrong, and where in the source.

/** A template that cannot be parsed or run; `line` and `column` count from 1, columns in characters. */
export class GoTemplateError extends Error {
  readonly code = 'GO_TEMPLATE'
  readonly reason: string
  readonly line: number
  readonly column: number

  /** `at` is the offset into `source` that the reason is about. */
  constructor(source: string, at: number, reason: string) {
    const before = source.slice(0, at)
    const line = before.split('\n').length
    const column = Array.from(before.slice(before.lastIndexOf('\n') + 1)).length + 1
    super(`line ${line}, column ${column}: ${reason}`)
    this.reason = reason
    this.line = line
    this.column = column
  }
}

/** An error of a template function; the evaluator adds line and column. */
export class BadCall extends Error {
  readonly code = 'BAD_CALL'
}
