// Which kernel modules stay in the live system, and the check that the kernel has what a list of drivers names.

import t from 'tap'

import { driverNames, parseModulesDep, requireDrivers, unwantedModules } from '#images/kernel-modules.ts'

const MODULES = parseModulesDep(`kernel/net/wireless/cfg80211.ko.xz: kernel/net/rfkill/rfkill.ko.xz
kernel/net/rfkill/rfkill.ko.xz:
kernel/drivers/net/usb/rndis_host.ko.xz:
kernel/drivers/net/usb/odd.ko.xz: kernel/net/wireless/cfg80211.ko.xz kernel/net/rfkill/rfkill.ko.xz
kernel/drivers/usb/storage/usb-storage.ko.xz:
`)

/** Checks names against {@link MODULES} and a driver that is built in. */
const check = (...names: readonly string[]) =>
  requireDrivers(names, MODULES.keys(), 'kernel/drivers/virtio/virtio_pci.ko\n', '6.12')

t.test('a folder that no server needs goes, with all that cannot load without it', async t => {
  t.same(unwantedModules(MODULES, ['net/wireless']), [
    'kernel/net/wireless/cfg80211.ko.xz',
    'kernel/drivers/net/usb/odd.ko.xz',
  ])
  t.same(unwantedModules(MODULES, ['net/wire']), [], 'a folder is not the beginning of another')
})

t.test(
  'drivers are found by either spelling, as modules and built in; one that is not there is named',
  async t => {
    t.doesNotThrow(() => check('usb_storage', 'usb-storage', 'virtio_pci', 'virtio-pci', 'cfg80211'))
    t.throws(() => check('usb_storage', 'floppy', 'e1000x'), {
      code: 'DRIVERS_ABSENT',
      message: /^The kernel 6\.12 has no floppy, e1000x: /,
    })
  },
)

t.test('a list of drivers may have comments', async t => {
  t.same(driverNames('# Intel\ne1000 igb # old\n\n  tg3\n'), ['e1000', 'igb', 'tg3'])
})
