// Matchbox's flags and environment, for those who put Pilotlight in its place.

/** One flag of Matchbox. Ours has the same name, with two dashes. */
export type MatchboxFlag = {
  readonly flag: string
  /** Counts when the flag is not given and the variable is not empty. */
  readonly variable: string
  /** A flag without a value, or with one behind `=`. */
  readonly isSwitch?: boolean
}

/** All that Matchbox 0.11 takes. */
export const MATCHBOX_FLAGS: readonly MatchboxFlag[] = [
  { flag: 'address', variable: 'MATCHBOX_ADDRESS' },
  { flag: 'rpc-address', variable: 'MATCHBOX_RPC_ADDRESS' },
  { flag: 'data-path', variable: 'MATCHBOX_DATA_PATH' },
  { flag: 'assets-path', variable: 'MATCHBOX_ASSETS_PATH' },
  { flag: 'log-level', variable: 'MATCHBOX_LOG_LEVEL' },
  { flag: 'cert-file', variable: 'MATCHBOX_CERT_FILE' },
  { flag: 'key-file', variable: 'MATCHBOX_KEY_FILE' },
  { flag: 'ca-file', variable: 'MATCHBOX_CA_FILE' },
  { flag: 'key-ring-path', variable: 'MATCHBOX_KEY_RING_PATH' },
  { flag: 'web-ssl', variable: 'MATCHBOX_WEB_SSL', isSwitch: true },
  { flag: 'web-cert-file', variable: 'MATCHBOX_WEB_CERT_FILE' },
  { flag: 'web-key-file', variable: 'MATCHBOX_WEB_KEY_FILE' },
  { flag: 'version', variable: 'MATCHBOX_VERSION', isSwitch: true },
  { flag: 'help', variable: 'MATCHBOX_HELP', isSwitch: true },
]

/** What Go takes for a truth, and for the opposite. */
const TRUE = /^(?:1|t|T|TRUE|true|True)$/
const FALSE = /^(?:0|f|F|FALSE|false|False)$/

/**
 * Turns the arguments of `serve` that are written as Matchbox takes them (one dash, `-flag value` or `-flag=value`) and
 * its environment into ours. Where there is any of either, `--matchbox` is put first: what is not set has Matchbox's
 * value then. Arguments in our own spelling are left as they are, and count before the environment.
 */
export function withoutMatchboxFlags(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): string[] {
  const ours: string[] = []
  const seen = new Set<string>()
  let isMatchbox = false
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at]! // at < args.length
    const [, dashes, name = '', joined] = /^(--?)([a-z][a-z-]+)(?:=(.*))?$/s.exec(argument) ?? []
    const known = MATCHBOX_FLAGS.find(({ flag }) => flag === name)
    if (known === undefined) {
      ours.push(argument)
      continue
    }
    seen.add(name)
    if (dashes === '-') isMatchbox = true
    if (known.isSwitch) ours.push(...switchOf(name, joined ?? 'true', argument))
    else if (dashes === '--') ours.push(argument)
    else if (joined === undefined) ours.push(`--${name}`, ...args.slice((at += 1), at + 1))
    else ours.push(`--${name}`, joined)
  }
  for (const { flag, variable, isSwitch } of MATCHBOX_FLAGS) {
    const value = environment[variable] ?? ''
    if (value === '') continue
    isMatchbox = true
    if (seen.has(flag)) continue
    ours.push(...(isSwitch ? switchOf(flag, value, `${variable}=${value}`) : [`--${flag}`, value]))
  }
  return isMatchbox ? ['--matchbox', ...ours] : ours
}

/** A switch that is on, or nothing; what is neither on nor off stays, to be refused by name. */
function switchOf(flag: string, value: string, asWritten: string): string[] {
  if (TRUE.test(value)) return [`--${flag}`]
  return FALSE.test(value) ? [] : [asWritten]
}
