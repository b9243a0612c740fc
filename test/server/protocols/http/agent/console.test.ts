// A machine sends its console log, and an operator reads it: over real HTTP, and with the command line.

import t from 'tap'
import { join } from 'node:path'
import { pilotlight } from '../../../../cli/pilotlight.ts'
import { agentCall } from '../../../agent-call.ts'
import { site, testServer } from '../../../serving.ts'

const kernel = '0b8fd5f2-5c5b-4f5e-9c1c-6d6f0c1d2e3f'
const later = '1b8fd5f2-5c5b-4f5e-9c1c-6d6f0c1d2e3f'

t.test(
  'a console log is sent with the token of the boot, read, followed, and told apart by starts',
  async t => {
    const dataPath = t.testdir({
      profiles: { 'controller.json': '{"id":"controller","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}' },
      ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
    })
    const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
    await server.put('/v1/sites/rack-1', site)
    const mac = '52-54-00-20-00-01'
    await server.get(`/ipxe?mac=${mac}`)
    const { token } = (await (await server.get(`/ignition?mac=${mac}`)).json()) as { token: string }
    const call = agentCall(server)
    const send = (part: number, text: string, boot = kernel) =>
      call(`console?boot=${boot}&part=${part}`, token, text)
    const read = async (query = '') => {
      const answer = await server.get(`/v1/machines/ctl-1/console${query}`)
      return { status: answer.status, text: await answer.text(), next: answer.headers.get('x-console-next') }
    }

    t.equal((await read()).status, 404)
    t.equal((await call(`console?boot=${kernel}&part=1`, 'guessed', 'x')).status, 401)
    t.equal((await send(1, '[    0.0] kernel: hello\n[    0.1] \x1b]0;owned\x07 evil\u202e\n')).status, 204)
    const first = '[    0.0] kernel: hello\n[    0.1] \\x1b]0;owned\\x07 evil\\u{202e}\n'
    t.match(await read(), { status: 200, text: first, next: String(first.length) })
    for (const bad of [
      'console',
      `console?boot=${kernel}`,
      'console?boot=../../x&part=1',
      `console?boot=${kernel}&part=0`,
    ])
      t.equal((await call(bad, token, 'x')).status, 400, bad)
    t.equal((await call(`console?boot=${kernel}&part=2`, token, { json: true })).status, 400)
    t.equal((await send(2, 'x'.repeat(140_000))).status, 413)

    const waiting = read(`?after=${first.length}&wait=20`)
    t.equal((await send(2, 'more\n')).status, 204)
    t.match(await waiting, { text: 'more\n' })
    await send(1, 'another start\n', later)
    t.match(await read(), { text: 'another start\n' })
    t.match(await read('?boot=2'), { text: /hello/ })
    t.equal((await read('?boot=9')).status, 404)

    const env = { PILOTLIGHT_SERVER: server.url }
    const run = (...args: string[]) => pilotlight(['console', 'ctl-1', ...args], { env })
    t.match(await run(), { status: 0, out: 'another start\n' })
    t.match(await run('--boot', '2'), { out: `${first}more\n` })
    t.match(await run('--boot', kernel), { out: `${first}more\n` })
    t.match(await run('--boots'), {
      out: /START +BEGAN +BOOT +BYTES +KERNEL\n1 .* b-0001 +14 .*1b8fd5f2[^]*\n2 /,
    })
    t.match(await run('--boot', '7'), {
      status: 3,
      err: /There is no console log of ctl-1 from start "7".*--boots/s,
    })
    t.match(await pilotlight(['console', 'nope'], { env }), { status: 3 })

    const answers: number[] = []
    for (let part = 2; part < 50; part += 1)
      answers.push((await send(part, `${'y'.repeat(120_000)}\n`, later)).status)
    t.ok(answers.includes(429), 'a machine that sends more and more has to wait')
  },
)
