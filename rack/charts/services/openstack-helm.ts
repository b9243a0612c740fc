// The plan `openstack-helm`: the upstream charts as they are. This file has what cannot be read from them: their order,
// the names that their workloads get, and which values carry the site's facts. Passwords, and what depends on a chart's own
// values, are added when the charts are at hand: see `sources/upstream.ts`. Facts of OpenStack-Helm 2026.1.0 and of its
// main branch of August 2026.

import type { Site } from '../../site/site.ts'
import { nodePorts, type PublicService } from '../../openstack/endpoints.ts'
import type { SiteFacts } from '../plan/facts.ts'
import { ADMIN_SECRET, type Promised } from '../plan/plan.ts'
import { secretReference } from '../secrets/secret-values.ts'
import { mergeValues, valueAt, type Values } from '../values/values.ts'
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
  readonly promises: readonly Promised[] | ((facts: SiteFacts) => readonly Promised[])
  /** Members wait for each other's pods; see ReleasePlan.group. */
  readonly group?: string
  /** Whether it has an account at Keystone, a database and a queue: the values that all of those share. */
  readonly isService?: boolean
  /** What of it is reached from outside. */
  readonly endpoints?: readonly Endpoint[]
  readonly values?: Values | ((facts: SiteFacts) => Values)
  /** Which of this program's images its containers run, by the names of `images.tags`. Others are those of the chart. */
  readonly images?: { readonly infra: readonly string[]; readonly control: readonly string[] }
  /** Values that the OpenStack of this program's images needs; left out where the site names another image as `tag`. */
  readonly zed?: { readonly tag: string; readonly values: Values }
}

/** A public endpoint: which of ours, where the chart has its node port, its key below `endpoints`, and its port's name. */
type Endpoint = {
  readonly service: PublicService
  /** Keys below `network`, down to the map with `enabled` and `port`. */
  readonly network: readonly string[]
  readonly type: string
  readonly port: string
}

const endpoint = (
  service: PublicService,
  type: string,
  network: readonly string[] = ['api', 'node_port'],
  port = 'api',
): Endpoint => ({ service, type, network, port })

/** The images of services that have a database and an account: the service's own containers and the jobs. */
const serviceImages = (...own: readonly string[]) => ({
  infra: ['dep_check', 'rabbit_init'],
  control: [...own, 'bootstrap', 'db_drop', 'db_init', 'ks_endpoints', 'ks_service', 'ks_user'],
})

/** A label of nodes as these charts name it. */
const onNodes = (key: string, value = 'enabled') => ({ node_selector_key: key, node_selector_value: value })

/** What uWSGI serves: the script of our images' OpenStack, in place of a module of a later one. */
const uwsgi = (service: string, script: string) => ({
  [`${service}_api_uwsgi`]: { uwsgi: { module: null, 'wsgi-file': `/usr/bin/${script}` } },
})

/**
 * How Glance's parts are put together: charts of 2026 name a factory that chooses among pipelines, which our images' OpenStack
 * does not have. This is the pipeline that it would choose for `paste_deploy.flavor: keystone`.
 */
const glancePaste = {
  'composite:api': null,
  'pipeline:api': {
    pipeline: 'cors http_proxy_to_wsgi versionnegotiation osprofiler authtoken context rootapp',
  },
}

