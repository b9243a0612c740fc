// Keys of an Ignition config that are there twice are merged as Go merges them. The expected values are what Matchbox v0.11.0
// serves; test/oracle compares thousands of made ones.

import t from 'tap'
import { checkIgnition } from '#server/formats/ignition/config.ts'
import { findingText } from '#server/formats/ignition/findings.ts'
import { plainIgnition, renderedIgnition } from '#server/boot/render/ignition.ts'

const config = (rest: string, version = '3.4.0') => `{"ignition":{"version":"${version}"},${rest}}`
const read = (rest: string, version?: string) => checkIgnition(config(rest, version)).good?.config

t.test('objects are merged, lists item by item, and null depends on the type', async t => {
  const rows: readonly (readonly [rest: string, key: 'passwd' | 'storage' | 'systemd', merged: unknown])[] = [
    [
      '"passwd":{"users":[{"name":"a"}]},"Passwd":{"users":[{"uid":5}]}',
      'passwd',
      { users: [{ name: 'a', uid: 5 }] },
    ],
    ['"passwd":{"users":[{"name":"a"}],"users":null}', 'passwd', {}],
    ['"passwd":{"users":[{"name":"a","uid":5,"uid":null}]}', 'passwd', { users: [{ name: 'a' }] }],
    ['"passwd":{"users":[{"name":"a","name":null}]}', 'passwd', { users: [{ name: 'a' }] }],
    ['"passwd":{"users":[{"name":"a"}]},"passwd":null', 'passwd', { users: [{ name: 'a' }] }],
    [
      '"passwd":{"users":[{"name":"a","groups":["x","y"],"groups":[null,"z"]}]}',
      'passwd',
      { users: [{ name: 'a', groups: ['x', 'z'] }] },
    ],
    ['"passwd":{"users":[{"name":"a"}],"users":[null]}', 'passwd', { users: [{ name: 'a' }] }],
    [
      '"passwd":{"users":[{"name":"a"},{"name":"b"}],"users":[{"uid":1}]}',
      'passwd',
      { users: [{ name: 'a', uid: 1 }] },
    ],
    // What a shorter list cut off is still there when a longer one follows, unless an empty one is between.
    [
      '"passwd":{"users":[{"name":"a"},{"name":"b"}],"users":[{}],"users":[{},{"uid":2}]}',
      'passwd',
      { users: [{ name: 'a' }, { name: 'b', uid: 2 }] },
    ],
    [
      '"passwd":{"users":[{"name":"a","uid":1}],"users":[],"users":[{"name":"c"}]}',
      'passwd',
      { users: [{ name: 'c' }] },
    ],
    [
      '"storage":{"files":[{"path":"/a","mode":420}]},"storage":{"files":[{"path":"/b"}]}',
      'storage',
      { files: [{ path: '/b', mode: 420 }] },
    ],
    [
      '"storage":{"files":[{"path":"/a","contents":{"source":"data:,a"},"contents":null}]}',
      'storage',
      { files: [{ path: '/a', contents: { source: 'data:,a' } }] },
    ],
    ['"\u017ftorage":{"files":[{"path":"/a"}]}', 'storage', { files: [{ path: '/a' }] }],
    [
      '"systemd":{"units":[{"name":"a.service","mask":true,"mask":false}]}',
      'systemd',
      { units: [{ name: 'a.service', mask: false }] },
    ],
  ]
  for (const [rest, key, merged] of rows) t.strictSame(read(rest)?.[key], merged, rest)
})

t.test(
  'null leaves the target of a link up to spec 3.2, where it cannot be absent, and removes it later',
  async t => {
    const rest = '"storage":{"links":[{"path":"/a","target":"/b","target":null}]}'
    t.strictSame(read(rest, '3.2.0')?.storage?.links, [{ path: '/a', target: '/b' }])
    t.match(checkIgnition(config(rest, '3.3.0')).findings, [
      { severity: 'warning' },
      { severity: 'error', message: /target/ },
    ])
  },
)

t.test('each key that is there again is a warning at its place', async t => {
  const text =
    '{"ignition": {"version": "3.4.0"},\n "passwd": {"users": [{"name": "a"}]},\n "PASSWD": {"users": [{"uid": 5, "uid": 6}],\n  "users": null}}'
  t.strictSame(checkIgnition(text).findings.map(findingText), [
    'line 3, column 2: PASSWD: this is read as "passwd", but not by every program: write it so',
    'line 3, column 2: PASSWD: "PASSWD" is the same key as "passwd"; both are merged, as in Ignition',
    'line 3, column 34: PASSWD.users[0].uid: "uid" is there twice; the last one counts',
    'line 4, column 3: PASSWD.users: "users" is there twice; null removes what was there',
  ])
})

t.test('what is wrong with a merged item is placed where it was written', async t => {
  const text =
    '{"ignition":{"version":"3.4.0"},\n"storage":{"files":[{"path":"a"}]},\n"storage":{"files":[{"mode":420}]}}'
  const [, error] = checkIgnition(text).findings
  t.match(error, { severity: 'error', line: 2, column: 29, message: /is relative/ })
})

t.test('a template of ours keeps repeated keys and long integers, which JSON.parse would lose', async t => {
  const rest = '"passwd": {"users": [ {"name": "a b"} ]}, "passwd": {"users": [{"uid": 9007199254740993}]}'
  t.equal(
    renderedIgnition('a.ign.njk', config(rest)),
    '{"ignition":{"version":"3.4.0"},"passwd":{"users":[{"name":"a b"}]},"passwd":{"users":[{"uid":9007199254740993}]}}',
  )
})

t.test('an integer of 64 bits is served as it was written', async t => {
  for (const uid of ['9223372036854775807', '-9223372036854775808', '9007199254740993', '5']) {
    t.match(plainIgnition('a.ign', config(`"passwd":{"users":[{"name":"a","uid":${uid}}]}`)), `"uid":${uid}}`)
  }
  t.throws(
    () => plainIgnition('a.ign', config('"passwd":{"users":[{"name":"a","uid":9223372036854775808}]}')),
    {
      code: 'INVALID_IGNITION',
    },
  )
  const huge = '9223372036854775807'
  const disks = `[{"device":"/dev/a","partitions":[{"number":1,"startMiB":${huge},"sizeMiB":${huge}},{"number":${huge},"startMiB":5,"sizeMiB":5}]}]`
  const rest = `"storage":{"disks":${disks},"files":[{"path":"/a","mode":${huge}}],"raid":[{"name":"r","level":"raid1","devices":["/dev/b"],"spares":${huge}}]}`
  t.match(checkIgnition(config(rest)).findings, [{ message: new RegExp(huge) }])
})
