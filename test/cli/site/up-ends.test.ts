// How `pilotlight up` ends where it is interrupted, or where some machines are ready and others failed; and what `journal` and
// `describe` show of a boot that failed. The program and the server are real; the test does what firmware and agents do.

import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { EXIT } from '#cli/exit.ts'
import { endChild } from '../../end-child.ts'
import { testServer, type TestServer } from '../../server/serving.ts'
import { pilotlight, type Run } from '../pilotlight.ts'

t.setTimeout(120_000) // it starts the program

const MAIN = join(import.meta.dirname, '../../../cli/main.js')
const CTL = '52-54-00-20-00-01'
const CMP = '52-54-00-20-00-02'
const SITE = `name: ends
network: { subnet: 10.20.0.0/24, dhcp: off }
trust: { approve: first-boot }
machines:
  - { name: ctl-1, mac: "${CTL}", role: controller }
  - { name: cmp-1, mac: "${CMP}", role: compute }
`

t.test('up ends with 7 where one machine is ready and another failed, and says why', async t => {
  const { server, env, start } = await rack(t)
  const run = start([])
  await run.until(/^>>> Switch these machines on now/m)
  await reports(server, CTL, [{ stage: 'ready' }])
  const log = 'containerd: no such device\nkubelet: node not found'
  await reports(server, CMP, [{ stage: 'failed', text: 'kubelet did not start', log }])
  const { status, err } = await run.ended
  t.equal(status, EXIT.partly, err)
  t.match(
    err,
    /^error PARTLY_FAILED: 1 of 2 machines did not become ready:\n {2}cmp-1 .*kubelet did not start/m,
  )
  t.match(err, /^ {2}fix: pilotlight journal cmp-1 .*\n {2}more: pilotlight help PARTLY_FAILED$/m)
  const at = { env: { ...env, PILOTLIGHT_SERVER: server.url } }

  const tail =
    /os +failed +kubelet did not start\n +\| containerd: no such device\n +\| kubelet: node not found\n/
  t.match(await pilotlight(['journal', 'cmp-1'], at), { status: EXIT.done, out: tail })
  t.match(await pilotlight(['describe', 'cmp-1'], at), { status: EXIT.done, out: tail })
  t.match(JSON.parse((await pilotlight(['describe', 'cmp-1', '--json'], at)).out), {
    journal: { events: [{}, {}, { kind: 'failed', detail: { log } }] },
  })

  t.match(await pilotlight(['journal', 'cmp-1', '--boots'], at), {
    status: EXIT.done,
    out: /^BOOT +BEGAN +MAC\nb-0002 +\d{4}-\d\d-\d\dT\S+ +52:54:00:20:00:02\n$/,
  })
  t.match(JSON.parse((await pilotlight(['journal', 'cmp-1', '--boots', '--json'], at)).out), {
    apiVersion: 'pilotlight/v1',
    items: [{ id: 'b-0002' }],
  })
  t.match(await pilotlight(['journal', 'cmp-1', '--boot', 'b-9999'], at), {
    status: EXIT.notFound,
    err: 'error NOT_FOUND: cmp-1 has no boot "b-9999".\n  fix: pilotlight journal cmp-1 --boots\n  more: pilotlight help NOT_FOUND\n',
  })
})

t.test('Ctrl-C says what goes on and that the same command continues, and ends up with 130', async t => {
  const { start } = await rack(t)
  const run = start(['--json'])
  await run.until(/^>>> Switch these machines on now/m)
  run.child.kill('SIGINT')
  const { status, out, err } = await run.ended
  t.equal(status, EXIT.interrupted, err)
  t.match(
    err,
    /^SIGINT: stopping; once more ends at once\. Machines that were switched on go on booting\. The same command continues where this one stopped\.$/m,
  )
  t.match(err, /^error INTERRUPTED: interrupted\n {2}fix: run the same command again: /m)
  t.match(JSON.parse(out), { error: { code: 'INTERRUPTED', exitStatus: EXIT.interrupted } })
})

/** A server with the site's profiles, and a way to start `up` on it. */
async function rack(t: Test) {
  const folder = t.testdir({
    'site.yaml': SITE,
    data: {
      profiles: {
        'controller.json': profileOf('controller'),
        'live.json': profileOf('live'),
        'compute.json': profileOf('compute'),
      },
      ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
    },
  })
  const server = await testServer(t, { dataPath: join(folder, 'data'), statePath: join(folder, 'state') })
  const env = { PILOTLIGHT_STATE_PATH: server.statePath }
  const start = (more: readonly string[]) => {
    const args = ['up', join(folder, 'site.yaml'), '--server', server.url, '--state', join(folder, 'up')]
    const child = spawn(
      process.execPath,
      [MAIN, ...args, '--until', 'cluster', '--boot-anyway', '--boot-limit', '60', ...more],
      {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    t.teardown(() => endChild(child))
    return watched(child)
  }
  return { server, env, start }
}

function profileOf(id: string): string {
  return `{"id":"${id}","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}`
}

/** What a program writes, as a test waits for it. */
function watched(child: ChildProcess & { stdout: NodeJS.ReadableStream; stderr: NodeJS.ReadableStream }) {
  let [out, err] = ['', '']
  let look: (() => void) | undefined
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  createInterface(child.stderr).on('line', line => {
    err += `${line}\n`
    look?.()
  })
  const ended = new Promise<Run>(resolve => {
    child.on('close', status => resolve({ status, out, err }))
  })
  const until = async (wanted: RegExp) => {
    const seen = new Promise<void>(resolve => {
      look = () => {
        if (wanted.test(err)) resolve()
      }
    })
    const end = await Promise.race([seen, ended])
    if (end !== undefined) throw new Error(`it ended with ${end.status} before ${wanted}: ${end.err}`)
  }
  return { child, ended, until }
}

/** Boots as far as the Ignition config, whose token it has, and reports as the agent does. */
async function reports(server: TestServer, mac: string, all: readonly object[]): Promise<void> {
  await server.get(`/ipxe?mac=${mac}`)
  const { token } = (await (await server.get(`/ignition?mac=${mac}`)).json()) as { token: string }
  for (const report of all) {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const options = {
        method: 'POST',
        ca: readFileSync(join(server.statePath, 'ca.crt')),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      }
      request(`${server.agentUrl}/agent/v1/report`, options, answer => {
        answer.resume()
        resolve(answer.statusCode)
      })
        .on('error', reject)
        .end(JSON.stringify(report))
    })
    if (status !== 204) throw new Error(`the report was answered ${status}`)
  }
}
