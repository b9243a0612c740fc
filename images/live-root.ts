// The root of the live system before our own files come in: Debian with systemd, a kernel, and what a node
// needs.

import { mkdir, readdir, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'

import { words } from './commands.ts'
import { makeRoot, NO_DOCUMENTATION } from './debian.ts'

const PACKAGES = words(
  'linux-image-cloud-amd64 kmod udev zstd dracut-core dracut-network',
  'systemd systemd-sysv systemd-resolved systemd-timesyncd dbus',
  'iproute2 nftables iptables ipset conntrack ethtool socat curl ca-certificates',
  'e2fsprogs dosfstools gdisk passwd procps',
  // The machine's key, what the agent reads from the server, and the machine's TPM (docs/security.md).
  'age jq tpm2-tools',
)

/** Left out: documentation, and the hook that would make an initrd of Debian's own kind for every kernel. */
const WITHOUT = [...NO_DOCUMENTATION, '/etc/kernel/postinst.d/initramfs-tools']

/** The live system's packages as a root directory, made so that each boot is a first boot. */
export const liveRootRecipe: Recipe = {
  name: 'live-root',
  title: 'live system: Debian root',
  inputs: { method: 1, PACKAGES, WITHOUT },
  async build(work) {
    const root = await makeRoot(work, { variant: 'minbase', packages: PACKAGES, without: WITHOUT })
    const at = (path: string) => join(root, path)
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

async function empty(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
}
