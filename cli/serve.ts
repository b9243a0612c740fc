// `pilotlight serve`: the daemon's flags.

import type { Command } from 'commander'
import { Option } from 'commander'
import { CommandError, EXIT } from './exit.ts'

type ServeFlags = {
  address: string
  httpPort: string
  agentPort: string
  dataPath: string
  assetsPath?: string
  statePath: string
  loadersPath: string
  dhcp: boolean
  tftp: boolean
}

/** Adds the verb; the daemon itself is loaded only when it runs. */
export function addServeCommand(program: Command, root: string): void {
  program
    .command('serve')
    .description('runs the server: DHCP, TFTP, HTTP')
    .addOption(
      new Option('--address <ip>', 'address of the provisioning interface; everything binds to it')
        .env('PILOTLIGHT_ADDRESS')
        .default('127.0.0.1'),
    )
    .option('--http-port <port>', 'HTTP: boot files, lists, administration; 0 takes a free one', '8080')
    .option('--agent-port <port>', 'HTTPS: what machines fetch with their token', '8443')
    .addOption(
      new Option('--data-path <dir>', 'profiles, groups, ignition, ipxe')
        .env('PILOTLIGHT_DATA_PATH')
        .default(root),
    )
    .addOption(
      new Option('--assets-path <dir>', 'kernels and images (default: assets/ in the data path)').env(
        'PILOTLIGHT_ASSETS_PATH',
      ),
    )
    .addOption(
      new Option('--state-path <dir>', 'store and certificate authority')
        .env('PILOTLIGHT_STATE_PATH')
        .default('server-state'),
    )
    .option('--loaders-path <dir>', "boot loaders, as Debian's package ipxe puts them", '/usr/lib/ipxe')
    .option('--no-dhcp', 'leave DHCP alone')
    .option('--no-tftp', 'leave TFTP alone')
    .addHelpText(
      'after',
      `
DHCP is silent until a site file is applied, so a server that has just started disturbs nobody.

Examples:
  pilotlight serve --address 10.20.0.1 --assets-path /srv/pilotlight/assets --state-path /var/lib/pilotlight
  pilotlight serve --no-dhcp --no-tftp        only HTTP, on 127.0.0.1:8080`,
    )
    .action(serveUntilStopped)
}

async function serveUntilStopped(flags: ServeFlags): Promise<void> {
  const { serverConfig } = await import('#server/config.ts')
  const { BadSettings } = await import('#server/errors.ts')
  const { serve } = await import('#server/main.ts')
  const { jsonLog } = await import('#server/log.ts')
  const { httpPort, agentPort, ...rest } = flags
  const given = { ...rest, httpPort: port(httpPort), agentPort: port(agentPort) }
  const config = usable(() => serverConfig(given))
  const stop = new AbortController()
  const log = jsonLog(process.stderr)
  const server = await serve(config, { signal: stop.signal, log })
  log('info', `http://${config.address}:${server.httpPort}/ui/ is the page; data: ${config.dataPath}`)
  await new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  await server.close()

  function usable<T>(settings: () => T): T {
    try {
      return settings()
    } catch (error) {
      if (!(error instanceof BadSettings)) throw error
      throw new CommandError(EXIT.usage, error.message, 'each setting: pilotlight serve --help')
    }
  }
}

function port(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new CommandError(EXIT.usage, `"${text}" is not a port`, 'give a number, or 0 for a free one')
}
