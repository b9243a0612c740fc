// The plan `openstack-helm`: the upstream charts as they are. This file has what cannot be read from them: their order,
// the names that their workloads get, and which values carry the site's addresses and passwords. Facts of the charts'
// folders and values files, OpenStack-Helm 2025.1 and later.

import { nodePorts, type PublicService } from '../../openstack/endpoints.ts'
import type { SiteFacts } from '../plan/facts.ts'
import { ADMIN_SECRET, type Promised, type SecretPlan } from '../plan/plan.ts'
import { secretReference } from '../secrets/secret-values.ts'
import { mergeValues, type Values } from '../values/values.ts'
import {
  adminAccount,
  daemonset,
  deployment,
  passwordSecret,
  statefulset,
  type Kit,
  type Planner,
} from '../plan/parts.ts'

/** What is known of an upstream chart; its release has the same name. */
type Upstream = {
  readonly needs: readonly string[]
  readonly promises: readonly Promised[]
  /** Members wait for each other's pods; see ReleasePlan.group. */
  readonly group?: string
  /** Its own accounts at Keystone, the database and the queue, each with its two secrets. */
  readonly accounts?: readonly string[]
  /** Accounts of other charts that its values ask for too. */
  readonly uses?: readonly string[]
  /** Secrets beyond those of its accounts. */
  readonly secrets?: readonly SecretPlan[]
  /** Its public endpoint: which of our endpoints, its key below `network`, and its key below `endpoints` with the port's name. */
  readonly endpoint?: { service: PublicService; network: string; type: string; port: string }
  readonly values?: Values
}

const api = (service: PublicService, type: string, network = 'api', port = 'api') => ({
  endpoint: { service, type, network, port },
})

const sharedSecret = { metadata_proxy_shared_secret: secretReference('neutron-metadata', 'password') }

const always: Kit['always'] = [
  upstream('rabbitmq', {
    needs: [],
    secrets: [
      {
        name: 'rabbitmq-admin',
        entries: { password: { generate: 'password' }, cookie: { generate: 'password' } },
      },
    ],
    promises: [statefulset('rabbitmq-rabbitmq')],
    values: {
      pod: { replicas: { server: 1 } },
      endpoints: {
        oslo_messaging: {
          auth: {
            user: { username: 'rabbitmq', password: secretReference('rabbitmq-admin', 'password') },
            erlang_cookie: secretReference('rabbitmq-admin', 'cookie'),
          },
        },
      },
    },
  }),
  upstream('mariadb', {
    needs: [],
    secrets: [passwordSecret('mariadb-root')],
    promises: [statefulset('mariadb-server')],
    values: { pod: { replicas: { server: 1 } } },
  }),
  upstream('memcached', {
    needs: [],
    secrets: [passwordSecret('memcached-key')],
    promises: [statefulset('memcached-memcached')],
  }),
  upstream('openvswitch', {
    needs: [],
    promises: [daemonset('openvswitch')],
  }),
  upstream('keystone', {
    needs: ['mariadb', 'rabbitmq', 'memcached'],
    accounts: ['keystone'],
    secrets: [passwordSecret(ADMIN_SECRET)],
    promises: [deployment('keystone-api'), { kind: 'token' }],
    ...api('keystone', 'identity'),
  }),
  upstream('glance', {
    needs: ['keystone'],
    accounts: ['glance'],
    promises: [deployment('glance-api')],
    ...api('glance', 'image'),
  }),
  upstream('placement', {
    needs: ['keystone'],
    accounts: ['placement'],
    promises: [deployment('placement-api')],
    ...api('placement', 'placement'),
  }),
  upstream('libvirt', {
    needs: ['openvswitch'],
    group: 'compute',
    promises: [daemonset('libvirt-libvirt-default')],
  }),
  upstream('nova', {
    needs: ['glance', 'placement'],
    group: 'compute',
    accounts: ['nova'],
    uses: ['neutron', 'placement'],
    secrets: [passwordSecret('neutron-metadata')],
    promises: [
      ...['nova-api-osapi', 'nova-api-metadata', 'nova-conductor', 'nova-scheduler'].map(deployment),
      daemonset('nova-compute-default'),
    ],
    ...api('nova', 'compute', 'osapi'),
    values: {
      bootstrap: { wait_for_computes: { enabled: true } },
      conf: { ceph: { enabled: false }, nova: { neutron: sharedSecret } },
    },
  }),
  upstream('neutron', {
    needs: ['keystone'],
    group: 'compute',
    accounts: ['neutron'],
    uses: ['nova', 'placement'],
    promises: [
      deployment('neutron-server'),
      ...['ovs', 'dhcp', 'l3', 'metadata'].map(agent => daemonset(`neutron-${agent}-agent-default`)),
    ],
    ...api('neutron', 'network', 'server'),
    values: {
      network: { interface: { tunnel: 'eth0' } },
      conf: { metadata_agent: { DEFAULT: sharedSecret } },
    },
  }),
  upstream('horizon', { needs: ['keystone'], accounts: ['horizon'], promises: [deployment('horizon')] }),
]

