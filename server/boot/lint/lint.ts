// Runs the rules: over a data directory on disk, or over a few objects of a running server.

import type { LintFinding } from '#model/finding.ts'
import type { Group } from '#model/group.ts'
import type { Profile } from '#model/profile.ts'
import type { Document } from './document.ts'
import { Findings, inReadingOrder } from './findings.ts'
import { groupRules, orderRules } from './rules-groups.ts'
import { profileReference, profileRules } from './rules-profiles.ts'
import { renderRules, templateRules } from './rules-templates.ts'
import type { World } from './world.ts'

/** The objects and templates to examine. */
export type Subjects = {
  /** Groups that may take the same machines: they are compared with each other. */
  readonly groups: readonly Document<Group>[]
  readonly profiles: readonly Document<Profile>[]
  /** Files by folder and name. */
  readonly templates: readonly string[]
}

/** Everything that is wrong with these objects, in the order of their files. */
export function lint({ groups, profiles, templates }: Subjects, world: World): LintFinding[] {
  const findings = new Findings()
  for (const group of groups) {
    groupRules(group, findings)
    profileReference(group, world, findings)
  }
  orderRules(groups, findings)
  const broken = new Set(templates.filter(name => !templateRules(name, world, findings)))
  const byProfile = Map.groupBy(groups, ({ object }) => object.profile)
  for (const profile of profiles) {
    profileRules(profile, world, findings)
    renderRules(profile, byProfile.get(profile.name) ?? [], broken, world, findings)
  }
  return inReadingOrder(findings.all)
}
