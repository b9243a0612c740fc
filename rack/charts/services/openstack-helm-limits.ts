// What a cluster of the plan `openstack-helm` cannot give to upstream's charts: values with which they render, and their pods or
// jobs then wait for what no release of the plan has. Facts of OpenStack-Helm 2026.1.0 and of its main branch of August 2026.

import { isRecord } from '#model/record.ts'
import { mapAt, type Values } from '../values/values.ts'

/** A value that does not fit, by its keys, and why: the end of a sentence that begins with the key. */
type Unfit = { readonly path: readonly string[]; readonly why: string }

/** The first value of a release with which it would not come up, or nothing. `values` are all of it, the chart's too. */
export function whyNotUp(release: string, values: Values): Unfit | undefined {
  return limits[release]?.(values)
}

const limits: Readonly<Record<string, (values: Values) => Unfit | undefined>> = {
  glance: values => {
    const storage = textOf(values['storage'])
    if (storage === undefined || storage === 'local' || storage === 'pvc') return undefined
    const needs = needed[storage]
    const why =
      needs === undefined ? 'none that this plan can give' : `which needs ${needs}, and the plan has none`
    return {
      path: ['storage'],
      why: `is "${storage}", ${why}. Take local (a folder of the node) or pvc (a claim).`,
    }
  },
  cinder: values => {
    const { storage } = values
    const own =
      'Give its own: openstack.values.cinder.storage and conf.backends, with null for what the chart has there'
    if (typeof storage !== 'string' || storage === '' || storage.includes('ceph'))
      return {
        path: ['storage'],
        why: `says no place for volumes but Ceph, which the plan does not have. ${own}.`,
      }
    const backends = Object.entries(mapAt(values, 'conf', 'backends'))
    const ceph = backends.find(([, it]) => isRecord(it) && /rbd|ceph/i.test(String(it['volume_driver'])))
    if (ceph !== undefined)
      return {
        path: ['conf', 'backends', ceph[0]],
        why: `stores volumes in Ceph, which the plan does not have. ${own}.`,
      }
    const enabled = textOf(mapAt(values, 'conf', 'cinder', 'DEFAULT')['enabled_backends']) ?? ''
    const absent = enabled
      .split(',')
      .find(name => name.trim() !== '' && !backends.some(([key, it]) => key === name.trim() && isRecord(it)))
    return absent === undefined
      ? undefined
      : {
          path: ['conf', 'cinder', 'DEFAULT', 'enabled_backends'],
          why: `names "${absent.trim()}", which conf.backends does not describe.`,
        }
  },
  libvirt: withoutCeph,
  nova: withoutCeph,
  neutron: values => {
    const { backend } = mapAt(values, 'network')
    const names = Array.isArray(backend) ? backend.map(String) : []
    const other = names.find(name => name !== 'openvswitch')
    return other === undefined
      ? undefined
      : {
          path: ['network', 'backend'],
          why: `has "${other}", whose services no release of the plan has. Take [openvswitch].`,
        }
  },
  magnum: values => {
    const path = ['conf', 'magnum', 'certificates', 'cert_manager_type']
    const type = mapAt(values, ...path.slice(0, -1))['cert_manager_type']
    return type === 'barbican'
      ? {
          path,
          why: 'is "barbican", which no release of the plan is. Take x509keypair: keys are then in its database.',
        }
      : undefined
  },
  mariadb: values => oneServer(values, 'use_local_path_for_single_pod_cluster'),
  rabbitmq: values => oneServer(values, 'use_local_path'),
}

/** A value as text; nothing where there is none. A list has commas, as oslo.config has. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  return Array.isArray(value)
    ? value.map(String).join(',')
    : typeof value === 'string'
      ? value
      : JSON.stringify(value)
}

/** Storage of Glance that is a service of its own. */
const needed: Readonly<Record<string, string>> = {
  swift: 'Swift',
  radosgw: 'Ceph',
  rbd: 'Ceph',
  cephrook: 'Ceph',
}

function withoutCeph(values: Values): Unfit | undefined {
  return mapAt(values, 'conf', 'ceph')['enabled'] === true
    ? {
        path: ['conf', 'ceph', 'enabled'],
        why: 'is true, and the plan has no Ceph. Leave it out: the plan sets false.',
      }
    : undefined
}

/** Several servers in one folder of one node write into each other's files. */
function oneServer(values: Values, key: string): Unfit | undefined {
  const { server } = mapAt(values, 'pod', 'replicas')
  if (mapAt(values, 'volume', key)['enabled'] !== true || typeof server !== 'number' || server <= 1)
    return undefined
  return {
    path: ['pod', 'replicas', 'server'],
    why: `is ${server}, and all would have the one folder volume.${key}. Take 1, or claims for each: volume.enabled with a class of storage.`,
  }
}
