// The passwords and keys that a chart of another maker publishes in its values: found in the values themselves, so that an
// account which a later version adds is found too, and each replaced by a generated secret. Pure.

import { isRecord } from '#model/record.ts'
import { cloudAdmin } from '../../openstack/endpoints.ts'
import { ADMIN_SECRET, type SecretPlan } from '../plan/plan.ts'
import { mergeValues, type Values } from '../values/values.ts'
import { secretReference } from './secret-values.ts'

/** One published text of a chart's values. */
export type PublishedText = {
  /** Keys from the top. */
  readonly path: readonly string[]
  readonly text: string
  /** What takes its place; or why nothing generated can. */
  readonly instead: { readonly secret: string; readonly key: string } | { readonly refused: string }
}

/** What a chart publishes, as a plan takes it: new secrets, and values that refer to them. */
export type Replacement = { readonly secrets: readonly SecretPlan[]; readonly values: Values }

/**
 * Every published password or key in `values`, those of `chart` with whatever lies over them.
 *
 * An account is a user name at a server: it has the same secret in each chart that has its password. Servers are the keys
 * below `endpoints`; `oslo_db_cell0` and its like are the same one as `oslo_db`. Options named `…shared_secret` are the same in
 * each chart. Any other is of this chart alone.
 */
export function publishedTexts(chart: string, values: Values): PublishedText[] {
  return Object.entries(values).flatMap(([key, value]) => {
    if (key === 'endpoints' && isRecord(value)) return endpointTexts(chart, value)
    return optionTexts(chart, value, [key])
  })
}

/** Secrets and references for published texts, without those that were refused. */
export function replacementOf(texts: readonly PublishedText[]): Replacement {
  const entries = new Map<string, Set<string>>()
  let values: Values = {}
  for (const { path, instead } of texts) {
    if ('refused' in instead) continue
    const { secret, key } = instead
    entries.set(secret, (entries.get(secret) ?? new Set()).add(key))
    const one = path
      .toReversed()
      .reduce<unknown>((inner, name) => ({ [name]: inner }), secretReference(secret, key))
    values = mergeValues(values, one as Values) // a path has one key at least
  }
  return {
    values,
    secrets: [...entries].map(([name, keys]) => ({
      name,
      entries: Object.fromEntries([...keys].map(key => [key, { generate: 'password' as const }])),
      isOnlyInValues: true,
      rotation: { never: NEVER },
    })),
  }
}

const NEVER =
  "the jobs of openstack-helm set a password when they make its account and never again, so its server would keep the old one. Change it at the server and in the chart's own way."

/** Where values name things, and secrets by their names: only a password or the like is a secret there. */
const structural: ReadonlySet<string> = new Set([
  'images',
  'labels',
  'pod',
  'dependencies',
  'manifests',
  'secrets',
  'network_policy',
  'jobs',
  'monitoring',
])

/** The last part of a key that holds a secret: `password`, `horizon_secret_key`, `hmac_keys`, `rootPassword`. */
const secretKey =
  /(^|_)(secret|cookie|token|credentials?|key|key_base|kek|pin|jwt|salt|keyring|(secret|access|api|private|encryption|signing|auth|hmac|shared|fernet)_keys|(tmpurl|secret|private|api|access)_?key)$/

/** One that holds a password, however it is written: `dbpassword`, `admin_pass`, `root_pw`, `password_2`, `password_hash`. */
const passwordKey =
  /((password|passwd|passphrase|passcode|pwd|psk)(_hash)?|(?<!by_?|com)pass|(^|_)pw)(_?[0-9]+)?$/

/** One whose entries are secrets by whatever name: `passwords: { one: … }`. */
const secretsKey = /(^|_)(passwords|passphrases|pass_?codes|(api|auth|access)_tokens|private_keys)$/

/** A URL with a password in it (RFC 3986 §3.2.1): `rabbit://nova:TEXT@rabbitmq:5672/`. */
const urlPassword = /\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:([^\s:/@]+)@/i

/** Keys that end as a secret's do, and name something else. */
const plainKey = /(^|_)(public_key|node_selector_key|service_token|topology_key|key_types)$/

