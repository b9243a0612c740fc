// What a person needs to use the cloud with the `openstack` client: a clouds.yaml that only its owner reads.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { cloudAdmin, keystoneUrl } from './endpoints.ts'
import type { Site } from '#site/site.ts'

/** The name under which clouds.yaml has the site's cloud, for `openstack --os-cloud`. */
export const cloudName = 'pilotlight'

/** The text of a clouds.yaml for the cloud's admin. */
export function cloudsYaml(site: Site, password: string): string {
  const auth = {
    auth_url: keystoneUrl(site),
    username: cloudAdmin.user,
    password,
    project_name: cloudAdmin.project,
    user_domain_id: 'default',
    project_domain_id: 'default',
  }
  const cloud = { auth, region_name: cloudAdmin.region, identity_api_version: 3 }
  return stringify({ clouds: { [cloudName]: cloud } })
}

/** Writes clouds.yaml (mode 0600) into the state directory, and gives its path. */
export async function writeCloudsYaml(site: Site, password: string, stateDirectory: string): Promise<string> {
  const path = join(stateDirectory, 'clouds.yaml')
  await writeFile(path, cloudsYaml(site, password), { mode: 0o600 })
  return path
}
