// A slot among the assets, small: files with their digests, and the slot.json that names them.

import { hash } from 'node:crypto'

/** The root hash of `slotFiles`. */
export const SLOT_ROOTHASH = '8f3c0d2a91b4'.padEnd(64, '0')

/** The version of `slotFiles`. */
export const SLOT_VERSION = SLOT_ROOTHASH.slice(0, 12)

const CONTENTS = {
  'rootfs.squashfs': 'the root image',
  'rootfs.verity': 'its tree',
  vmlinuz: 'the kernel',
  'initrd.img': 'the initrd',
  'grub/core.img': 'the core image',
}

/** The slot.json of the files; `change` makes another of it. */
export function slotText(change: (slot: Record<string, unknown>) => object = slot => slot): string {
  const files = Object.fromEntries(
    Object.entries(CONTENTS).map(([name, text]) => [
      name,
      { sha256: hash('sha256', text), bytes: text.length },
    ]),
  )
  const cmdline = `pilotlight.disk roothash=${SLOT_ROOTHASH}`
  return JSON.stringify(change({ version: SLOT_VERSION, roothash: SLOT_ROOTHASH, files, cmdline }))
}

/** The folder `live` of an assets directory, as tap's `testdir` makes it. */
export function slotFiles() {
  const { 'grub/core.img': core, ...files } = CONTENTS
  return { live: { ...files, grub: { 'core.img': core }, 'slot.json': slotText() } }
}

const profile = (id: string) => ({
  id,
  ignition_id: 'a.ign.njk',
  boot: {
    kernel: '/assets/live/vmlinuz',
    args: ['coreos.live.rootfs_url={{ server.url }}/assets/live/rootfs.squashfs'],
  },
})

/** The data of a server whose profiles, each with an ID of `ids`, start the root image of these files, as tap's `testdir` makes it. */
export function slotServerFiles(...ids: readonly string[]) {
  return {
    profiles: Object.fromEntries(ids.map(id => [`${id}.json`, JSON.stringify(profile(id))])),
    ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
    assets: slotFiles(),
  }
}
