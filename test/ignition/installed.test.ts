// The agent of an installed machine against a real server: a bundle that a power loss took is fetched again, and a token that
// is void is replaced by the key on its disk. In its own mount namespace, whose /etc and /run are folders of the test.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { agentCall } from '../server/agent-call.ts'
import { site, testServer } from '../server/serving.ts'
import { SLOT_VERSION, slotFiles } from '../slot-files.ts'

const agent = readFileSync(join(import.meta.dirname, '../../ignition/scripts/agent'), 'utf8')
const missing: string[] = []
for (const name of ['jq', 'age', 'openssl', 'setpriv', 'unshare'])
  await run('sh', ['-c', `command -v ${name}`], { limitSeconds: 5 }).catch(() => missing.push(name))
const skip =
  process.getuid?.() !== 0 ? 'needs root' : missing.length > 0 ? `needs ${missing.join(', ')}` : false

const MAC = '52-54-00-20-00-01'
const disk = { name: 'sda', path: '/dev/sda', bytes: 1e12, serial: 'S1' }
const choice = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false }

t.test(
  'a machine comes back from its disk without its bundle and with a void token',
  { skip, timeout: 120_000 },
  async t => {
    const root = t.testdir({
      profiles: {
        'controller.json': JSON.stringify({
          id: 'controller',
          ignition_id: 'a.ign.njk',
          boot: {
            kernel: '/k',
            args: ['coreos.live.rootfs_url={{ server.url }}/assets/live/rootfs.squashfs'],
          },
        }),
      },
      ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
      assets: slotFiles(),
      machine: { etc: { pilotlight: {} }, run: { pilotlight: {} } },
    })
    const statePath = join(root, 'state')
    const server = await testServer(t, { dataPath: root, statePath, assetsPath: join(root, 'assets') })
    const machines = site.machines.map(it => ({ ...it, disk: choice }))
    t.equal((await server.put('/v1/sites/rack-1', { ...site, machines })).status, 200)
    await server.put('/v1/machines/ctl-1/bundle', [
      { path: '/etc/pilotlight/secret', mode: 0o600, content: 'x' },
    ])
    await server.get(`/ipxe?mac=${MAC}`)
    const { token } = (await (await server.get(`/ignition?mac=${MAC}`)).json()) as { token: string }
    const granted = await agentCall(server)('install', token, {
      action: 'install',
      disks: [disk],
      chosen: ['sda'],
    })
    t.match(granted.text, /"grant":"install"/)

    const machine = join(root, 'machine')
    const keep = (path: string, text: string) => writeFileSync(join(machine, path), text)
    const read = (path: string) => readFileSync(join(machine, path), 'utf8')
    keep(
      'etc/pilotlight/agent.env',
      `AGENT_URL=${server.agentUrl}\nMACHINE=ctl-1\nROLE=controller\nBUNDLE=yes\n`,
    )
    keep('etc/pilotlight/authorization', `Authorization: Bearer ${token}\n`)
    keep('etc/pilotlight/ca.crt', readFileSync(join(statePath, 'ca.crt'), 'utf8'))
    keep('run/pilotlight/disk.env', `DISKS=/dev/sda\nSLOT=a\nVERSION=${SLOT_VERSION}\nENTERED=disk\n`)
    mkdirSync(join(machine, 'run/pilotlight-agent'), { recursive: true })
    const doing = (what: string) => {
      const prepare = `mount --bind "$0/etc" /etc && mount --bind "$0/run" /run && exec bash -c "$1" agent`
      const text = agent.replace(/^main$/m, what)
      return run('unshare', ['--mount', 'bash', '-c', prepare, machine, text], { limitSeconds: 60 })
    }
    const fetch = 'fetch_bundle || { echo "$reason"; exit 1; }'
    const report = 'name_slot; retry 30 report report ready up'

    await t.rejects(doing(fetch), { message: /ctl-1 at 127\.0\.0\.1 waits/ })
    t.equal((await server.post('/v1/machines/ctl-1/approve', {}, server.admin)).status, 200)
    // The report that it was installed was lost with the power: what runs from the disk says so.
    await doing(`name_slot; ${fetch}; ${report}`)
    t.equal(read('etc/pilotlight/secret'), 'x')
    const shown = (await (await server.get('/machines/ctl-1')).json()) as object
    t.match(shown, { phase: 'ready', installed: { disk: 'sda', version: SLOT_VERSION, slot: 'a' } })

    for (const path of ['bundle.done', 'secret']) rmSync(join(machine, 'etc/pilotlight', path))
    await doing(fetch)
    t.equal(read('etc/pilotlight/secret'), 'x', 'the bundle again, for the same key')

    const ago = Math.floor(Date.now() / 1000) - 12
    keep('run/pilotlight/entering', `kexec ${ago}\n`)
    keep('run/pilotlight/notes', 'one disk of the mirror is missing\nthe state partition is full\n')
    const said = 'name_slot; echo "up$from$slot_json"'
    const entered = (await doing(said)).stdout
    t.match(
      entered,
      /slot a of \/dev\/sda \(\w+\), entered by a kexec in 1[2-9] s; one disk of the mirror is missing;the state partition is full/,
    )
    t.match(entered, /"seconds":\{"enter":1[2-9]\}/)
    t.notMatch((await doing(said)).stdout, /entered|seconds/, 'it is said once')
    keep('run/pilotlight/entering', 'kexec 1\n') // its clock was set meanwhile
    t.notMatch((await doing(said)).stdout, /entered|seconds/)
    rmSync(join(machine, 'run/pilotlight/notes'))

    keep('etc/pilotlight/authorization', 'Authorization: Bearer void\n')
    const { stdout } = await doing(report)
    t.match(stdout, /reported ready/)
    const header = read('etc/pilotlight/authorization')
    t.match(header, /^Authorization: Bearer [\w-]{43}\n$/)
    t.notMatch(header, token)

    keep('etc/pilotlight/authorization', 'Authorization: Bearer void\n')
    await run('age-keygen', ['--output', join(machine, 'run/pilotlight/other')], { limitSeconds: 10 })
    keep('run/pilotlight/machine.key', read('run/pilotlight/other'))
    const asks = 'name_slot; report ready up || { echo "$reason"; exit 1; }'
    await t.rejects(doing(asks), { message: /401/ }, 'another key opens no challenge')
    t.equal(read('etc/pilotlight/authorization'), 'Authorization: Bearer void\n')
  },
)
