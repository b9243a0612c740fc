// What the checks of a diagnosis look at, and what they give.

import { pathWord } from '#host/shell.ts'
import type { Alarm } from '#model/alarm.ts'
import type { Diagnosis } from '#model/diagnosis.ts'
import { contains } from '#model/ipv4.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { Profile } from '#model/profile.ts'
import type { SiteObjects } from '#model/site.ts'
import type { Slots } from '../assets/slots.ts'
import type { LintResult } from '../boot/lint/beside.ts'
import type { ServerPlace, SiteObstacle } from '../inventory/site-check.ts'
import type { DhcpLook } from '../protocols/dhcp/other-servers-probe.ts'
import type { Prober } from '../protocols/dhcp/probe.ts'

/** What a diagnosis needs from the service. */
export type DiagnosisNeeds = {
  /** The address that the server was given, and what it serves there. */
  readonly address: string
  readonly tftp: boolean
  readonly statePath: string
  readonly dataPath: string
  /** Where machines reach the server and its agents' listener, and the authority of the latter. */
  readonly urls: () => { readonly server: string; readonly agent: string; readonly ca: string }
  readonly place: () => Promise<ServerPlace>
  readonly slots: Pick<Slots, 'description' | 'differences' | 'misfits'>
  /** The sites that are put, and what is declared. */
  readonly networks: () => Promise<
    readonly { readonly name: string; readonly network: ProvisioningNetwork }[]
  >
  readonly declared: () => Pick<SiteObjects, 'groups' | 'machines'>
  readonly profileOf: (id: string) => Profile | undefined
  readonly look: () => Promise<DhcpLook>
  readonly prober: Pick<Prober, 'look' | 'result'>
  /** Names of the boot loaders that are there, and why others could not be read. */
  readonly loaders: readonly string[]
  readonly missingLoaders: readonly string[]
  readonly lint: () => Promise<LintResult>
  readonly openAlarms: () => readonly Alarm[]
  /** Why nothing can be kept now. */
  readonly trouble: () => string | undefined
  /** Milliseconds since 1970: now, and when this server wrote its newest event. */
  readonly now: () => number
  readonly newestEvent: () => Promise<number | undefined>
}

/** One site in what is looked at. */
export type Looked = {
  readonly name: string
  readonly objects: Pick<SiteObjects, 'network' | 'groups' | 'machines' | 'chosen'>
}

/** What the checks of one diagnosis have in common. */
export type Facts = {
  readonly needs: DiagnosisNeeds
  readonly sites: readonly Looked[]
  readonly place: ServerPlace
  readonly obstacles: readonly SiteObstacle[]
  /** Whether the sites are in effect. */
  readonly isPut: boolean
}

/** A diagnosis, which has the name of its check unless it names another. */
export type Found = Omit<Diagnosis, 'check'> & Partial<Pick<Diagnosis, 'check'>>

/** One check: it may reject, and is then shown as not looked at, with the reason. */
export type Check = (facts: Facts) => Promise<Found | Found[]>

/** It was looked at, and is right. */
export function ok(text: string): Found {
  return { verdict: 'ok', text }
}

/** It was not looked at. */
export function unseen(text: string, fix?: string): Found {
  return { verdict: 'unseen', text, ...(fix !== undefined && { fix }) }
}

/** It was looked at, and is worth knowing. */
export function warning(text: string, fix: string): Found {
  return { verdict: 'warning', text, fix }
}

/** Something does not work. */
export function failed(text: string, fix: string): Found {
  return { verdict: 'failed', text, fix }
}

/** Machines do not boot. */
export function blocking(text: string, fix: string): Found {
  return { verdict: 'failed', text, fix, blocks: true }
}

/** What is not looked at while no site is known. */
export function noSite(): Found {
  return unseen(
    'no site is known: pilotlight doctor SITE looks at one that is not put yet',
    'pilotlight doctor SITE',
  )
}

/** What the server reports of a site that is put, as findings of one check. */
export function ofObstacles({ obstacles }: Facts, check: SiteObstacle['check']): Found[] {
  return obstacles
    .filter(obstacle => obstacle.check === check)
    .map(({ what, remedy, fix, blocks }) => (blocks ? blocking : warning)(`${what} ${remedy}`, fix))
}

/** The site whose network the server's address is in. */
export function ownSite({ needs, sites }: Facts): Looked | undefined {
  return sites.find(({ objects: { network } }) => contains(network.subnet, needs.address))
}

/** What is not looked at while the server's address is in no network of a site. */
export function inNoNetwork({ needs: { address } }: Facts): Found {
  return unseen(`${address} is in no network of a site`)
}

/** The command that makes the images of an assets folder anew. */
export function buildImages(assetsPath: string): string {
  return `pilotlight images build --assets-path ${pathWord(assetsPath)}`
}
