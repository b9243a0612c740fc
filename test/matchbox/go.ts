// Go itself as the peer: `go/main.go`, built with the Go that is installed, answers what its standard library makes of a
// template, a file, a date or a request.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '#host/command.ts'

/** A question of `main.go`; texts are in Base64. */
export type Question = {
  readonly ask: 'template' | 'date' | 'content' | 'group' | 'profile'
  readonly text?: string
  readonly data?: string
  readonly query?: Readonly<Record<string, string>>
  readonly method?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly size?: number
  readonly mtime?: number
}

/** What Go says: an error, or the text in Base64; for content also status and headers. */
export type GoAnswer = {
  readonly error?: string
  readonly text: string
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Asks Go all questions at once, and gives the answers in their order. */
export async function askGo(questions: readonly Question[]): Promise<readonly GoAnswer[]> {
  const folder = mkdtempSync(join(tmpdir(), 'go-peer-'))
  try {
    const program = join(folder, 'peer')
    const source = join(import.meta.dirname, 'go/main.go')
    await run('go', ['build', '-o', program, source], { limitSeconds: 240 })
    const input = questions.map(question => `${JSON.stringify(question)}\n`).join('')
    const { stdout } = await run(program, [], { limitSeconds: 240, input })
    const answers = stdout.trimEnd().split('\n')
    if (answers.length !== questions.length)
      throw new Error(`${answers.length} answers to ${questions.length}`)
    return answers.map(line => JSON.parse(line) as GoAnswer) // written by main.go
  } finally {
    rmSync(folder, { recursive: true })
  }
}