const optional: Kit['optional'] = {
  cinder: upstream('cinder', {
    needs: ['keystone'],
    accounts: ['cinder'],
    promises: ['cinder-api', 'cinder-scheduler', 'cinder-volume'].map(deployment),
    ...api('cinder', 'volumev3'),
  }),
  heat: upstream('heat', {
    needs: ['keystone'],
    accounts: ['heat', 'heat_trustee', 'heat_stack_user'],
    promises: ['heat-api', 'heat-cfn', 'heat-engine'].map(deployment),
    ...api('heat', 'orchestration'),
  }),
  magnum: upstream('magnum', {
    needs: ['heat'],
    accounts: ['magnum', 'magnum_stack_user'],
    promises: [deployment('magnum-api'), statefulset('magnum-conductor')],
    ...api('magnum', 'container_infra'),
  }),
}

/** The upstream charts, with a secret for each account that they ask for. */
export const openstackHelm: Kit = { always, optional }

/** A Secret's name has no underscore (RFC 1123 §2.1). */
const dbSecret = (account: string) => `${account.replaceAll('_', '-')}-db`
const keystoneSecret = (account: string) => `${account.replaceAll('_', '-')}-keystone`

/** Seconds for a chart's own jobs, which Helm runs as hooks, and for its pods: upstream's gates allow as much. */
const limitSeconds = 1200

function upstream(name: string, chart: Upstream): Planner {
  const { needs, promises, group, accounts = [], secrets = [], values = {} } = chart
  return facts => ({
    secrets: [
      ...secrets,
      ...accounts.flatMap(it => [passwordSecret(dbSecret(it)), passwordSecret(keystoneSecret(it))]),
    ],
    releases: [
      {
        name,
        chart: name,
        needs,
        promises,
        after: needs,
        limitSeconds,
        layers: [
          { origin: 'site facts', values: mergeValues(endpointValues(chart, facts), values) },
          { origin: 'secrets', values: { endpoints: credentials(name, chart) } },
        ],
        ...(group === undefined ? {} : { group }),
      },
    ],
  })
}

/** A node port on the controller, and its address as what the catalog shows to the world. */
function endpointValues({ endpoint }: Upstream, { address }: SiteFacts): Values {
  if (endpoint === undefined) return {}
  const { service, network, type, port } = endpoint
  return {
    network: { [network]: { node_port: { enabled: true, port: nodePorts[service] } } },
    endpoints: {
      [type]: {
        host_fqdn_override: { public: { host: address } },
        port: { [port]: { public: nodePorts[service] } },
      },
    },
  }
}

/** Every password that a chart's values ask for, as references: `password` upstream, generated by us. */
function credentials(name: string, { accounts: own = [], uses = [] }: Upstream): Values {
  const accounts = [...own, ...uses]
  const each = (of: (account: string) => object) =>
    Object.fromEntries(accounts.map(account => [account, of(account)]))
  const database = {
    admin: { username: 'root', password: secretReference('mariadb-root', 'password') },
    ...each(account => ({ username: account, password: secretReference(dbSecret(account), 'password') })),
  }
  const queue = {
    admin: { username: 'rabbitmq', password: secretReference('rabbitmq-admin', 'password') },
    ...each(account => ({ username: account, password: secretReference(dbSecret(account), 'password') })),
  }
  const identity = {
    admin: { ...adminAccount, password: secretReference(ADMIN_SECRET, 'password') },
    ...each(account => ({ password: secretReference(keystoneSecret(account), 'password') })),
  }
  if (accounts.length === 0) return name === 'mariadb' ? { oslo_db: { auth: { admin: database.admin } } } : {}
  return {
    identity: { auth: identity },
    oslo_db: { auth: database },
    ...(name === 'nova' ? { oslo_db_api: { auth: database }, oslo_db_cell0: { auth: database } } : {}),
    oslo_messaging: { auth: queue },
    oslo_cache: { auth: { memcache_secret_key: secretReference('memcached-key', 'password') } },
  }
}
