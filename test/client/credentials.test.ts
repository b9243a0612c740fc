import { join } from 'node:path'
import t from 'tap'
import { givenToken, hasLocalRoute, trustServer } from '#client/credentials.ts'

t.afterEach(() => {
  delete process.env.PILOTLIGHT_TOKEN_FILE
  delete process.env.PILOTLIGHT_CA
})

t.test('a token comes from the file that is named, without its line end', async t => {
  process.env.PILOTLIGHT_TOKEN_FILE = join(t.testdir({ token: 'plt_x\n' }), 'token')
  t.match(givenToken(), { token: 'plt_x', from: /^PILOTLIGHT_TOKEN_FILE, .*token$/ })
})

t.test('a file of a token that has none is named, with what to do', async t => {
  const folder = t.testdir({ empty: ' \n' })
  for (const [path, message] of [
    ['/nowhere', 'PILOTLIGHT_TOKEN_FILE is "/nowhere": there is no such file'],
    [folder, `PILOTLIGHT_TOKEN_FILE is "${folder}": it is a directory`],
    [join(folder, 'empty'), `PILOTLIGHT_TOKEN_FILE is "${folder}/empty": it is empty`],
  ] as const) {
    process.env.PILOTLIGHT_TOKEN_FILE = path
    t.throws(givenToken, { code: 'BAD_OPTION', message, remedy: /^name a file that holds a token/ })
  }
})

t.test('an authority that cannot be read is named, where a server is to be trusted by it', async t => {
  const folder = t.testdir({ ca: 'no certificate' })
  for (const [path, message] of [
    ['/nowhere', 'PILOTLIGHT_CA is "/nowhere": there is no such file'],
    [join(folder, 'ca'), `PILOTLIGHT_CA is "${folder}/ca": it holds no certificate in PEM`],
  ] as const) {
    process.env.PILOTLIGHT_CA = path
    t.throws(() => trustServer('https://127.0.0.1:1'), {
      code: 'BAD_OPTION',
      message,
      remedy: /^name the PEM file/,
    })
    t.doesNotThrow(() => trustServer('http://127.0.0.1:1'))
  }
})

t.test('an address of a bridge without a carrier is one of this host', async t => {
  const table = `Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 10.20.0.0/24 2 0 2
        |-- 10.20.0.0
           /24 link UNICAST
        |-- 10.20.0.1
           /32 host LOCAL
        |-- 10.20.0.255
           /32 link BROADCAST
`
  t.ok(hasLocalRoute(table, '10.20.0.1'))
  for (const other of ['10.20.0.0', '10.20.0.255', '10.20.0.10', '0.20.0.1', '10.20.0.11', '10a20b0c1'])
    t.notOk(hasLocalRoute(table, other), other)
})
