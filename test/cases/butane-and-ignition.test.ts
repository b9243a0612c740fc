// Public bug reports about Butane and Ignition configs: what lint says of each, and that the server does serve, or does not.

import t, { type Test } from 'tap'
import { lintDirectory } from '#server/boot/lint/directory.ts'
import { lintText } from '#server/boot/lint/findings.ts'
import { finds } from './finds.ts'

const HEAD = (version: string) => `variant: fcos\nversion: ${version}\n`

/** A disk whose root has no number, or the one that follows. */
const diskWith = (number: string) => `${HEAD('1.4.0')}storage:
  disks:
    - device: /dev/vda
      partitions:
        - {number: 3, label: boot, size_mib: 512, start_mib: 1}
        - label: root
          size_mib: 16384
${number}`

/** Files where folders may be wanted. */
const nodesAnd = (rest: string) => `${HEAD('1.5.0')}storage:
  files:
    - path: /etc/systemd/system
    - path: /srv/store
${rest}`

/** What lint says of a data directory with one profile and this config. */
function lintOf(t: Test, name: string, config: string): string[] {
  const folder = t.testdir({
    groups: { 'any.json': '{ "id": "any", "profile": "worker" }' },
    profiles: {
      'worker.json': JSON.stringify({
        id: 'worker',
        boot: {
          kernel: 'http://192.0.2.7/kernel',
          initrd: ['--name main http://192.0.2.7/initrd'],
          args: ['initrd=main'],
        },
        ignition_id: name,
      }),
    },
    ignition: { [name]: config },
  })
  return lintDirectory(folder).map(lintText)
}

t.test('butane-decimal-mode: a mode that lacks its leading zero is a warning, for every version', async t => {
  for (const version of [0, 1, 2, 3, 4, 5, 6, 7].map(minor => `1.${minor}.0`)) {
    const found = lintOf(
      t,
      'modes.yaml',
      `${HEAD(version)}storage:
  files:
    - path: /usr/local/bin/probe
      mode: 0755
    - path: /etc/probe.conf
      mode: 640
    - path: /etc/decimal.conf
      mode: 420
  directories:
    - {path: /srv/probe, mode: 750}
`,
    ).filter(text => text.includes('zero'))
    finds(
      t,
      found,
      [/^PL-2039 ignition\/modes\.yaml:8:13 warning: 640 .*\n {2}write/, /:12:32 warning: 750/],
      version,
    )
  }
})

t.test('butane-root-partition-number: a reserved label with another number is a warning', async t => {
  const [found = '', ...more] = lintOf(t, 'disk.bu', diskWith(''))
  t.match(found, /^PL-2039 ignition\/disk\.bu:8:18 warning: .*"root".*number 4/)
  t.strictSame(more, [])
  t.strictSame(lintOf(t, 'disk.bu', diskWith('          number: 4\n')), [])
})

t.test('ignition-file-below-a-file: what needs a folder where the config has a file is an error', async t => {
  finds(t, lintOf(t, 'tree.bu', nodesAnd('  directories: [{path: /srv/store/disk}]\n')), [
    /^PL-2032 ignition\/tree\.bu:7:24 error: .*\/srv\/store\/disk is below \/srv\/store, which is a file/,
  ])
  finds(t, lintOf(t, 'tree.bu', nodesAnd('  links: [{path: /srv/store/a, target: /b}]\n')), [/:7:18 error/])
  finds(t, lintOf(t, 'tree.bu', nodesAnd('systemd: {units: [{name: a.service, contents: "[Unit]"}]}\n')), [
    /:7:26 error: .*\/etc\/systemd\/system\/a\.service is below \/etc\/systemd\/system/,
  ])
  finds(
    t,
    lintOf(
      t,
      'tree.ign',
      '{"ignition":{"version":"3.2.0"},\n"storage":{"files":[{"path":"/a/b"},{"path":"/a"}]}}',
    ),
    [/^PL-2030 ignition\/tree\.ign:2:29 error: .*\/a\/b is below \/a/],
  )
})
