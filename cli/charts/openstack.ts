// `pilotlight openstack`: what a person needs to use the cloud.

import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { Failure } from '#model/error.ts'
import { stateOption } from '../options.ts'
import { addSubverbs } from '../subverbs.ts'
import { printJson } from '../terminal/show.ts'

type RcFlags = {
  readonly state: string
  readonly format: 'openrc' | 'clouds.yaml'
  readonly output?: string
  readonly json?: boolean
}

export function defineOpenstack(command: Command): void {
  addSubverbs(command, [
    {
      name: 'rc',
      summary: "prints the client's configuration, with the administrator's password",
      define: defineRc,
    },
  ])
}

function defineRc(command: Command): void {
  command
    .argument('<site>', 'site file')
    .addOption(stateOption())
    .addOption(
      new Option('--format <format>', 'variables for a shell, or a file for the client')
        .choices(['openrc', 'clouds.yaml'])
        .default('openrc'),
    )
    .option('--output <file>', 'writes it into a file that only you can read, and prints nothing')
    .option('--json', 'the clouds as JSON, in the form of clouds.yaml; with --output the path of the file')
    .addHelpText(
      'after',
      `
Examples:
  source <(pilotlight openstack rc site.yaml) && openstack server list
  pilotlight openstack rc site.yaml --format clouds.yaml --output ~/.config/openstack/clouds.yaml
  openstack --os-cloud pilotlight server list`,
    )
    .action(async (siteFile: string, { state, format, output, json }: RcFlags) => {
      const { readSiteFile } = await import('#rack/site/read.ts')
      const { cloudsYaml, openrc } = await import('#rack/openstack/openrc.ts')
      const site = await readSiteFile(siteFile, state)
      const password = await requirePassword(state)
      const text = format === 'openrc' ? openrc(site, password) : cloudsYaml(site, password)
      if (output !== undefined) {
        await writeFile(output, text, { mode: 0o600 })
        if (json) printJson({ file: resolve(output), format })
      } else if (json) {
        const { parse } = await import('yaml')
        printJson(parse(cloudsYaml(site, password)) as object) // it has `clouds`
      } else process.stdout.write(text)
    })
}

/**
 * The password of the cloud's administrator that a state directory keeps.
 *
 * @throws {Failure} NOT_FOUND when it keeps none: nearly always it is another directory
 */
export async function requirePassword(state: string): Promise<string> {
  const { adminPassword } = await import('#rack/charts/secrets/secrets.ts')
  const password = await adminPassword(resolve(state))
  if (password !== undefined) return password
  const remedy = 'name the directory that `up` used: --state DIR'
  throw new Failure('NOT_FOUND', `${state} has no password of a cloud`, remedy)
}
