// Certificates that are made in their own process: the library for them takes 6 MB, and a server needs it once in months.

import { fork, type ChildProcess } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import type { KeyPair, Leaf, Subject, Validity } from '#host/x509.ts'

/** What is made: a new authority, the same authority for another time, or a leaf with a new key. */
export type MakerTask =
  | { readonly make: 'authority'; readonly subject: Subject; readonly validity: Validity }
  | { readonly make: 'authority again'; readonly authority: KeyPair; readonly validity: Validity }
  | { readonly make: 'leaf'; readonly leaf: Leaf; readonly validity: Validity; readonly authority: KeyPair }

/** Makes certificates one after the other, in a process that is started for the first of them. Keys go through a pipe alone. */
export class CertificateMaker {
  #child: ChildProcess | undefined

  /** Starts the process, where it is known that something will be made: it is ready sooner. */
  begin(): void {
    this.#child ??= this.#start()
  }

  #start(): ChildProcess {
    const child = started()
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
    })
    return child
  }

  /** Makes one; the next is asked for after it. Rejects when the process ends without it: it prints the reason. */
  async make(task: MakerTask): Promise<KeyPair> {
    const child = (this.#child ??= this.#start())
    const { promise, resolve, reject } = Promise.withResolvers<KeyPair>()
    const fail = (why: unknown) => reject(new Error('No certificate could be made', { cause: why }))
    const ended = (status: number | null) => fail(new Error(`its process ended with ${status}`))
    child.once('message', made => resolve(made as KeyPair)) // of certificate-process.ts
    child.once('error', fail).once('exit', ended)
    child.send(task)
    try {
      return await promise
    } finally {
      child.off('error', fail).off('exit', ended)
    }
  }

  /** Ends the process. */
  close(): void {
    this.#child?.kill()
    this.#child = undefined
  }
}

function started(): ChildProcess {
  const compiled = getCompileCacheDir() // Node adds a folder for its version
  const env = { ...process.env, ...(compiled !== undefined && { NODE_COMPILE_CACHE: dirname(compiled) }) }
  const program = new URL('certificate-process.ts', import.meta.url)
  const execArgv = ['--disable-warning=ExperimentalWarning']
  const child = fork(program, { env, execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  child.on('error', () => undefined) // `make` reports a process that did not start
  return child
}
