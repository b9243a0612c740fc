// The root of the live system before our own files come in: Debian with systemd, a kernel, and what a node
// needs.

import { glob, mkdir, readdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe, Work } from '#host/cache.ts'

import { isolated, words } from './commands.ts'
import type { DebianRelease } from './apt-sources.ts'
import { makeRoot, NO_DOCUMENTATION } from './debian.ts'
import { dataFile, scriptTexts } from './files.ts'
import { parseModulesDep, UNNAMED_FIRMWARE, unwantedModules, UNWANTED_MODULES } from './kernel-modules.ts'

/** The release that the live system is made of. */
export const LIVE_RELEASE: DebianRelease = 'trixie'

const PACKAGES = words(
  'linux-image-amd64 kmod udev zstd dracut-core dracut-network',
  'systemd systemd-sysv systemd-resolved systemd-timesyncd dbus',
  'iproute2 nftables iptables ipset conntrack ethtool socat curl ca-certificates',
  'e2fsprogs dosfstools gdisk fdisk passwd procps util-linux-extra', // the last one has hwclock
  // The machine's key, what the agent reads from the server, and the machine's TPM (docs/security.md).
  'age jq tpm2-tools',
  // A disk: partitions, mirrors, encryption, what firmware boots, and the way into an installed system.
  'systemd-repart systemd-cryptsetup cryptsetup-bin mdadm kexec-tools',
  'systemd-boot-efi systemd-boot-tools efibootmgr grub-common',
  // People.
  'openssh-server',
  // Firmware of network cards and disk controllers, of which what no module names is removed again; microcode.
  'firmware-bnx2 firmware-bnx2x firmware-qlogic firmware-netxen firmware-realtek firmware-intel-misc',
  'firmware-misc-nonfree firmware-cavium firmware-myricom intel-microcode amd64-microcode',
)

/** What Debian has beside `main` that the live system needs: firmware and microcode. */
const COMPONENTS = words('non-free-firmware')

/**
 * Left out: documentation, the hook that would make an initrd of Debian's own kind for every kernel, and of GRUB's tools all
 * but grub-editenv, which reads and writes what its boot counting keeps.
 */
const WITHOUT = [
  ...NO_DOCUMENTATION,
  ...words('/etc/kernel/postinst.d/initramfs-tools /usr/bin/grub-[!e]* /usr/sbin/grub-* /usr/share/grub/*'),
  ...words('/etc/grub.d/* /etc/default/grub*'),
]

/**
 * What packages made or keep for an installed system: host keys, which each machine must have for itself, and System V's
 * scripts, which systemd would start beside its own units (kexec-tools' takes every reboot over).
 */
const REMOVED = words('etc/ssh/ssh_host_* etc/init.d/* etc/rc?.d')

/** The live system's packages as a root directory, made so that each boot is a first boot. */
export const liveRootRecipe: Recipe = {
  name: 'live-root',
  title: 'live system: Debian root',
  inputs: {
    method: 2,
    RELEASE: LIVE_RELEASE,
    COMPONENTS,
    PACKAGES,
    WITHOUT,
    REMOVED,
    UNWANTED_MODULES,
    UNNAMED_FIRMWARE,
    scripts: scriptTexts('prune-kernel.sh'),
  },
  async build(work) {
    const plan = { release: LIVE_RELEASE, components: COMPONENTS, packages: PACKAGES, without: WITHOUT }
    const root = await makeRoot(work, { variant: 'minbase', ...plan })
    const at = (path: string) => join(root, path)
    await pruneKernel(work, root)
    for await (const path of glob(REMOVED, { cwd: root })) await rm(at(path), { recursive: true })
    // A first boot: systemd applies presets, and takes the machine's own id.
    await writeFile(at('etc/machine-id'), 'uninitialized\n')
    for (const path of [
      'etc/hostname',
      'etc/resolv.conf',
      'etc/apt/sources.list',
      'etc/apt/apt.conf.d/99mmdebstrap',
    ]) {
      await rm(at(path), { force: true })
    }
    await symlink('/run/systemd/resolve/resolv.conf', at('etc/resolv.conf'))
    // What Debian's packages enabled for themselves; presets say what runs here.
    const units = at('etc/systemd/system')
    for (const entry of await readdir(units, { withFileTypes: true })) {
      if (entry.isDirectory()) await rm(join(units, entry.name), { recursive: true })
      else if (entry.isSymbolicLink()) await unlink(join(units, entry.name))
    }
    for (const path of ['var/lib/apt/lists', 'var/cache/apt', 'var/log']) await empty(at(path))
    for (const path of ['etc/.updated', 'var/.updated']) await writeFile(at(path), '')
  },
}

/** Removes the modules and the firmware that no server needs. */
async function pruneKernel(work: Work, root: string): Promise<void> {
  const release = await kernelRelease(root)
  const folder = join(root, 'usr/lib/modules', release)
  const modules = parseModulesDep(await readFile(join(folder, 'modules.dep'), 'utf8'))
  for (const path of unwantedModules(modules)) await rm(join(folder, path))
  work.stage.waiting('modules and firmware')
  await isolated(work, { limitSeconds: 900 }, 'bash', [
    dataFile('scripts/prune-kernel.sh'),
    root,
    ...UNNAMED_FIRMWARE,
  ])
}

/** The release of the one kernel in a root: the name of its modules' folder. */
export async function kernelRelease(root: string): Promise<string> {
  const [release = ''] = await readdir(join(root, 'usr/lib/modules'))
  return release
}

async function empty(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
}
