// Shell completion: a script per shell that asks `pilotlight __complete` for the words that may come next.

import { Argument, type Command, type Option } from 'commander'

/** The shells for which there is a script. */
const SHELLS = ['bash', 'zsh', 'fish'] as const

export function defineCompletion(command: Command): void {
  command
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      `
Verbs, flags, their values, and the ids that the server of PILOTLIGHT_SERVER knows.

Examples:
  source <(pilotlight completion bash)
  pilotlight completion zsh > "\${fpath[1]}/_pilotlight"
  pilotlight completion fish > ~/.config/fish/completions/pilotlight.fish`,
    )
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { show } = await import('../terminal/show.ts')
      show(completionScript(shell))
    })
}

/** The script that a shell sources, for example by `source <(pilotlight completion bash)`. */
function completionScript(shell: (typeof SHELLS)[number]): string {
  return SCRIPTS[shell]
}

/** The words that may follow `words` (all typed so far, the last one perhaps unfinished). */
export async function completions(program: Command, words: readonly string[]): Promise<string[]> {
  const last = words.at(-1) ?? ''
  let command = program
  const given: string[] = []
  let flag: Option | undefined // whose value the next word is
  for (const word of words.slice(0, -1)) {
    const below = command.commands.find(sub => sub.name() === word || sub.aliases().includes(word))
    if (flag !== undefined) flag = undefined
    else if (word.startsWith('-')) flag = command.options.find(option => takesValueAs(option, word))
    else if (below !== undefined) command = below
    else given.push(word)
  }
  if (flag !== undefined) return (await valuesOf(flag)).filter(word => word.startsWith(last))
  const flags = command.options.flatMap(({ long }) => long ?? []).concat('--help')
  if (last.startsWith('-')) return flags.filter(word => word.startsWith(last))
  const names = command.commands.filter(sub => !sub.name().startsWith('__')).map(sub => sub.name())
  const wanted = command.registeredArguments.at(given.length) ?? command.registeredArguments.at(-1)
  const isId = wanted?.name() === 'id' || wanted?.name() === 'ids'
  const choices = isId ? await idsOf(given[0] ?? '') : (wanted?.argChoices ?? [])
  return [...names, ...choices].filter(word => word.startsWith(last))
}

async function valuesOf({ long, argChoices }: Option): Promise<readonly string[]> {
  if (long !== '--lab') return argChoices ?? []
  const { labNames } = await import('#lab/lab.ts')
  return labNames()
}

function takesValueAs({ long, short, required }: Option, word: string): boolean {
  return required && (word === long || word === short)
}

/** Seconds that a shell waits for a server's answer while the user types. */
const PATIENCE_SECONDS = 0.7

/** The ids that the server knows of a kind (`group` or `groups`); none when it does not answer at once. */
async function idsOf(kind: string): Promise<string[]> {
  const { DEFAULT_SERVER_URL } = await import('#model/endpoint.ts')
  const { PILOTLIGHT_SERVER: server = DEFAULT_SERVER_URL } = process.env
  const list = kind.endsWith('s') ? kind : `${kind}s`
  try {
    const { ServerClient } = await import('#client/server.ts')
    const path = list === 'machines' ? '/machines' : `/v1/${list}?limit=1000`
    const answer = await new ServerClient(server).request('GET', path, {}, undefined, PATIENCE_SECONDS)
    const found = (await answer.json()) as { id: string }[] | { items: { id: string }[] }
    return (Array.isArray(found) ? found : found.items).map(({ id }) => id)
  } catch {
    return []
  }
}

const SCRIPTS = {
  bash: `_pilotlight() {
  local words
  words=$("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  mapfile -t COMPREPLY <<< "$words"
  [ -n "$words" ] || COMPREPLY=()
}
complete -o default -F _pilotlight pilotlight
`,
  zsh: `#compdef pilotlight
_pilotlight() {
  local -a found
  found=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  [ -n "\${found[1]}" ] && compadd -a found || _files
}
compdef _pilotlight pilotlight
`,
  fish: `complete -c pilotlight -a '(pilotlight __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
} as const
