// A service that only receives messages, with the library that such services are made with: when it reports that it works.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { libraryFolder } from '#rack/charts/sources/ours.ts'
import { run } from '#host/command.ts'
import { waitUntil } from '#progress/wait.ts'
import { freePort } from '../../../../free-ports.ts'

const python = '/usr/bin/python3' // Debian's packages are for Debian's interpreter
const skip = await run(python, ['-c', 'import oslo_service.service'], { limitSeconds: 20 }).then(
  () => false,
  () => 'needs the package python3-oslo.service',
)
const scripts = join(libraryFolder, 'files')

/** A service that the tests lead by files beside it. */
const WORKER = `
import eventlet
eventlet.monkey_patch()
import os, time
from oslo_config import cfg
from oslo_service import service

place = os.path.dirname(__file__)
stop_the_loop = eventlet.patcher.original('time').sleep

def there(name):
    return os.path.exists(os.path.join(place, name))

class Worker(service.Service):
    def start(self):
        open(os.path.join(place, 'starts'), 'w').close()
        while not there('may-start'):
            time.sleep(0.02)
        self.tg.add_thread(self.work)

    def work(self):
        while True:
            time.sleep(0.02)
            while there('hangs'):
                stop_the_loop(0.02)

def launch(launcher):
    cfg.CONF([])
    launcher = launcher(cfg.CONF)
    launcher.launch_service(Worker())
    launcher.wait()

def itself():
    launch(service.ServiceLauncher)

def forked():
    launch(service.ProcessLauncher)
`

for (const launched of ['itself', 'forked'])
  t.test(
    `a service (${launched}) answers from the end of its start on, unless it hangs`,
    { skip },
    async t => {
      const folder = mkdtempSync(join(tmpdir(), 'health-'))
      for (const script of ['serve.py', 'health.py', 'quick.py'])
        cpSync(join(scripts, script), join(folder, script))
      writeFileSync(join(folder, 'needs.py'), 'def wait(): pass\n')
      writeFileSync(join(folder, 'worker.py'), WORKER)
      const port = await freePort()
      const argv = [join(folder, 'serve.py'), `--health=${port}`, `worker:${launched}`, 'a-worker']
      const child = spawn(python, argv, { stdio: ['ignore', 'inherit', 'ignore'], detached: true })
      const ended = once(child, 'exit')
      t.teardown(async () => {
        process.kill(-(child.pid ?? 0), 'SIGKILL') // it leads a group, with what it forked
        await ended
        rmSync(folder, { recursive: true })
      })
      const touch = (name: string) => writeFileSync(join(folder, name), '')
      const ask = () => fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(500) })
      const answers = () => soon('an answer', async () => (await ask()).status === 200)

      await soon('its start', async () => existsSync(join(folder, 'starts')))
      await t.rejects(ask(), { cause: { code: 'ECONNREFUSED' } })
      touch('may-start')
      await answers()
      touch('hangs')
      await soon('silence', () =>
        ask().then(
          () => false,
          ({ name }: Error) => name === 'TimeoutError',
        ),
      )
      rmSync(join(folder, 'hangs'))
      await answers()
    },
  )

function soon(what: string, look: () => Promise<boolean>): Promise<boolean> {
  return waitUntil(what, { limitSeconds: 20, everyMs: 50 }, async () =>
    (await look()) ? { value: true } : { not: 'not yet' },
  )
}
