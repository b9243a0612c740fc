// `pilotlight charts`: the OpenStack stage by itself. A row for each of its verbs, whose code is in the file of its name.

import type { Command } from 'commander'
import { definePlan } from './plan.ts'
import { defineApply } from './apply.ts'
import { defineStatus } from './status.ts'
import { defineDiff } from './diff.ts'
import { defineRollback } from './rollback.ts'
import { defineUninstall } from './uninstall.ts'
import { defineRotate } from './rotate.ts'
import { defineHistory } from './history.ts'
import { defineLock } from './lock.ts'
import { definePackage } from './package.ts'
import { defineVerify } from './verify.ts'
import { addSubverbs, type Subverb } from '../subverbs.ts'

const VERBS: readonly Subverb[] = [
  {
    name: 'plan',
    summary: 'says which releases there are, what each needs and what it promises',
    define: definePlan,
  },
  {
    name: 'apply',
    summary: 'installs what is not as planned, and waits until every promise is kept',
    define: defineApply,
  },
  { name: 'status', summary: 'shows the state of every release, without waiting', define: defineStatus },
  {
    name: 'diff',
    summary: 'shows what an apply would change, object by object, secrets hidden',
    define: defineDiff,
  },
  {
    name: 'rollback',
    summary: 'brings an earlier revision of a release back, and waits for its promises',
    define: defineRollback,
  },
  {
    name: 'uninstall',
    summary: 'removes the releases, what needs others first; never under running servers',
    define: defineUninstall,
  },
  {
    name: 'rotate',
    summary: 'gives secrets new texts, and brings them to the services that use them',
    define: defineRotate,
  },
  {
    name: 'history',
    summary: 'lists the steps that were taken, and the revisions that can come back',
    define: defineHistory,
  },
  { name: 'verify', summary: 'boots a guest as a proof, as `pilotlight verify` does', define: defineVerify },
  {
    name: 'lock',
    summary: "pins the charts of the site's source by version and SHA-256",
    define: defineLock,
  },
  {
    name: 'package',
    summary: 'packs our own charts with an index, for a web server or a registry',
    define: definePackage,
  },
]

export function defineCharts(command: Command): void {
  command.addHelpText(
    'after',
    `
Examples:
  pilotlight charts plan site.yaml                what there would be, and what waits for what
  pilotlight charts plan site.yaml --values nova  every value of a release, and whose it is
  pilotlight charts diff site.yaml                what an apply would change, secrets hidden
  pilotlight charts apply site.yaml nova          only Nova
  pilotlight charts status site.yaml              the state of everything`,
  )
  addSubverbs(command, VERBS)
}
