// One administrator's way to a cloud's APIs: a token that is kept and renewed, the catalog read again until a service is
// in it, and plain HTTP. What the calls mean is said by the file of each service.

import { publicEndpoint, serviceTypes, type Catalog, type ServiceType } from './catalog.ts'
import type { Site } from '../site/site.ts'
import { cloudAdmin, keystoneUrl } from './endpoints.ts'
import { CloudRefused, NoSuchService, asFailedCall } from './errors.ts'
import { askToken, type Credentials, type Token } from './identity.ts'

/** What is sent: JSON, or bytes as they are. */
type Body = { readonly json: object } | { readonly bytes: Blob }

// Asked for by name, so that a newer cloud answers in the same form. Nova's 2.48 names the hypervisor, 2.53 gives
// UUIDs; Placement's 1.10 has candidates; 2.88 of Nova would leave fields out.
const headers: Readonly<Partial<Record<ServiceType, Readonly<Record<string, string>>>>> = {
  compute: { 'openstack-api-version': 'compute 2.79' },
  placement: { 'openstack-api-version': 'placement 1.30' },
}

/** Seconds for an answer; glance may take long to store what it is sent. */
const answerSeconds = 30
const uploadSeconds = 600

/** A site's cloud, as its administrator sees it. @throws what `askToken` throws */
export function connectAdmin(site: Site, password: string): Promise<OpenstackClient> {
  const { user, project } = cloudAdmin
  return OpenstackClient.connect(keystoneUrl(site), { user, project, password })
}

/** The APIs of one cloud, as its administrator sees them. */
export class OpenstackClient {
  readonly authUrl: string
  readonly #who: Credentials
  #token: Token
  #catalog: Catalog

  private constructor(authUrl: string, who: Credentials, token: Token) {
    this.authUrl = authUrl
    this.#who = who
    this.#token = token
    this.#catalog = token.catalog
  }

  /** Gets the first token. @throws what `askToken` throws */
  static async connect(authUrl: string, who: Credentials): Promise<OpenstackClient> {
    return new OpenstackClient(authUrl, who, await askToken(authUrl, who))
  }

  /** The token in use, without its secret id. */
  get token(): Omit<Token, 'id' | 'catalog'> {
    const { expiresAt, userId, projectId } = this.#token
    return { expiresAt, userId, projectId }
  }

  /** Reads the catalog again: while a cloud comes up, services are added to it. */
  async catalog(): Promise<Catalog> {
    const answer = await this.#send('GET', `${this.authUrl}/auth/catalog`, 'identity')
    const { catalog } = JSON.parse(answer) as { catalog: Catalog } // Identity API v3
    this.#catalog = catalog
    return catalog
  }

  get<T>(service: ServiceType, path: string): Promise<T> {
    return this.#ask<T>('GET', service, path)
  }

  post<T>(service: ServiceType, path: string, json: object): Promise<T> {
    return this.#ask<T>('POST', service, path, { json })
  }

  put<T>(service: ServiceType, path: string, json: object): Promise<T> {
    return this.#ask<T>('PUT', service, path, { json })
  }

  /** Sends bytes; ten minutes are enough for them. */
  async upload(service: ServiceType, path: string, bytes: Blob): Promise<void> {
    await this.#ask('PUT', service, path, { bytes })
  }

  /** Removes what is at `path`; nothing there is fine. */
  async remove(service: ServiceType, path: string): Promise<void> {
    await this.#ask('DELETE', service, path).catch((error: unknown) => {
      if (!(error instanceof CloudRefused && error.status === 404)) throw error
    })
  }

  async #ask<T>(method: string, service: ServiceType, path: string, body?: Body): Promise<T> {
    const base = publicEndpoint(this.#catalog, service) ?? publicEndpoint(await this.catalog(), service)
    if (base === undefined) throw new NoSuchService(service, serviceTypes(this.#catalog))
    const text = await this.#send(method, `${base}${path}`, service, body)
    return (text === '' ? undefined : JSON.parse(text)) as T // the caller knows what its path answers
  }

  async #send(method: string, url: string, service: ServiceType, body?: Body): Promise<string> {
    const used = this.#token
    const first = await this.#sendOnce(method, url, service, body)
    if (first.status !== 401) return accepted(first, method, url, service)
    // It ran out, or Keystone's keys were renewed. Another call may have seen the same shortly before.
    if (this.#token === used) this.#token = await askToken(this.authUrl, this.#who)
    return accepted(await this.#sendOnce(method, url, service, body), method, url, service)
  }

  async #sendOnce(method: string, url: string, service: ServiceType, body: Body | undefined) {
    const bytes = body !== undefined && 'bytes' in body
    const seconds = bytes ? uploadSeconds : answerSeconds
    const answer = await fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        'x-auth-token': this.#token.id,
        ...(body && { 'content-type': bytes ? 'application/octet-stream' : 'application/json' }),
        ...headers[service],
      },
      ...(body && { body: 'bytes' in body ? body.bytes : JSON.stringify(body.json) }),
      signal: AbortSignal.timeout(seconds * 1000),
    }).catch(asFailedCall(`${method} ${url}`, seconds))
    return { status: answer.status, text: await answer.text() }
  }
}

function accepted(
  answer: { status: number; text: string },
  method: string,
  url: string,
  service: string,
): string {
  if (answer.status >= 300) throw new CloudRefused(service, `${method} ${url}`, answer.status, answer.text)
  return answer.text
}
