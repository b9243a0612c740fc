// `pilotlight tokens`: access tokens of people and programs, made, listed and revoked through the server.

import { Option, type Command } from 'commander'
import type { AccessRole } from '#server/access/identity.ts'
import type { AccessToken } from '#server/access/tokens.ts'
import { CommandError, EXIT } from './exit.ts'
import { serverOption } from './options.ts'

type TokenFlags = { readonly server: string; readonly json?: boolean }

/** Adds the verb. */
export function addTokensCommand(program: Command): void {
  const tokens = program
    .command('tokens')
    .description('access tokens: create, list, revoke')
    .addHelpText(
      'after',
      `
A token is shown once, when it is made; the server keeps its hash. The first one, "bootstrap", is in admin.token in
the server's state directory. The command line shows a server the token in PILOTLIGHT_TOKEN,
or in the file PILOTLIGHT_TOKEN_FILE.

Examples:
  pilotlight tokens create ci --role admin --days 90
  pilotlight tokens create dashboard
  pilotlight tokens revoke ci`,
    )

  tokens
    .command('create')
    .description('makes a token and prints it, once')
    .argument('<name>', 'who it is for: it stands in the history of what was changed with it')
    .addOption(
      new Option('--role <role>', 'what it may do').choices(['read-only', 'admin']).default('read-only'),
    )
    .option('--days <n>', 'how long; until it is revoked unless told', daysOf)
    .addOption(serverOption())
    .option('--json', 'as JSON')
    .action(async (name: string, flags: TokenFlags & { role: AccessRole; days?: number }) => {
      const { server: base, json, role, days } = flags
      const made = await (
        await clientOf(base)
      ).createToken({ name, role, ...(days === undefined ? {} : { days }) })
      print(json ? JSON.stringify(made, undefined, 2) : made.token)
    })

  tokens
    .command('list')
    .description('lists them, never the tokens themselves')
    .addOption(serverOption())
    .option('--json', 'as JSON')
    .action(async ({ server: base, json }: TokenFlags) => {
      const all = await (await clientOf(base)).tokens()
      print(json ? JSON.stringify(all, undefined, 2) : tokenTable(all))
    })

  tokens
    .command('revoke')
    .description('ends a token, from the next request on')
    .argument('<name>', 'the one to end')
    .addOption(serverOption())
    .action(async (name: string, { server: base }: TokenFlags) => (await clientOf(base)).revokeToken(name))
}

async function clientOf(base: string) {
  const { ServerClient } = await import('./server-client.ts')
  return new ServerClient(base)
}

function tokenTable(tokens: readonly AccessToken[]): string {
  const rows = [
    ['NAME', 'ROLE', 'CREATED', 'EXPIRES'],
    ...tokens.map(({ name, role, created, expires }) => [name, role, created, expires ?? 'never']),
  ]
  const widths = [0, 1, 2].map(column => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  return rows.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n')
}

function daysOf(text: string): number {
  const days = Number(text)
  if (days > 0 && days <= 36_500) return days
  throw new CommandError(
    EXIT.usage,
    `"${text}" is not a number of days`,
    'give one greater than 0, at most 36500',
  )
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
