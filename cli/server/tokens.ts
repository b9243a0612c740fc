// `pilotlight tokens`: access tokens of people and programs, made, listed and revoked through the server.

import { InvalidArgumentError, Option, type Command } from 'commander'
import type { CredentialRole } from '#model/role.ts'
import { TOKEN_NAME, type AccessToken } from '#model/token.ts'
import { addSubverbs, type Subverb } from '../subverbs.ts'
import { serverOption } from '../options.ts'
import { print, printJson } from '../terminal/show.ts'
import { tableOf } from '../terminal/table.ts'

type TokenFlags = { readonly server: string; readonly json?: boolean }

export function defineTokens(command: Command): void {
  command.addHelpText(
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
  addSubverbs(command, VERBS)
}

const VERBS: readonly Subverb[] = [
  { name: 'create', summary: 'makes a token and prints it, once', define: defineCreate },
  { name: 'list', summary: 'lists them, never the tokens themselves', define: defineList },
  { name: 'revoke', summary: 'ends a token, from the next request on', define: defineRevoke },
]

function defineCreate(command: Command): void {
  command
    .argument('<name>', 'who it is for: the history of what was changed with it has this name', nameOf)
    .addOption(
      new Option('--role <role>', 'what it may do').choices(['read-only', 'admin']).default('read-only'),
    )
    .option('--days <n>', 'how long; until it is revoked by default', daysOf)
    .addOption(serverOption())
    .option('--json', 'as JSON')
    .action(async (name: string, flags: TokenFlags & { role: CredentialRole; days?: number }) => {
      const { server: base, json, role, days } = flags
      const made = await (
        await clientOf(base)
      ).createToken({ name, role, ...(days === undefined ? {} : { days }) })
      if (json) printJson(made)
      else print(made.token)
    })
}

function defineList(command: Command): void {
  command
    .addOption(serverOption())
    .option('--json', 'as JSON')
    .action(async ({ server: base, json }: TokenFlags) => {
      const all = await (await clientOf(base)).tokens()
      if (json) printJson(all)
      else print(all.length === 0 ? 'no tokens: pilotlight tokens create NAME makes one' : tokenTable(all))
    })
}

function defineRevoke(command: Command): void {
  command
    .argument('<name...>', 'those to end')
    .addOption(serverOption())
    .option('--json', 'as JSON')
    .action(async (names: readonly string[], { server: base, json = false }: TokenFlags) => {
      const client = await clientOf(base)
      const { forEach } = await import('../each.ts')
      const before = await client.tokens()
      const left = new Set(before.filter(isOfAdmin).map(({ name }) => name))
      await forEach(names, json, async name => {
        await client.revokeToken(name)
        if (left.delete(name) && left.size === 0) process.stderr.write(`${NO_ADMIN_LEFT}\n`)
        return { state: 'revoked', line: `token ${name} is revoked: the server refuses it from now on` }
      })
    })
}

/** What is said of the last token that may make others. */
const NO_ADMIN_LEFT =
  'warning that was the last token of role admin. For a new one: stop the server, remove tokens.json in its state directory, and start it'

function isOfAdmin({ role, expires }: AccessToken): boolean {
  return role === 'admin' && (expires === undefined || Date.parse(expires) > Date.now())
}

async function clientOf(base: string) {
  const { ServerClient } = await import('#client/server.ts')
  return new ServerClient(base)
}

function tokenTable(tokens: readonly AccessToken[]): string {
  const rows = tokens.map(token => ({ ...token, expires: token.expires ?? 'never' }))
  return tableOf(['name', 'role', 'created', 'expires'], rows)
}

function daysOf(text: string): number {
  const days = Number(text)
  if (days > 0 && days <= 36_500) return days
  throw new InvalidArgumentError('it is a number greater than 0, at most 36500')
}

function nameOf(text: string): string {
  if (TOKEN_NAME.test(text)) return text
  throw new InvalidArgumentError('it has letters, digits, dots and dashes, at most 63, for example ci-2.')
}
