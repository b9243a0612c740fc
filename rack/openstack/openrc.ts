// What a person needs to use the cloud with the `openstack` client: variables for a shell, or a clouds.yaml.

import { join } from 'node:path'
import { stringify } from 'yaml'
import { replaceFile } from '#host/replace-file.ts'
import { shellWord } from '#host/shell.ts'
import { cloudAdmin, keystoneUrl } from './endpoints.ts'
import type { Site } from '../site/site.ts'

/** The name under which clouds.yaml has the site's cloud, for `openstack --os-cloud`. */
const cloudName = 'pilotlight'

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

/** Lines for a shell to read, for the cloud's admin. */
export function openrc(site: Site, password: string): string {
  const variables = {
    OS_AUTH_URL: keystoneUrl(site),
    OS_USERNAME: cloudAdmin.user,
    OS_PASSWORD: password,
    OS_PROJECT_NAME: cloudAdmin.project,
    OS_USER_DOMAIN_ID: 'default',
    OS_PROJECT_DOMAIN_ID: 'default',
    OS_REGION_NAME: cloudAdmin.region,
    OS_IDENTITY_API_VERSION: '3',
  }
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}=${shellWord(value)}\n`)
    .join('')
}

/** Writes clouds.yaml (mode 0600) into a directory, and gives its path. */
export function writeCloudsYaml(site: Site, password: string, directory: string): string {
  const path = join(directory, 'clouds.yaml')
  replaceFile(path, cloudsYaml(site, password))
  return path
}
