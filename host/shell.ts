// Words for `sh`.

/** One word of a command line for `sh`, whatever is in it. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
