// How the server tells what it does: one line a thing, with fields for programs.

/** Takes one thing to tell. */
export interface Log {
  (level: 'info' | 'warn' | 'error', text: string, fields?: Readonly<Record<string, unknown>>): void
}

/** Writes each as one line of JSON. */
export function jsonLog(stream: { write(text: string): unknown }): Log {
  return (level, text, fields) =>
    void stream.write(`${JSON.stringify({ time: new Date().toISOString(), level, text, ...fields })}\n`)
}

/** The chain of causes of an error, in one line. */
export function causesOf(error: unknown): string {
  const said: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) said.push(at.message)
  return said.join(': ') || String(error)
}
