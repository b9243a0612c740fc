// The built initrds in emulated machines with cards and controllers of servers and of hypervisors: each device finds its
// driver, disks appear behind them, and of several network cards the one that booted gets the address, though another
// network's DHCP server answers, too, and one card has no network at all.

import t from 'tap'
import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { words } from '#images/commands.ts'
import { initrdRecipe } from '#images/initrd.ts'
import { BOOT_LIMIT_SECONDS, bootInitrd } from './probed-boot.ts'

const built = await findArtefact(initrdRecipe)
const images = built?.path ?? ''
const qemu = await run('qemu-system-x86_64', ['--version'], { limitSeconds: 20 }).catch(() => undefined)
const skip =
  (built === undefined && 'needs built images: pilotlight images build') ||
  (qemu === undefined && 'needs qemu-system-x86_64')

/**
 * A mirror of two disks by the initrd's own programs: one disk is away for a boot and comes back; then each of them is away while
 * the other is written. A half of another mirror is there all the time.
 */
const MIRROR = `#!/bin/sh
. /usr/lib/pilotlight/disk-common
. $lib/state
. $lib/install
work=/run/mirror-work
mkdir -p $run $work/seed
modprobe -a raid1 ext4
tell() { sed 's/^/PROBE also /'; }
assemble() { mdadm --assemble --run --quiet /dev/md/pilotlight-state "$@" && wait_for 20 test -b /dev/md/pilotlight-state; }
stop() { umount $state; mdadm --wait /dev/md/pilotlight-state; mdadm --stop --quiet /dev/md/pilotlight-state; udevadm settle; }
wrote() { mount_state /dev/md/pilotlight-state && echo "$1" >> $state/written && stop; }
both() {
    assemble_state "$(array_of $a)" || cat $run/assemble
    mdadm --readwrite /dev/md/pilotlight-state
    rejoin_state
    mount_state /dev/md/pilotlight-state
    echo "$1: $(paste -s -d ' ' $state/written); members: $(ls /sys/class/block/md*/slaves | paste -s -d ' ')"
    sed "s/^/$1: /" $run/notes
    rm $run/notes
    stop
}
a=/dev/nvme0n1
b=/dev/$(basename "$(ls -d /sys/devices/pci0000:00/0000:00:08.0/ata*/host*/target*/*/block/*)")
c=/dev/$(basename "$(ls -d /sys/devices/pci0000:00/0000:00:09.0/host*/target*/*/block/*)")
for disk in $a $b $c; do sgdisk --new=7:0:0 --change-name=7:pilotlight-state $disk > /dev/null; done
udevadm settle
a=$(part $a 7) b=$(part $b 7) c=$(part $c 7)
{
    wait_for 20 test -b $a && wait_for 20 test -b $b
    mdadm --create /dev/md/another --run --level=1 --raid-devices=2 --metadata=1.2 $c missing && mdadm --stop /dev/md/another
    mirror_state \${a%p7},\${b%7} || echo "$problem"
    wrote both
    assemble $a && wrote a
    both 'b was away'
    assemble $a && wrote a-alone
    assemble $a && wrote a-again
    sleep 2
    assemble $b && wrote b-alone
    both 'both were away' # though more was changed on the other one
    for it in $(state_partitions); do echo "half of $([ "$(array_of $it)" = "$(array_of $a)" ] && echo ours || echo another): $it"; done
    ! raid_member $a || ! raid_member $b || echo 'nothing lost'
} 2>&1 | tell
`

t.setTimeout(2 * BOOT_LIMIT_SECONDS * 1000)

const disk = (name: string) => `-drive file=${name}.img,if=none,id=${name},format=raw,cache=unsafe`
const MAC = (last: number) => `52:54:00:20:01:0${last}`

