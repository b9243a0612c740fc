// The plan `openstack-helm`: the upstream charts as they are. Here stands what a site cannot read off them: their order,
// the names that their workloads get, and which values carry the site's addresses and passwords. Facts of the charts'
// folders and values files, OpenStack-Helm 2025.1 and later.

import type { OptionalService } from '../../site/site.ts'
import { nodePorts, type PublicService } from '../../openstack/endpoints.ts'
import type { SiteFacts } from '../plan/facts.ts'
import { ADMIN_SECRET, type Promised, type ReleasePlan, type SecretPlan } from '../plan/plan.ts'
import { secretReference } from '../secrets/secret-values.ts'
import { mergeValues, type Values } from '../values/values.ts'
import {
  adminAccount,
  daemonset,
  deployment,
  passwordSecret,
  statefulset,
  type PlanPart,
} from '../plan/parts.ts'

/** An upstream chart, which is also the release's name. */
type Upstream = {
  readonly name: string
  readonly needs: readonly string[]
  readonly promises: readonly Promised[]
  /** Members wait for each other's pods; see ReleasePlan.group. */
  readonly group?: string
  /** Whose accounts the chart asks for: at Keystone, the database, the queue. */
  readonly accounts?: readonly string[]
  /** Its public endpoint: which of ours, its key below `network`, and its key below `endpoints` with the port's name. */
  readonly endpoint?: { service: PublicService; network: string; type: string; port: string }
  readonly values?: (facts: SiteFacts) => Values
}

const api = (service: PublicService, type: string, network = 'api', port = 'api') => ({
  endpoint: { service, type, network, port },
})

const kit: readonly Upstream[] = [
  {
    name: 'rabbitmq',
    needs: [],
    promises: [statefulset('rabbitmq-rabbitmq')],
    values: () => ({
      pod: { replicas: { server: 1 } },
      endpoints: {
        oslo_messaging: {
          auth: {
            user: { username: 'rabbitmq', password: secretReference('rabbitmq-admin', 'password') },
            erlang_cookie: secretReference('rabbitmq-admin', 'cookie'),
          },
        },
      },
    }),
  },
  {
    name: 'mariadb',
    needs: [],
    promises: [statefulset('mariadb-server')],
    values: () => ({ pod: { replicas: { server: 1 } } }),
  },
  { name: 'memcached', needs: [], promises: [statefulset('memcached-memcached')] },
  {
    name: 'openvswitch',
    needs: [],
    promises: [daemonset('openvswitch')],
  },
  {
    name: 'keystone',
    needs: ['mariadb', 'rabbitmq', 'memcached'],
    accounts: ['keystone'],
    promises: [deployment('keystone-api'), { kind: 'token' }],
    ...api('keystone', 'identity'),
  },
  {
    name: 'glance',
    needs: ['keystone'],
    accounts: ['glance'],
    promises: [deployment('glance-api')],
    ...api('glance', 'image'),
  },
  {
    name: 'placement',
    needs: ['keystone'],
    accounts: ['placement'],
    promises: [deployment('placement-api')],
    ...api('placement', 'placement'),
  },
  {
    name: 'libvirt',
    needs: ['openvswitch'],
    group: 'compute',
    promises: [daemonset('libvirt-libvirt-default')],
  },
  {
    name: 'nova',
    needs: ['glance', 'placement'],
    group: 'compute',
    accounts: ['nova', 'neutron', 'placement'],
    promises: [
      ...['nova-api-osapi', 'nova-api-metadata', 'nova-conductor', 'nova-scheduler'].map(deployment),
      daemonset('nova-compute-default'),
    ],
    ...api('nova', 'compute', 'osapi'),
    values: () => ({
      bootstrap: { wait_for_computes: { enabled: true } },
      conf: { ceph: { enabled: false }, nova: { neutron: sharedSecret } },
    }),
  },
  {
    name: 'neutron',
    needs: ['keystone'],
    group: 'compute',
    accounts: ['neutron', 'nova', 'placement'],
    promises: [
      deployment('neutron-server'),
      ...['ovs', 'dhcp', 'l3', 'metadata'].map(agent => daemonset(`neutron-${agent}-agent-default`)),
    ],
    ...api('neutron', 'network', 'server'),
    values: () => ({
      network: { interface: { tunnel: 'eth0' } },
      conf: { metadata_agent: { DEFAULT: sharedSecret } },
    }),
  },
  { name: 'horizon', needs: ['keystone'], accounts: ['horizon'], promises: [deployment('horizon')] },
]

const waves: Readonly<Record<OptionalService, Upstream>> = {
  cinder: {
    name: 'cinder',
    needs: ['keystone'],
    accounts: ['cinder'],
    promises: ['cinder-api', 'cinder-scheduler', 'cinder-volume'].map(deployment),
    ...api('cinder', 'volumev3'),
  },
  heat: {
    name: 'heat',
    needs: ['keystone'],
    accounts: ['heat', 'heat_trustee', 'heat_stack_user'],
    promises: ['heat-api', 'heat-cfn', 'heat-engine'].map(deployment),
    ...api('heat', 'orchestration'),
  },
  magnum: {
    name: 'magnum',
    needs: ['heat'],
    accounts: ['magnum', 'magnum_stack_user'],
    promises: [deployment('magnum-api'), statefulset('magnum-conductor')],
    ...api('magnum', 'container_infra'),
  },
}

const sharedSecret = { metadata_proxy_shared_secret: secretReference('neutron-metadata', 'password') }

/** The upstream charts for a site, with a secret for each account that they ask for. */
export function openstackHelm(facts: SiteFacts): PlanPart[] {
  const charts = [...kit, ...facts.site.openstack.waves.map(wave => waves[wave])]
  const accounts = [...new Set(charts.flatMap(({ accounts: names = [] }) => names))]
  const secrets: SecretPlan[] = [
    ...['mariadb-root', ADMIN_SECRET, 'neutron-metadata', 'memcached-key'].map(passwordSecret),
    {
      name: 'rabbitmq-admin',
      entries: { password: { generate: 'password' }, cookie: { generate: 'password' } },
    },
    ...accounts.flatMap(name => [passwordSecret(dbSecret(name)), passwordSecret(keystoneSecret(name))]),
  ]
  return [{ secrets, releases: charts.map(chart => releaseOf(chart, facts)) }]
}

/** A Secret's name has no underscore (RFC 1123 §2.1). */
const dbSecret = (account: string) => `${account.replaceAll('_', '-')}-db`
const keystoneSecret = (account: string) => `${account.replaceAll('_', '-')}-keystone`

/** Seconds for a chart's own jobs, which Helm runs as hooks, and for its pods: upstream's gates allow as much. */
const limitSeconds = 1200

function releaseOf(chart: Upstream, facts: SiteFacts): ReleasePlan {
  const { name, needs, promises, group, values = () => ({}) } = chart
  return {
    name,
    chart: name,
    needs,
    promises,
    after: needs,
    limitSeconds,
    layers: [
      { origin: 'inventory', values: mergeValues(endpointValues(chart, facts), values(facts)) },
      { origin: 'secrets', values: { endpoints: credentials(chart) } },
    ],
    ...(group === undefined ? {} : { group }),
  }
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
function credentials({ name, accounts = [] }: Upstream): Values {
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
