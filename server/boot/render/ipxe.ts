// From a profile to what iPXE loads: the files with absolute URLs, the script, and which asset is which in the journal.

import type { Profile } from '#model/profile.ts'
import { NothingToServe } from './errors.ts'
import type { AssetKind } from '../../machines/clients.ts'

/** What a machine loads to boot. */
export type BootUrls = {
  readonly kernel: string
  /** Arguments, in order, as they go on the kernel's command line. */
  readonly args: readonly string[]
  readonly initrds: readonly { readonly name: string; readonly url: string }[]
}

/**
 * A profile is ours, and a template throughout, when one of its files is (`*.njk`); otherwise it is a Matchbox profile
 * and keeps Matchbox's meaning: `{{...}}` in an argument is left alone.
 */
export function isTemplated({ ignition_id, generic_id, cloud_id }: Profile): boolean {
  return [ignition_id, generic_id, cloud_id].some(id => id?.endsWith('.njk') === true)
}

/** A profile's own script, if its name may have one: the file that makes it, by kind. */
export function ownScripts({ id }: Pick<Profile, 'id'>): readonly string[] {
  return RESERVED.has(id) ? [] : [`ipxe/${id}.ipxe.njk`, `grub/${id}.cfg.njk`]
}

/** Names that mean something else than a profile's own script. */
const RESERVED: ReadonlySet<string> = new Set(['boot', 'autoexec', 'profile'])

/**
 * The script that Matchbox makes of a profile, byte for byte.
 *
 * @throws {NothingToServe} 404, when the profile has no `boot`
 */
export function matchboxScript(profile: Profile): string {
  if (profile.boot === undefined) throw new NothingToServe(profile.id, 'kernel', 'boot')
  const { kernel = '', args = [], initrd = [] } = profile.boot
  return `#!ipxe\nkernel ${[kernel, ...args].join(' ')}${initrd.map(it => `\ninitrd ${it}`).join('')}\nboot\n`
}

/**
 * The files of a profile: paths become URLs of `serverUrl`, `render` fills in the templates, every initrd gets a name (one
 * whose template renders to nothing is left out), and the kernel an `initrd=` for each, since UEFI finds them by name (coreos/fedora-coreos-docs#282).
 *
 * @throws {NothingToServe} 404, when the profile has no kernel
 */
export function bootUrlsOf(profile: Profile, serverUrl: string, render: (text: string) => string): BootUrls {
  const { kernel = '', args = [], initrd = [] } = profile.boot ?? {}
  if (kernel === '') throw new NothingToServe(profile.id, 'kernel', 'boot.kernel')
  const initrds = initrd.flatMap(text => {
    const given = render(text)
    return given.trim() === '' && text !== given ? [] : [initrdOf(given, serverUrl)]
  })
  const rendered = args.map(render)
  const named = rendered.some(arg => arg.startsWith('initrd='))
  return {
    kernel: absolute(render(kernel), serverUrl),
    args: named ? rendered : [...initrds.map(({ name }) => `initrd=${name}`), ...rendered],
    initrds,
  }
}

/** The paths below `serverUrl` that the boot fetches, and what each of them is. */
export function assetKindsOf(files: BootUrls, serverUrl: string): Map<string, AssetKind> {
  const kinds = new Map<string, AssetKind>()
  const add = (url: string, kind: AssetKind) => {
    if (url.startsWith(`${serverUrl}/`)) kinds.set(url.slice(serverUrl.length), kind)
  }
  add(files.kernel, 'kernel')
  for (const { url } of files.initrds) add(url, 'initrd')
  for (const arg of files.args) {
    const url = arg.slice(arg.indexOf('=') + 1)
    if (url.startsWith(`${serverUrl}/assets/`)) add(url, 'rootfs')
  }
  return kinds
}

/** An initrd may carry iPXE's options: `--name main /x.img`. */
function initrdOf(text: string, serverUrl: string): { name: string; url: string } {
  const words = text.trim().split(/\s+/)
  const path = words.at(-1) ?? ''
  const option = words.findIndex(word => word === '--name' || word === '-n')
  const given = option < 0 ? words.find(word => word.startsWith('--name='))?.slice(7) : words[option + 1]
  return { name: given ?? path.slice(path.lastIndexOf('/') + 1), url: absolute(path, serverUrl) }
}

function absolute(path: string, serverUrl: string): string {
  return path.startsWith('/') ? `${serverUrl}${path}` : path
}
