// Shell completion: a script per shell that asks `pilotlight __complete` for the words that may come next.

import type { Command } from 'commander'

/** The shells for which there is a script. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

/** The script that a shell sources, for example by `source <(pilotlight completion bash)`. */
export function completionScript(shell: (typeof SHELLS)[number]): string {
  return SCRIPTS[shell]
}

/** The words that may follow `words` (all typed so far, the last one perhaps unfinished). */
export function completions(program: Command, words: readonly string[]): string[] {
  const last = words.at(-1) ?? ''
  let command = program
  for (const word of words.slice(0, -1)) {
    command = command.commands.find(sub => sub.name() === word || sub.aliases().includes(word)) ?? command
  }
  const names = command.commands.filter(sub => !sub.name().startsWith('__')).map(sub => sub.name())
  const choices = command.registeredArguments.flatMap(argument => argument.argChoices ?? [])
  const flags = command.options.flatMap(({ long }) => long ?? []).concat('--help')
  return (last.startsWith('-') ? flags : [...names, ...choices]).filter(word => word.startsWith(last))
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
