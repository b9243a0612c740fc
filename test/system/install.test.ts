// A machine installs the live system to its disk in the boot that brought it over the network, and starts from the disk after a
// power cut. One firmware a run, by the day: SeaBIOS with GRUB, OVMF with systemd-boot. PILOTLIGHT_TEST_ENCRYPT=tpm or server encrypts
// its state.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { labFiles } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { labOf, pilotlight, RUN, whyNotWhole } from './lab.ts'

const LAB = `disk-${RUN}`
const RACKS = join(import.meta.dirname, '../../lab/racks')
const DAY_MS = 86_400_000
const day = Math.floor(Date.now() / DAY_MS)
const firmware = process.env['PILOTLIGHT_TEST_FIRMWARE'] ?? (day % 2 === 0 ? 'uefi' : 'bios')
const encrypt = process.env['PILOTLIGHT_TEST_ENCRYPT'] ?? 'no'
const machine = `${firmware}-1`
const skip = (await whyNotWhole()) ?? false

/** What a machine says of its state once it is up. */
const opened = {
  no: '',
  tpm: ', its state opened by its TPM',
  server: ', its state opened by the key of the server',
}[encrypt]

/** A boot that the loader on the disk began, and its end. */
const FROM_DISK = /is up( again)?, from slot a of \S+ \([0-9a-f]{12}\)(?!, installed)[^]*\bready\b/

t.setTimeout(2_400_000)
t.teardown(() => pilotlight(['lab', 'down', '--lab', LAB], 60))

let up = false
await t.test(`a machine with ${firmware} installs itself and goes on to ready`, { skip }, async t => {
  const rack = t.testdir()
  const { machines, ...rest } = parse(readFileSync(join(RACKS, 'disk/rack.yaml'), 'utf8')) as {
    machines: readonly { name: string }[]
  }
  const objects = JSON.parse(readFileSync(join(RACKS, 'disk/objects.json'), 'utf8')) as {
    machines: readonly { disk: object }[]
  }
  const encrypted = objects.machines.map(it => ({ ...it, disk: { ...it.disk, encrypt } }))
  writeFileSync(join(rack, 'objects.json'), JSON.stringify({ ...objects, machines: encrypted }))
  const one = {
    ...rest,
    data: join(RACKS, 'firmware/data'),
    machines: machines.filter(it => it.name === machine).map(it => ({ ...it, tpm: encrypt === 'tpm' })),
  }
  writeFileSync(join(rack, 'rack.yaml'), stringify(one))
  const { status, stderr } = await pilotlight(
    ['lab', 'up', join(rack, 'rack.yaml'), '--until', 'boot', '--keep', '--lab', LAB],
    1200,
  )
  t.equal(status, 0, stderr)
  const text = await journal()
  t.match(
    text.split('\n').join(' '),
    new RegExp(
      `config.*installing.*installed.*booted.*from slot a.*installed in this boot.*${opened}.*ready`,
      's',
    ),
  )
  up = true
})

await t.test(
  'it starts from its disk after a power cut',
  { skip: skip || (up ? false : 'it is not installed') },
  async t => {
    const cycled = await pilotlight(['lab', 'power', 'cycle', machine, '--hard', '--wait', '--lab', LAB], 120)
    t.equal(cycled.status, 0, cycled.stderr)
    await waitUntil('it is ready again, from slot a', { limitSeconds: 900, everyMs: 2000 }, async () => {
      const text = await journal()
      if (FROM_DISK.test(text)) return { value: text }
      return { not: text.trim().split('\n').at(-1) ?? 'no journal' }
    })
    const up = (await journal()).split('\n').findLast(line => /is up( again)?, from slot/.test(line))
    t.ok(up?.includes(opened ?? 'unknown PILOTLIGHT_TEST_ENCRYPT'), up ?? 'it was not up')
    t.equal(
      (await journal()).match(/\binstalled\b.*\bimage\b/g)?.length,
      1,
      'and nothing was installed again',
    )
  },
)

await t.test(
  'it shuts down by its power button',
  { skip: skip || (up ? false : 'it is not installed') },
  async t => {
    const off = await pilotlight(['lab', 'power', 'off', machine, '--wait', '--lab', LAB], 200)
    t.equal(off.status, 0, off.stderr)
    t.match(off.stdout + off.stderr, / it shut down in /)
  },
)

async function journal(): Promise<string> {
  const lab = labOf(LAB)
  const { serverUrl = '' } = lab.status()
  const token = readFileSync(join(labFiles(lab.directory).serverState, 'admin.token'), 'utf8').trim()
  const words = ['journal', machine, '--server', serverUrl]
  return (await pilotlight(words, 30, { PILOTLIGHT_TOKEN: token })).stdout
}
