// `pilotlight edit`: one object in the editor, put back unless someone else wrote it meanwhile.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Command } from 'commander'
import { Failure } from '#model/error.ts'
import type { Kind } from '#model/kinds.ts'
import { printOne } from './apply.ts'
import { kindArgument } from './kinds.ts'
import { serverOption } from '../options.ts'

export function defineEdit(command: Command): void {
  command
    .addArgument(kindArgument())
    .argument('<id>', 'which')
    .option('--json', 'say what became of it as JSON')
    .addOption(serverOption())
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight edit group spare\n  EDITOR=vim pilotlight edit template ignition/node.bu',
    )
    .action(edit)
}

type Flags = { readonly server: string; readonly json?: boolean }

async function edit(kind: Kind, id: string, { server, json = false }: Flags): Promise<void> {
  if (!process.stdin.isTTY && needsTerminal(editorName())) {
    const what = `there is no terminal for an editor, and ${kind} "${id}" was not opened`
    throw new Failure(
      'NEEDS_TERMINAL',
      what,
      `pilotlight get ${kind} ${id} -o yaml > ${kind}.yaml   and, when it is changed:  pilotlight apply ${kind}.yaml`,
    )
  }
  const { InventoryClient } = await import('#client/inventory.ts')
  const client = new InventoryClient(server)
  const { bytes, etag } = await client.text(kind, id)
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-edit-'))
  // Editors recognise the language of a text by the ending of its name.
  const path = join(folder, kind === 'template' ? basename(id) : `${basename(id)}.json`)
  writeFileSync(path, bytes, { mode: 0o600 })
  runEditor(path)
  const edited = readFileSync(path)
  if (edited.equals(bytes)) {
    rmSync(folder, { recursive: true })
    return printOne({ kind, id, result: 'unchanged', warnings: [] }, json)
  }
  try {
    printOne(await client.put(kind, id, edited, etag), json)
  } catch (cause) {
    const remedy = `your text is kept in ${path}; edit again, and take it from there`
    throw new Failure('NOT_CHANGED', `${kind} "${id}" was not changed`, remedy, { cause })
  }
  rmSync(folder, { recursive: true })
}

function editorName(): string {
  return process.env.VISUAL || process.env.EDITOR || 'vi'
}

/** Says whether an editor draws on the terminal; a script, or an editor with its own window, does not. */
function needsTerminal(editor: string): boolean {
  const [program = ''] = editor.trim().split(/\s+/)
  return /^(?:vi|vim|nvim|view|nano|pico|micro|joe|jed|mg|ne|hx|kak|mcedit|emacs)$/.test(basename(program))
}

function runEditor(path: string): void {
  const editor = editorName()
  // An editor may have its own arguments, as in "code --wait".
  const { status, error } = spawnSync('sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit' })
  if (error !== undefined || status !== 0) {
    const remedy = `name another editor with EDITOR; your text, if there is any, is in ${path}`
    throw new Failure('EDITOR_FAILED', `the editor "${editor}" ended with status ${status ?? '?'}`, remedy)
  }
}
