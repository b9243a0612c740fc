// The initrd's part of a boot medium (images/live/dracut/medium), function by function: what it takes of the server's script and of
// its own command line, and the units of networkd that it writes. test/system/medium.test.ts boots it.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'

const SCRIPT = join(import.meta.dirname, '../../images/live/dracut/medium')

/** Runs lines of bash after the functions of the script; its folders are in `folder`. */
async function bash(folder: string, lines: string): Promise<string> {
  const text = `. ${SCRIPT}; units=${folder} work=${folder}; ${lines}`
  return (await run('bash', ['-c', text], { limitSeconds: 10 })).stdout
}

/** What the initrd makes of an answer to `/ipxe`: its status, the arguments, and the reason why not. */
async function answer(folder: string, script: string): Promise<string> {
  writeFileSync(join(folder, 'answer'), `#!ipxe\n${script}\n`)
  const labels = 'mac=52:54:00:20:00:21 uuid=5a0e7f00 serial=S1 reason='
  return bash(folder, `${labels}; read_script; echo "$?|$answer|$reason"`)
}

const KERNEL = 'kernel http://10.20.0.1:8080/assets/live/vmlinuz'

t.test(
  'takes what is for Ignition and the live system, with the machine in it, and nothing else',
  async t => {
    const words = [
      'initrd=initrd.img',
      'ignition.config.url=http://10.20.0.1:8080/ignition?uuid=${uuid}&mac=${mac:hexhyp}&serial=${serial}',
      'coreos.live.rootfs_url=http://10.20.0.1:8080/assets/live/rootfs.squashfs',
      'pilotlight.rootfs.sha256=ab',
      'console=tty0 init=/bin/sh rd.break systemd.unit=rescue.target',
    ]
    const script = `set attempt:int32 0\n:load\n${KERNEL} ${words.join(' ')} || goto failed\nboot || goto failed`
    t.equal(
      await answer(t.testdir(), script),
      '0| ignition.config.url=http://10.20.0.1:8080/ignition?uuid=5a0e7f00&mac=52-54-00-20-00-21&serial=S1' +
        ' coreos.live.rootfs_url=http://10.20.0.1:8080/assets/live/rootfs.squashfs pilotlight.rootfs.sha256=ab|\n',
    )
  },
)

t.test('the network of the medium cannot be changed by the server', async t => {
  const words =
    'pilotlight.server=http://10.9.9.9 pilotlight.address=10.9.9.9/24 pilotlight.vlan=9 pilotlight.medium'
  t.equal(await answer(t.testdir(), `${KERNEL} ${words} || goto failed`), '0||\n')
})

t.test('an argument with a file pattern stays as it is', async t => {
  t.equal(
    await answer(t.testdir(), `${KERNEL} pilotlight.a=/etc/* || goto failed`),
    '0| pilotlight.a=/etc/*|\n',
  )
})

t.test('the script of a boot from the disk is known as that', async t => {
  const disk =
    'echo pilotlight: booting from the disk\niseq ${platform} efi && exit ||\nsanboot --drive 0x80 || exit'
  t.equal(await answer(t.testdir(), disk), '0|local|\n')
  t.equal(await answer(t.testdir(), 'exit'), '0|local|\n')
})

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  [
    'another kernel',
    'kernel http://10.20.0.1/other/vmlinuz a',
    /has .* boot http:\/\/10.20.0.1\/other\/vmlinuz, and a medium/,
  ],
  [
    'a setting of iPXE',
    `${KERNEL} pilotlight.x=\${net0/mac}`,
    /pilotlight.x=\$\{net0\/mac\} of the profile has a setting/,
  ],
  ['a menu', 'menu What shall far-1 boot?\nitem a b', /offers .* a menu, which a medium cannot show/],
  ['no kernel', 'echo wait for the operator\nsleep 5', /loads no kernel. It says: wait for the operator/],
]
for (const [title, script, reason] of REFUSED) {
  t.test(`a script with ${title} is refused, with the reason`, async t => {
    const said = await answer(t.testdir(), script)
    t.match(said, /^1\|/)
    t.match(said, reason)
  })
}

t.test('a command line that a person changed in GRUB is checked again', async t => {
  for (const [words, reason] of [
    ['pilotlight.medium', /pilotlight.server= is not the URL of a server/],
    ['pilotlight.server=http://10.20.0.1:8080/x', /is not the URL of a server/],
    ['pilotlight.server=http://10.20.0.1 pilotlight.address=10.20.0.11', /is not like 10.20.0.11\/24/],
    ['pilotlight.server=http://10.20.0.1 pilotlight.vlan=a', /is not a number/],
    ['pilotlight.server=http://10.20.0.1 pilotlight.interface=../x', /is not a MAC address or a name/],
  ] as const) {
    t.match(await bash(t.testdir(), `cmdline='${words}'; (read_arguments 2>&1); true`), reason)
  }
})

