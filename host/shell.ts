// Words for `sh`.

/** One word of a command line for `sh`, whatever is in it. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** A path as one word of a command line, in quotes only where it needs them. */
export function pathWord(path: string): string {
  return /^[\w./@%+,:=-]+$/.test(path) ? path : shellWord(path)
}
