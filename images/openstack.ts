// The layers of the OpenStack images, from Debian's own packages (Zed): one base, above it one layer with the
// services that others lean on, and one with the control plane.

import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'
import { run } from '#host/command.ts'

import { words } from './commands.ts'
import { addLayer, layerScript, makeRoot, NO_DOCUMENTATION } from './debian.ts'
import { packDirectory } from './layers.ts'

const BASE = ['python3', 'mariadb-client', 'ca-certificates', 'curl']
const INFRA = ['mariadb-server', 'rabbitmq-server', 'memcached']
const CONTROL = words(
  'keystone uwsgi-core uwsgi-plugin-python3',
  'python3-pymysql python3-memcache python3-pymemcache',
)

/**
 * Not part of a layer: what the kernel mounts, how the packages were fetched, and what packages bring that no
 * service here runs: Perl beyond its core and MariaDB's tools for files of stopped servers, at 5 MB each.
 */
const NOT_PACKED = words(
  './dev/* ./proc/* ./sys/* ./run/* ./tmp/* ./boot/*',
  './etc/apt/sources.list ./etc/apt/apt.conf.d/99mmdebstrap ./etc/resolv.conf ./etc/hostname',
  './usr/share/perl/* ./usr/lib/x86_64-linux-gnu/perl/* ./usr/lib/x86_64-linux-gnu/libperl.so*',
  './usr/bin/aria_* ./usr/bin/myisam* ./usr/bin/innochecksum ./usr/bin/perror',
  './usr/bin/replace ./usr/bin/resolve_stack_dump',
  './usr/bin/mariadb-binlog ./usr/bin/mariadb-slap ./usr/bin/mariadb-import ./usr/bin/mariadb-conv',
  './usr/bin/mariadb-waitpid ./usr/bin/mariadbd-safe-helper ./usr/bin/innotop',
  './usr/lib/python3/dist-packages/sphinx ./usr/lib/python3/dist-packages/docutils',
  './usr/share/ieee-data ./usr/share/javascript ./usr/share/sphinx ./usr/share/bash-completion',
)

/**
 * Debian with Python and the database's client: the layer under both images, and the root they are installed
 * upon.
 */
export const openstackBaseRecipe: Recipe = {
  name: 'openstack-base',
  title: 'OpenStack images: base',
  inputs: { method: 1, packages: BASE, NOT_PACKED, NO_DOCUMENTATION },
  async build(work) {
    const root = await makeRoot(work, { variant: 'minbase', packages: BASE, without: NO_DOCUMENTATION })
    // What is gone here need not be deleted again in the layers above.
    const leftovers = ['var/lib/apt/lists', 'var/cache/apt', 'var/log'].map(it => join(root, it))
    await run('find', [...leftovers, '-type', 'f', '-delete'], { limitSeconds: 60, log: work.log })
    await packDirectory(work, root, NOT_PACKED)
  },
}

/** MariaDB, RabbitMQ and memcached. Their data is not in the layer: each pod makes its own. */
export const openstackInfraRecipe = layerRecipe(
  'openstack-infra',
  'OpenStack images: database, queue, cache',
  INFRA,
  'rm -rf /var/lib/mysql/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie',
)

/** Keystone, uWSGI and what they speak to the database and the cache with. */
export const openstackControlRecipe = layerRecipe(
  'openstack-control',
  'OpenStack images: control plane',
  CONTROL,
  'true',
)

function layerRecipe(name: string, title: string, packages: readonly string[], finish: string): Recipe {
  return {
    name,
    title,
    inputs: {
      method: 1,
      packages,
      finish,
      NOT_PACKED,
      NO_DOCUMENTATION,
      script: readFileSync(layerScript, 'utf8'),
    },
    needs: [openstackBaseRecipe],
    async build(work) {
      const lower = join(work.needs[openstackBaseRecipe.name]!, 'root') // named in `needs`
      const upper = await addLayer(work, lower, packages, finish)
      await packDirectory(work, upper, NOT_PACKED)
      await rm(upper, { recursive: true })
    },
  }
}
