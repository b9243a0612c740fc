// Checks that the files which a site's machines will be served exist, before anything is started.

import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MachineRole } from '#model/role.ts'
import { YamlReader } from './document.ts'
import { FileProblems, type Problem } from './problems.ts'
import type { Site } from './site.ts'

/**
 * Looks for the profile of each role that the site uses, and for the templates which those profiles name,
 * in the data directory (`profiles/`, `ignition/`, `ipxe/`).
 *
 * @throws {FileProblems} with each file that is missing or broken
 */
export async function checkDataDirectory(site: Site, directory: string): Promise<void> {
  const roles = new Set(site.machines.map(({ role }) => role))
  const found = await Promise.all([...roles].map(role => problemsOfRole(role, directory)))
  const scripts = ['boot.ipxe.njk', 'profile.ipxe.njk'].map(name => join(directory, 'ipxe', name))
  const absent = await Promise.all(
    scripts.map(script => missing(script, 'every machine boots by this script')),
  )
  const problems = [...found.flat(), ...absent.flat()]
  if (problems.length > 0) throw new FileProblems(problems)
}

async function problemsOfRole(role: MachineRole, directory: string): Promise<readonly Problem[]> {
  const file = join(directory, 'profiles', `${role}.json`)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => error)
  if (text instanceof Error) {
    return [
      absentFile(file, `${text.code ?? text.message}: machines with the role ${role} boot by this profile`),
    ]
  }
  try {
    const reader = new YamlReader(file, text) // JSON is YAML, and this reader knows lines
    if (!reader.isMap([]))
      reader.complain('PL-1004', [], 'a profile is a JSON object', 'write { "id": …, "boot": … }')
    const template = reader.text(['ignition_id'])
    if (template !== undefined && !(await exists(join(directory, 'ignition', template)))) {
      const remedy = `write ignition/${template} in ${directory}, or name a template that is there`
      reader.complain('PL-1008', ['ignition_id'], `the template ${template} is missing`, remedy)
    }
    reader.finish()
    return []
  } catch (error) {
    if (error instanceof FileProblems) return error.problems
    throw error
  }
}

async function missing(file: string, use: string): Promise<readonly Problem[]> {
  return (await exists(file)) ? [] : [absentFile(file, `missing: ${use}`)]
}

function absentFile(file: string, what: string): Problem {
  const remedy = 'put it back (the project keeps one), or give another --data-path'
  return { code: 'PL-1008', file, line: 1, column: 1, what, remedy }
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
