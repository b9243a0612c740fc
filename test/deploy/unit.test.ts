// The unit files, judged by systemd's own tools. The unit runs for real in test/deploy/service.test.ts.

import { copyFileSync, existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'

const DEPLOY = join(import.meta.dirname, '../../deploy')
const UNIT = join(DEPLOY, 'pilotlight.service')
const skip = existsSync('/usr/bin/systemd-analyze') ? false : 'needs systemd-analyze: the package systemd'

t.test('exposes 2.0 at most by the measure of systemd', { skip }, async t => {
  const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--no-pager', UNIT], {
    limitSeconds: 30,
  })
  const level = /Overall exposure level for pilotlight\.service: ([\d.]+)/.exec(stdout)?.[1]
  t.comment(`exposure ${level}`)
  t.ok(level !== undefined && Number(level) <= 2, `it is ${level}`)
})

t.test('has no word that systemd does not know', { skip }, async t => {
  const folder = t.testdir()
  // The program is not where the unit expects it on this host.
  const unit = readFileSync(UNIT, 'utf8').replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true')
  writeFileSync(join(folder, 'pilotlight.service'), unit)
  copyFileSync(join(DEPLOY, 'pilotlight.socket'), join(folder, 'pilotlight.socket'))
  for (const name of ['pilotlight.service', 'pilotlight.socket']) {
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', join(folder, name)], {
      limitSeconds: 30,
    })
    t.equal((stdout + stderr).trim(), '', name)
  }
})

t.test('asks for no privilege, and says why one restriction is not set', async t => {
  const unit = readFileSync(UNIT, 'utf8')
  t.match(unit, /^CapabilityBoundingSet=$/m)
  t.match(unit, /^AmbientCapabilities=$/m)
  t.match(unit, /^DynamicUser=yes$/m)
  t.match(unit, /^# MemoryDenyWriteExecute=yes is not set: V8/m)
  t.notMatch(unit, /^(User=root|MemoryDenyWriteExecute=)/m)
})

t.test('opens each low port that the server has, and names its address in one file only', async t => {
  const socket = readFileSync(join(DEPLOY, 'pilotlight.socket'), 'utf8')
  const opened = [...socket.matchAll(/^Listen(?:Datagram|Stream)=(.*)$/gm)].map(([, at]) => at)
  t.strictSame(opened, [
    '10.20.0.1:67',
    '255.255.255.255:67',
    '10.20.0.1:4011',
    '255.255.255.255:68',
    '10.20.0.1:69',
    '10.20.0.1:8080',
  ])
  t.notMatch(readFileSync(UNIT, 'utf8'), /10\.20\.0\.1/)
})

t.test('the server reads of /proc only what the unit lets it see', async t => {
  t.match(readFileSync(UNIT, 'utf8'), /^ProcSubset=pid$/m)
  const root = join(DEPLOY, '..')
  const reads = globSync('server/**/*.ts', { cwd: root }).flatMap(file =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .filter(line => !/^\s*(\*|\/\/)/.test(line)) // comments name what they like
      .flatMap(line => [...line.matchAll(/['`](\/proc\/[\w/]+)/g)].map(([, path]) => path)),
  )
  t.ok(reads.length >= 3, 'the pattern finds what there is')
  t.strictSame(
    reads.filter(path => !path?.startsWith('/proc/self/')),
    [
      '/proc/sys/kernel/random/boot_id', // the unit says it itself
      '/proc/sys/net/ipv4/ip_forward', // hidden by the unit: one warning about a gateway is not given then
    ],
    'but for what the server can do without',
  )
  t.match(readFileSync(UNIT, 'utf8'), /^Environment=PILOTLIGHT_BOOT_ID=%b$/m)
})
