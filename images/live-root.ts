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
)

/**
 * Units that nothing may start: they wait for hardware or people that are not there, or tend an installed
 * system.
 */
const MASKED = words(
  'console-getty.service systemd-firstboot.service systemd-udev-settle.service',
  'systemd-hwdb-update.service systemd-machine-id-commit.service systemd-pstore.service',
  'apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer',
  'e2scrub_all.timer e2scrub_reap.service systemd-tmpfiles-clean.timer',
)

/** The live system's packages as a root directory, made so that each boot is a first boot. */
export const liveRootRecipe: Recipe = {
  name: 'live-root',
  title: 'live system: Debian root',
  inputs: { method: 1, PACKAGES, MASKED, NO_DOCUMENTATION },
  async build(work) {
    const root = await makeRoot(work, { variant: 'minbase', packages: PACKAGES, without: NO_DOCUMENTATION })
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
    for (const unit of MASKED) await symlink('/dev/null', join(units, unit))
    for (const path of ['var/lib/apt/lists', 'var/cache/apt', 'var/log']) await empty(at(path))
    for (const path of ['etc/.updated', 'var/.updated']) await writeFile(at(path), '')
  },
}

async function empty(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
}