const always: Kit['always'] = [
  upstream('rabbitmq', {
    needs: [],
    promises: [statefulset('rabbitmq-rabbitmq')],
    images: {
      infra: ['dep_check', 'rabbitmq', 'rabbitmq_init', 'rabbitmq_test', 'scripted_test'],
      control: [],
    },
    values: facts => ({
      pod: { replicas: { server: 1 } },
      // One server has no peer to ask the Kubernetes API for.
      conf: { rabbitmq: { cluster_formation: { peer_discovery_backend: 'classic_config' } } },
      ...storedOn(facts, 'use_local_path', 'rabbitmq'),
    }),
  }),
  upstream('mariadb', {
    needs: [],
    promises: [statefulset('mariadb-server')],
    images: { infra: ['dep_check', 'mariadb'], control: [] },
    values: facts => ({
      pod: { replicas: { server: 1 } },
      // It chooses the primary among several servers.
      manifests: { deployment_controller: false },
      ...storedOn(facts, 'use_local_path_for_single_pod_cluster', 'mariadb'),
    }),
  }),
  upstream('memcached', {
    needs: [],
    promises: [statefulset('memcached-memcached')],
    images: { infra: ['dep_check', 'memcached'], control: [] },
  }),
  upstream('openvswitch', {
    needs: [],
    promises: [daemonset('openvswitch')],
    values: { labels: { ovs: onNodes('openstack-compute-node') } },
  }),
  upstream('keystone', {
    needs: ['mariadb', 'rabbitmq', 'memcached'],
    isService: true,
    promises: [deployment('keystone-api'), { kind: 'token' }],
    endpoints: [endpoint('keystone', 'identity')],
    images: serviceImages(
      ...[
        'api',
        'credential_cleanup',
        'credential_rotate',
        'credential_setup',
        'db_sync',
        'domain_manage',
      ].map(name => `keystone_${name}`),
      ...['fernet_rotate', 'fernet_setup'].map(name => `keystone_${name}`),
    ),
    // The address for administrators would be of the host `keystone`, port 80: a service that no chart makes.
    values: {
      endpoints: { identity: { hosts: { admin: 'keystone-api' }, port: { api: { admin: 5000 } } } },
    },
  }),
  upstream('glance', {
    needs: ['keystone'],
    isService: true,
    promises: [deployment('glance-api')],
    endpoints: [endpoint('glance', 'image')],
    images: serviceImages('glance_api', 'glance_db_sync', 'glance_metadefs_load', 'glance_storage_init'),
    values: {
      storage: 'local',
      // It would fetch a guest from the Internet; `pilotlight verify` brings its own.
      bootstrap: { enabled: false },
    },
    zed: {
      tag: 'glance_api',
      values: { conf: { paste: glancePaste, ...uwsgi('glance', 'glance-wsgi-api') } },
    },
  }),
  upstream('placement', {
    needs: ['keystone'],
    isService: true,
    promises: [deployment('placement-api')],
    endpoints: [endpoint('placement', 'placement')],
    images: serviceImages('placement', 'placement_db_sync'),
    zed: { tag: 'placement', values: { conf: uwsgi('placement', 'placement-api') } },
  }),
  upstream('libvirt', {
    needs: ['openvswitch'],
    group: 'compute',
    promises: [daemonset('libvirt-libvirt-default')],
    values: { conf: { ceph: { enabled: false } } },
  }),
  upstream('nova', {
    needs: ['glance', 'placement'],
    group: 'compute',
    isService: true,
    promises: ({ computes }) => [
      ...['nova-api-osapi', 'nova-api-metadata', 'nova-conductor', 'nova-scheduler', 'nova-novncproxy'].map(
        deployment,
      ),
      daemonset('nova-compute-default'),
      { kind: 'hypervisors', hosts: computes },
    ],
    endpoints: [
      endpoint('nova', 'compute', ['osapi', 'node_port']),
      endpoint('novnc', 'compute_novnc_proxy', ['novncproxy', 'node_port'], 'novnc_proxy'),
    ],
    values: {
      bootstrap: { wait_for_computes: { enabled: true } },
      conf: { ceph: { enabled: false } },
    },
  }),
  upstream('neutron', {
    needs: ['keystone'],
    group: 'compute',
    isService: true,
    promises: [
      ...['neutron-server', 'neutron-rpc-server'].map(deployment),
      ...['ovs', 'dhcp', 'l3', 'metadata'].map(agent => daemonset(`neutron-${agent}-agent-default`)),
    ],
    endpoints: [endpoint('neutron', 'network', ['server', 'node_port'])],
    values: ({ site }) => ({
      labels: {
        ovs: onNodes('openstack-compute-node'),
        agent: Object.fromEntries(
          ['dhcp', 'l3', 'metadata'].map(agent => [agent, onNodes('openstack-network-node')]),
        ),
        netns_cleanup_cron: onNodes('openstack-network-node'),
      },
      conf: {
        // The bridge of the external network, and the interface in it; by this word none.
        auto_bridge_add: { 'br-ex': site.openstack.external.interface ?? 'null' },
        plugins: {
          ml2_conf: { ml2_type_flat: { flat_networks: 'public' } },
          openvswitch_agent: { ovs: { bridge_mappings: 'public:br-ex' } },
        },
      },
    }),
  }),
  upstream('horizon', {
    needs: ['keystone'],
    promises: [deployment('horizon')],
    endpoints: [endpoint('horizon', 'dashboard', ['node_port'], 'web')],
  }),
]

