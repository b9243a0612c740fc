// The layers of the OpenStack images, from Debian's own packages (Zed): one base, above it one layer with the services that
// others lean on, and one with the control plane, which carries two more: what runs on compute and network nodes, and
// the optional services.

import { readFileSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe, Work } from '#host/cache.ts'
import { run } from '#host/command.ts'

import { isolated, words } from './commands.ts'
import { addLayer, LAYER_SCRIPTS, makeRoot, NO_DOCUMENTATION } from './debian.ts'
import { dataFile } from './files.ts'
import { packDirectory } from './layers.ts'
import { UNWANTED_PACKAGES, UNWANTED_PATHS, unwantedFiles } from './left-out.ts'

const BASE = ['python3', 'mariadb-client', 'ca-certificates', 'curl', 'adduser']
const INFRA = ['mariadb-server', 'rabbitmq-server', 'memcached']
const CONTROL = words(
  'keystone glance-api placement-api neutron-server openstack-dashboard',
  'nova-api nova-conductor nova-scheduler nova-consoleproxy',
  'uwsgi-core uwsgi-plugin-python3 python3-pymysql python3-memcache python3-pymemcache',
)
const COMPUTE = words(
  'nova-compute nova-compute-kvm qemu-system-x86 qemu-utils python3-libvirt genisoimage',
  'neutron-linuxbridge-agent neutron-dhcp-agent neutron-l3-agent neutron-metadata-agent',
  'iproute2 iptables ebtables ipset conntrack bridge-utils dnsmasq-base dnsmasq-utils haproxy iputils-arping radvd procps kmod',
)
const EXTRA = words(
  'heat-api heat-engine cinder-api cinder-scheduler cinder-volume magnum-api magnum-conductor lvm2 tgt',
)
/** What scripts of upstream's charts call beyond the services: they talk to Kubernetes, and serve WSGI with Apache. */
const HELM_INFRA = words('python3-kubernetes python3-iso8601')
const HELM = words('apache2 libapache2-mod-wsgi-py3 python3-openstackclient')

/**
 * Bytecode for all modules, without the columns that tracebacks would show: smaller, and loaded faster by each of the many
 * processes. (Some files are templates that are not Python, so its status says nothing.)
 */
const COMPILE =
  'PYTHONNODEBUGRANGES=1 python3 -m compileall -q -j 0 /usr/lib/python3* /usr/share/openstack-dashboard || true'

/** Removes the bytecode that packages compiled. */
const FORGET_BYTECODE = 'find /usr/lib/python3* -name __pycache__ -exec rm -r {} +'

/**
 * The users of our pods, which Debian's packages find there and give their files to: what a pod runs as can read what its
 * package configures. Number of user and group; the values of each chart name the same.
 */
export const USERS: Readonly<Record<string, number>> = {
  mysql: 10101,
  rabbitmq: 10102,
  memcache: 10103,
  keystone: 10104,
  glance: 10105,
  placement: 10106,
  nova: 10107,
  neutron: 10108,
  horizon: 10109,
  cinder: 10110,
  heat: 10111,
  magnum: 10112,
}

/**
 * Debian with Python and the database's client: the layer under every image, and the root they are installed upon.
 */
export const openstackBaseRecipe: Recipe = {
  name: 'openstack-base',
  title: 'OpenStack images: base',
  inputs: { method: 3, packages: BASE, UNWANTED_PACKAGES, UNWANTED_PATHS, NO_DOCUMENTATION, USERS, COMPILE },
  async build(work) {
    const root = await makeRoot(work, { variant: 'minbase', packages: BASE, without: NO_DOCUMENTATION })
    await addUsers(root)
    // A total: find and compileall print nothing, and their texts are part of the key.
    await isolated(work, { limitSeconds: 3600 }, 'chroot', [
      root,
      'sh',
      '-c',
      `${FORGET_BYTECODE}\n${COMPILE}`,
    ])
    // What is gone here need not be deleted again in the layers above.
    const leftovers = ['var/lib/apt/lists', 'var/cache/apt', 'var/log'].map(it => join(root, it))
    await run('find', [...leftovers, '-type', 'f', '-delete'], { limitSeconds: 60, log: work.log })
    await packLayer(work, [root])
  },
}