t.test(
  'a server: each device finds its driver, and only the card that booted gets an address',
  { skip },
  async t => {
    const devices = [
      `-netdev user,id=wrong,net=10.9.0.0/24 -device e1000,netdev=wrong,mac=${MAC(1)},addr=0x4`,
      `-netdev user,id=right -device e1000e,netdev=right,mac=${MAC(2)},addr=0x5`,
      `-device rtl8139,mac=${MAC(3)},addr=0x6`,
      `${disk('a')} -device nvme,drive=a,serial=a,addr=0x7`,
      `${disk('b')} -device ich9-ahci,id=ahci,addr=0x8 -device ide-hd,drive=b,bus=ahci.0`,
      `${disk('c')} -device megasas-gen2,id=raid,addr=0x9 -device scsi-hd,drive=c,bus=raid.0`,
      `${disk('d')} -device qemu-xhci,id=usb,addr=0xa -device usb-storage,drive=d,bus=usb.0`,
      `-device usb-kbd,bus=usb.0`,
      `${disk('e')} -device lsi53c895a,id=lsi,addr=0xb -device scsi-hd,drive=e,bus=lsi.0`,
      `-device mptsas1068,addr=0xc`,
    ]
    const seen = await bootInitrd(images, ['microcode.img', 'initrd.img'], MAC(2), devices, MIRROR)
    const drivers = {
      4: 'e1000',
      5: 'e1000e',
      6: '8139cp',
      7: 'nvme',
      8: 'ahci',
      9: 'megaraid_sas',
      a: 'xhci_hcd',
      b: 'sym53c8xx',
      c: 'mptsas',
    }
    for (const [place, driver] of Object.entries(drivers)) {
      t.equal(seen.bound.get(`0000:00:0${place}.0`), driver, `${driver} is bound`)
    }
    t.ok([...seen.bound.values()].includes('usb-storage'), 'usb-storage is bound')
    t.ok([...seen.bound.values()].includes('usbhid'), 'usbhid is bound')
    for (const place of words('7 8 9 a b')) {
      t.ok(
        seen.disks.some(path => path.includes(`/0000:00:0${place}.0/`)),
        `a disk behind ${place}`,
      )
    }
    t.equal(seen.cards.get(MAC(2)), '10.0.2.15/24', 'the card that booted')
    t.equal(seen.cards.get(MAC(1)), 'none', "another network's DHCP server is not asked")
    const [boot, others] = ['10-pilotlight-boot', '30-pilotlight-others'].map(file =>
      seen.files.filter(line => line.startsWith(`${file} `)).map(line => line.slice(file.length + 1)),
    )
    for (const line of [`MACAddress=${MAC(2)}`, 'Kind=!*', 'DHCP=ipv4', 'RequiredForOnline=yes'])
      t.ok(boot?.includes(line), `the card that booted: ${line}`)
    for (const line of words('Name=en* RouteMetric=2048 UseDNS=no UseHostname=no RequiredForOnline=no'))
      t.ok(
        others?.some(it => it.startsWith(line)),
        `the others: ${line}`,
      )
    const mirror = seen.also.filter(line => /^(b was|both were) away|^half of|^nothing/.test(line)).join('\n')
    t.match(
      mirror,
      /^b was away: both a; members: nvme0n1p7 sd.7$/m,
      'a disk that was away is back in the mirror',
    )
    t.match(mirror, /^b was away: .*sd.7 was away, and catches up with the mirror$/m)
    t.match(mirror, /^both were away: both a b-alone; members: sd.7$/m, 'the half that was used last goes on')
    t.match(mirror, /^both were away: .*nvme0n1p7 was used without the other disk.*left alone/m)
    t.match(mirror, /^b was away: .*sd.7 is of another mirror, and is left alone$/m)
    t.match(mirror, /^half of another: /m)
    t.match(mirror, /^nothing lost$/m)
    if (!t.passing()) t.comment(seen.console.slice(-6000))
  },
)

t.test('a virtual machine: the small initrd has the drivers of hypervisors', { skip }, async t => {
  const seen = await bootInitrd(images, ['initrd-vm.img'], MAC(4), [
    `-netdev user,id=net -device vmxnet3,netdev=net,mac=${MAC(4)},addr=0x4`,
    `${disk('a')} -device pvscsi,id=disks,addr=0x5 -device scsi-hd,drive=a,bus=disks.0`,
    `${disk('b')} -device virtio-blk-pci,drive=b,addr=0x6`,
    `${disk('c')} -device virtio-scsi-pci,id=vs,addr=0x7 -device scsi-hd,drive=c,bus=vs.0`,
    `-device virtio-net-pci,addr=0x8`,
    `-device virtio-rng-pci,addr=0x9`,
  ])
  t.equal(seen.bound.get('0000:00:04.0'), 'vmxnet3')
  t.equal(seen.bound.get('0000:00:05.0'), 'vmw_pvscsi')
  const virtio = new Set(seen.bound.values())
  for (const driver of words('virtio_blk virtio_scsi virtio_net virtio_rng')) t.ok(virtio.has(driver), driver)
  for (const place of words('5 6 7')) {
    t.ok(
      seen.disks.some(path => path.includes(`/0000:00:0${place}.0/`)),
      `a disk behind ${place}`,
    )
  }
  t.equal(seen.cards.get(MAC(4)), '10.0.2.15/24')
  if (!t.passing()) t.comment(seen.console.slice(-6000))
})
