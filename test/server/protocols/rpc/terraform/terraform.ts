// What Terraform does with a provider, and nothing else: it starts the plugin, refreshes, plans and applies by the plugin
// protocol. So the provider as it is released is driven where no Terraform is at hand.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { credentials, loadPackageDefinition, type Client } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { Test } from 'tap'
import { pack, unpack, UNKNOWN, type Value } from './msgpack.ts'

/** Attributes of a resource or of the provider; those left out are null. */
export type Attributes = { readonly [name: string]: Value }

/** What a user writes: attributes by type and name, for example `matchbox_group.node`. */
export type Configuration = { readonly [address: string]: Attributes }

/** What a plan would do with each resource; those that stay are left out. */
export type Plan = { readonly [address: string]: 'create' | 'replace' | 'update' | 'delete' }

/** A provider said no. */
export class ProviderFailed extends Error {
  readonly code = 'PROVIDER_FAILED'
}

type Dynamic = { readonly msgpack: Buffer } | null
type Diagnostics = { readonly severity: string; readonly summary: string; readonly detail: string }[]
type Schema = { readonly block: { readonly attributes: readonly { name: string; computed: boolean }[] } }
type Planned = {
  readonly planned_state: Dynamic
  readonly requires_replace: readonly object[]
  readonly planned_private: Buffer
}
type Step = {
  readonly action: Plan[string]
  readonly prior: Attributes | null
  readonly wanted: Attributes | null
}

type UnaryCall<T> = (request: object, done: (error: Error | null, answer: T) => void) => void