/** MariaDB, RabbitMQ and memcached. Their data is not in the layer: each pod makes its own. */
export const openstackInfraRecipe = layerRecipe({
  name: 'openstack-infra',
  title: 'OpenStack images: database, queue, cache',
  packages: INFRA,
  finish: ['rm -rf /var/lib/mysql/* /var/lib/rabbitmq/* /var/lib/rabbitmq/.erlang.cookie'],
})

/** Every API and its workers, the console proxy with noVNC, Horizon with its pages made, and uWSGI. */
export const openstackControlRecipe = layerRecipe({
  name: 'openstack-control',
  title: 'OpenStack images: control plane',
  packages: CONTROL,
})

/**
 * nova-compute with libvirt, QEMU for x86 and what writes configuration drives, and Neutron's agents with what they call.
 * Debian's own choice of a hypervisor type is removed: configuration says it.
 */
export const openstackComputeRecipe = layerRecipe({
  name: 'openstack-compute',
  title: 'OpenStack images: compute and network nodes',
  packages: COMPUTE,
  finish: ['rm -f /etc/nova/nova-compute.conf'],
  above: openstackControlRecipe,
})

/** Heat, Cinder and Magnum. */
export const openstackExtraRecipe = layerRecipe({
  name: 'openstack-extra',
  title: 'OpenStack images: optional services',
  packages: EXTRA,
  above: openstackControlRecipe,
})

/**
 * The users that upstream's charts run pods as, in place of ours: their numbers are in those charts. RabbitMQ is listed first,
 * because the runtime takes HOME from the first user of a number, and Erlang's cookie is there.
 */
const UPSTREAM_USERS = [
  ...['rabbitmq', 'mysql'].map(name => ({ name, id: 999 })),
  ...['keystone', 'glance', 'placement'].map(name => ({ name, id: 42424 })),
]

/**
 * Commands that give a root upstream's users, and to them what Debian's packages gave to the users of the same names: homes,
 * without which mod_wsgi starts no process, and configuration that others may not read. Folders are made, because other
 * layers leave them out.
 */
function upstreamUsers(folders: readonly string[]): string[] {
  return [
    ...UPSTREAM_USERS.toReversed().flatMap(({ name, id }) => [
      `user=$(id -u ${name}) group=$(id -g ${name})`,
      `sed -i '/^${name}:/d' /etc/passwd /etc/group`,
      `sed -i '1a ${name}:x:${id}:${id}::/var/lib/${name}:/usr/sbin/nologin' /etc/passwd`,
      `sed -i '1a ${name}:x:${id}:' /etc/group`,
      `find /etc /usr /var -xdev -group "$group" -exec chgrp -h ${id} {} +`,
      `find /etc /usr /var -xdev -user "$user" -exec chown -h ${id} {} +`,
    ]),
    ...folders.flatMap(folder => [`mkdir -p ${folder}`, `chown ${folder.split('/').at(-1)}: ${folder}`]),
    'ln -sf python3 /usr/bin/python',
  ]
}

/** Commands that make a program of some lines of shell. */
function script(name: string, lines: readonly string[]): string[] {
  const path = `/usr/local/bin/${name}`
  return [`cat > ${path} <<'END'\n#!/bin/sh\n${lines.join('\n')}\nEND`, `chmod 755 ${path}`]
}

/** Folders that programs write logs into: other layers leave them out, because our charts' pods print theirs. */
const LOG_FOLDERS = './var/log/*'

/** The program by which pods of upstream's charts wait for each other. */
const entrypoint = readFileSync(dataFile('openstack-helm/kubernetes-entrypoint'), 'utf8')

/**
 * MariaDB, RabbitMQ and memcached as upstream's charts call them: with upstream's users, RabbitMQ's programs without Debian's
 * wrapper, which redirects their logs, and the program that waits for dependencies.
 */
