// Identity: the first service, which all others ask.

import { keystoneUrl, nodePorts } from '../../../openstack/endpoints.ts'
import { ADMIN_SECRET } from '../../plan/plan.ts'
import { adminAccount, deployment, job, passwordSecret, release, type Planner } from '../../plan/parts.ts'

// Key 0 is staged to become primary at the next rotation, key 1 is primary (Keystone's own convention).
const keyRepository = { 0: { generate: 'fernet-key' }, 1: { generate: 'fernet-key' } } as const

export const keystone: Planner = facts => {
  const image = facts.images.openstackControl
  const authUrl = keystoneUrl(facts.site)
  return {
    secrets: [
      passwordSecret('keystone-db'),
      passwordSecret(ADMIN_SECRET),
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
              auth: { admin: adminAccount },
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
