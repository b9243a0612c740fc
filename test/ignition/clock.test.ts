// How the agent sets its machine's clock by the server's, with a `date` that sets a file in place of the clock.

import { createServer } from 'node:https'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '#host/command.ts'
import { serverIdentity } from '#server/access/own-authority.ts'
import { absent, skipFile } from '../absent.ts'

skipFile(t, absent('curl'))

const script = readFileSync(join(import.meta.dirname, '../../ignition/scripts/agent'), 'utf8')

/** The functions of the script alone, with its files in `directory`. */
function functionsOf(directory: string): string {
  return script
    .replace(/^\. \/etc\/pilotlight\/agent\.env.*$/m, '')
    .replace(/^main$/m, '')
    .replace('work=/run/pilotlight-agent', `work=${directory}`)
}

type Setting = { readonly date: string | undefined; readonly clock: number; readonly canSet?: boolean }

/** Runs `set_clock_first` against a server that says `date`, on a machine whose clock says `clock` (s). */
async function clockAfter(t: Test, { date, clock, canSet = true }: Setting) {
  const directory = t.testdir()
  const tools = join(directory, 'bin')
  mkdirSync(tools)
  writeFileSync(join(directory, 'clock'), String(clock))
  const set = canSet
    ? `echo "\${2#--set=@}" > ${directory}/clock`
    : 'echo "date: cannot set date: Operation not permitted" >&2; exit 1'
  const stub = `#!/bin/bash
    case "$*" in
      --utc\\ --set=*) ${set} ;;
      +%s) cat ${directory}/clock ;;
      --utc\\ +%FT%TZ) exec /bin/date --utc --date="@$(cat ${directory}/clock)" +%FT%TZ ;;
      *) exec /bin/date "$@" ;;
    esac`
  for (const [name, text] of [
    ['date', stub],
    ['hwclock', `#!/bin/sh\ntouch ${directory}/kept`],
    ['sleep', '#!/bin/sh\n'],
  ] as const) {
    writeFileSync(join(tools, name), `${text}\n`)
    chmodSync(join(tools, name), 0o755)
  }
  const { certificate, key } = await serverIdentity(join(directory, 'state'), '127.0.0.1', Date.now())
  const headers: (string | undefined)[] = []
  const server = createServer({ cert: certificate, key }, (request, answer) => {
    headers.push(request.headers.authorization)
    answer.sendDate = false
    if (date !== undefined) answer.setHeader('Date', date)
    answer.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const text = `PATH=${tools}:$PATH AGENT_URL=${url}\n${functionsOf(directory)}\nSECONDS=7; set_clock_first; echo "spent $SECONDS"; echo "booted$clock"`
  const { stdout } = await run('bash', ['-c', text], { limitSeconds: 60 })
  t.strictSame(headers.filter(Boolean), [], 'no token is sent')
  return {
    said: stdout,
    clock: Number(readFileSync(join(directory, 'clock'), 'utf8')),
    kept: existsSync(join(directory, 'kept')),
  }
}

const SERVER = 'Sun, 29 Nov 2026 18:00:00 GMT'
const SERVER_SECONDS = Date.parse(SERVER) / 1000

t.test('sets a clock that is years behind or ahead, and keeps it for the next boot', async t => {
  for (const clock of [0, SERVER_SECONDS - 4000, SERVER_SECONDS + 4000, SERVER_SECONDS + 10 * 365 * 86_400]) {
    await t.test(`${clock}`, async t => {
      const after = await clockAfter(t, { date: SERVER, clock })
      t.equal(after.clock, SERVER_SECONDS)
      t.match(
        after.said,
        `clock: it was ${clock - SERVER_SECONDS} s off the server's and is set to 2026-11-29T18:00:00Z`,
      )
      t.match(after.said, /^spent [78]$/m, 'the limits of what follows are not moved')
      t.equal(after.kept, true)
      t.match(after.said, `booted; its clock was ${clock - SERVER_SECONDS} s off the server's and was set`)
    })
  }
})

t.test('leaves a clock alone that is less than an hour off', async t => {
  const after = await clockAfter(t, { date: SERVER, clock: SERVER_SECONDS - 3500 })
  t.equal(after.clock, SERVER_SECONDS - 3500)
  t.notMatch(after.said, 'clock:')
})

t.test('says so and goes on where the clock cannot be set', async t => {
  const after = await clockAfter(t, { date: SERVER, clock: 0, canSet: false })
  t.match(
    after.said,
    /clock: it is -\d+ s off the server's and cannot be set: date: cannot set date: Operation not/,
  )
  t.match(after.said, /^spent/m)
})

t.test('takes no time that is not one, and goes on', async t => {
  for (const date of [undefined, 'tomorrow', '$(touch x)']) {
    await t.test(String(date), async t => {
      const after = await clockAfter(t, { date, clock: 5 })
      t.equal(after.clock, 5)
      t.match(after.said, "clock: the server's time is not known")
    })
  }
})
