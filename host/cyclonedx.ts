// A bill of materials as CycloneDX 1.5 has it in JSON (ECMA-424's predecessor, bom-1.5.schema.json): what there is of
// packages, as values in and a document out.

import { hash } from 'node:crypto'

/** A package or program, as others know it. */
export type Part = {
  readonly type: 'application' | 'library' | 'container' | 'operating-system'
  readonly name: string
  readonly version: string
  /** Package URL, from one of the functions below. */
  readonly purl?: string
  /** An SPDX expression, for example `Apache-2.0 OR MIT`. */
  readonly license?: string
  /** Hash of the package's archive, in hexadecimal digits. */
  readonly sha512?: string
  /** Further facts, by our own names. */
  readonly properties?: Readonly<Record<string, string>>
  /** What it contains. */
  readonly parts?: readonly Part[]
}

/** A component of the document. */
export type Component = {
  readonly type: Part['type']
  readonly 'bom-ref': string
  readonly name: string
  readonly version: string
  readonly purl?: string
  readonly licenses?: readonly { readonly expression: string }[]
  readonly hashes?: readonly { readonly alg: 'SHA-512'; readonly content: string }[]
  readonly properties?: readonly { readonly name: string; readonly value: string }[]
  readonly components?: readonly Component[]
}

/** The document. */
export type Bill = {
  readonly bomFormat: 'CycloneDX'
  readonly specVersion: '1.5'
  readonly serialNumber: string
  readonly version: 1
  readonly metadata: { readonly timestamp: string; readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

/** The bill of `product`, whose parts are the document's components. The serial number follows from what is in it. */
export function billOf(product: Part, now: Date): Bill {
  const { components = [], ...component } = componentOf(product, '')
  const content = JSON.stringify([component, components])
  const refs = components.map(part => part['bom-ref'])
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(content)}`,
    version: 1,
    metadata: { timestamp: now.toISOString(), component },
    components,
    dependencies: [{ ref: component['bom-ref'], dependsOn: refs }],
  }
}

function componentOf(part: Part, within: string): Component {
  const { type, name, version, purl, license, sha512, properties, parts } = part
  // The same package is in several images: its path makes each one distinct.
  const ref = `${within}${name}@${version}`
  const inner = [...new Map((parts ?? []).map(it => [`${it.name}@${it.version}`, it])).values()]
  return {
    type,
    'bom-ref': ref,
    name,
    version,
    ...(purl === undefined ? {} : { purl }),
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
    ...(sha512 === undefined ? {} : { hashes: [{ alg: 'SHA-512' as const, content: sha512 }] }),
    ...(properties === undefined
      ? {}
      : { properties: Object.entries(properties).map(([key, value]) => ({ name: key, value })) }),
    ...(parts === undefined ? {} : { components: inner.map(it => componentOf(it, `${ref} > `)) }),
  }
}

/** A UUID of version 8 (RFC 9562 §5.8) from the SHA-256 of a text. */
function uuidOf(text: string): string {
  const hex = hash('sha256', text)
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(18, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}

/** The package URL of a package of npm, for example `pkg:npm/%40grpc/grpc-js@1.14.7`. */
export function npmPurl(name: string, version: string): string {
  return `pkg:npm/${pathOf(name)}@${encoded(version)}`
}

/** The package URL of a Go module, for example `pkg:golang/k8s.io/api@v0.36.3`. */
export function goPurl(module: string, version: string): string {
  return `pkg:golang/${pathOf(module)}@${encoded(version)}`
}

/** The package URL of a Debian package, for example `pkg:deb/debian/age@1.1.1-1%2Bb3?arch=amd64&distro=debian-12`. */
export function debianPurl(name: string, version: string, architecture: string): string {
  return `pkg:deb/debian/${encoded(name)}@${encoded(version)}?arch=${architecture}&distro=debian-12`
}

function pathOf(name: string): string {
  return name.split('/').map(encoded).join('/')
}

/** One segment, with all escaped but what the package URL specification leaves. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, it => `%${it.charCodeAt(0).toString(16).toUpperCase()}`)
}