t.test('a static address in a VLAN: the card carries it, and no other card asks for DHCP', async t => {
  const folder = t.testdir()
  const words =
    'pilotlight.address=10.20.0.21/24 pilotlight.gateway=10.20.0.1 pilotlight.dns=10.20.0.2,10.20.0.3'
  const line = `pilotlight.medium pilotlight.server=http://10.20.0.1:8080 ${words} pilotlight.vlan=100`
  await bash(folder, `cmdline='${line}'; read_arguments; write_units lo`)
  const files = Object.fromEntries(
    readdirSync(folder).map(name => [name, readFileSync(join(folder, name), 'utf8')]),
  )
  t.strictSame(Object.keys(files).toSorted(), [
    '05-pilotlight-interface.network',
    '05-pilotlight-vlan.netdev',
    '05-pilotlight-vlan.network',
    '06-pilotlight-others.network',
  ])
  t.match(
    files['05-pilotlight-interface.network'],
    /MACAddress=00:00:00:00:00:00\nType=ether\nKind=!\*\n.*\nVLAN=vlan100\n$/s,
  )
  t.match(files['05-pilotlight-vlan.netdev'], /Name=vlan100\nKind=vlan\n\n\[VLAN\]\nId=100\n$/)
  t.match(
    files['05-pilotlight-vlan.network'],
    /Address=10.20.0.21\/24\nGateway=10.20.0.1\nDNS=10.20.0.2\nDNS=10.20.0.3\n$/,
  )
  t.match(files['06-pilotlight-others.network'], 'Unmanaged=yes')
  t.notMatch(Object.values(files).join(), /DHCP/)
})

t.test('where all cards ask for DHCP, the one that reaches the server is preferred', async t => {
  const folder = t.testdir()
  await bash(folder, `cmdline='pilotlight.server=http://10.20.0.1:8080'; read_arguments; prefer lo`)
  t.match(readFileSync(join(folder, '05-pilotlight-interface.network'), 'utf8'), 'DHCP=ipv4')
  const others = readFileSync(join(folder, '06-pilotlight-others.network'), 'utf8')
  t.match(others, /UseDomains=yes\nRouteMetric=2048\nUseDNS=no\nUseDomains=no\n/)
  t.match(others, 'RequiredForOnline=no')
})

/** What networkd writes of two name servers, and of search domains whose second word is a program. */
const NETIF_STATE = (folder: string) =>
  `# Do not parse.\nDNS=10.20.0.1 10.20.0.2\nNTP=10.20.0.1 10.20.0.2\nDOMAINS=lab touch ${folder}/run\n`

t.test('name servers are read from the file of networkd, and nothing in it is run', async t => {
  const folder = t.testdir({ state: '' })
  writeFileSync(join(folder, 'state'), NETIF_STATE(folder))
  await bash(folder, `netif=${folder}/state resolv=${folder}/medium write_name_servers`)
  // The line of a network boot, which has no functions.
  const network = readFileSync(join(SCRIPT, '../network'), 'utf8')
  const line = /^for server in .*netif.*$/m.exec(network)?.[0] ?? ''
  const here = line.replace('/run/systemd/netif/', `${folder}/`).replace('/etc/resolv.conf', `${folder}/boot`)
  await run('sh', ['-euc', here], { limitSeconds: 10 })
  for (const file of ['medium', 'boot'])
    t.equal(readFileSync(join(folder, file), 'utf8'), 'nameserver 10.20.0.1\nnameserver 10.20.0.2\n', file)
  t.notOk(readdirSync(folder).includes('run'))
  for (const script of [network, readFileSync(SCRIPT, 'utf8')]) t.notMatch(script, /^\s*\. .*netif/m)
})

t.test('the hour of a medium is counted by the kernel, whatever the clock says', async t => {
  // The clock is set years ahead or back at the first answer; bash counts SECONDS by it.
  for (const seconds of [300_000_000, -300_000_000]) {
    const set = `SECONDS=${seconds}; uptime() { echo 5000; }; began=4900; is_over && echo over || echo patient`
    t.equal(await bash(t.testdir(), set), 'patient\n')
  }
  t.equal(await bash(t.testdir(), 'uptime() { echo 9000; }; began=4900; is_over && echo over'), 'over\n')
  t.match(await bash(t.testdir(), 'uptime'), /^[1-9]\d*\n$/)
})

t.test('the network is not looked for again while the server answers', async t => {
  const counted = 'find_server() { echo found; }; is_pilotlight() { [ "$up" = yes ]; }; reached='
  const seen = await bash(
    t.testdir(),
    `${counted}; up=yes; reach_server; reach_server; up=no; reach_server; echo end`,
  )
  t.equal(seen, 'found\nfound\nend\n')
})

t.test('without an address the named card alone asks for DHCP', async t => {
  const folder = t.testdir()
  const line = 'pilotlight.medium pilotlight.server=http://10.20.0.1:8080 pilotlight.interface=eth1'
  await bash(folder, `cmdline='${line}'; read_arguments; write_units lo`)
  t.match(readFileSync(join(folder, '05-pilotlight-interface.network'), 'utf8'), 'DHCP=ipv4')
  t.strictSame(readdirSync(folder).toSorted(), [
    '05-pilotlight-interface.network',
    '06-pilotlight-others.network',
  ])
})
