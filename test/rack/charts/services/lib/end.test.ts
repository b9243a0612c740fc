// A service of OpenStack that cannot stop when it gets its end signal: when a machine shuts down, the message queue that it waits for stops
// at the same moment. It runs as the first process of its container does, whose signals have no default action.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { libraryFolder } from '#rack/charts/sources/ours.ts'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'

const python = '/usr/bin/python3' // Debian's packages are for Debian's interpreter
const skip =
  (process.getuid?.() !== 0 && 'needs root, for a process namespace') ||
  (await run(python, ['-c', 'import oslo_service.service'], { limitSeconds: 20 }).then(
    () => false,
    () => 'needs the package python3-oslo.service',
  ))

const ENDLESS = `
import eventlet
eventlet.monkey_patch()
import os, time
from oslo_config import cfg
from oslo_service import service

place = os.path.dirname(__file__)

class Endless(service.Service):
    def start(self):
        self.tg.add_thread(self.work)
    def work(self):
        open(os.path.join(place, 'started'), 'w').close()
        while True:
            time.sleep(0.02)
    def stop(self, graceful=False):
        open(os.path.join(place, 'stops'), 'w').close()
        while True:
            time.sleep(0.02)

def main():
    cfg.CONF([])
    launcher = service.ServiceLauncher(cfg.CONF)
    launcher.launch_service(Endless())
    launcher.wait()
`

t.test('a service that cannot end is ended after its time', { skip }, async t => {
  const folder = t.testdir({ 'needs.py': 'def wait(): pass\n', 'endless.py': ENDLESS })
  for (const script of ['serve.py', 'quick.py'])
    cpSync(join(libraryFolder, 'files', script), join(folder, script))
  writeFileSync(join(folder, 'first.sh'), `exec ${python} ${join(folder, 'serve.py')} endless:main endless\n`)
  const child = spawn('unshare', ['--fork', '--pid', '--kill-child', 'sh', join(folder, 'first.sh')], {
    stdio: 'ignore',
    env: { ...process.env, OS_DEFAULT__GRACEFUL_SHUTDOWN_TIMEOUT: '2' },
  })
  const ended = once(child, 'exit')
  t.teardown(() => child.kill('SIGKILL'))
  const there = (name: string) =>
    waitUntil(name, { limitSeconds: 20, everyMs: 50 }, async () =>
      existsSync(join(folder, name)) ? { value: true } : { not: 'not yet' },
    )
  await there('started')
  const [first] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')
  process.kill(Number(first), 'SIGTERM')
  await there('stops')
  const limit = AbortSignal.timeout(20_000)
  const [status] = (await Promise.race([ended, once(limit, 'abort')])) as [number | null]
  t.equal(status, 142, 'by SIGALRM')
})
