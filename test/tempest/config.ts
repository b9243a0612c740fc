// What Tempest must know of a cloud, as text of tempest.conf. Pure: what is there was found out before.

/** What was found out of a cloud, and made in it for the tests. */
export type CloudFacts = {
  /** Ends with `/v3`. */
  readonly authUrl: string
  readonly password: string
  /** The types of its services, as the catalog has them. */
  readonly services: readonly string[]
  /** The aliases of Neutron's extensions. */
  readonly extensions: readonly string[]
  /** An image that every project sees, and two flavors that it runs with. */
  readonly image: string
  readonly flavors: readonly [string, string]
  /** The network that leads out. */
  readonly external: { readonly id: string; readonly name: string }
  readonly computeHosts: number
  /** Where browsers find the dashboard; undefined when there is none. */
  readonly dashboardUrl?: string
  /** A folder for locks. */
  readonly locks: string
}

/**
 * The configuration: only services that the catalog has are tested. Tests log in to their servers (`run_validation`).
 */
export function tempestConf(facts: CloudFacts): string {
  const has = (type: string) => facts.services.includes(type)
  return ini({
    DEFAULT: { debug: false, log_file: 'tempest.log' },
    oslo_concurrency: { lock_path: facts.locks },
    auth: {
      use_dynamic_credentials: true,
      admin_username: 'admin',
      admin_password: facts.password,
      admin_project_name: 'admin',
      admin_domain_name: 'Default',
    },
    identity: {
      auth_version: 'v3',
      uri_v3: facts.authUrl,
      region: 'RegionOne',
      v3_endpoint_type: 'public',
      default_domain_id: 'default',
    },
    'identity-feature-enabled': { api_v2: false, api_v2_admin: false, api_v3: true },
    service_available: {
      nova: has('compute'),
      neutron: has('network'),
      glance: has('image'),
      placement: has('placement'),
      cinder: has('volumev3'),
      swift: has('object-store'),
      horizon: facts.dashboardUrl !== undefined,
    },
    compute: {
      image_ref: facts.image,
      image_ref_alt: facts.image,
      flavor_ref: facts.flavors[0],
      flavor_ref_alt: facts.flavors[1],
      min_compute_nodes: facts.computeHosts,
      build_timeout: 300,
      endpoint_type: 'public',
    },
    // One host, no KVM, no shared storage.
    'compute-feature-enabled': {
      live_migration: false,
      cold_migration: false,
      resize: false,
      vnc_console: true,
    },
    image: { endpoint_type: 'public', container_formats: 'bare,ami,ari,aki,ovf' },
    network: {
      endpoint_type: 'public',
      public_network_id: facts.external.id,
      floating_network_name: facts.external.name,
      project_network_cidr: '10.9.0.0/16',
    },
    'network-feature-enabled': { api_extensions: facts.extensions.join(','), ipv6: true },
    volume: { endpoint_type: 'public', build_timeout: 300 },
    'volume-feature-enabled': { backup: false },
    validation: { run_validation: true, image_ssh_user: 'root', ssh_timeout: 120, ping_timeout: 120 },
    scenario: {},
    dashboard: facts.dashboardUrl === undefined ? {} : { dashboard_url: facts.dashboardUrl },
  })
}

function ini(
  sections: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>,
): string {
  return Object.entries(sections)
    .map(([section, keys]) =>
      [`[${section}]`, ...Object.entries(keys).map(([key, value]) => `${key} = ${value}`)].join('\n'),
    )
    .join('\n\n')
    .concat('\n')
}
