// Runs the rules: over a data directory on disk, or over a few objects of a running server.

import type { LintFinding } from '#model/finding.ts'
import type { Group } from '#model/group.ts'
import type { Profile } from '#model/profile.ts'
import type { Document } from './document.ts'
import { Findings, inReadingOrder } from './findings.ts'
import { groupRules, orderRules } from './rules-groups.ts'
import { profileReference, profileRules } from './rules-profiles.ts'
import { KnownFindings } from './known-findings.ts'
import { renderRules } from './rules-rendered.ts'
import { templateRules } from './rules-templates.ts'
import type { World } from './world.ts'

/** The objects and templates to examine. */
export type Subjects = {
  /** Groups that may take the same machines: they are compared with each other. */
  readonly groups: readonly Document<Group>[]
  readonly profiles: readonly Document<Profile>[]
  /** Files by folder and name. */
  readonly templates: readonly string[]
  /** More groups that the files of profiles are rendered for; nothing else is said of these. */
  readonly users?: readonly Document<Group>[]
  /** More profiles whose files are rendered; nothing else is said of these. */
  readonly rendered?: readonly Document<Profile>[]
}

/** Everything that is wrong with these objects, in the order of their files. */
export function lint(
  { groups, profiles, templates, users = [], rendered = [] }: Subjects,
  world: World,
): LintFinding[] {
  const findings = new Findings()
  for (const group of groups) {
    groupRules(group, world, findings)
    profileReference(group, world, findings)
  }
  orderRules(groups, findings)
  const known = new KnownFindings()
  for (const name of templates) templateRules(name, world, known, findings)
  for (const profile of profiles) profileRules(profile, world, findings)
  const byProfile = Map.groupBy([...groups, ...users], ({ object }) => object.profile)
  for (const profile of [...profiles, ...rendered]) {
    renderRules(profile, byProfile.get(profile.name) ?? [], known, world, findings)
  }
  return inReadingOrder(findings.all)
}
