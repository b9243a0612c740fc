// Which of Debian's kernel modules and firmware files stay in the live system: a machine holds its root in memory, and
// no server has a sound card.

import { basename } from 'node:path'

import { PilotlightError } from '#model/error.ts'
import { words } from './commands.ts'

/**
 * Folders below a release's `kernel/` that no server needs: sound, graphics (the console is the firmware's frame buffer or
 * VGA text), cameras and television, radio in every form, toys, and file systems of other systems.
 */
export const UNWANTED_MODULES = words(
  'sound drivers/gpu drivers/media drivers/staging drivers/bluetooth drivers/isdn drivers/comedi drivers/iio drivers/accel',
  'drivers/atm drivers/pcmcia drivers/firewire drivers/nfc drivers/memstick drivers/soundwire drivers/slimbus',
  'drivers/accessibility drivers/android drivers/w1 drivers/video/fbdev drivers/video/backlight drivers/hwtracing drivers/ufs',
  'drivers/input/joystick drivers/input/touchscreen drivers/input/tablet drivers/input/gameport drivers/input/mouse drivers/leds/flash',
  'drivers/net/wireless drivers/net/wwan drivers/net/hamradio drivers/net/arcnet drivers/net/can drivers/net/fddi',
  'drivers/net/hippi drivers/net/ieee802154 drivers/net/plip drivers/net/wan drivers/net/thunderbolt',
  'net/bluetooth net/wireless net/mac80211 net/mac802154 net/ieee802154 net/6lowpan net/nfc net/can net/atm net/ax25',
  'net/netrom net/rose net/lapb net/phonet net/appletalk net/batman-adv net/dccp net/qrtr net/rxrpc net/tipc net/rds',
  'fs/adfs fs/affs fs/afs fs/bcachefs fs/befs fs/bfs fs/coda fs/dlm fs/ecryptfs fs/efs fs/f2fs fs/freevxfs fs/gfs2 fs/hfs',
  'fs/hfsplus fs/hpfs fs/jffs2 fs/jfs fs/minix fs/nilfs2 fs/ntfs3 fs/ocfs2 fs/omfs fs/orangefs fs/qnx4 fs/qnx6 fs/reiserfs',
  'fs/romfs fs/sysv fs/ubifs fs/ufs fs/vboxsf fs/zonefs',
)

/**
 * Firmware that drivers load and do not name for modinfo: the settings of Chelsio's cards beside their firmware.
 * Patterns, in which `*` stands for any letters but `/`.
 */
export const UNNAMED_FIRMWARE = words('cxgb4/*.txt cxgb4/configs/*.txt')

/** The modules of a release, from modules.dep(5): each path below its folder, with the paths that it needs. */
export type ModuleNeeds = ReadonlyMap<string, readonly string[]>

/** Reads modules.dep(5). */
export function parseModulesDep(text: string): ModuleNeeds {
  const needs = new Map<string, readonly string[]>()
  for (const line of text.split('\n')) {
    const [path, list] = line.split(':')
    if (path !== undefined && list !== undefined) needs.set(path, list.trim().split(' ').filter(Boolean))
  }
  return needs
}

/** The paths of the modules in one of the folders `unwanted`, and of all that could not load without one of those. */
export function unwantedModules(modules: ModuleNeeds, unwanted = UNWANTED_MODULES): string[] {
  const isUnwanted = (path: string) => unwanted.some(folder => path.startsWith(`kernel/${folder}/`))
  // modules.dep lists what a module needs down to the last one, so one step finds all.
  return [...modules].flatMap(([path, needs]) => ([path, ...needs].some(isUnwanted) ? [path] : []))
}

/** A kernel module's name as the kernel has it: `usb_storage` of `kernel/drivers/usb/storage/usb-storage.ko.xz`. */
export function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_')
}

/** Modules that a list of drivers names and that the kernel neither has as modules nor built in. */
export class DriversAbsent extends PilotlightError {
  readonly code = 'DRIVERS_ABSENT'
  constructor(names: readonly string[], release: string) {
    super(
      `The kernel ${release} has no ${names.join(', ')}: neither as a module nor built in. Was it renamed, or is its ` +
        'folder in UNWANTED_MODULES (images/kernel-modules.ts)? Correct the list in images/live/drivers/.',
    )
  }
}

/**
 * Checks that the kernel has each of `drivers`. `builtin` is the text of modules.builtin(5).
 *
 * @throws {DriversAbsent}
 */
export function requireDrivers(
  drivers: readonly string[],
  modules: Iterable<string>,
  builtin: string,
  release: string,
): void {
  const known = new Set([...modules, ...builtin.split('\n')].map(moduleName))
  const absent = drivers.filter(name => !known.has(moduleName(name)))
  if (absent.length > 0) throw new DriversAbsent(absent, release)
}

/** The names in a list of drivers: words, with comments from `#` to the end of the line. */
export function driverNames(text: string): string[] {
  return text
    .split('\n')
    .flatMap(line => line.replace(/#.*/, '').split(/\s+/))
    .filter(word => word !== '')
}
