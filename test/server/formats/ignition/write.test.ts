// What is served for the Ignition files of a Matchbox data directory.

import t from 'tap'
import { plainIgnition } from '#server/boot/render/ignition.ts'

const EMPTY_3_4 =
  '{"ignition":{"config":{"replace":{"verification":{}}},"proxy":{},"security":{"tls":{}},"timeouts":{},' +
  '"version":"3.4.0"},"kernelArguments":{},"passwd":{},"storage":{},"systemd":{}}'

t.test('specs 3.0 to 3.4 are raised to 3.4.0, with every object written', async t => {
  for (const minor of [0, 1, 2, 3, 4]) {
    t.equal(plainIgnition('a.ign', ` {"ignition": {"version": "3.${minor}.0"}}\n`), EMPTY_3_4)
  }
})

t.test('later specs are given unchanged', async t => {
  const text = '{ "ignition": { "version": "3.6.0" } }\n'
  t.equal(plainIgnition('a.ign', text), text)
})

t.test('what could not be absent up to 3.2 is there and empty', async t => {
  const text = JSON.stringify({
    ignition: { version: '3.2.0' },
    storage: {
      links: [{ path: '/a' }],
      luks: [{ name: 'l', device: '/d', clevis: { custom: { needsNetwork: true } } }],
    },
  })
  const { storage } = JSON.parse(plainIgnition('a.ign', text)) as { storage: Record<string, unknown[]> }
  t.match(storage, {
    links: [{ path: '/a', target: '' }],
    luks: [{ clevis: { custom: { config: '', needsNetwork: true, pin: '' } } }],
  })
})

t.test('a config that Matchbox would empty is refused with its reason', async t => {
  const cases = [
    ['', /the file is empty/],
    ['{"ignition":{"version":"2.3.0"}}', /ignition\/a.ign .* line 1, column 24: ignition.version: "2.3.0"/],
    ['{"ignition":{"version":"3.7.0-experimental"}}', /not a stable version/],
    ['{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"x"}]}}', /storage.files\[0\].path/],
  ] as const
  for (const [text, message] of cases) {
    t.throws(() => plainIgnition('ignition/a.ign', text), {
      code: 'INVALID_IGNITION',
      statusCode: 503,
      message,
    })
  }
})
