// What was left out of the OpenStack layers is not missed: programs find their libraries, and services their modules. In all
// layers together, unpacked, where this host has built them.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { words } from '#images/commands.ts'
import {
  openstackBaseRecipe,
  openstackComputeRecipe,
  openstackControlRecipe,
  openstackExtraRecipe,
  openstackHelmInfraRecipe,
  openstackHelmRecipe,
  openstackInfraRecipe,
} from '#images/openstack.ts'

t.setTimeout(900_000)

/** What each service imports first. */
const MODULES = words(
  'keystone.server.wsgi placement.wsgi glance.cmd.api glance.api.v2.router horizon openstack_auth',
  'nova.api.openstack.compute.wsgi nova.cmd.conductor nova.conductor.manager nova.cmd.scheduler',
  'nova.scheduler.manager nova.cmd.novncproxy nova.cmd.compute nova.virt.libvirt.driver libvirt os_vif',
  'neutron.cmd.eventlet.server neutron.plugins.ml2.plugin neutron.cmd.eventlet.agents.dhcp',
  'neutron.cmd.eventlet.agents.l3 neutron.cmd.eventlet.agents.metadata pymysql memcache pymemcache',
  'heat.cmd.api heat.cmd.engine cinder.cmd.api cinder.cmd.scheduler cinder.cmd.volume',
  'magnum.cmd.api magnum.cmd.conductor kubernetes.client openstackclient.shell openstackclient.identity.client',
)

/** Programs that services call by name. */
const PROGRAMS = words(
  'mariadbd mariadb-install-db memcached uwsgi_python3 privsep-helper libvirtd virsh qemu-system-x86_64 qemu-img genisoimage',
  'ip bridge iptables-restore ip6tables-restore ebtables ipset conntrack dnsmasq dhcp_release haproxy arping',
  'radvd keepalived nsenter setpriv sysctl ps kill lvs tgtd apache2 openstack python rabbitmqadmin mysqladmin',
  'kubernetes-entrypoint awk curl uwsgi',
)

const recipes = [
  openstackBaseRecipe,
  openstackInfraRecipe,
  openstackControlRecipe,
  openstackComputeRecipe,
  openstackExtraRecipe,
  openstackHelmInfraRecipe,
  openstackHelmRecipe,
]
const layers = await Promise.all(recipes.map(recipe => findArtefact(recipe)))
const skip =
  (process.getuid?.() !== 0 && 'needs root for chroot') ||
  (layers.some(layer => layer === undefined) && 'the layers are not built here (pilotlight images build)')

t.test('nothing that was left out of the OpenStack layers is missed', { skip }, async t => {
  const root = await mkdtemp(join(tmpdir(), 'layers-'))
  t.teardown(() => rm(root, { recursive: true }))
  for (const layer of layers) {
    if (layer === undefined) return
    const from = [`--file=${join(layer.path, 'layer.tar')}`, `--directory=${root}`]
    await run('tar', ['--extract', '--numeric-owner', '--exclude=.wh.*', ...from], { limitSeconds: 300 })
  }
  const inside = async (...command: readonly string[]): Promise<string[]> => {
    const script = 'mount --rbind /dev "$0/dev"; mount -t proc proc "$0/proc"; chroot "$0" "$@" 2>&1 || true'
    const apart = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, root]
    const { stdout } = await run('unshare', [...apart, ...command], { limitSeconds: 600 })
    return stdout.split('\n').filter(line => line !== '')
  }

  await t.test('every program that services call is there', async t => {
    const missing = 'for name; do command -v "$name" > /dev/null || echo "$name"; done'
    t.strictSame(await inside('sh', '-c', missing, 'sh', ...PROGRAMS), [])
  })

  await t.test('every program finds its libraries', async t => {
    const broken =
      'for file in /usr/bin/* /usr/sbin/*; do ldd "$file" 2> /dev/null | grep -q "not found" && echo "$file"; done'
    t.strictSame(await inside('sh', '-c', broken), [])
  })

  await t.test('the modules of every service can be imported', async t => {
    // Each in its own interpreter, forked before anything is imported: services register options of one name.
    const program = `
import importlib, os, sys
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException as error:
            print('failed:', name, repr(error), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
print('tried:', len(sys.argv) - 1)
`
    const said = await inside('python3', '-W', 'ignore', '-c', program, ...MODULES)
    const outcome = said.filter(line => /^(failed|tried):/.test(line)) // some warn when they are imported
    t.strictSame(outcome, [`tried: ${MODULES.length}`])
  })
})
