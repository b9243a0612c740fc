// What a machine gets to boot: from its labels, through group and profile, to a script and an Ignition config.

import type { Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import type { Profile } from '#model/profile.ts'
import type { Labels } from '#model/selector.ts'
import { NothingToServe } from './errors.ts'
import type { LocalFiles } from '../../formats/butane/local-files.ts'
import type { Catalog } from '../../inventory/catalog.ts'
import type { Found } from '../../machines/identity.ts'
import type { Known } from '../match/groups.ts'
import { fileNamed } from '../../inventory/file-names.ts'
import { butaneIgnition } from './butane.ts'
import { contextOf, type Endpoints } from './context.ts'
import { goDataOf, type GoTemplates } from './go-templates.ts'
import { grubConfig, grubUrlsOf, grubPath } from './grub.ts'
import { isPlainIgnition, plainIgnition, renderedIgnition } from './ignition.ts'
import { assetKindsOf, bootUrlsOf, isTemplated, matchboxScript, ownScripts } from './ipxe.ts'
import { type AssetKind } from '../../machines/clients.ts'
import type { Templates } from './templates.ts'

/** What makes texts of files. */
export type Renderers = {
  readonly templates: Templates
  readonly goTemplates: GoTemplates
  /** What Butane configs name beside them. */
  readonly localFiles: LocalFiles
  readonly endpoints: Endpoints
}

/** What decides an answer. */
export type Sources = Renderers & { readonly catalog: Catalog }

/** Who asks, and what they were matched to. */
export type Match = {
  readonly labels: Labels
  readonly group: Group
  readonly profile: Profile
  readonly machine: Machine | undefined
}

/**
 * Matches labels to group and profile.
 *
 * @param address where the request comes from
 * @param machine the machine that the labels name
 * @throws {NoMatchingGroup} 404
 * @throws {UnknownProfile} 404
 */
export function matchOf(
  catalog: Catalog,
  labels: Labels,
  address?: string,
  machine = machineOf(catalog, labels),
): Match {
  const group = catalog.group(labels, knownOf(machine, address))
  return { labels, group, profile: catalog.profile(group), machine }
}

/** What is known of the client besides its labels. */
export function knownOf(machine: Machine | undefined, address: string | undefined): Known {
  return { ...(machine && { macs: machine.macs }), ...(address === undefined ? {} : { address }) }
}

/**
 * The declared machine that these labels name, and by which of them. They are taken as given: this decides what it would be
 * served, and not who asks. Of the labels only these two count, as in Matchbox; a serial is for selectors.
 */
export function foundBy(catalog: Catalog, { mac, uuid }: Labels): Found | undefined {
  return catalog.identities.find({ mac, uuid })
}

/** The declared machine that these labels name. */
export function machineOf(catalog: Catalog, labels: Labels): Machine | undefined {
  return foundBy(catalog, labels)?.machine
}

/** An iPXE script, and which of the server's paths it makes the machine fetch. */
type Script = { readonly script: string; readonly assets: ReadonlyMap<string, AssetKind> }

/** The scripts of profiles that hold no template: they are alike for all machines, until the profile is another object. */
const plainScripts = new WeakMap<Profile, Script & { readonly url: string }>()

function plainScript(profile: Profile, url: string): Script {
  const known = plainScripts.get(profile)
  if (known?.url === url) return known
  const files = profile.boot?.kernel ? bootUrlsOf(profile, url, text => text) : undefined
  const assets = files ? assetKindsOf(files, url) : new Map<string, AssetKind>()
  const made = { script: matchboxScript(profile), assets, url }
  plainScripts.set(profile, made)
  return made
}

/**
 * The iPXE script of a match, and which of the server's paths it makes the machine fetch. A profile of our kind is
 * rendered by `ipxe/<profile>.ipxe.njk`, else by `ipxe/profile.ipxe.njk`; a Matchbox profile gives Matchbox's script.
 *
 * @throws {NothingToServe} 404, {TemplateFailed} 503, {UnknownTemplate} 404
 */
export function scriptOf({ templates, endpoints }: Renderers, match: Match): Script {
  const { profile } = match
  const { url } = endpoints.server
  const [own = ''] = ownScripts(profile)
  const general = 'ipxe/profile.ipxe.njk'
  const hasOwn = own !== '' && templates.has(own)
  if (!hasOwn && !isTemplated(profile)) return plainScript(profile, url)
  const context = contextOf(endpoints, { ...match, token: '' })
  if (hasOwn && profile.boot === undefined)
    return { script: templates.render(own, context), assets: new Map() }
  const render = (text: string) => templates.renderText(`profile ${profile.id}`, text, context)
  if (!templates.has(hasOwn ? own : general)) {
    const files = profile.boot?.kernel ? bootUrlsOf(profile, url, render) : undefined
    return { script: matchboxScript(profile), assets: files ? assetKindsOf(files, url) : new Map() }
  }
  const files = bootUrlsOf(profile, url, render)
  const script = templates.render(hasOwn ? own : general, { ...context, boot: files })
  return { script, assets: assetKindsOf(files, url) }
}

/**
 * The GRUB configuration of a match: `grub/<profile>.cfg.njk`, for a profile of our kind `grub/profile.cfg.njk`, else
 * Matchbox's.
 *
 * @throws {NothingToServe} 404, {TemplateFailed} 503
 */
export function grubOf({ templates, endpoints }: Renderers, match: Match): string {
  const { profile, labels } = match
  const [, own = ''] = ownScripts(profile)
  const general = 'grub/profile.cfg.njk'
  const hasOwn = own !== '' && templates.has(own)
  const name = hasOwn ? own : general
  if (!(hasOwn || isTemplated(profile)) || !templates.has(name)) return grubConfig(profile)
  const context = contextOf(endpoints, { ...match, token: '' })
  if (profile.boot === undefined) return templates.render(name, context)
  const { url } = endpoints.server
  const render = (text: string) => templates.renderText(`profile ${profile.id}`, text, context)
  const files = bootUrlsOf(profile, url, render)
  const query = new URLSearchParams(labels).toString()
  const boot = { ...grubUrlsOf(files, labels), again: grubPath(`${url}/grub?${query}`) }
  return templates.render(name, { ...context, boot })
}

/**
 * The Ignition config of a match, by the kind of its file: a template (`*.njk`) is rendered, Ignition (`*.ign`,
 * `*.ignition`) is raised to the spec that Matchbox serves, anything else is a Go template that gives Butane, which is
 * transpiled. All are checked.
 *
 * @throws {NothingToServe} 404, {UnknownTemplate} 404, {TemplateFailed} 503, {InvalidIgnition} 503,
 *   {GoTemplateFailed} 404, {InvalidButane} 404
 */
export function ignitionTextOf(
  renderers: Renderers,
  match: Match,
  request: { readonly token: string; readonly rawQuery: string },
): string {
  const { name, kind, text } = ignitionSourceOf(renderers, match, request)
  if (kind === 'plain') return plainIgnition(name, text)
  return kind === 'butane' ? butaneIgnition(name, text, renderers.localFiles) : renderedIgnition(name, text)
}

/** The text of the Ignition file of a match, rendered and not checked: see `ignitionTextOf`. */
export function ignitionSourceOf(
  { templates, goTemplates, endpoints }: Omit<Renderers, 'localFiles'>,
  match: Match,
  { token, rawQuery }: { readonly token: string; readonly rawQuery: string },
): { readonly name: string; readonly kind: 'plain' | 'butane' | 'ours'; readonly text: string } {
  const { profile, group, labels } = match
  const { ignition_id: id } = profile
  if (id === undefined) throw new NothingToServe(profile.id, 'Ignition config', 'ignition_id')
  const name = fileNamed('ignition', id)
  if (isPlainIgnition(id)) return { name, kind: 'plain', text: templates.plain(name) }
  if (!id.endsWith('.njk')) {
    return {
      name,
      kind: 'butane',
      text: goTemplates.render('ignition', id, goDataOf(group, labels, rawQuery)),
    }
  }
  return { name, kind: 'ours', text: templates.render(name, contextOf(endpoints, { ...match, token })) }
}

/** The scripts that send a machine to its disk, of a data directory that has none; for UEFI see ipxe/parts.njk, to_firmware. */
const LOCAL_SCRIPT =
  '#!ipxe\niseq ${platform} efi || exit\nset next-option yes\nisset ${within} && exit ||\nexit 1\n'
const LOCAL_GRUB = 'exit\n'

/** The script that sends a machine to its disk, by `ipxe/local.ipxe.njk`. @throws {TemplateFailed} 503 */
export function localScriptOf({ templates, endpoints }: Renderers, match: Match): string {
  const name = 'ipxe/local.ipxe.njk'
  return templates.has(name)
    ? templates.render(name, contextOf(endpoints, { ...match, token: '' }))
    : LOCAL_SCRIPT
}

/** The same for GRUB 2, by `grub/local.cfg.njk`. @throws {TemplateFailed} 503 */
export function localGrubOf({ templates, endpoints }: Renderers, match: Match): string {
  const name = 'grub/local.cfg.njk'
  return templates.has(name)
    ? templates.render(name, contextOf(endpoints, { ...match, token: '' }))
    : LOCAL_GRUB
}

/**
 * The folder of our assets that holds the root image which a match boots (`live`); undefined when it boots none, as other
 * systems do. It is the one in `coreos.live.rootfs_url=`.
 */
export function rootFolderOf(renderers: Renderers, match: Match): string | undefined {
  const { url } = renderers.endpoints.server
  if (!match.profile.boot?.kernel) return undefined
  const context = contextOf(renderers.endpoints, { ...match, token: '' })
  const { args } = bootUrlsOf(match.profile, url, text =>
    isTemplated(match.profile)
      ? renderers.templates.renderText(`profile ${match.profile.id}`, text, context)
      : text,
  )
  const image = args.find(arg => arg.startsWith(ROOT_ARGUMENT))?.slice(ROOT_ARGUMENT.length)
  const path = image?.startsWith(`${url}/assets/`) ? image.slice(`${url}/assets/`.length) : undefined
  return path === undefined || !path.includes('/') ? undefined : path.slice(0, path.lastIndexOf('/'))
}

const ROOT_ARGUMENT = 'coreos.live.rootfs_url='

/** Matchbox's boot script, for data directories that have none: a chain to /ipxe with all that iPXE knows. */
export const MATCHBOX_BOOT_SCRIPT =
  '#!ipxe\nchain ipxe?uuid=${uuid}&mac=${mac:hexhyp}&domain=${domain}&hostname=${hostname}' +
  '&serial=${serial}&arch=${buildarch:uristring}\n'
