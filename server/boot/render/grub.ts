// GRUB 2 configurations: the one that Matchbox makes of a profile, byte for byte, and what ours need of a boot.

import type { Profile } from '#model/profile.ts'
import type { Labels } from '#model/selector.ts'
import { NothingToServe } from './errors.ts'
import type { BootUrls } from './ipxe.ts'

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

/**
 * The files of a boot as GRUB names them: `(http,10.20.0.1:8080)/path`. iPXE's variables, such as `${uuid}`, become what
 * the machine said, since GRUB knows none of them; `initrd=` is for UEFI's own loader, and left out.
 */
export function grubUrlsOf(files: BootUrls, labels: Labels): BootUrls {
  const own = new Set(files.initrds.map(({ name }) => `initrd=${name}`))
  const filled = (text: string) => withLabels(text, labels)
  return {
    kernel: grubPath(filled(files.kernel)),
    args: files.args.filter(arg => !own.has(arg)).map(filled),
    initrds: files.initrds.map(({ name, url }) => ({ name, url: grubPath(filled(url)) })),
  }
}

/** A URL of HTTP as GRUB writes it. */
export function grubPath(url: string): string {
  return url.replace(/^http:\/\/([^/]+)/, '(http,$1)')
}

/** A text as one word of a GRUB script. */
export function grubWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** `${mac}`, `${mac:hexhyp}`, `${net0/mac}` and the like, filled in; a label that was not sent is empty. */
function withLabels(text: string, labels: Labels): string {
  return text.replaceAll(/\$\{(?:net\d*\/)?([a-z]+)(?::(\w+))?\}/g, (_, name: string, form?: string) => {
    const value = labels[name === 'buildarch' ? 'arch' : name] ?? ''
    return form === 'hexhyp' ? value.replaceAll(':', '-') : value
  })
}
