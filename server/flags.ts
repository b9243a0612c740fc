// Matchbox's flags, for those who put Pilotlight in its place: `-address host:port -data-path DIR -assets-path DIR`.

const RENAMED: ReadonlyMap<string, string> = new Map([
  ['data-path', '--data-path'],
  ['assets-path', '--assets-path'],
])

/**
 * Turns the arguments of `serve` that are written as Matchbox takes them (one dash, `-flag value` or `-flag=value`) into
 * ours; a Matchbox address brings its port, and since Matchbox serves no DHCP and no TFTP, neither do we then.
 * Arguments in our own spelling are left as they are.
 */
export function withoutMatchboxFlags(args: readonly string[]): string[] {
  const ours: string[] = []
  for (let at = 0; at < args.length; at += 1) {
    const [, flag = '', joined] = /^-([a-z][a-z-]+)(?:=(.*))?$/s.exec(args[at] ?? '') ?? []
    const renamed = flag === 'address' ? '--address' : RENAMED.get(flag)
    if (renamed === undefined) {
      ours.push(args[at] ?? '')
      continue
    }
    const value = joined ?? args[(at += 1)] ?? ''
    const [, host, port] = /^(.*):(\d+)$/.exec(value) ?? []
    if (flag !== 'address') ours.push(renamed, value)
    else if (port === undefined) ours.push(renamed, value)
    else
      ours.push(
        renamed,
        host || '0.0.0.0',
        '--http-port',
        port,
        '--agent-port',
        '0',
        '--no-dhcp',
        '--no-tftp',
      )
  }
  return ours
}
