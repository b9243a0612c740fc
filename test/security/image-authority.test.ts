// A live image that was built with the provisioner's authority asks no other server, whatever the config says.

import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CommandFailed, run } from '#host/command.ts'
import { serverIdentity } from '#server/access/own-authority.ts'
import { absent, skipFile } from '../absent.ts'

skipFile(t, absent('curl'))

t.setTimeout(120_000) // a busy machine takes its time

const script = readFileSync(join(import.meta.dirname, '../../ignition/scripts/agent'), 'utf8')

/** Has the agent report to a server of `asks`, with a config that names `config`, on an image built with `built`. */
async function report(t: Test, authorities: { config: string; built?: string; asks: string }) {
  const directory = t.testdir({ work: {}, home: {}, initrd: {} })
  const at = (path: string) => join(directory, path)
  const identity = async (name: string) => serverIdentity(at(name), '127.0.0.1', Date.now())
  writeFileSync(at('home/ca.crt'), (await identity(authorities.config)).ca)
  writeFileSync(at('home/authorization'), 'Authorization: Bearer secret\n')
  if (authorities.built !== undefined) {
    const other = (await identity('another')).ca // an image may be built with more than one
    writeFileSync(at('initrd/ca.crt'), `${other}\r\n${(await identity(authorities.built)).ca}`)
  }
  mkdirSync(at('bin'))
  writeFileSync(at('bin/journalctl'), '#!/bin/sh\n', { mode: 0o755 })
  const { certificate, key } = await identity(authorities.asks)
  const heard: (string | undefined)[] = []
  const server = createServer({ cert: certificate, key }, (request, answer) => {
    heard.push(request.headers.authorization)
    answer.writeHead(204).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const functions = script
    .replace(/^\. \/etc\/pilotlight\/agent\.env.*$/m, '')
    .replace(/^main$/m, '')
    .replace('home=/etc/pilotlight', `home=${at('home')}`)
    .replace('work=/run/pilotlight-agent', `work=${at('work')}`)
    .replace('initrd=/run/pilotlight', `initrd=${at('initrd')}`)
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const text = `PATH=${at('bin')}:$PATH AGENT_URL=${url}\n${functions}\ntrust_image; report booted up || echo "$reason"`
  const ended = await run('bash', ['-c', text], { limitSeconds: 60 }).then(
    ({ stdout, stderr }) => ({ status: 0, said: stdout + stderr }),
    (error: CommandFailed) => ({ status: error.status, said: error.stdout + error.stderr }),
  )
  return { ...ended, heard }
}

t.test('asks the server that both the config and the image name', async t => {
  const { status, said, heard } = await report(t, { config: 'ours', built: 'ours', asks: 'ours' })
  t.strictSame(heard, ['Bearer secret'])
  t.equal(status, 0)
  t.match(said, 'reported booted: up')
})

t.test('refuses a config that names another authority, and shows its token to no one', async t => {
  const { status, said, heard } = await report(t, { config: 'false', built: 'ours', asks: 'false' })
  t.strictSame(heard, [])
  t.equal(status, 2, 'no other try of this boot can succeed')
  t.match(said, /failed: the config names a certificate authority that this image was not built with\./)
  t.match(said, /pilotlight images build --ca/)
})

t.test('reports to its own provisioner that a config names another authority', async t => {
  const { status, heard } = await report(t, { config: 'false', built: 'ours', asks: 'ours' })
  t.strictSame(heard, ['Bearer secret'])
  t.equal(status, 2)
})

t.test('goes by the config where the image was built without an authority', async t => {
  t.strictSame((await report(t, { config: 'ours', asks: 'ours' })).heard, ['Bearer secret'])
  t.strictSame((await report(t, { config: 'ours', asks: 'false' })).heard, [])
})
