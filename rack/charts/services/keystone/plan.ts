// Identity: the first service, which all others ask.

import { cloudAdmin, keystoneUrl, nodePorts } from '../../endpoints.ts'
import { deployment, job, passwordSecret, release, type Planner } from '../../plan/parts.ts'

// Key 0 is staged to become primary at the next rotation, key 1 is primary (Keystone's own convention).
const keyRepository = { 0: { generate: 'fernet-key' }, 1: { generate: 'fernet-key' } } as const

export const keystone: Planner = facts => {
  const image = facts.images.openstackControl
  const authUrl = keystoneUrl(facts.site)
  return {
    secrets: [
      passwordSecret('keystone-db'),
      passwordSecret(cloudAdmin.secret),
      { name: 'keystone-fernet-keys', entries: keyRepository, rotation: 'key-repository' },
      {
        name: 'keystone-credential-keys',
        entries: keyRepository,
        rotation: {
          never: 'rows of the database are encrypted with it (keystone-manage credential_migrate).',
        },
      },
    ],
    releases: [
      release('keystone', facts, {
        needs: ['mariadb', 'memcached'],
        values: {
          images: { tags: { keystone_api: image, keystone_db_sync: image, db_init: image } },
          network: { api: { node_port: { enabled: true, port: nodePorts.keystone } } },
          endpoints: {
            identity: {
              host_fqdn_override: { public: facts.address },
              auth: {
                admin: {
                  region_name: cloudAdmin.region,
                  username: cloudAdmin.user,
                  project_name: cloudAdmin.project,
                },
              },
            },
          },
        },
        promises: [
          job('keystone-db-sync', 'db-sync'),
          deployment('keystone-api'),
          { kind: 'http', url: authUrl, status: 200 },
          { kind: 'token' },
        ],
      }),
    ],
  }
}
