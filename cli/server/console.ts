// `pilotlight console`: the console log of a machine, as its initrd and its system sent it.

import { Option, type Command } from 'commander'
import { cleanLines, cleanText } from '#model/clean.ts'
import { serverOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'
import { tableOf } from '../terminal/table.ts'

type Flags = {
  readonly server: string
  readonly boot?: string
  readonly boots?: boolean
  readonly follow?: boolean
  readonly json?: boolean
}

/** Seconds that one request waits for more. */
const WAIT_SECONDS = 20

export function defineConsole(command: Command): void {
  command
    .argument('<machine>', 'its name, MAC, UUID, serial or address')
    .addOption(serverOption())
    .option('--boot <n>', 'an earlier start: 2 is the one before the last; or a boot of its journal')
    .option('-f, --follow', 'goes on with what comes, also in the next start, until it is interrupted')
    .addOption(new Option('--boots', 'list its starts, newest first').conflicts(['boot', 'follow']))
    .option('--json', 'the starts as JSON, with --boots')
    .addHelpText(
      'after',
      `
It begins with the initrd, once that has its config. Earlier output is on the machine's own console only; 'pilotlight journal' shows how far the boot got.

Examples:
  pilotlight console cmp-1 --follow
  pilotlight console cmp-1 --boots
  pilotlight console cmp-1 --boot 2`,
    )
    .action(async (machine: string, { server, boot, boots = false, follow = false, json = false }: Flags) => {
      const { ServerClient } = await import('#client/server.ts')
      const client = new ServerClient(server)
      if (boots) {
        const starts = await client.consoleBoots(machine)
        if (json) return printJson(starts)
        const rows = starts.map((start, at) => ({ start: at + 1, ...start }))
        return print(
          rows.length === 0
            ? `${machine} has sent no console log yet`
            : tableOf(['start', 'began', 'boot', 'bytes', 'kernel'], rows),
        )
      }
      let shown = await client.console(machine, { ...(boot !== undefined && { boot }) })
      write(shown.text)
      if (!follow) return
      for (;;) {
        const more = await client.console(machine, {
          boot: shown.kernel,
          after: shown.next,
          waitSeconds: WAIT_SECONDS,
        })
        write(more.text)
        shown = more
        if (more.text !== '' || boot !== undefined) continue
        const [latest] = await client.consoleBoots(machine)
        if (latest === undefined || latest.kernel === shown.kernel) continue
        process.stderr.write(`${startedAgain(machine, latest.began)}\n`)
        shown = await client.console(machine, { boot: latest.kernel })
        write(shown.text)
      }
    })
}

/** The line between two starts of a machine: when it began is what the server says. */
export function startedAgain(machine: string, began: string): string {
  return cleanText(`--- ${machine} started again at ${began.slice(0, 19)}Z`, Infinity)
}

/** What a machine said, without what a terminal obeys: another server may not have cleaned it. */
function write(text: string): void {
  process.stdout.write(cleanLines(text, Infinity))
}
