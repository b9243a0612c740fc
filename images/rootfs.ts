// The live system's root as one squashfs: Debian's root, the programs of a node, our units, and the container
// store.

import { readFileSync } from 'node:fs'
import { chmod, cp, link, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { sha256OfFile } from '#host/digest.ts'
import type { Recipe } from '#host/cache.ts'

import { isolated, words } from './commands.ts'
import { dataFile, textsBelow } from './files.ts'
import {
  cniPluginsRecipe,
  containerdRecipe,
  etcdctlRecipe,
  etcdRecipe,
  ignitionRecipe,
  runcRecipe,
} from './go-tools.ts'
import { driverNames, parseModulesDep, requireDrivers } from './kernel-modules.ts'
import { kubernetesRecipe } from './kubernetes.ts'
import { kernelRelease, liveRootRecipe } from './live-root.ts'
import { pauseReference } from './references.ts'
import { storeRecipe } from './store.ts'

const script = dataFile('scripts/make-rootfs.sh')
const rootFiles = dataFile('live/root')

/** Options of mksquashfs; images/README.md has the measurements. */
const COMPRESSION = ['-comp', 'zstd', '-Xcompression-level', '3']

/** Where the store is bound when the image is packed, and where units of the image mount. */
const MOUNT_POINTS = words('usr/lib/pilotlight/containerd var/lib/containerd var/lib/kubelet var/lib/etcd')

/**
 * Units that nothing may start: they wait for hardware or people that are not there, tend an installed system, or load
 * modules for mounts that are not used. Each costs some of every boot, most of all in an emulated machine.
 */
const MASKED = words(
  'console-getty.service systemd-firstboot.service systemd-udev-settle.service',
  'systemd-hwdb-update.service systemd-machine-id-commit.service systemd-pstore.service',
  'modprobe@.service sys-fs-fuse-connections.mount sys-kernel-config.mount',
  'apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer',
  'e2scrub_all.timer e2scrub_reap.service systemd-tmpfiles-clean.timer',
)

/** Generators that would open ways in or mount disks by themselves: sshd on a socket of the hypervisor, partitions by type. */
const MASKED_GENERATORS = words('systemd-ssh-generator systemd-gpt-auto-generator systemd-sysv-generator')

/** Modules that a node asks its kernel for; those that units load at boot are among them. */
const NODE_MODULES = driverNames(
  ['drivers/node', 'root/etc/modules-load.d/pilotlight.conf']
    .map(name => readFileSync(dataFile(`live/${name}`), 'utf8'))
    .join('\n'),
)

/** `rootfs.squashfs` and `rootfs.sha256` (its digest in hexadecimal digits). */
export function rootfsRecipe(kubernetes: string): Recipe {
  const store = storeRecipe(kubernetes)
  const placed = rootPrograms(kubernetes)
  return {
    name: 'live-rootfs',
    title: 'live system: squashfs',
    inputs: {
      method: 1,
      placed: placed.map(({ recipe, to }) => [recipe.name, to]),
      files: textsBelow(rootFiles),
      script: readFileSync(script, 'utf8'),
      COMPRESSION,
      MOUNT_POINTS,
      MASKED,
      MASKED_GENERATORS,
      NODE_MODULES,
    },
    needs: [...new Set([liveRootRecipe, store, ...placed.map(it => it.recipe)])],
    async build(work) {
      const added = join(work.directory, 'added')
      await cp(rootFiles, added, { recursive: true })
      for (const mountPoint of MOUNT_POINTS) await mkdir(join(added, mountPoint), { recursive: true })
      await mkdir(join(added, 'etc/systemd/system'), { recursive: true })
      for (const unit of MASKED) await symlink('/dev/null', join(added, 'etc/systemd/system', unit))
      await mkdir(join(added, 'etc/systemd/system-generators'), { recursive: true })
      for (const generator of MASKED_GENERATORS)
        await symlink('/dev/null', join(added, 'etc/systemd/system-generators', generator))
      for (const name of ['link-store', 'containerd-config']) {
        const path = join(added, 'usr/lib/pilotlight', name)
        await writeFile(path, (await readFile(path, 'utf8')).replaceAll('@PAUSE@', pauseReference))
        await chmod(path, 0o755)
      }
      for (const { recipe, name, to } of placed) {
        await mkdir(dirname(join(added, to)), { recursive: true })
        await link(join(work.needs[recipe.name]!, name), join(added, to)) // every placed recipe is needed
      }
      const root = join(work.needs[liveRootRecipe.name]!, 'root')
      await requireModules(root)
      const containers = join(work.needs[store.name]!, 'containerd')
      const image = join(work.directory, 'rootfs.squashfs')
      work.stage.waiting('mksquashfs', 3600)
      // A total: the script, which is part of the key, lets mksquashfs print nothing.
      await isolated(work, { limitSeconds: 3600 }, 'bash', [
        script,
        root,
        added,
        containers,
        image,
        ...COMPRESSION,
      ])
      await rm(added, { recursive: true })
      await writeFile(join(work.directory, 'rootfs.sha256'), `${await sha256OfFile(image)}\n`)
    },
  }
}

/** @throws {DriversAbsent} when the root's kernel lacks a module that a node asks for */
async function requireModules(root: string): Promise<void> {
  const release = await kernelRelease(root)
  const [index = '', builtin = ''] = await Promise.all(
    ['modules.dep', 'modules.builtin'].map(name =>
      readFile(join(root, 'usr/lib/modules', release, name), 'utf8'),
    ),
  )
  requireDrivers(NODE_MODULES, parseModulesDep(index).keys(), builtin, release)
}

/** A program of another recipe in the live system: its path there has no leading slash. */
type PlacedProgram = { readonly recipe: Recipe; readonly name: string; readonly to: string }

/** The programs in the live system that are not Debian's. */
export function rootPrograms(kubernetes: string): PlacedProgram[] {
  const binaries = kubernetesRecipe(kubernetes)
  const programs: Readonly<Record<string, readonly (readonly [Recipe, string])[]>> = {
    'usr/local/bin': [
      [binaries, 'kubelet'],
      [binaries, 'kubectl'],
      [etcdRecipe, 'etcd'],
      [etcdctlRecipe, 'etcdctl'],
      [containerdRecipe, 'containerd'],
      [containerdRecipe, 'containerd-shim-runc-v2'],
      [containerdRecipe, 'ctr'],
      [runcRecipe, 'runc'],
    ],
    'opt/cni/bin': ['bridge', 'loopback', 'host-local', 'portmap'].map(
      name => [cniPluginsRecipe, name] as const,
    ),
    'usr/lib/ignition': [[ignitionRecipe, 'ignition']],
  }
  return Object.entries(programs).flatMap(([folder, list]) =>
    list.map(([recipe, name]) => ({ recipe, name, to: `${folder}/${name}` })),
  )
}
