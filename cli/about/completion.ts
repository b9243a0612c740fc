// Shell completion: a script per shell that asks `pilotlight __complete` for the words that may come next.

import { Argument, type Command, type Option } from 'commander'
import { nameOf } from '../usage.ts'

/** The shells for which there is a script. */
const SHELLS = ['bash', 'zsh', 'fish'] as const

export function defineCompletion(command: Command): void {
  command
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Verbs, flags, their values, and the ids that the server of PILOTLIGHT_SERVER knows.

Examples:
  source <(pilotlight completion bash)
  pilotlight completion zsh > "\${fpath[1]}/_pilotlight"
  pilotlight completion fish > ~/.config/fish/completions/pilotlight.fish`,
    )
    .action(async (shell: (typeof SHELLS)[number], { json }: { readonly json?: boolean }) => {
      const { printJson, show } = await import('../terminal/show.ts')
      if (json) printJson({ shell, script: completionScript(shell) })
      else show(completionScript(shell))
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
  const flags: Record<string, string> = {}
  let flag: Option | undefined // whose value the next word is
  for (const word of words.slice(0, -1)) {
    const below = command.commands.find(sub => sub.name() === word || sub.aliases().includes(word))
    if (flag !== undefined) {
      flags[flag.long ?? ''] = word
      flag = undefined
    } else if (word.startsWith('-')) {
      flag = command.options.find(option => takesValueAs(option, word))
      const [, name = '', value] = /^(--[\w-]+)=(.*)$/.exec(word) ?? []
      if (value !== undefined) flags[name] = value
    } else if (below !== undefined && given.length === 0) command = below
    else given.push(word)
  }
  const { argumentWords, flagWords } = await import('./completion-ids.ts')
  const typed = { verb: nameOf(command).replace(/^pilotlight ?/, ''), given, flags }
  const offered = (await offer()).filter(
    word => !given.includes(word) || command.registeredArguments.length === 0,
  )
  return [...new Set(offered)].filter(word => word.startsWith(last))

  async function offer(): Promise<readonly string[]> {
    if (flag !== undefined) return flag.argChoices ?? flagWords(flag.long ?? '', typed)
    const [, name, joined] = /^(--[\w-]+)=(.*)$/.exec(last) ?? []
    const own = command.options.find(({ long, required }) => required && long === name)
    if (own !== undefined && joined !== undefined)
      return (own.argChoices ?? (await flagWords(own.long ?? '', typed))).map(word => `${name}=${word}`)
    if (last.startsWith('-')) return command.options.flatMap(({ long }) => long ?? []).concat('--help')
    if (typed.verb === 'help' && given.length > 0) return subcommandNames(commandBelow(program, given))
    const wanted = command.registeredArguments.at(given.length) ?? command.registeredArguments.at(-1)
    const ids = (await argumentWords(typed)) ?? wanted?.argChoices ?? []
    const above = typed.verb === 'help' ? program : command
    return [...(given.length === 0 ? subcommandNames(above) : []), ...ids]
  }
}

function subcommandNames(command: Command | undefined): string[] {
  return (command?.commands ?? []).map(sub => sub.name()).filter(name => !name.startsWith('__'))
}

function commandBelow(program: Command, names: readonly string[]): Command | undefined {
  return names.reduce<Command | undefined>(
    (above, name) => above?.commands.find(sub => sub.name() === name),
    program,
  )
}

function takesValueAs({ long, short, required, optional }: Option, word: string): boolean {
  return (required || optional) && (word === long || word === short)
}

const SCRIPTS = {
  // Bash splits words at ":" (COMP_WORDBREAKS), and replaces only what follows it: MAC addresses and ids of alarms have some.
  bash: `_pilotlight() {
  local line="\${COMP_LINE:0:COMP_POINT}" typed found cut
  read -r -a typed <<< "$line"
  [[ "$line" == *[[:space:]] ]] && typed+=("")
  found=$("\${typed[0]}" __complete -- "\${typed[@]:1}" 2>/dev/null)
  COMPREPLY=()
  [ -n "$found" ] || return
  mapfile -t COMPREPLY <<< "$found"
  cut="\${typed[-1]}"
  if [[ "$cut" == *[:=]* ]]; then
    cut="\${cut%"\${cut##*[:=]}"}"
    COMPREPLY=("\${COMPREPLY[@]#"$cut"}")
  fi
}
complete -o default -F _pilotlight pilotlight
`,
  // In a file of fpath the whole file is the function's first call, so it ends by doing what was asked for.
  zsh: `#compdef pilotlight
_pilotlight() {
  local -a found
  found=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [ -n "\${found[1]}" ]; then compadd -a found; else _files; fi
}
if [ "\${funcstack[1]}" = _pilotlight ]; then _pilotlight "$@"; else compdef _pilotlight pilotlight; fi
`,
  // Files are offered only where there are no words.
  fish: `function __pilotlight_find
  set -l typed (commandline -opc)
  set -g __pilotlight_found ($typed[1] __complete -- $typed[2..] (commandline -ct) 2>/dev/null | string match -rv '^$')
  test (count $__pilotlight_found) -gt 0
end
complete -c pilotlight -n __pilotlight_find -f -a '$__pilotlight_found'
`,
} as const
