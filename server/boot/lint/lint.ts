// Runs the rules: over a data directory on disk, or over a few objects of a running server.

import type { LintFinding } from '#model/finding.ts'
import type { Group } from '#model/group.ts'
import type { Profile } from '#model/profile.ts'
import type { Document } from './document.ts'
import { Findings, inReadingOrder } from './findings.ts'
import { groupRules, orderRules } from './rules-groups.ts'
import { profileReference, profileRules } from './rules-profiles.ts'
import { KnownFindings } from './known-findings.ts'
import { NOT_LOOKED_AT, renderRules } from './rules-rendered.ts'
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
  for (const [file, count] of known.unchecked) {
    const texts = count === 1 ? 'one text that comes' : `${count} texts that come`
    const what = `${texts} of this file ${count === 1 ? 'was' : 'were'} rendered and not checked, since ${world.limits.texts} others were`
    findings.warning('PL-2044', { file, line: 1, column: 1 }, what, NOT_LOOKED_AT)
  }
  return inReadingOrder(findings.all)
}
