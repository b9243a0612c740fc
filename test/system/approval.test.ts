// Trust level L2 with real machines of the lab: the site's conditions approve the first key of the machine that meets
// them; a machine that does not meet them, and one that was swapped, wait until an operator approved what they show.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { labFiles } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { labOf, pilotlight, RUN, whyNotWhole } from './lab.ts'

const LAB = `approval-${RUN}`
const RACK = join(import.meta.dirname, '../../lab/racks/approval/rack.yaml')
const skip = (await whyNotWhole()) ?? false

t.setTimeout(600_000)
t.teardown(() => pilotlight(['lab', 'down', '--lab', LAB], 60))

/** Runs a verb against the lab's server, as its administrator. */
async function ask(...words: readonly string[]): Promise<string> {
  const { directory, status } = { directory: labOf(LAB).directory, status: labOf(LAB).status() }
  const token = readFileSync(join(labFiles(directory).serverState, 'admin.token'), 'utf8').trim()
  const argv = [...words, '--server', status.serverUrl ?? '']
  const { status: code, stdout, stderr } = await pilotlight(argv, 30, { PILOTLIGHT_TOKEN: token })
  if (code !== 0) throw new Error(`pilotlight ${words.join(' ')}: ${stderr}`)
  return stdout
}

const consoleOf = (machine: string) =>
  readFileSync(join(labOf(LAB).directory, 'machines', machine, 'console.log'), 'utf8')

/** Waits until a machine's key waits for a reason, and gives the key's fingerprint. */
function held(machine: string, reason: RegExp): Promise<string> {
  return waitUntil(`${machine} is held`, { limitSeconds: 180, everyMs: 500 }, async () => {
    if (labOf(LAB).status().serverUrl === undefined) return { not: 'there is no server yet' }
    const lines = (await ask('machines', 'pending')).split('\n')
    const at = lines.findIndex(line => line.startsWith(`${machine} `))
    const [, fingerprint] = /(SHA256:\S+)/.exec(lines[at] ?? '') ?? []
    return fingerprint !== undefined && reason.test(lines[at + 1] ?? '')
      ? { value: fingerprint }
      : { not: lines.join('\n') }
  })
}

/** Waits until the journal of a machine's last boot shows these kinds of events, in this order. */
function journalShows(machine: string, kinds: RegExp): Promise<string> {
  return waitUntil(`${machine} gets that far`, { limitSeconds: 180, everyMs: 500 }, async () => {
    const journal = await ask('journal', machine)
    return kinds.test(journal) ? { value: journal } : { not: journal.trimEnd().split('\n').at(-1) ?? '' }
  })
}

let up = false
await t.test(
  'a machine that meets the conditions of its site is approved; another waits, and says why',
  { skip },
  async t => {
    const booted = pilotlight(['lab', 'up', RACK, '--until', 'boot', '--keep', '--lab', LAB], 500)
    const fingerprint = await held('cmp-1', /its rack, b, is not approved by the site/)
    const command = `pilotlight machines approve cmp-1 --fingerprint ${fingerprint}`
    await waitUntil('the console shows it', { limitSeconds: 20, everyMs: 200 }, async () => {
      const said = consoleOf('cmp-1')
      return said.includes(`cmp-1 at 10.20.0.12 waits: its rack, b, is not approved by the site. `) &&
        said.includes(command)
        ? { value: true }
        : { not: said.slice(-500) }
    })
    const approval = command.split(' ').slice(1)
    t.equal(await ask(...approval), `cmp-1: ${fingerprint} is approved\n`)
    const { status, stderr } = await booted
    up = t.equal(status, 0, stderr)
    const journal = await ask('journal', 'ctl-1')
    t.match(
      journal,
      /approved .*SHA256:\S+: approved, since it meets the conditions of the site, and is pinned/,
    )
    t.match(journal, /approved.*bundle.*ready/s)
    t.notMatch(journal, / held /)
    t.match(await ask('journal', 'cmp-1'), /held.*its rack, b, .*approved.*bundle.*ready/s)
  },
)

const notUp = skip || (up ? false : 'the lab did not come up')

t.test(
  'a swapped machine with the same MAC is held, and gets its bundle when approved',
  { skip: notUp },
  async t => {
    const lab = ['--lab', LAB]
    t.match(await pilotlight(['lab', 'power', 'off', 'ctl-1', '--wait', ...lab], 90), { status: 0 })
    const before = consoleOf('ctl-1').length
    t.match(await pilotlight(['lab', 'power', 'on', 'ctl-1', ...lab], 60), { status: 0 })
    const why = /it is not the key that was approved on \d{4}-\d\d-\d\d \(SHA256:\S+\)/
    const fingerprint = await held('ctl-1', why)
    const sentence = new RegExp(
      `ctl-1 at 10\\.20\\.0\\.11 waits: ${why.source}\\. ` +
        `If it is the machine: {2}pilotlight machines approve ctl-1 --fingerprint `,
    )
    await waitUntil('the console shows it', { limitSeconds: 20, everyMs: 200 }, async () => {
      const said = consoleOf('ctl-1').slice(before)
      return sentence.test(said) && said.includes(fingerprint) ? { value: true } : { not: said.slice(-500) }
    })
    const journal = await ask('journal', 'ctl-1')
    t.match(journal, sentence)
    t.notMatch(journal, / bundle /)
    await ask('machines', 'approve', 'ctl-1', '--fingerprint', fingerprint)
    await journalShows('ctl-1', /held.*approved.*bundle.*ready/s)
  },
)
