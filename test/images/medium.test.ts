// A boot medium: what is refused before anything is made, the kernel's command line, and the image as xorriso and mtools see it.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { makeMedium, requireOutput } from '#images/medium-image.ts'
import { grubMenu, mediumArguments, readMedium, type MediumRequest } from '#images/medium.ts'
import { silentStage } from '#progress/stage.ts'
import { absent } from '../absent.ts'
import { pilotlight } from '../cli/pilotlight.ts'

const SERVER = 'http://10.20.0.1:8080'
const STATIC: MediumRequest = { server: SERVER, address: '10.20.0.11/24' }

const REFUSED: readonly (readonly [string, Partial<MediumRequest>, RegExp])[] = [
  ['a server that is not a URL', { server: '10.20.0.1' }, /--server 10.20.0.1 is not the URL of a server/],
  ['another scheme', { server: 'ftp://10.20.0.1' }, /is not the URL of a server/],
  ['a server with a path', { server: `${SERVER}/boot.ipxe` }, /has more than a scheme, a host and a port/],
  [
    'a server with a password',
    { server: 'http://me:pw@10.20.0.1' },
    /has more than a scheme, a host and a port/,
  ],
  [
    'loopback',
    { server: 'http://127.0.0.1:8080' },
    /not where machines reach the server \(127.0.0.0\/8 is loopback/,
  ],
  ['the address for all', { server: 'http://0.0.0.0:8080' }, /not where machines reach the server/],
  ['localhost', { server: 'http://localhost:8080' }, /not where machines reach the server/],
  [
    'signs of a shell in the host',
    { server: 'http://a$b;reboot"{}x:8080' },
    /a host that is not a name of DNS/,
  ],
  ['the interface lo', { interface: 'lo' }, /is neither a card's MAC address nor the name/],
  ['IPv6', { server: 'http://[fd00::1]:8080' }, /has an IPv6 address/],
  [
    'an address without a prefix',
    { address: '10.20.0.11' },
    /--address 10.20.0.11 is not an IPv4 address with its prefix/,
  ],
  ['an address that is none', { address: '10.20.0.256/24' }, /is not an IPv4 address with its prefix/],
  [
    'the address of the network',
    { address: '10.20.0.0/24' },
    /the address of a network or its broadcast address/,
  ],
  [
    'the broadcast address',
    { address: '10.20.0.255/24' },
    /the address of a network or its broadcast address/,
  ],
  ["the server's address", { address: '10.20.0.1/24' }, /is the server's own/],
  [
    'another network without a gateway',
    { address: '10.30.0.11/24' },
    /leaves the server \(10.20.0.1\) out of reach/,
  ],
  [
    'a gateway elsewhere',
    { gateway: '10.30.0.1' },
    /--gateway 10.30.0.1 is not in the network of 10.20.0.11\/24/,
  ],
  ['a gateway that is the machine', { gateway: '10.20.0.11' }, /is the machine's own address/],
  [
    'a gateway that is not an address',
    { gateway: 'router' },
    /--gateway router is not the IPv4 address of a host/,
  ],
  ['a name server that is not an address', { dns: ['ns1'] }, /--dns ns1 is not the IPv4 address of a host/],
  ['four name servers', { dns: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'] }, /are more than three/],
  [
    'a name without a name server',
    { server: 'http://boot.example:8080' },
    /is a name, and a machine with a static address/,
  ],
  ['VLAN 0', { vlan: '0' }, /--vlan 0 is not a number from 1 to 4094/],
  ['VLAN 4095', { vlan: '4095' }, /--vlan 4095 is not a number from 1 to 4094/],
  ['a VLAN by name', { vlan: 'eth0.5' }, /is not a number from 1 to 4094/],
  [
    'the MAC address of a group',
    { interface: '01:00:5e:00:00:01' },
    /is neither a card's MAC address nor the name/,
  ],
  ['more words than one', { interface: 'eth0 init=/bin/sh' }, /is neither a card's MAC address nor the name/],
  ['a console with another argument', { consoles: ['ttyS0 init=/bin/sh'] }, /is not a console of Linux/],
]

for (const [title, change, message] of REFUSED) {
  t.test(`refuses ${title}`, async t => {
    t.throws(() => readMedium({ ...STATIC, ...change }), { code: 'BAD_OPTION', message })
  })
}

t.test('refuses a gateway and name servers without a static address', async t => {
  t.throws(() => readMedium({ server: SERVER, gateway: '10.20.0.1' }), { message: /is for a static address/ })
  t.throws(() => readMedium({ server: SERVER, dns: ['10.20.0.1'] }), { message: /is for a static address/ })
})

t.test('the kernel gets what the initrd configures the network by, each as one word', async t => {
  const medium = readMedium({
    server: 'https://10.20.0.1:8080/',
    address: '10.30.0.11/24',
    gateway: '10.30.0.1',
    dns: ['10.30.0.2', '10.30.0.3'],
    vlan: '100',
    interface: '52-54-00-AB-CD-EF',
    consoles: ['tty0', 'ttyS1,115200n8'],
  })
  t.strictSame(mediumArguments(medium), [
    'pilotlight.medium',
    'pilotlight.server=https://10.20.0.1:8080',
    'pilotlight.address=10.30.0.11/24',
    'pilotlight.gateway=10.30.0.1',
    'pilotlight.dns=10.30.0.2,10.30.0.3',
    'pilotlight.vlan=100',
    'pilotlight.interface=52:54:00:ab:cd:ef',
    'ignition.firstboot',
    'ignition.platform.id=metal',
    'panic=30',
    'console=tty0',
    'console=ttyS1,115200n8',
    'systemd.show_status=no',
  ])
})

t.test(
  "GRUB's menu has no mistake, with and without a serial console",
  { skip: absent('grub-script-check') },
  async t => {
    for (const consoles of [['tty0'], ['tty0', 'ttyS1,57600']]) {
      const menu = grubMenu(readMedium({ ...STATIC, consoles }), '0'.repeat(32), ['initrd.img'])
      t.equal(/--unit=1 --speed=57600/.test(menu), consoles.length === 2)
      await run('grub-script-check', [], { limitSeconds: 10, input: menu })
    }
  },
)

t.test('the command needs a server, and names it', async t => {
  const { status, err } = await pilotlight(['images', 'medium'], { env: { PILOTLIGHT_SERVER: '' } })
  t.equal(status, 2)
  t.match(err, /error BAD_OPTION: a medium needs the URL of its server\n {2}fix: give {2}--server http/)
})

t.test(
  'the image is for BIOS and UEFI, as CD and as disk, and the same parts give the same bytes',
  { skip: absent('xorriso', 'mcopy', 'grub-mkimage') },
  async t => {
    const folder = t.testdir({ vmlinuz: 'a kernel', 'initrd.img': 'an initrd', 'microcode.img': 'microcode' })
    const at = (name: string) => join(folder, name)
    const files = {
      kernel: at('vmlinuz'),
      initrd: at('initrd.img'),
      microcode: at('microcode.img'),
      rootfsSha256: 'ab'.repeat(32),
    }
    const medium = readMedium(STATIC)
    const make = (output: string) =>
      makeMedium(medium, files, at(output), silentStage, new AbortController().signal)
    const one = await make('one.iso')
    const before = second()
    while (second() === before) await new Promise(resolve => setTimeout(resolve, 50))
    const two = await make('two.iso')
    t.equal(one.sha256, two.sha256, 'also a second later')
    const { stdout: torito } = await xorriso(one.path, '-report_el_torito', 'plain')
    t.match(torito, /boot img : +1 +BIOS +y +none/)
    t.match(torito, /boot img : +2 +UEFI +y +none/)
    const { stdout: area } = await xorriso(one.path, '-report_system_area', 'plain')
    t.match(area, /grub2-mbr/)
    t.match(area, /GPT type GUID +: +2 +28732ac11ff8d211ba4b00a0c93ec93b/, 'an EFI system partition')
    const { stdout: found } = await xorriso(one.path, '-find', '/pilotlight', '-type', 'f')
    const paths = found
      .split('\n')
      .map(line => line.replaceAll("'", ''))
      .filter(Boolean)
      .toSorted()
    const names = paths.map(path => path.replace(/^\/pilotlight\/[0-9a-f]{32}\//, ''))
    t.strictSame(names, ['bios.img', 'grub.cfg', 'initrd.img', 'medium.img', 'microcode.img', 'vmlinuz'])
    const [menu = ''] = paths.filter(path => path.endsWith('grub.cfg'))
    await run('xorriso', ['-osirrox', 'on', '-indev', one.path, '-extract', menu, at('grub.cfg')], {
      limitSeconds: 30,
    })
    t.match(
      readFileSync(at('grub.cfg'), 'utf8'),
      'pilotlight.server=http://10.20.0.1:8080 pilotlight.address=10.20.0.11/24',
    )

    t.match(
      readFileSync(at('grub.cfg'), 'utf8'),
      /initrd \S+\/microcode.img \S+\/initrd.img \S+\/medium.img\n/,
      'microcode first',
    )

    // The EFI system partition as a disk has it, by its place in the table.
    const [, start = '0', size = '0'] = /GPT start and size : +2 +(\d+) +(\d+)/.exec(area) ?? []
    const esp = readFileSync(one.path).subarray(Number(start) * 512, (Number(start) + Number(size)) * 512)
    writeFileSync(at('esp.img'), esp)
    const { stdout: efi } = await run('mdir', ['-b', '-i', at('esp.img'), '::/EFI/BOOT'], {
      limitSeconds: 10,
    })
    t.match(efi, 'BOOTX64.EFI')
  },
)

t.test(
  'an output that cannot be a file is refused, and nothing is left',
  { skip: absent('xorriso') },
  async t => {
    const folder = t.testdir({ here: {}, vmlinuz: 'k', 'initrd.img': 'i' })
    const files = {
      kernel: join(folder, 'vmlinuz'),
      initrd: join(folder, 'initrd.img'),
      rootfsSha256: 'ab'.repeat(32),
    }
    for (const [output, message] of [
      ['here', /is there, and is not a file/],
      ['nowhere/medium.iso', /cannot be made: \S+\/nowhere is not there/],
    ] as const) {
      const making = makeMedium(
        readMedium(STATIC),
        files,
        join(folder, output),
        silentStage,
        new AbortController().signal,
      )
      await t.rejects(making, { code: 'BAD_OPTION', message })
      await t.rejects(requireOutput(join(folder, output)), { code: 'BAD_OPTION', message }, 'before a build')
    }
  },
)

/** The time as files have it on a medium, which is what must not be there. */
function second(): number {
  return Math.floor(Date.now() / 1000)
}

function xorriso(image: string, ...words: readonly string[]) {
  return run('xorriso', ['-indev', image, ...words], { limitSeconds: 30 })
}
