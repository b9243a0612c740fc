// Turns the sugar of a Butane config into plain Ignition, item by item: lists keep their order, so that a finding about
// the result has its place in the source.

import type { Report } from '../ignition/findings.ts'
import type { Path } from '../ignition/tree.ts'
import type { Dropin, File, Filesystem, IgnitionConfig, Resource, Unit, User } from '../ignition/types.ts'
import { dataUrlOf, escapeBytes } from './data-url.ts'
import type { LocalFiles } from './local-files.ts'
import type { Origins } from './origins.ts'
import type {
  ButaneConfig,
  SugaredDropin,
  SugaredFile,
  SugaredFilesystem,
  SugaredResource,
  SugaredUnit,
  SugaredUser,
} from './types.ts'

/** What desugaring needs: the spec that comes out, the files beside the config, and where mistakes are reported. */
export type Desugaring = {
  readonly spec: number
  readonly files: LocalFiles
  readonly report: Report
  /** Learns where each piece of the result is in the source. */
  readonly origins: Origins
}

/** The Ignition config of a Butane config, without mount units, trees, boot device and GRUB. */
export function desugar(config: ButaneConfig, to: Desugaring): IgnitionConfig {
  const { ignition, kernelArguments, passwd, storage, systemd } = config
  const each = <From, To>(
    path: Path,
    list: readonly From[],
    one: (item: From, path: Path, to: Desugaring) => To,
  ) => list.map((item, index) => one(item, [...path, index], to))
  const { config: other, security, ...rest } = ignition ?? {}
  const { merge, replace } = other ?? {}
  const authorities = security?.tls?.certificateAuthorities
  const { trees: _, files, filesystems, ...nodes } = storage ?? {}
  const plain: IgnitionConfig = {
    ignition: {
      ...rest,
      config: {
        ...(merge && { merge: each(['ignition', 'config', 'merge'], merge, resourceOf) }),
        ...(replace && { replace: resourceOf(replace, ['ignition', 'config', 'replace'], to) }),
      },
      ...(authorities && {
        security: { tls: { certificateAuthorities: each(AUTHORITIES, authorities, resourceOf) } },
      }),
    },
    ...(kernelArguments && { kernelArguments }),
    passwd: { ...passwd, ...(passwd?.users && { users: each(['passwd', 'users'], passwd.users, userOf) }) },
    storage: {
      ...nodes,
      ...(files && { files: each(['storage', 'files'], files, fileOf) }),
      ...(filesystems && { filesystems: filesystems.map(plainFilesystem) }),
      ...(nodes.luks && {
        luks: nodes.luks.map(({ keyFile, ...luks }, index) => ({
          ...luks,
          ...(keyFile && { keyFile: resourceOf(keyFile, ['storage', 'luks', index, 'keyFile'], to) }),
        })),
      }),
    },
    systemd: { ...(systemd?.units && { units: each(['systemd', 'units'], systemd.units, unitOf) }) },
  }
  to.origins.mirror(plain)
  return plain
}

const AUTHORITIES = ['ignition', 'security', 'tls', 'certificateAuthorities']

function resourceOf(resource: SugaredResource, path: Path, to: Desugaring): Resource {
  const { inline: _, local: __, ...plain } = resource
  const content = contentOf(resource, path, to)
  if (content === undefined) return plain
  // The first Butane only escaped, and said nothing of compression.
  if (to.spec === 0) return { ...plain, source: `data:,${escapeBytes(content)}` }
  return { ...plain, ...dataUrlOf(content, plain.compression) }
}

function contentOf(
  { inline, local }: SugaredResource,
  path: Path,
  { files, report }: Desugaring,
): Uint8Array | undefined {
  if (inline !== undefined) return Buffer.from(inline)
  if (local === undefined) return undefined
  const content = files.read(local)
  if (typeof content !== 'string') return content
  report.error([...path, 'local'], content)
  return undefined
}

function fileOf({ append, contents, ...file }: SugaredFile, path: Path, to: Desugaring): File {
  return {
    ...file,
    ...(append && { append: append.map((item, index) => resourceOf(item, [...path, 'append', index], to)) }),
    ...(contents && { contents: resourceOf(contents, [...path, 'contents'], to) }),
  }
}

function plainFilesystem(filesystem: SugaredFilesystem): Filesystem {
  const { withMountUnit: _, ...plain } = filesystem
  return plain
}

function userOf({ sshAuthorizedKeysLocal = [], ...user }: SugaredUser, path: Path, to: Desugaring): User {
  if (sshAuthorizedKeysLocal.length === 0) return user
  const sshAuthorizedKeys = [...(user.sshAuthorizedKeys ?? [])]
  const members = new Map<number, Path>()
  for (const [index, local] of sshAuthorizedKeysLocal.entries()) {
    const at = [...path, 'sshAuthorizedKeysLocal', index]
    const text = textOf(local, at, to) ?? ''
    for (const line of text.split(/\r?\n/).filter(line => line !== '')) {
      members.set(sshAuthorizedKeys.length, at)
      sshAuthorizedKeys.push(line)
    }
  }
  to.origins.set(sshAuthorizedKeys, [...path, 'sshAuthorizedKeys'], members)
  return { ...user, sshAuthorizedKeys }
}

function unitOf({ contentsLocal, dropins, ...unit }: SugaredUnit, path: Path, to: Desugaring): Unit {
  const plain = { ...unit, ...(dropins && { dropins: dropins.map(dropinOf) }) }
  return withLocalContents(plain, contentsLocal, path, to)

  function dropinOf({ contentsLocal: local, ...dropin }: SugaredDropin, index: number): Dropin {
    return withLocalContents(dropin, local, [...path, 'dropins', index], to)
  }
}

function withLocalContents<T extends Dropin>(
  unit: T,
  local: string | undefined,
  path: Path,
  to: Desugaring,
): T {
  if (local === undefined || local === '') return unit
  const at = [...path, 'contentsLocal']
  const contents = textOf(local, at, to)
  if (contents === undefined) return unit
  const whole = { ...unit, contents }
  to.origins.set(whole, path, new Map([['contents', at]]))
  return whole
}

function textOf(local: string, path: Path, { files, report }: Desugaring): string | undefined {
  const content = files.read(local)
  if (typeof content !== 'string') return Buffer.from(content).toString()
  report.error(path, content)
  return undefined
}
