// Keys that are there twice, in one case or another: what the linter says of them is what the server does.

import t from 'tap'
import { lintDirectory } from '#server/boot/lint/directory.ts'

t.test('a field in another case is the same field, a label is not', async t => {
  const path = t.testdir({
    groups: {
      'g.json': `{
  "id": "g", "profile": "p",
  "selector": {"rack": "1", "Rack": "2"},
  "Selector": {"os": "installed"},
  "ID": "g"
}`,
    },
    profiles: {
      'p.json': `{"id": "p",
  "boot": {"kernel": "http://192.0.2.9/k",
           "Kernel": "http://192.0.2.9/k"}}`,
    },
  })
  const found = lintDirectory(path, '').filter(({ code }) => code === 'PL-2005')
  t.strictSame(
    found.map(({ file, line, what }) => [file, line, what]),
    [
      ['groups/g.json', 4, '"Selector" is the same key as "selector"; both are merged, as in Matchbox'],
      ['groups/g.json', 5, '"ID" is the same key as "id"; the last one counts'],
      ['profiles/p.json', 3, '"Kernel" is the same key as "kernel"; the last one counts'],
    ],
  )
})

t.test('so is a key of an Ignition file, which the machine reads merged', async t => {
  const path = t.testdir({
    groups: { 'g.json': '{"id": "g", "profile": "p"}' },
    profiles: { 'p.json': '{"id": "p", "ignition_id": "n.ign"}' },
    ignition: {
      'n.ign': `{"ignition": {"version": "3.4.0"},
 "passwd": {"users": [{"name": "a"}]},
 "passwd": {"users": [{"uid": 5}]}}`,
    },
  })
  t.strictSame(
    lintDirectory(path, '').map(({ code, severity, file, line, what }) => [code, severity, file, line, what]),
    [['PL-2005', 'warning', 'ignition/n.ign', 3, '"passwd" is there twice; both are merged, as in Ignition']],
  )
})