/** Texts that are a name, a path, a rule, a template, or a reference of the plan's own, and not a secret. */
const plainText =
  /^$|^(null|none|nil|true|false|yes|no|on|off)$|^\/|^(rule|role|project_id|user_id):|^[!@]$|\{\{|\$\(|^secret:\/\//i

/** What must have a form that no generated text has, by the end of its path, or by its text. */
const needsForm = /(^|_)(private_key|ssh_key|rsa_key|tls_key|kek|fernet_keys?|keyring|password_hash|jwt|psk)$/
const hasForm = /^\s*-----BEGIN /

/** Whether this key of a chart's values, below the others of `path`, holds a secret. */
function isSecretKey(path: readonly string[]): boolean {
  const [name = '', above = ''] = path.toReversed().map(wordsOf)
  if (plainKey.test(name)) return false
  if (passwordKey.test(name) || secretsKey.test(above)) return true
  return secretKey.test(name) && !structural.has(path[0] ?? '')
}

/** Whether a text that a program reads under this key is secret: of a file, or a variable. */
export function isSecretName(key: string): boolean {
  const name = wordsOf(key)
  return (secretKey.test(name) || passwordKey.test(name)) && !plainKey.test(name)
}

/** The password in a URL, where it has one. */
export function passwordInUrl(text: string): string | undefined {
  const found = urlPassword.exec(text)?.[1]
  return found === undefined || plainText.test(found) ? undefined : found
}

function wordsOf(key: string): string {
  return key
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll(/[^a-zA-Z0-9]+/g, '_')
    .toLowerCase()
}

function isSecretText(value: unknown): value is string | number {
  return typeof value === 'number' || (typeof value === 'string' && !plainText.test(value.trim()))
}

/** Accounts of each endpoint: `endpoints.SERVER.auth.ACCOUNT`; and what else of an endpoint is a secret. */
function endpointTexts(chart: string, endpoints: Values): PublishedText[] {
  return Object.entries(endpoints).flatMap(([server, endpoint]) => {
    if (!isRecord(endpoint)) return []
    const { auth, ...rest } = endpoint
    const others = optionTexts(chart, rest, ['endpoints', server])
    if (!isRecord(auth)) return others
    const accounts = Object.entries(auth).flatMap(([account, of]) => {
      const path = ['endpoints', server, 'auth', account]
      if (isRecord(of)) return accountTexts(server, account, of, path)
      return secretsBelow(of, path).map(it => published(it, nameOf(account, serverOf(server)), 'password'))
    })
    return [...others, ...accounts]
  })
}

function accountTexts(server: string, account: string, of: Values, path: readonly string[]): PublishedText[] {
  const user = typeof of['username'] === 'string' && of['username'] !== '' ? of['username'] : account
  const at = serverOf(server)
  const secret = at === 'keystone' && user === cloudAdmin.user ? ADMIN_SECRET : nameOf(user, at)
  return secretsBelow(of, path).map(it =>
    published(it, secret, it.path.slice(path.length).map(slug).join('-')),
  )
}

function optionTexts(chart: string, value: unknown, path: readonly string[]): PublishedText[] {
  return secretsBelow(value, path).map(it => {
    const name = slug(it.path.at(-1) ?? '')
    return published(it, name.endsWith('shared-secret') ? name : nameOf(chart, ...it.path), 'password')
  })
}

/** A value whose key says that it is a secret; `isInList`: a list is replaced whole, so it cannot be replaced alone. */
type Found = {
  readonly path: readonly string[]
  readonly value: string | number
  readonly isInList: boolean
  readonly isUrl?: true
}

/** Policies are rules by the names of what they allow, `identity:change_password`: they hold none. */
function secretsBelow(value: unknown, path: readonly string[], isInList = false): Found[] {
  const key = path.at(-1) ?? ''
  if (typeof value === 'string' && passwordInUrl(value) !== undefined)
    return [{ path, value, isInList, isUrl: true }]
  if (isRecord(value))
    return Object.entries(value).flatMap(([name, inner]) =>
      name === 'policy' ? [] : secretsBelow(inner, [...path, name], isInList),
    )
  if (Array.isArray(value))
    return value.flatMap((item, index) =>
      isRecord(item) ||
      secretsKey.test(wordsOf(key)) ||
      (typeof item === 'string' && passwordInUrl(item) !== undefined)
        ? secretsBelow(item, [...path, String(index)], true)
        : [],
    )
  if (!isSecretKey(path) || !isSecretText(value) || (isInList && nameInList.test(key))) return []
  return [{ path, value, isInList }]
}

/** In lists these keys name what an item is for: a toleration's key, a rule's token. */
const nameInList = /^(key|token)$/

function published({ path, value, isInList, isUrl }: Found, secret: string, key: string): PublishedText {
  const form = needsForm.test(path.slice(-2).map(wordsOf).join('_')) || hasForm.test(String(value))
  const refused = isInList
    ? 'it is inside a list, which values replace as a whole'
    : isUrl
      ? 'it is a password inside of a URL, and must be that of an account'
      : form
        ? 'it must have a certain form, which is not generated here'
        : undefined
  return { path, text: String(value), instead: refused === undefined ? { secret, key } : { refused } }
}

/** The server that an endpoint's accounts are at, in one word. */
function serverOf(endpoint: string): string {
  if (/^oslo_db(_|$)/.test(endpoint)) return 'db'
  if (/^oslo_messaging(_|$)/.test(endpoint)) return 'queue'
  return endpoint === 'identity' ? 'keystone' : endpoint
}

/** A Secret's name (RFC 1123 §2.1): what is not a letter or a digit becomes a dash. */
function nameOf(...parts: readonly string[]): string {
  return parts.map(slug).join('-').slice(0, 120)
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
}
