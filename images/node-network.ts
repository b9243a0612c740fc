// The layer under kube-proxy and flannel: the tools with which both change the kernel's network, and a shell. They are of the live
// system's release: nft reads all tables of the machine before it writes, and bookworm's (1.0.6) dies by a segmentation fault on
// tables of trixie's (1.1.3). kube-proxy then writes no rule, and no Service is reached.

import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'

import { words } from './commands.ts'
import { LIST_EXTRACTED, makeRoot, NO_DOCUMENTATION } from './debian.ts'
import { packDirectory } from './layers.ts'
import { LIVE_RELEASE } from './live-root.ts'

const PACKAGES = words('nftables iptables conntrack ipset iproute2 busybox-static curl ca-certificates')

/** The busybox applets that scripts in pods may use. */
const APPLETS = words(
  'sh ash cat ls sleep wget nslookup ping ps grep sed awk mkdir cp mv rm ln id hostname nc echo date env',
  'touch kill head tail tr cut sort find xargs chmod chown stat test true false mount umount sysctl',
)

const NOT_PACKED = words('./dev/* ./boot ./etc/apt ./var/lib/apt ./var/cache ./usr/share/bash-completion')

/**
 * The layer's packages are unpacked but not configured, so the links that Debian's alternatives would make
 * are ours.
 */
export const nodeNetworkRecipe: Recipe = {
  name: 'node-network',
  title: 'image layer of network tools',
  inputs: { method: 2, LIVE_RELEASE, LIST_EXTRACTED, PACKAGES, NO_DOCUMENTATION, APPLETS, NOT_PACKED },
  async build(work) {
    const root = await makeRoot(work, {
      release: LIVE_RELEASE,
      variant: 'extract',
      packages: PACKAGES,
      without: NO_DOCUMENTATION,
    })
    // Of base-files, which is not among the packages: all programs are below /usr.
    for (const folder of words('bin sbin lib lib64')) {
      await mkdir(join(root, 'usr', folder), { recursive: true })
      await linkUnlessThere(`usr/${folder}`, join(root, folder))
    }
    for (const family of ['iptables', 'ip6tables']) {
      for (const suffix of ['', '-save', '-restore']) {
        await linkUnlessThere(`${family}-nft${suffix}`, join(root, 'usr/sbin', `${family}${suffix}`))
      }
    }
    for (const folder of words('tmp proc sys run root dev')) {
      await mkdir(join(root, folder), { recursive: true })
    }
    for (const applet of APPLETS) await linkUnlessThere('busybox', join(root, 'bin', applet))
    await packDirectory(work, root, { patterns: NOT_PACKED })
  },
}

async function linkUnlessThere(target: string, path: string): Promise<void> {
  await symlink(target, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}
