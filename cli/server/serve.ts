// `pilotlight serve`: the daemon's flags.

import { type Command, Option } from 'commander'
import { MATCHBOX_SETTINGS, SETTINGS, type GivenSettings } from '#server/config.ts'
import { Failure } from '#model/error.ts'
import { versionInfo, versionText } from '../about/version.ts'
import { ROOT } from '../root.ts'

/** The flags as commander gives them; numbers are texts still. */
type ServeFlags = Omit<GivenSettings, 'httpPort' | 'agentPort' | 'stopSeconds' | 'eventDays' | 'limits'> & {
  readonly httpPort?: string
  readonly agentPort?: string
  readonly stopSeconds?: string
  readonly matchbox?: boolean
  readonly version?: boolean
}

export function defineServe(command: Command): void {
  command
    .allowExcessArguments()
    .addOption(
      new Option(
        '--address <ip[:port]>',
        `address of the provisioning interface; everything binds to it (${SETTINGS.address})`,
      ).env('PILOTLIGHT_ADDRESS'),
    )
    .option(
      '--http-port <port>',
      `HTTP: boot files, lists, administration; 0 takes a free one (${SETTINGS.httpPort})`,
    )
    .option('--agent-address <host:port>', "HTTPS: what machines fetch with their token (the address's)")
    .option('--agent-port <port>', `the same, by its port alone (${SETTINGS.agentPort})`)
    .option(
      '--admin-address <host:port>',
      'HTTPS: lists and administration, which then leave the boot listener',
    )
    .option('--rpc-address <host:port>', "gRPC as Matchbox's clients speak it, with client certificates")
    .option('--cert-file <pem>', `certificate of gRPC and administration (gRPC: ${SETTINGS.certFile})`)
    .option('--key-file <pem>', `its key (${SETTINGS.keyFile})`)
    .option('--ca-file <pem>', `whose client certificates are taken (${SETTINGS.caFile})`)
    .option(
      '--certificate-role <role>',
      'of client certificates that name none: admin, read-only, none (admin)',
    )
    .option('--public-reads', 'lists, journals and metrics take no token from other hosts')
    .option(
      '--private-reads',
      'reads and changes take one from this host too, also on loopback; from other hosts they do by default',
    )
    .option(
      '--host-name <name>',
      "a name that people and programs call the server by, beside its address and its machine's name; can be given again",
      (name, before: readonly string[]) => [...before, name],
      [],
    )
    .option('--web-ssl', 'HTTPS in place of HTTP for boot files')
    .option('--web-cert-file <pem>', `its certificate (${SETTINGS.webCertFile})`)
    .option('--web-key-file <pem>', `and key (${SETTINGS.webKeyFile})`)
    .addOption(
      new Option('--data-path <dir>', 'profiles, groups, ignition, ipxe (our own)').env(
        'PILOTLIGHT_DATA_PATH',
      ),
    )
    .addOption(
      new Option('--assets-path <dir>', 'kernels and images; "" for none (assets/ in the data path)').env(
        'PILOTLIGHT_ASSETS_PATH',
      ),
    )
    .addOption(
      new Option('--state-path <dir>', `store, certificates and tokens (${SETTINGS.statePath})`).env(
        'PILOTLIGHT_STATE_PATH',
      ),
    )
    .option(
      '--loaders-path <dir>',
      `boot loaders, as Debian's package ipxe puts them (${SETTINGS.loadersPath})`,
    )
    .option(
      '--key-ring-path <file>',
      'OpenPGP keys to sign boot files with; passphrase in MATCHBOX_PASSPHRASE',
    )
    .option('--dhcp', 'serve DHCP, where --matchbox would not')
    .option('--no-dhcp', 'leave DHCP alone')
    .option('--tftp', 'serve TFTP, where --matchbox would not')
    .option('--no-tftp', 'leave TFTP alone')
    .option('--log-level <level>', `error, warn, info, debug (${SETTINGS.logLevel})`)
    .option('--log-format <format>', `json, or text for people (${SETTINGS.logFormat})`)
    .option('--stop-seconds <n>', `what requests under way get at the end (${SETTINGS.stopSeconds})`)
    .option('--matchbox', "Matchbox's own defaults, no DHCP and no TFTP; implied by its flags and variables")
    .option('--version', 'prints the version')
    .addHelpText(
      'after',
      `
DHCP is silent until a site file is applied, so a server that has just started does not disturb its network.
Matchbox's flags (-address, -data-path, -rpc-address, ...) and MATCHBOX_* variables are accepted.

Examples:
  pilotlight serve --address 10.20.0.1 --assets-path /srv/pilotlight/assets --state-path /var/lib/pilotlight
  pilotlight serve --no-dhcp --no-tftp        only HTTP, on 127.0.0.1:8080
  pilotlight serve -address 0.0.0.0:8080 -rpc-address 0.0.0.0:8081 -data-path /var/lib/matchbox`,
    )
    .action(async (flags: ServeFlags, command: Command) => {
      if (flags.version) {
        process.stdout.write(versionText(versionInfo(ROOT)))
        return
      }
      const [extra] = command.args // Matchbox lets them pass
      if (extra !== undefined && !flags.matchbox) {
        throw new Failure('BAD_OPTION', `serve takes no "${extra}"`, 'pilotlight serve --help')
      }
      await serveUntilStopped(flags)
    })
}