/** Starts a provider, which ends with the test. */
export async function startProvider(t: Test, program: string): Promise<Terraform> {
  const child = spawn(program, [], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {
      ...process.env,
      // What shows a plugin that it was not started by hand.
      TF_PLUGIN_MAGIC_COOKIE: 'd602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2',
      PLUGIN_PROTOCOL_VERSIONS: '5',
    },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const { value: greeting } = await createInterface(child.stdout)[Symbol.asyncIterator]().next()
  const [, , network, address] = String(greeting).split('|') // core version | protocol | network | address | grpc
  const definition = loadSync(fileURLToPath(new URL('plugin.proto', import.meta.url)), {
    keepCase: true,
    enums: String,
    defaults: true,
  })
  const { tfplugin5 } = loadPackageDefinition(definition) as never as {
    tfplugin5: { Provider: typeof Client }
  }
  const client = new tfplugin5.Provider(
    network === 'unix' ? `unix:${address}` : String(address),
    credentials.createInsecure(),
  )
  t.teardown(() => client.close())
  return new Terraform(client)
}

/** One configuration's state, and the provider that makes it true. */
export class Terraform {
  readonly #client: Client
  /** What was made, by address. */
  readonly state = new Map<string, Attributes>()
  #schemas: { readonly [type: string]: Schema } = {}

  constructor(client: Client) {
    this.#client = client
  }

  /** Configures the provider. */
  async configure(config: Attributes): Promise<void> {
    const { provider, resource_schemas } = await this.#call<{
      provider: Schema
      resource_schemas: { [type: string]: Schema }
    }>('GetSchema', {})
    this.#schemas = resource_schemas
    await this.#call('Configure', { terraform_version: '1.11.0', config: dynamic(whole(provider, config)) })
  }

  /** Goes on from another's state, as who switches the provider's endpoint does. */
  takeOver({ state }: Terraform): void {
    for (const [address, attributes] of state) this.state.set(address, attributes)
  }

  /** Looks at what is there, and says what would be done to have `configuration` and nothing else. */
  async plan(configuration: Configuration): Promise<Plan> {
    const steps = await this.#steps(configuration)
    return Object.fromEntries(Object.entries(steps).map(([address, { action }]) => [address, action]))
  }

  /** Does it. */
  async apply(configuration: Configuration): Promise<Plan> {
    const steps = await this.#steps(configuration)
    for (const [address, { action, prior, wanted }] of Object.entries(steps)) {
      if (action === 'replace' || action === 'delete') await this.#change(address, prior, null)
      if (wanted !== null) await this.#change(address, action === 'update' ? prior : null, wanted)
    }
    return Object.fromEntries(Object.entries(steps).map(([address, { action }]) => [address, action]))
  }

  /** Removes all. */
  destroy(): Promise<Plan> {
    return this.apply({})
  }

  async #steps(configuration: Configuration): Promise<Record<string, Step>> {
    await this.#refresh()
    const steps: Record<string, Step> = {}
    for (const [address, given] of Object.entries(configuration)) {
      const wanted = whole(this.#schemaOf(address), given)
      const prior = this.state.get(address) ?? null
      if (prior === null) steps[address] = { action: 'create', prior, wanted }
      else {
        const { planned_state, requires_replace } = await this.#planOne(address, prior, wanted)
        const action = requires_replace.length > 0 ? 'replace' : 'update'
        const isSame = Buffer.compare(pack(valueOf(planned_state)), pack(prior)) === 0
        if (!isSame) steps[address] = { action, prior, wanted }
      }
    }
    for (const [address, prior] of [...this.state].toReversed()) {
      if (!(address in configuration)) steps[address] = { action: 'delete', prior, wanted: null }
    }
    return steps
  }

  async #refresh(): Promise<void> {
    for (const [address, state] of this.state) {
      const { new_state } = await this.#call<{ new_state: Dynamic }>('ReadResource', {
        type_name: typeOf(address),
        current_state: dynamic(state),
      })
      this.#keep(address, valueOf(new_state))
    }
  }

  async #change(address: string, prior: Attributes | null, wanted: Attributes | null): Promise<void> {
    const { planned_state, planned_private } =
      wanted === null
        ? { planned_state: dynamic(null), planned_private: Buffer.alloc(0) }
        : await this.#planOne(address, prior, wanted)
    const { new_state } = await this.#call<{ new_state: Dynamic }>('ApplyResourceChange', {
      type_name: typeOf(address),
      prior_state: dynamic(prior),
      planned_state,
      config: dynamic(wanted),
      planned_private,
    })
    this.#keep(address, valueOf(new_state))
  }

  /** What is computed comes from the prior state, or only applying makes it known. */
  #planOne(address: string, prior: Attributes | null, wanted: Attributes): Promise<Planned> {
    const { attributes } = this.#schemaOf(address).block
    const computed = attributes.filter(({ name, computed }) => computed && wanted[name] === null)
    const proposed: Attributes = {
      ...wanted,
      ...Object.fromEntries(computed.map(({ name }) => [name, prior?.[name] ?? UNKNOWN])),
    }
    return this.#call('PlanResourceChange', {
      type_name: typeOf(address),
      prior_state: dynamic(prior),
      proposed_new_state: dynamic(proposed),
      config: dynamic(wanted),
    })
  }

  #schemaOf(address: string): Schema {
    return this.#schemas[typeOf(address)]! // tests only name resources of the provider
  }

  #keep(address: string, state: Value): void {
    if (state === null) this.state.delete(address)
    else this.state.set(address, state as Attributes) // a resource is an object
  }

  async #call<T>(method: string, request: object): Promise<T> {
    // The client's methods are made from the definition, and so have no types.
    const { [method]: call } = this.#client as never as Record<
      string,
      UnaryCall<T & { diagnostics?: Diagnostics }>
    >
    const answer = await promisify(call!.bind(this.#client))(request)
    const wrong = answer.diagnostics?.filter(({ severity }) => severity === 'ERROR') ?? []
    if (wrong.length === 0) return answer
    throw new ProviderFailed(wrong.map(({ summary, detail }) => `${summary} ${detail}`.trim()).join('\n'))
  }
}

function typeOf(address: string): string {
  return address.split('.', 1)[0] ?? ''
}

/** All attributes of a schema, those that were not given as null. */
function whole({ block }: Schema, given: Attributes): Attributes {
  return Object.fromEntries(block.attributes.map(({ name }) => [name, given[name] ?? null]))
}

function dynamic(value: Value): Dynamic {
  return { msgpack: pack(value) }
}

function valueOf(value: Dynamic): Value {
  return value === null || value.msgpack.length === 0 ? null : unpack(value.msgpack)
}
