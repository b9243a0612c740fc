// The catalog of a cloud: which services there are, and where each is reached. Pure.

/** The services that we talk to, by their types in the catalog. */
export type ServiceType =
  | 'identity'
  | 'image'
  | 'placement'
  | 'compute'
  | 'network'
  | 'volumev3'
  | 'orchestration'
  | 'container-infra'

/** A catalog as Keystone gives it (Identity API v3), with the fields that are read. */
export type Catalog = readonly {
  readonly type: string
  readonly name?: string
  readonly endpoints: readonly {
    readonly interface: string
    readonly region_id?: string
    readonly url: string
  }[]
}[]

// Nova's, Keystone's and Cinder's endpoints name the version of their API, the others' only the root.
const versions: Readonly<Partial<Record<ServiceType, string>>> = { image: '/v2', network: '/v2.0' }

/** The types of the catalog's services, in its order. */
export function serviceTypes(catalog: Catalog): string[] {
  return catalog.map(({ type }) => type)
}

/**
 * Where a service's API is reached from outside, up to and with its version and without a slash at the end, for
 * example `http://10.20.0.11:30292/v2`; undefined when the catalog has no public endpoint of it.
 */
export function publicEndpoint(catalog: Catalog, type: ServiceType): string | undefined {
  const service = catalog.find(it => it.type === type)
  const endpoint = service?.endpoints.find(it => it.interface === 'public')
  if (endpoint === undefined) return undefined
  const url = endpoint.url.replace(/\/+$/, '')
  const version = versions[type] ?? ''
  return url.endsWith(version) ? url : `${url}${version}`
}
