// Process 1 of the agents on hosts, with a stand-in for the agent and for oslo.privsep: what it starts, passes on, reaps.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import t from 'tap'
import { libraryFolder } from '#rack/charts/sources/ours.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent } from '../../../../absent.ts'

const skip =
  process.getuid?.() === 0 ? absent('python3') : 'needs root: it is to be process 1 of a PID namespace'
const scripts = join(libraryFolder, 'files')

/** The folder of the scripts as in a pod, beside an agent that does `python`. */
function folderWith(python: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'agent-')) // short: the path of a socket has 107 bytes
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (const script of ['agents/agent.py', 'agents/privsep.py', 'quick.py'])
    cpSync(join(scripts, script), join(folder, basename(script)))
  mkdirSync(join(folder, 'oslo_privsep'))
  // What the real one does: it forks the helper that goes on, and returns.
  const daemon = `
import os, sys
def helper_main():
    if sys.argv[1] == 'refuse':
        sys.exit(3)
    if os.fork() == 0:
        with open(os.environ['TMPDIR'] + '/helper', 'w') as file:
            file.write(' '.join(sys.argv) + ' of ' + str(os.getppid()))
`
  writeFileSync(join(folder, 'oslo_privsep', 'daemon.py'), daemon)
  writeFileSync(join(folder, 'oslo_privsep', '__init__.py'), '')
  writeFileSync(join(folder, 'serve.py'), python)
  return folder
}

/** Starts it as process 1; gives the process, and its end. */
function start(folder: string) {
  const argv = [
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    'python3',
    join(folder, 'agent.py'),
    '--privileged=json',
  ]
  const child = spawn('unshare', [...argv, 'neutron.cmd:main', 'an-agent'], {
    env: { ...process.env, TMPDIR: folder, PYTHONPATH: folder },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = once(child, 'exit').then(([status]: number[]) => status)
  return { child, ended }
}

t.test('the agent is started with its arguments, and its status is the status of all', { skip }, async t => {
  const folder = folderWith(
    'import os, sys\nopen(os.environ["TMPDIR"] + "/words", "w").write(" ".join(sys.argv[1:]))\nsys.exit(7)\n',
  )
  t.equal(await start(folder).ended, 7)
  t.equal(readFileSync(join(folder, 'words'), 'utf8'), 'neutron.cmd:main an-agent')
})

t.test(
  'a helper that is asked for is forked from process 1, and a refusal is reported',
  { skip },
  async t => {
    const folder = folderWith(
      `
import subprocess, sys, os, time
ask = [sys.executable, '-IS', os.path.join(os.path.dirname(__file__), 'privsep.py')]
refused = subprocess.run([*ask, 'refuse']).returncode
given = subprocess.run([*ask, '--privsep_context', 'neutron.privileged.default']).returncode
while not os.path.exists(os.environ['TMPDIR'] + '/helper'):
    time.sleep(0.01)
sys.exit(refused * 10 + given)
`,
    )
    t.equal(await start(folder).ended, 30)
    t.match(
      readFileSync(join(folder, 'helper'), 'utf8'),
      /^privsep-helper --privsep_context neutron.privileged.default of \d+$/,
    )
  },
)

t.test('orphans are reaped, and the signal to end reaches the agent', { skip }, async t => {
  const folder = folderWith(
    `
import os, signal, subprocess, sys, time
subprocess.run(['sh', '-c', 'sh -c "exit 0" & exit 0'])
place = os.environ['TMPDIR']
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
while [it for it in os.popen('ps -o stat= --ppid 1').read().split() if it.startswith('Z')]:
    time.sleep(0.01)
open(place + '/ready', 'w').close()
time.sleep(30)
`,
  )
  const { child, ended } = start(folder)
  await waitUntil('the agent has no dead siblings', { limitSeconds: 10, everyMs: 20 }, async () =>
    existsSync(join(folder, 'ready')) ? { value: true } : { not: 'not yet' },
  )
  // unshare waits; process 1 is its only child.
  const [one] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ').map(Number)
  process.kill(one ?? 0, 'SIGTERM')
  t.equal(await ended, 5)
})