const optional: Kit['optional'] = {
  cinder: upstream('cinder', {
    needs: ['keystone'],
    isService: true,
    promises: ['cinder-api', 'cinder-scheduler', 'cinder-volume'].map(deployment),
    endpoints: [endpoint('cinder', 'volumev3')],
  }),
  heat: upstream('heat', {
    needs: ['keystone'],
    isService: true,
    promises: ['heat-api', 'heat-cfn', 'heat-engine'].map(deployment),
    endpoints: [
      endpoint('heat', 'orchestration'),
      endpoint('heatCfn', 'cloudformation', ['cfn', 'node_port']),
    ],
  }),
  magnum: upstream('magnum', {
    needs: ['heat'],
    isService: true,
    promises: [deployment('magnum-api'), statefulset('magnum-conductor')],
    endpoints: [endpoint('magnum', 'container_infra')],
    // Keys of clusters are in its own database: there is no Barbican, which it would wait for.
    values: {
      conf: { magnum: { certificates: { cert_manager_type: 'x509keypair' } } },
      dependencies: {
        static: Object.fromEntries(
          ['api', 'conductor'].map(component => [
            component,
            {
              services: ['oslo_db', 'identity', 'oslo_messaging', 'orchestration'].map(service => ({
                endpoint: 'internal',
                service,
              })),
            },
          ]),
        ),
      },
    },
  }),
}

/** The upstream charts. */
export const openstackHelm: Kit = { always, optional }

/** Encrypts what services keep in memcached: all have the same, so that they can read each other's. */
const CACHE_SECRET = 'memcached-key'

/** Seconds for a chart's own jobs, which Helm runs as hooks, and for its pods: upstream's gates allow as much. */
const limitSeconds = 1200

function upstream(name: string, chart: Upstream): Planner {
  const { needs, promises, group, endpoints = [], values = {}, images, zed, isService = false } = chart
  const own = { rotation: { never: 'the charts of openstack-helm have not been tried with another one.' } }
  return facts => ({
    secrets:
      name === 'keystone'
        ? [passwordSecret(ADMIN_SECRET), passwordSecret(CACHE_SECRET)].map(it => ({
            ...it,
            ...own,
            isOnlyInValues: true,
          }))
        : [],
    releases: [
      {
        name,
        chart: name,
        needs,
        promises: typeof promises === 'function' ? promises(facts) : promises,
        after: needs,
        limitSeconds,
        layers: [
          {
            origin: 'images',
            values: mergeValues(
              imageValues(images, facts),
              zed === undefined || hasOwnImage(facts.site, name, zed.tag) ? {} : zed.values,
            ),
          },
          {
            origin: 'site facts',
            values: [
              isService ? serviceValues : {},
              ...endpoints.map(it => endpointValues(it, facts)),
              typeof values === 'function' ? values(facts) : values,
            ].reduce(mergeValues),
          },
        ],
        ...(group === undefined ? {} : { group }),
      },
    ],
  })
}

/** What every service is given: who the administrator is, the one queue, and the cache's key. */
const serviceValues: Values = {
  endpoints: {
    identity: { auth: { admin: adminAccount } },
    // Services are given the address of each replica.
    oslo_messaging: { statefulset: { replicas: 1 } },
    oslo_cache: { auth: { memcache_secret_key: secretReference(CACHE_SECRET, 'password') } },
  },
}

/** A node port on the controller, and its address as what the catalog shows to the world. */
function endpointValues({ service, type, network, port }: Endpoint, { address }: SiteFacts): Values {
  const open = { enabled: true, port: nodePorts[service] }
  return {
    network: network.toReversed().reduce<Values>((inner, key) => ({ [key]: inner }), open),
    endpoints: {
      [type]: {
        host_fqdn_override: { public: { host: address } },
        port: { [port]: { public: nodePorts[service] } },
      },
    },
  }
}

/**
 * Data in a folder of the first controller: a cluster has no class of storage unless its site brings one. Where there are
 * several controllers, the pod stays on that one.
 */
function storedOn({ controllers }: SiteFacts, key: string, name: string): Values {
  const [first] = controllers
  const pinned = controllers.length > 1 && first !== undefined
  return {
    volume: { enabled: false, [key]: { enabled: true, host_path: `/var/lib/openstack/helm-${name}` } },
    ...(pinned ? { labels: { server: onNodes('kubernetes.io/hostname', first) } } : {}),
  }
}

function imageValues(images: Upstream['images'], facts: SiteFacts): Values {
  if (images === undefined) return {}
  const { openstackHelmInfra: infra, openstackHelm: control } = facts.images
  return {
    images: {
      tags: Object.fromEntries([
        ...images.infra.map(tag => [tag, infra]),
        ...images.control.map(tag => [tag, control]),
      ]),
    },
  }
}

/** Says whether the site names an image of its own for a release. */
function hasOwnImage({ openstack }: Site, release: string, tag: string): boolean {
  return valueAt(openstack.values, [release, 'images', 'tags', tag]) !== undefined
}
