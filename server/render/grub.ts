// The GRUB 2 configuration that Matchbox makes of a profile, byte for byte.

import { NothingToServe } from '../errors.ts'
import type { Profile } from '../inventory/objects.ts'

/**
 * A menu of one system, for UEFI and BIOS.
 *
 * @throws {NothingToServe} 404, when the profile has no `boot`
 */
export function grubConfig(profile: Profile): string {
  if (profile.boot === undefined) throw new NothingToServe(profile.id, 'kernel', 'boot')
  const { kernel = '', args = [], initrd = [] } = profile.boot
  const linux = [`"${kernel}"`, ...args].join(' ')
  const initrds = initrd.map(it => ` "${it}"`).join('')
  const entry = (title: string, suffix: string) => `menuentry "CoreOS (${title})" {
echo "Loading kernel"
linux${suffix} ${linux}
echo "Loading initrd"
initrd${suffix} ${initrds}
}
`
  return `default=0\nfallback=1\ntimeout=1\n${entry('EFI', 'efi')}${entry('BIOS', '')}`
}
