// Errors of the host as sentences: real ones, made by the calls that give them.

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import t from 'tap'
import { reasonOf } from '#model/reason.ts'
import { freePort } from '../free-ports.ts'

const NAMES = /\b(?:E[A-Z]{3,}|ERR_|UND_ERR|fetch failed|bad port)/

t.test('files that cannot be read or written are named with what they are', async t => {
  const folder = t.testdir({ file: '' })
  t.equal(
    reason(() => readFileSync('/nowhere/x')),
    '/nowhere/x is not there',
  )
  t.equal(
    reason(() => readFileSync(folder)),
    'it is a directory',
    'Node names no path there',
  )
  t.equal(
    reason(() => writeFileSync(folder, '')),
    `${folder} is a directory`,
  )
  t.equal(
    reason(() => readFileSync(`${folder}/file/x`)),
    `${folder}/file/x is below something that is not a directory`,
  )
})

t.test('connections that fail are named with the address, and never by the names of Node', async t => {
  const port = await freePort()
  t.equal(await failing(`http://127.0.0.1:${port}/`), `nothing listens at 127.0.0.1:${port}`)
  t.match(await failing('http://127.0.0.1:6000/'), /belongs to another protocol/)
  t.match(await failing('http://name.invalid/'), /the name name\.invalid/)
  const [socket] = [connect(port, '127.0.0.1')]
  const [refused] = await once(socket, 'error')
  t.equal(reasonOf(refused), `nothing listens at 127.0.0.1:${port}`)
  const holder = createServer().listen(port, '127.0.0.1')
  await once(holder, 'listening')
  t.teardown(() => holder.close())
  const [taken] = await once(createServer().listen(port, '127.0.0.1'), 'error')
  t.equal(reasonOf(taken), `another process has 127.0.0.1:${port}`)
  for (const url of [`https://127.0.0.1:${port}/`, 'http://[::1]:1/']) {
    holder.once('connection', it => it.end('nonsense\r\n\r\n'))
    t.notMatch(await failing(url), NAMES, url)
  }
})

t.test('what is known of no system is given as it is', async t => {
  t.equal(reasonOf(new Error('the sky')), 'the sky')
  t.equal(reasonOf('text'), 'text')
  t.equal(reasonOf(new TypeError('fetch failed', { cause: new Error('inner') })), 'inner')
})

function reason(act: () => unknown): string {
  try {
    act()
    return 'nothing was thrown'
  } catch (error) {
    return reasonOf(error)
  }
}

async function failing(url: string): Promise<string> {
  return reasonOf(await fetch(url).then(String, (error: unknown) => error))
}
