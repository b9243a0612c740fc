// Where the administrator's token of a server on this host is, for a message: as the server's own process was started.

import { readFileSync, readlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import { holdersOf } from '#host/listeners.ts'
import { adminTokenFile, DEFAULT_STATE_PATH } from '#model/endpoint.ts'

/** The path of admin.token of the server that listens at a URL of this host; undefined where this user may not see it. */
export function tokenPathOf(base: string): string | undefined {
  const { hostname, port, protocol } = new URL(base)
  const at = Number(port || (protocol === 'https:' ? 443 : 80))
  const server = holdersOf('tcp', hostname, at).find(({ words }) => words.includes('serve'))
  if (server === undefined) return undefined
  try {
    const folder = readlinkSync(`/proc/${server.pid}/cwd`)
    return adminTokenFile(
      resolve(folder, statePathIn(server.words) ?? stateVariableOf(server.pid) ?? DEFAULT_STATE_PATH),
    )
  } catch {
    return undefined // another user's process, or it ended
  }
}

function statePathIn(words: readonly string[]): string | undefined {
  const at = words.findLastIndex(word => /^--state-path(?:=|$)/.test(word))
  const word = words[at]
  return word?.includes('=') === true ? word.slice(word.indexOf('=') + 1) : words[at + 1 || words.length]
}

function stateVariableOf(pid: number): string | undefined {
  const variable = readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .find(one => one.startsWith('PILOTLIGHT_STATE_PATH='))
  return variable?.slice(variable.indexOf('=') + 1) || undefined
}
