// The drivers of a server rack, in the initrds as they were built: each module or its place in the kernel, and each firmware
// file that a module names. docs/hardware.md says of each what was tried.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { findArtefact } from '#host/cache.ts'
import { words } from '#images/commands.ts'
import { INITRD_DRIVERS, initrdRecipe } from '#images/initrd.ts'
import { moduleName } from '#images/kernel-modules.ts'
import { liveRootRecipe } from '#images/live-root.ts'
import { filesOf, firmwareNamedBy } from './initrd-files.ts'

/** What the field's servers and hypervisors have: not taken from the lists of the build, which it holds to it. */
const RACK = words(
  'e1000 e1000e igb igc ixgbe i40e ice iavf ixgbevf tg3 bnx2 bnx2x bnxt_en mlx4_core mlx4_en mlx5_core cxgb4 qede qlcnic',
  'netxen_nic r8169 realtek be2net enic sfc atlantic vmxnet3 virtio_net ena hv_netvsc',
  'nvme vmd ahci ata_piix megaraid_sas mpt3sas mpi3mr smartpqi hpsa aacraid mptsas mptspi sym53c8xx vmw_pvscsi',
  'virtio_blk virtio_scsi sd_mod sr_mod usb_storage uas xhci_pci usbhid hid_generic ipmi_si ipmi_devintf',
)
const VIRTUAL = words(
  'virtio_net virtio_blk virtio_scsi vmxnet3 vmw_pvscsi ena gve hv_netvsc hv_storvsc xen_netfront xen_blkfront',
)

/** Firmware that modules name and Debian does not have; docs/hardware.md lists it. */
const NOT_IN_DEBIAN = new Set<string>([])

const initrds = await findArtefact(initrdRecipe)
const root = await findArtefact(liveRootRecipe)
const skip =
  initrds === undefined || root === undefined ? 'needs built images: pilotlight images build' : false
const builtIn = (): Set<string> => {
  const folder = join(root?.path ?? '', 'root/usr/lib/modules')
  const [release = ''] = readdirSync(folder)
  return new Set(
    readFileSync(join(folder, release, 'modules.builtin'), 'utf8')
      .split('\n')
      .map(moduleName),
  )
}

for (const [name, wanted, limitMB] of [
  ['initrd.img', [...RACK, ...VIRTUAL], 60],
  ['initrd-vm.img', VIRTUAL, 45],
] as const) {
  t.test(`${name} has every driver and the firmware that they name`, { skip }, async t => {
    const image = readFileSync(join(initrds?.path ?? '', name))
    const files = filesOf(image)
    const modules = new Map(
      [...files].filter(([path]) => /\.ko(\.\w+)?$/.test(path)).map(([path, it]) => [moduleName(path), it]),
    )
    const kernel = builtIn()
    const has = (driver: string) => modules.has(moduleName(driver)) || kernel.has(moduleName(driver))
    t.strictSame(
      wanted.filter(driver => !has(driver)),
      [],
      'no driver is missing',
    )
    t.strictSame(
      INITRD_DRIVERS[name].filter(driver => !has(driver)),
      [],
      'nor one that the build asked for',
    )

    const firmware = (file: string): boolean =>
      ['', '.xz', '.zst'].some(ending => {
        const path = `usr/lib/firmware/${file}${ending}`
        const { link } = files.get(path) ?? {}
        return files.has(path) && (link === undefined || files.has(join(dirname(path), link)))
      })
    const named = [...modules].flatMap(([module, { content }]) =>
      firmwareNamedBy(content).map(file => `${module}: ${file}`),
    )
    if (name === 'initrd.img') t.ok(named.length > 30, `${named.length} files are named`)
    const missing = named.filter(it => !firmware(it.split(': ')[1]!) && !NOT_IN_DEBIAN.has(it)) // as joined above
    t.strictSame(missing, [])
    t.ok(image.length <= limitMB * 1e6, `${(image.length / 1e6).toFixed(1)} MB`)
  })
}

t.test('docs/hardware.md has a row for each driver', async t => {
  const page = readFileSync('docs/hardware.md', 'utf8')
  const rows = new Set([...page.matchAll(/^\| `([\w-]+)`/gm)].map(([, driver]) => moduleName(driver ?? '')))
  const listed = [...INITRD_DRIVERS['initrd.img'], ...RACK, ...VIRTUAL].map(moduleName)
  t.strictSame(
    listed.filter(driver => !rows.has(driver)),
    [],
  )
})
