// `pilotlight charts rotate`: new texts for secrets.

import type { Command } from 'commander'
import { pathWord } from '#host/shell.ts'
import { Failure } from '#model/error.ts'
import { withProgress } from '../terminal/with-progress.ts'
import { ofSite, planOf, print, sessionOf, type ChartsFlags } from './site-flags.ts'

export function defineRotate(command: Command): void {
  ofSite(command)
    .argument('[secrets...]', 'for example nova-db keystone-fernet-keys')
    .option('--all', 'every secret that can be rotated')
    .addHelpText(
      'after',
      `
A new password is set by the service's own job; its new pods are made beside the old ones. In between, new connections of the old
pods are refused, for seconds. Keystone's Fernet keys move on without any of that.

Examples:
  pilotlight charts rotate site.yaml nova-db keystone-fernet-keys
  pilotlight charts rotate site.yaml --all`,
    )
    .action(async (site: string, names: string[], flags: ChartsFlags & { all?: boolean }) => {
      if ((names.length === 0) !== (flags.all === true)) throw await noSecret(site, flags, names.length > 0)
      const options = await sessionOf(site, flags)
      const { rotateAndApply } = await import('#rack/charts/verbs/rotate.ts')
      await withProgress(async ({ stage, signal, summary }) => {
        const all = flags.all ? 'all' : names
        const { releases, rotated: secrets } = await rotateAndApply({ ...options, stage, signal }, all)
        const rotated = secrets.map(({ name, version }) => `${name} version ${version}`)
        summary()
        const rolled = releases.filter(({ applied }) => applied).map(({ name }) => name)
        print(flags, { rotated, rolled }, [
          `rotated: ${rotated.join(', ')}`,
          `rolled: ${rolled.join(' ') || 'nothing had to be'}`,
        ])
      })
    })
}

/** Neither secrets nor `--all` were given, or both; the message lists those that there are. */
async function noSecret(site: string, flags: ChartsFlags, hasBoth: boolean): Promise<Failure> {
  const { isRotatable } = await import('#rack/charts/secrets/rotation.ts')
  const names = (await planOf(site, flags)).plan.secrets.filter(isRotatable).map(({ name }) => name)
  const what = hasBoth ? 'secrets are named, and --all is given too' : 'no secret is named'
  const remedy = `pilotlight charts rotate ${pathWord(site)} ${names[0] ?? '--all'}`
  return new Failure(
    'BAD_OPTION',
    `${what}; the plan has ${names.join(' ') || 'none that can be rotated'}`,
    remedy,
  )
}
