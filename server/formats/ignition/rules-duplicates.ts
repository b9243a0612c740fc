// What may be in a config only once. Ignition merges configs by these keys, so two of one would be lost.

import type { Report } from './findings.ts'
import type { Path } from './tree.ts'
import type { IgnitionConfig } from './types.ts'
import { resourcesOf } from './resources.ts'

type Keyed = { readonly path: Path; readonly key: string }

/** Reports every item whose key an earlier item has. */
export function duplicateRules(config: IgnitionConfig, report: Report): void {
  for (const items of listsOf(config)) {
    const seen = new Set<string>()
    for (const { path, key } of items) {
      if (seen.has(key)) report.error(path, `"${key}" is here a second time`)
      seen.add(key)
    }
  }
}

/** The lists whose items must differ; several fields may share one space of keys. */
function listsOf(config: IgnitionConfig): readonly (readonly Keyed[])[] {
  const { ignition, kernelArguments, passwd, storage, systemd } = config
  const nodes = (['directories', 'files', 'links'] as const).flatMap(kind =>
    keyed<{ readonly path?: string }>(['storage', kind], storage?.[kind], node => node.path),
  )
  const authorities = ['ignition', 'security', 'tls', 'certificateAuthorities']
  return [
    keyed(['ignition', 'config', 'merge'], ignition?.config?.merge, ({ source }) => source),
    keyed(authorities, ignition?.security?.tls?.certificateAuthorities, ({ source }) => source),
    texts(['ignition', 'proxy', 'noProxy'], ignition?.proxy?.noProxy),
    (['shouldExist', 'shouldNotExist'] as const).flatMap(name =>
      texts(['kernelArguments', name], kernelArguments?.[name]),
    ),
    named(['passwd', 'groups'], passwd?.groups),
    named(['passwd', 'users'], passwd?.users),
    ...(passwd?.users ?? []).flatMap((user, index) => [
      texts(['passwd', 'users', index, 'groups'], user.groups),
      texts(['passwd', 'users', index, 'sshAuthorizedKeys'], user.sshAuthorizedKeys),
    ]),
    nodes,
    keyed(['storage', 'disks'], storage?.disks, disk => disk.device),
    ...(storage?.disks ?? []).map((disk, index) =>
      keyed(['storage', 'disks', index, 'partitions'], disk.partitions, ({ number = 0, label }) =>
        number === 0 ? label && `label ${label}` : `number ${number}`,
      ),
    ),
    keyed(['storage', 'filesystems'], storage?.filesystems, filesystem => filesystem.device),
    named(['storage', 'luks'], storage?.luks),
    ...(storage?.luks ?? []).flatMap((luks, index) => [
      keyed(['storage', 'luks', index, 'clevis', 'tang'], luks.clevis?.tang, tang => tang.url),
      texts(['storage', 'luks', index, 'openOptions'], luks.openOptions),
    ]),
    named(['storage', 'raid'], storage?.raid),
    ...(storage?.raid ?? []).map((raid, index) => texts(['storage', 'raid', index, 'devices'], raid.devices)),
    named(['systemd', 'units'], systemd?.units),
    ...(systemd?.units ?? []).map((unit, index) =>
      named(['systemd', 'units', index, 'dropins'], unit.dropins),
    ),
    ...resourcesOf(config).map(({ path, resource }) => named([...path, 'httpHeaders'], resource.httpHeaders)),
  ]
}

function keyed<T>(
  path: Path,
  list: readonly T[] | undefined,
  keyOf: (item: T) => string | undefined,
): Keyed[] {
  return (list ?? []).map((item, index) => ({ path: [...path, index], key: keyOf(item) ?? '' }))
}

function texts(path: Path, list: readonly string[] | undefined): Keyed[] {
  return keyed(path, list, text => text)
}

function named(path: Path, list: readonly { readonly name?: string }[] | undefined): Keyed[] {
  return keyed(path, list, item => item.name)
}
