// What `up` is asked to do.

import type { AskAboutKeys } from './approvals.ts'
import type { Until } from './steps.ts'

/** What the flags of `pilotlight up` say. */
export type UpOptions = {
  readonly site: string
  readonly server: string
  /** Where certificates, the kubeconfig and the journals of this site are kept. */
  readonly state: string
  /** The data directory that the server serves; its profiles and templates are checked first. */
  readonly dataPath: string
  /** A command that switches a machine on; `{name}` stands for the machine. */
  readonly powerOn?: string
  /** The folder of kubectl and helm; PATH is searched without it. */
  readonly tools?: string
  /** Seconds in which a machine must be ready after power-on. */
  readonly bootLimitSeconds: number
  /** Overrides the site file: the first key of each machine is trusted. */
  readonly approve?: 'first-boot'
  /** Asks whether to approve keys of machines; there when a terminal is. */
  readonly approves?: AskAboutKeys
  /** Replaces the certificates of the site where the server has it with those of another state directory. */
  readonly replaceAuthority?: boolean
  /** Switches machines on although a check of the server says that they would not boot. */
  readonly bootAnyway?: boolean
  /** Shows a person a line. */
  readonly show?: (line: string) => void
  readonly until: Until
}
