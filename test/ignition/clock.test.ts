// How the agent sets its machine's clock by the server's, with a `date` that sets a file in place of the clock.

import { createServer } from 'node:https'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createSilent, type AddressInfo } from 'node:net'
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

type Setting = {
  readonly date: string | undefined
  readonly clock: number
  readonly canSet?: boolean
  /** What the initrd left in /run/pilotlight/clock. */
  readonly noted?: string
}

const INITRD = readFileSync(join(import.meta.dirname, '../../images/live/dracut/clock'), 'utf8')

/** Runs `set_clock_first` of the agent against a server that says `date`, on a machine whose clock says `clock` (s). */
function clockAfter(t: Test, setting: Setting) {
  return clockBy(t, setting, (directory, url) => {
    const text = `AGENT_URL=${url}\n${functionsOf(directory).replace('initrd=/run/pilotlight', `initrd=${directory}`)}`
    return `${text}\nSECONDS=7; set_clock_first; echo "spent $SECONDS"; echo "booted$clock"`
  })
}

/** Runs what the initrd does before it asks by HTTPS; `said` ends with what it left for the agent. */
function initrdClockAfter(t: Test, setting: Setting, argument: (url: string) => string, cmdline = argument) {
  return clockBy(t, setting, (directory, url) => {
    writeFileSync(join(directory, 'cmdline'), `quiet ${cmdline(url)} console=tty0\n`)
    const script = INITRD.replaceAll('/proc/cmdline', `${directory}/cmdline`)
    writeFileSync(join(directory, 'clock-script'), script.replaceAll('/run/pilotlight', `${directory}/run`))
    const left = `cat ${directory}/run/clock 2> /dev/null || echo nothing`
    return `sh ${directory}/clock-script ${argument(url)} 2>&1; echo "ended $?"; echo "left $(${left})"`
  })
}

async function clockBy(
  t: Test,
  { date, clock, canSet = true, noted }: Setting,
  commands: (directory: string, url: string) => string,
) {
  const directory = t.testdir()
  const tools = join(directory, 'bin')
  mkdirSync(tools)
  writeFileSync(join(directory, 'now'), String(clock))
  if (noted !== undefined) writeFileSync(join(directory, 'clock'), noted)
  const set = canSet
    ? `echo "\${2#--set=@}" > ${directory}/now`
    : 'echo "date: cannot set date: Operation not permitted" >&2; exit 1'
  const stub = `#!/bin/bash
    case "$*" in
      --utc\\ --set=*) ${set} ;;
      +%s) cat ${directory}/now ;;
      --utc\\ +%FT%TZ) exec /bin/date --utc --date="@$(cat ${directory}/now)" +%FT%TZ ;;
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
  const text = `export PATH=${tools}:$PATH\n${commands(directory, url)}`
  const { stdout } = await run('bash', ['-c', text], { limitSeconds: 60 })
  t.strictSame(headers.filter(Boolean), [], 'no token is sent')
  return {
    said: stdout,
    clock: Number(readFileSync(join(directory, 'now'), 'utf8')),
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
  t.match(after.said, "booted; its clock is -3500 s off the server's\n", 'but reports it')
  t.match((await clockAfter(t, { date: SERVER, clock: SERVER_SECONDS + 29 })).said, /^booted$/m)
})

t.test('reports what the initrd had set already, and keeps it for the next boot', async t => {
  const after = await clockAfter(t, { date: SERVER, clock: SERVER_SECONDS, noted: '-86400000\n' })
  t.match(after.said, "booted; its clock was -86400000 s off the server's and was set\n")
  t.equal(after.kept, true)
  const strange = await clockAfter(t, { date: SERVER, clock: SERVER_SECONDS, noted: '$(touch x)\n' })
  t.match(strange.said, /^booted$/m)
  t.equal(strange.kept, false)
})

t.test('does not wait for a server that is away where the bundle is there', async t => {
  const directory = t.testdir()
  const silent = createSilent(() => {}) // as a host that does not answer
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const seconds = async () => {
    const text = functionsOf(directory)
      .replace('home=/etc/pilotlight', `home=${directory}`)
      .replace('SECONDS + 10', 'SECONDS + 2')
      .replace('attempt < 60', 'attempt < 6')
      .replace('--max-time 5', '--max-time 1')
    const { stdout } = await run(
      'bash',
      ['-c', `AGENT_URL=${url}\n${text}\nset_clock_first; echo "after $SECONDS"`],
      {
        limitSeconds: 60,
      },
    )
    t.match(stdout, "clock: the server's time is not known; the clock stays at")
    return Number(/^after (\d+)$/m.exec(stdout)?.[1])
  }
  t.ok((await seconds()) >= 6, 'a machine that has no bundle yet asks as often as it may')
  writeFileSync(join(directory, 'bundle.done'), '')
  const known = await seconds()
  t.ok(known >= 2 && known < 6, `an installed one starts what it has: after ${known} s`)
})

const byConfig = (url: string) => `ignition.config.url=${url}/ignition?mac=52-54-00-20-00-01`
const onlyCmdline = (config: (url: string) => string) => [() => '', config] as const
const byRoot = (url: string) => `coreos.live.rootfs_url=${url}/root`

t.test('the initrd sets a clock that no certificate would pass with, before it asks by HTTPS', async t => {
  for (const clock of [0, SERVER_SECONDS + 10 * 365 * 86_400]) {
    const after = await initrdClockAfter(t, { date: SERVER, clock }, ...onlyCmdline(byConfig))
    t.equal(after.clock, SERVER_SECONDS)
    t.match(
      after.said,
      `pilotlight: the clock was ${clock - SERVER_SECONDS} s off the server's, and is set to 2026-11-29T18`,
    )
    t.match(after.said, `ended 0\nleft ${clock - SERVER_SECONDS}\n`)
  }
  const byArgument = await initrdClockAfter(
    t,
    { date: SERVER, clock: 0 },
    url => `${url}/agent/v1/install`,
    () => '',
  )
  t.equal(byArgument.clock, SERVER_SECONDS, 'also for a URL that it is given')
})

t.test(
  'the initrd leaves the clock alone where it is right, or no certificate will be looked at',
  async t => {
    const right = await initrdClockAfter(t, { date: SERVER, clock: SERVER_SECONDS - 3500 }, () => '', byRoot)
    t.strictSame([right.clock, right.said], [SERVER_SECONDS - 3500, 'ended 0\nleft nothing\n'])
    const plain = (url: string) => byRoot(url).replace('https:', 'http:')
    t.equal(
      (await initrdClockAfter(t, { date: SERVER, clock: 0 }, () => '', plain)).said,
      'ended 0\nleft nothing\n',
    )
  },
)

t.test('the initrd goes on where the time is not known, or cannot be set', async t => {
  for (const date of [undefined, 'tomorrow', '$(touch x)', 'Sun, 99 Nov 2026 18:00:00 GMT']) {
    const after = await initrdClockAfter(t, { date, clock: 5 }, url => url)
    t.equal(after.clock, 5)
    t.match(
      after.said,
      "the server's time is not known; the clock stays at 1970-01-01T00:00:05Z\nended 0\nleft nothing",
    )
  }
  const fixed = await initrdClockAfter(t, { date: SERVER, clock: 5, canSet: false }, url => url)
  t.match(fixed.said, /s off the server's, and cannot be set\nended 0\nleft nothing/)
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