async function serveUntilStopped(flags: ServeFlags): Promise<void> {
  const { serverConfig } = await import('#server/config.ts')
  const { CannotMakeDirectory } = await import('#host/make-directory.ts')
  const { BadSettings } = await import('#server/errors.ts')
  const { inheritedSockets, settingsOf } = await import('#server/process/activation.ts')
  const { serviceManager } = await import('#server/process/service-manager.ts')
  const { serve } = await import('#server/main.ts')
  const { causesOf, lineLog } = await import('#server/log.ts')
  const { httpPort, agentPort, stopSeconds, matchbox, version: _, ...rest } = flags
  const sockets = inheritedSockets()
  const given: GivenSettings = {
    ...(matchbox ? MATCHBOX_SETTINGS : {}),
    ...settingsOf(sockets),
    ...rest,
    ...numbers({ httpPort, agentPort, stopSeconds }),
    keyRingPassphrase: process.env['MATCHBOX_PASSPHRASE'],
  }
  // Matchbox ends with 1 whatever is wrong with its settings.
  const refuse = (message: string, remedy = 'pilotlight serve --help') =>
    new Failure(matchbox ? 'BAD_SETTINGS' : 'BAD_OPTION', message, remedy)
  const stop = new AbortController()
  try {
    const config = serverConfig(given)
    const log = lineLog({ stream: process.stderr, level: config.logLevel, format: config.logFormat })
    if (given.privateReads) {
      log(
        'info',
        'From other hosts reads take a token by default; with --private-reads they do from this host too, as do changes on loopback',
      )
    }
    const server = await serve(config, { signal: stop.signal, log, sockets })
    if (process.stderr.isTTY) process.stderr.write(`${server.startText}\n`)
    const manager = serviceManager(problem => log('warn', causesOf(problem)))
    void manager?.ready(`serving on ${config.address}`)
    process.on('SIGHUP', () => server.reload())
    await new Promise<void>(resolve => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    })
    // Who asks twice wants no answer waited for.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    manager?.close()
    await server.close()
    log.flush()
  } catch (error) {
    if (error instanceof CannotMakeDirectory) throw refuse(`state-path: ${error.message}`, error.remedy)
    if (!(error instanceof BadSettings)) throw error
    throw refuse(error.message, error.remedy)
  }
}

/** The numbers among the flags; those that were not given are left out. */
function numbers<Key extends string>(
  texts: Readonly<Record<Key, string | undefined>>,
): { [K in Key]?: number } {
  const given = Object.entries<string | undefined>(texts).flatMap(([key, text]) => {
    if (text === undefined) return []
    if (/^\d{1,5}$/.test(text)) return [[key, Number(text)] as const]
    const flag = `--${key.replace(/[A-Z]/, capital => `-${capital.toLowerCase()}`)}`
    const what = `${flag} is "${text}", which is not a whole number of at most five digits`
    const usual = key === 'stopSeconds' ? '10' : '0   takes a free port'
    throw new Failure('BAD_OPTION', what, `pilotlight serve ${flag} ${usual}`)
  })
  return Object.fromEntries(given) as { [K in Key]?: number } // the same keys
}