export const openstackHelmInfraRecipe = layerRecipe({
  name: 'openstack-helm-infra',
  title: 'OpenStack images: database, queue, cache for openstack-helm',
  packages: HELM_INFRA,
  finish: [
    ...upstreamUsers(['/var/lib/mysql', '/var/lib/rabbitmq', '/var/log/mysql', '/var/log/rabbitmq']),
    ...words('rabbitmq-server rabbitmqctl rabbitmq-diagnostics rabbitmq-plugins').flatMap(name =>
      script(name, [
        'export RABBITMQ_LOGS="${RABBITMQ_LOGS:--}" RABBITMQ_LOG_BASE="${RABBITMQ_LOG_BASE:-/var/log/rabbitmq}"',
        `exec /usr/lib/rabbitmq/bin/${name} "$@"`,
      ]),
    ),
    `cat > /usr/local/bin/kubernetes-entrypoint <<'END'\n${entrypoint}END`,
    'chmod 755 /usr/local/bin/kubernetes-entrypoint',
  ],
  keeps: [LOG_FOLDERS],
  above: openstackInfraRecipe,
})

/** The control plane as upstream's charts call it: with upstream's users, Apache, and the `openstack` command for jobs. */
export const openstackHelmRecipe = layerRecipe({
  name: 'openstack-helm',
  title: 'OpenStack images: control plane for openstack-helm',
  // The client is installed below already, for Horizon, and left out of that layer.
  packages: ['--reinstall', ...HELM],
  keeps: ['python3-openstackclient', LOG_FOLDERS],
  finish: [
    ...upstreamUsers([]),
    // Where upstream's images have their programs, and a uWSGI that knows Python without being told.
    'mkdir -p /var/lib/openstack/etc/glance && ln -sfn /usr/bin /var/lib/openstack/bin',
    // With their owner: they are not for others to read.
    'cp -a /etc/glance/metadefs /var/lib/openstack/etc/glance/',
    ...script('uwsgi', ['exec /usr/bin/uwsgi_python3 --plugins python3 "$@"']),
    'chown keystone: /var/log/apache2',
  ],
  above: openstackControlRecipe,
})

type LayerPlan = {
  readonly name: string
  readonly title: string
  readonly packages: readonly string[]
  /** Shell commands, run in the root after the packages are installed. */
  readonly finish?: readonly string[]
  /** Packages and patterns of paths that other layers leave out, and this one has. */
  readonly keeps?: readonly string[]
  /** The layer below; the base by default. */
  readonly above?: Recipe
}

function layerRecipe({ name, title, packages, finish = [], keeps = [], above }: LayerPlan): Recipe {
  const commands = [...finish, COMPILE].join('\n')
  const below = above === undefined ? [openstackBaseRecipe] : [above, openstackBaseRecipe]
  return {
    name,
    title,
    inputs: {
      method: 3,
      packages,
      commands,
      ...(keeps.length > 0 && { keeps }), // a layer that keeps none has the key that it had before
      UNWANTED_PACKAGES,
      UNWANTED_PATHS,
      NO_DOCUMENTATION,
      scripts: LAYER_SCRIPTS,
    },
    needs: below,
    async build(work) {
      const lower = below.map(recipe => installedIn(work, recipe))
      const upper = await addLayer(work, lower, packages, commands)
      await packLayer(work, [upper, ...lower], keeps)
    },
  }
}

/** Where the packages of a layer below are: the artefacts keep them beside the layer. */
function installedIn(work: Work, recipe: Recipe): string {
  return join(work.needs[recipe.name]!, recipe === openstackBaseRecipe ? 'root' : 'upper') // named in `needs`
}

/** Packs the first of the directories that make a root, without what is never run. */
async function packLayer(
  work: Work,
  roots: readonly [string, ...string[]],
  keeps: readonly string[] = [],
): Promise<void> {
  const unwanted = UNWANTED_PACKAGES.filter(name => !keeps.includes(name))
  const paths = await unwantedFiles(roots, unwanted)
  const patterns = UNWANTED_PATHS.filter(path => !keeps.includes(path))
  await packDirectory(work, roots[0], { patterns, paths })
}

async function addUsers(root: string): Promise<void> {
  const users = Object.entries(USERS)
  const append = (path: string, lines: readonly string[]) =>
    appendFile(join(root, path), `${lines.join('\n')}\n`)
  await append(
    'etc/passwd',
    users.map(([name, id]) => `${name}:x:${id}:${id}::/var/lib/${name}:/usr/sbin/nologin`),
  )
  await append(
    'etc/group',
    users.map(([name, id]) => `${name}:x:${id}:`),
  )
  // To adduser, which packages call, a user outside of this range is a person's.
  await append('etc/adduser.conf', ['LAST_SYSTEM_UID=10999', 'LAST_SYSTEM_GID=10999'])
}
