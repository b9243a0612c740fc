// What sends a machine's journal, against a real server: from the initrd's config, then from the system's, also after the server
// was away. Its journalctl is one of the test: what the real one does with these options was looked at with systemd 257.

import { spawn } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from '../../end-child.ts'
import { site, testServer } from '../../server/serving.ts'

const script = join(import.meta.dirname, '../../../images/live/root/usr/lib/pilotlight/console')
const missing: string[] = []
for (const name of ['jq', 'curl', 'setpriv', 'unshare'])
  await run('sh', ['-c', `command -v ${name}`], { limitSeconds: 5 }).catch(() => missing.push(name))
const skip =
  process.getuid?.() !== 0 ? 'needs root' : missing.length > 0 ? `needs ${missing.join(', ')}` : false

/** The lines of a file after the one that the cursor file names, as many as are asked for; then the cursor. */
const JOURNALCTL = `#!/bin/sh
for word; do case $word in --lines=+*) most=\${word#*+} ;; --cursor-file=*) cursor=\${word#*=} ;; esac; done
seen=$(cat $cursor 2> /dev/null || echo 0)
tail -n +$((seen + 1)) /run/journal | head -n $most > /run/shown
cat /run/shown
[ ! -s /run/shown ] || echo $((seen + $(wc -l < /run/shown))) > $cursor
`

t.test(
  'sends the journal from the initrd on, once, and goes on after the server was away',
  { skip, timeout: 120_000 },
  async t => {
    const root = t.testdir({
      profiles: { 'controller.json': '{"id":"controller","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}' },
      ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
      machine: { etc: { pilotlight: {}, 'initrd-release': '' }, run: {}, bin: { journalctl: JOURNALCTL } },
    })
    const statePath = join(root, 'state')
    let server = await testServer(t, { dataPath: root, statePath })
    const agentPort = Number(new URL(server.agentUrl).port)
    await server.put('/v1/sites/rack-1', site)
    const mac = '52-54-00-20-00-01'
    await server.get(`/ipxe?mac=${mac}`)
    const { token } = (await (await server.get(`/ignition?mac=${mac}`)).json()) as { token: string }
    const machine = join(root, 'machine')
    const at = (path: string) => join(machine, path)
    chmodSync(at('bin/journalctl'), 0o755)
    const say = (from: number, to: number) => {
      for (let line = from; line <= to; line += 1)
        appendFileSync(at('run/journal'), `[ ${line}.0] demo: line ${line}\n`)
    }
    say(1, 250)
    const start = () => {
      const prepare =
        'mount --bind "$0/etc" /etc && mount --bind "$0/run" /run && PATH=$0/bin:$PATH PILOTLIGHT_LIB=$2 exec sh "$1"'
      const child = spawn('unshare', ['--mount', 'sh', '-c', prepare, machine, script, dirname(script)], {
        stdio: 'inherit',
      })
      t.teardown(() => endChild(child))
      return child
    }
    const shown = async () => {
      const answer = await server.get('/v1/machines/ctl-1/console')
      return answer.status === 200 ? (await answer.text()).trimEnd().split('\n') : []
    }
    const until = (lines: number) =>
      waitUntil(`${lines} lines`, { limitSeconds: 60, everyMs: 500 }, async () => {
        const { length } = await shown()
        return length >= lines ? { value: length } : { not: `${length} lines are there` }
      })

    const files = {
      'agent.env': `AGENT_URL=${server.agentUrl}\nMACHINE=ctl-1\n`,
      'ca.crt': readFileSync(join(statePath, 'ca.crt'), 'utf8'),
      authorization: `Authorization: Bearer ${token}\n`,
    }
    const initrd = start()
    await waitUntil('the folder of the program', { limitSeconds: 30 }, async () =>
      existsSync(at('run/pilotlight-console')) ? { value: true } : { not: 'it is not there' },
    )
    t.same(await shown(), [], 'before there is a config there is no one to send to')
    const storage = {
      files: Object.entries(files).map(([name, text]) => ({
        path: `/etc/pilotlight/${name}`,
        contents: { source: `data:;base64,${Buffer.from(text).toString('base64')}` },
      })),
    }
    writeFileSync(at('run/ignition.json'), JSON.stringify({ ignition: { version: '3.4.0' }, storage }))
    await until(250)
    await endChild(initrd)

    // The system: its own files, and the place that the initrd left.
    rmSync(at('etc/initrd-release'))
    for (const [name, text] of Object.entries(files)) writeFileSync(at(`etc/pilotlight/${name}`), text)
    mkdirSync(at('run/pilotlight'), { recursive: true })
    start()
    say(251, 260)
    await until(260)
    await server.close()
    say(261, 380)
    server = await testServer(t, { dataPath: root, statePath, agentPort })
    await until(380)
    const lines = await shown()
    t.same(
      lines.map(line => /line (\d+)$/.exec(line)?.[1]),
      Array.from({ length: 380 }, (_, line) => String(line + 1)),
      'each line once, in its order',
    )
    t.equal(((await (await server.get('/v1/machines/ctl-1/console/boots')).json()) as []).length, 1)
    t.ok(existsSync(at('run/pilotlight-console/cursor')))
  },
)
