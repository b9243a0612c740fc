// `pilotlight images medium`: a CD, USB stick or virtual medium for networks where our DHCP server must stay silent.

import { dirname, join } from 'node:path'
import { Option, type Command } from 'commander'
import { cleanLabel } from '#model/clean.ts'
import { Failure } from '#model/error.ts'
import { print, printJson } from '../terminal/show.ts'
import { withProgress } from '../terminal/with-progress.ts'

/** The flags as commander gives them. */
type MediumFlags = {
  readonly output: string
  readonly server?: string
  readonly ca?: string
  readonly address?: string
  readonly gateway?: string
  readonly dns: readonly string[]
  readonly vlan?: string
  readonly interface?: string
  readonly console: readonly string[]
  readonly kubernetes?: string
  readonly json?: boolean
}

export function defineMedium(command: Command): void {
  command
    .option('--output <file>', 'the image, for CD, USB stick and virtual medium', 'pilotlight-medium.iso')
    .addOption(
      new Option('--server <url>', 'the server as machines reach it, for example http://10.20.0.1:8080').env(
        'PILOTLIGHT_SERVER',
      ),
    )
    .option('--ca <file>', "builds the provisioner's authority in: the live system trusts no other")
    .option('--address <ip/prefix>', "the machine's static address; without it DHCP, by any server")
    .option('--gateway <ip>', 'its gateway, where the server is in another network')
    .option('--dns <ip>', 'its name server; can be given again', more, [])
    .option('--vlan <number>', 'the tagged VLAN that leads to the server')
    .option(
      '--interface <mac or name>',
      'the network card; without it the first with a link by which the server answers',
    )
    .option('--console <device>', 'a console of the kernel, as ttyS1,115200; can be given again', more, [])
    .option('--kubernetes <version>', 'of the images, for example 1.36.3')
    .option('--json', 'prints the result as JSON')
    .addHelpText(
      'after',
      `
Examples:
  pilotlight images medium --server http://10.20.0.1:8080 --ca /var/lib/pilotlight/ca.crt
  pilotlight images medium --server http://10.20.0.1:8080 --address 10.20.0.11/24 --vlan 100 --output ctl-1.iso`,
    )
    .action(make)
}

async function make(flags: MediumFlags): Promise<void> {
  const { readMedium } = await import('#images/medium.ts')
  const { readAuthority } = await import('#images/authority.ts')
  const { server, address, gateway, dns, vlan } = flags
  if (server === undefined || server === '') {
    const remedy = 'give  --server http://10.20.0.1:8080, with the address of the provisioner'
    throw new Failure('BAD_OPTION', 'a medium needs the URL of its server', remedy)
  }
  // All is checked before anything is built.
  const medium = readMedium({
    server,
    ...(address === undefined ? {} : { address }),
    ...(gateway === undefined ? {} : { gateway }),
    dns,
    ...(vlan === undefined ? {} : { vlan }),
    ...(flags.interface === undefined ? {} : { interface: flags.interface }),
    ...(flags.console.length === 0 ? {} : { consoles: flags.console }),
  })
  const { kubernetes } = flags
  const { kubernetesOfImages } = await import('#images/locked-kubernetes.ts')
  const versions = kubernetesOfImages()
  if (kubernetes !== undefined && !versions.includes(kubernetes)) {
    const what = `--kubernetes is "${cleanLabel(kubernetes)}", which no image has: images have ${versions.join(', ')}`
    throw new Failure('BAD_OPTION', what, `leave it out, or give  --kubernetes ${versions[0]}`)
  }
  const { makeMedium, requireOutput } = await import('#images/medium-image.ts')
  await requireOutput(flags.output)
  const ca = flags.ca === undefined ? undefined : await readAuthority(flags.ca)
  await withProgress(async ({ stage, signal, summary, drawing }) => {
    const { buildImages } = await import('#images/build.ts')
    const { mediumPrerequisites } = await import('#images/prerequisites.ts')
    const { ensurePrerequisites } = await import('#host/prerequisites.ts')
    const { inStage } = await import('#progress/stage.ts')
    await ensurePrerequisites(stage, mediumPrerequisites, signal)
    const images = await buildImages({
      stage,
      signal,
      ...(kubernetes === undefined ? {} : { kubernetes }),
    })
    const { kernel, initrd, rootfsSha256 } = images
    const microcode = join(dirname(initrd), 'microcode.img')
    const files = { kernel, initrd, microcode, rootfsSha256, ...(ca === undefined ? {} : { ca }) }
    const made = await inStage(stage, 'medium', work => makeMedium(medium, files, flags.output, work, signal))
    if (ca === undefined) {
      const why = 'without --ca the machine takes the authority that the server names on the way'
      drawing.line(`${why} (docs/security.md)`)
    }
    summary()
    if (flags.json) return printJson({ ...made, rootfsSha256 })
    print(`medium   ${made.path}`)
    print(`bytes    ${made.bytes}`)
    print(`sha256   ${made.sha256}`)
    print(`rootfs   ${rootfsSha256}   the server must serve this root image (images build --assets-path)`)
  })
}

/** A flag that may be given again. */
function more(value: string, before: readonly string[]): string[] {
  return [...before, value]
}
