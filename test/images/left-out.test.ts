// Which files go with the packages that no layer needs, from dpkg's own lists.

import { join } from 'node:path'

import t from 'tap'

import { unwantedFiles } from '#images/left-out.ts'

const list = (...paths: readonly string[]) => `/.\n${paths.join('\n')}\n`

t.test('files and folders of unwanted packages go, those that others share stay', async t => {
  const directory = t.testdir({
    above: {
      'var/lib/dpkg/info': {
        'nodejs.list': list(
          '/usr',
          '/usr/bin',
          '/usr/bin/node',
          '/usr/share/nodejs',
          '/usr/share/nodejs/a.js',
        ),
        'nodejs.md5sums': 'not a list',
        'libnode108:amd64.list': list('/usr', '/usr/lib', '/usr/lib/libnode.so'),
        'udev.list': list('/lib', '/lib/udev', '/lib/udev/ata_id', '/etc', '/etc/shared'),
        'nova-api.list': list(
          '/usr',
          '/usr/bin',
          '/usr/bin/nova-api',
          '/usr/lib',
          '/lib',
          '/etc',
          '/etc/shared',
        ),
      },
    },
    below: { 'var/lib/dpkg/info': { 'kmod.list': list('/usr', '/usr/lib', '/usr/lib/udev') } },
  })
  const roots = [join(directory, 'above'), join(directory, 'below')]
  t.strictSame(await unwantedFiles(roots, ['nodejs', 'libnode*', 'udev']), [
    '/usr/bin/node',
    '/usr/lib/libnode.so',
    '/usr/lib/udev/ata_id',
    '/usr/share/nodejs',
    '/usr/share/nodejs/a.js',
  ])
})

t.test('a pattern names whole packages, and a dot only a dot', async t => {
  const directory = t.testdir({
    'var/lib/dpkg/info': { 'pci.ids.list': '/a\n', 'pcixids.list': '/b\n', 'my-node-x.list': '/c\n' },
  })
  t.strictSame(await unwantedFiles([directory], ['pci.ids', 'node-*']), ['/a'])
})
