// Real firmware: SeaBIOS and OVMF, each by its own network ROM, boot the live system under emulation. The machines have
// TPMs and are at trust level L3: they wait until an operator approved what their TPM shows, get their bundles for a
// quote, and report ready. Their image is built with the authority of this lab's server. One begins in 2001, the other in
// 2040, and both set their clocks before they look at the server's certificate.

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readAuthority } from '#images/authority.ts'
import { cpioArchive, cpioPadding } from '#images/cpio.ts'
import { labFiles } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { labOf, pilotlight, RUN, whyNotWhole } from './lab.ts'

const LAB = `firmware-${RUN}`
const RACK = join(import.meta.dirname, '../../lab/racks/tpm/rack.yaml')
const DECLARED = `SHA256:${'0123456789abcdef'.repeat(4)}`
const skip = (await whyNotWhole()) ?? false

t.setTimeout(1_200_000)
t.teardown(() => pilotlight(['lab', 'down', '--lab', LAB], 60))

type Key = {
  readonly machine: string
  readonly fingerprint: string
  readonly state: string
  readonly why: string
}
/** The keys that the machines showed, when both wait; before anything is approved. */
let waiting: readonly Key[] = []
const token = () =>
  readFileSync(join(labFiles(labOf(LAB).directory).serverState, 'admin.token'), 'utf8').trim()

let up = false
await t.test('a BIOS and a UEFI machine boot the live system and report ready', { skip }, async t => {
  const booted = pilotlight(['lab', 'up', RACK, '--until', 'boot', '--keep', '--lab', LAB], 900)
  const server = await waitUntil('the server runs', { limitSeconds: 600 }, async () => {
    const url = labOf(LAB).status().serverUrl
    return url === undefined ? { not: 'not yet' } : { value: url }
  })
  await trustThisServer()
  for (const machine of ['bios-1', 'uefi-1']) await putBundle(server, machine)
  const env = { PILOTLIGHT_TOKEN: token() }
  waiting = await waitUntil('both machines wait', { limitSeconds: 600, everyMs: 1000 }, async () => {
    const headers = { authorization: `Bearer ${token()}` }
    const signal = AbortSignal.timeout(10_000)
    const keys = (await (await fetch(`${server}/v1/keys?state=pending`, { headers, signal })).json()) as Key[]
    return keys.length === 2
      ? { value: keys }
      : { not: `${keys.map(key => key.machine).join() || 'none'} waits` }
  })
  const { stdout } = await pilotlight(['machines', 'pending', '--server', server], 30, env)
  for (const { machine, fingerprint } of waiting) t.match(stdout, `${machine}   ${fingerprint}`)
  for (const { machine, fingerprint } of waiting) {
    const decision = ['machines', 'approve', machine, '--fingerprint', fingerprint, '--server', server]
    t.match(await pilotlight(decision, 30, env), {
      status: 0,
      stdout: `${machine}: ${fingerprint} is approved\n`,
    })
  }
  const { status, stderr } = await booted
  up = t.equal(status, 0, stderr)
})

const notUp = skip || (up ? false : 'the lab did not come up')

t.test('a machine with another TPM than its own is held until it is approved', { skip: notUp }, async t => {
  const swapped = waiting.find(({ machine }) => machine === 'bios-1')
  t.match(swapped?.why, `its TPM is not the one that it is declared with (${DECLARED.slice(0, 23)}…)`)
  const { serverUrl = '' } = labOf(LAB).status()
  const journal = ['journal', 'bios-1', '--server', serverUrl]
  const { stdout } = await pilotlight(journal, 30, { PILOTLIGHT_TOKEN: token() })
  const { fingerprint = '' } = swapped ?? {}
  t.match(
    stdout,
    new RegExp(`held .*its TPM is not.*pilotlight machines approve bios-1 --fingerprint ${fingerprint}`),
  )
})

const DAY_SECONDS = 86_400
const JOURNALS = [
  { machine: 'bios-1', loads: /undionly\.kpxe|boot\.ipxe/, arch: 'BIOS', began: '2001' },
  { machine: 'uefi-1', loads: /snponly\.efi|ipxe\.efi/, arch: 'UEFI', began: '2040' },
]

for (const { machine, loads, arch, began } of JOURNALS) {
  t.test(
    `the journal shows the boot of the ${arch} machine from DHCPDISCOVER to ready`,
    { skip: notUp },
    async t => {
      const { serverUrl = '' } = labOf(LAB).status()
      const { status, stdout } = await pilotlight(['journal', machine, '--server', serverUrl], 30, {
        PILOTLIGHT_TOKEN: token(),
      })
      t.equal(status, 0)
      t.match(stdout, loads)
      const kinds = stdout.split('\n').join(' ')
      t.match(
        kinds,
        /discover.*offer.*request.*ack.*script.*kernel.*config.*booted.*held.*approved.*bundle.*ready/s,
      )
      t.match(kinds, 'is up, with an image that trusts this server alone')
      t.notMatch(kinds, /copied/, 'and is not taken for a copy of itself')
    },
  )

  t.test(
    `the ${arch} machine sets its clock, which begins in ${began}, by the server's`,
    { skip: notUp },
    async t => {
      const { serverUrl = '' } = labOf(LAB).status()
      const { stdout } = await pilotlight(['journal', machine, '--server', serverUrl], 30, {
        PILOTLIGHT_TOKEN: token(),
      })
      const [, off = ''] = /its clock was (-?\d+) s off the server's and was set/.exec(stdout) ?? []
      // systemd moves a clock that is behind its own build to that, so what is left of 2001 are months.
      const seen = new Date(Date.now() + Number(off) * 1000).toISOString()
      if (began === '2001') t.ok(Number(off) < -DAY_SECONDS, `${off} s off`)
      else t.match(seen, began)
    },
  )

  t.test(`the console of the ${arch} machine shows its kernel`, { skip: notUp }, async t => {
    const console = join(labOf(LAB).directory, 'machines', machine, 'console.log')
    t.match(readFileSync(console, 'utf8'), /Linux version|Debian|systemd/)
  })
}

/**
 * Builds the authority of the lab's server into the image that its machines are about to fetch. Without the digest of the
 * root image, whose check takes an emulated processor some 20 s; test/images has the whole archive.
 */
async function trustThisServer(): Promise<void> {
  const { directory } = labOf(LAB)
  const file = join(directory, 'assets/live/initrd.img')
  const initrd = readFileSync(file)
  const content = await readAuthority(join(labFiles(directory).serverState, 'ca.crt'))
  const folders = ['etc/', 'etc/pilotlight/'].map(path => ({ path, mode: 0o755 }))
  const added = cpioArchive([...folders, { path: 'etc/pilotlight/ca.crt', mode: 0o644, content }])
  writeFileSync(`${file}.new`, Buffer.concat([initrd, cpioPadding(initrd.length), added]))
  renameSync(`${file}.new`, file)
}

async function putBundle(server: string, machine: string): Promise<void> {
  const files = [{ path: '/etc/pilotlight/secret', mode: 0o600, content: 'for this machine alone\n' }]
  const answer = await fetch(`${server}/v1/machines/${machine}/bundle`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token()}` },
    body: JSON.stringify({ files, requests: [], secrets: [] }),
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok) throw new Error(`the server refuses the bundle: ${answer.status} ${await answer.text()}`)
}
