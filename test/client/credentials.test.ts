import { join } from 'node:path'
import t from 'tap'
import { givenToken, trustServer } from '#client/credentials.ts'

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
