// Configs that people write, nearly write, and never would: made by fast-check from a seed, so that a number names each.

import fc, { type Arbitrary } from 'fast-check'
import type { Question } from './judge.ts'

/** A value before it is text: scalars are as written in YAML; JSON has its own for those that differ. */
type Tree =
  | { readonly map: readonly (readonly [key: string, value: Tree])[] }
  | { readonly list: readonly Tree[] }
  | { readonly yaml: string; readonly json: string }

/** How often something odd is chosen, of 100. */
type Oddness = 0 | 3 | 20

function raw(text: string): Tree {
  return { yaml: text, json: jsonOf(text) }
}

/** Everything that a config is made of, at one oddness. */
function builders(oddness: Oddness) {
  const oddly = fc.integer({ min: 0, max: 99 }).map(at => at < oddness)
  /** One of the good values; sometimes one of the odd ones. */
  const one = (good: readonly string[], odd: readonly string[] = []): Arbitrary<Tree> =>
    oddly.chain(isOdd => fc.constantFrom(...(isOdd ? [...odd, ...ODD_SCALARS] : good)).map(text => raw(text)))
  const text = one
  const flag = one(
    ['true', 'false', 'true'],
    ['yes', 'no', 'on', 'y', 'True', 'FALSE', '"true"', '1', 'tRue'],
  )
  const list = (item: Arbitrary<Tree>, most = 3): Arbitrary<Tree> =>
    oddly.chain(isOdd =>
      isOdd
        ? fc.oneof(item, fc.constant(raw('null')), fc.constant<Tree>({ list: [] }), fc.constant(raw('""')))
        : fc
            .uniqueArray(item, { minLength: 1, maxLength: most, selector: keyOf })
            .map(items => ({ list: items })),
    )
  /** A map of these fields; those with `!` are rarely left out, the others often. */
  const map = (fields: Readonly<Record<string, Arbitrary<Tree>>>): Arbitrary<Tree> =>
    oddly.chain(isOdd => {
      const kept = Object.entries(fields).map(([name, value]) =>
        fc.tuple(fc.integer({ min: 0, max: 99 }), value).map(([at, tree]): [string, Tree][] => {
          const [key = ''] = name.split('!')
          const isKept = at < (name.endsWith('!') ? 100 - oddness / 2 : 40)
          return isKept ? [[key, tree]] : []
        }),
      )
      const whole = fc.tuple(...kept).map(members => members.flat())
      if (!isOdd) return whole.map(members => ({ map: members }))
      return fc
        .tuple(whole, fc.constantFrom(...ODD_KEYS), fc.integer({ min: 0, max: 3 }))
        .map(([members, key, how]): Tree => {
          if (how === 0) return { map: members.toReversed() }
          if (how === 1) return raw('null')
          return { map: [...members, [key, raw('x')]] }
        })
    })
  return { one, text, flag, list, map }
}

/** What tells the items of a list apart: themselves, or their first field. */
function keyOf(tree: Tree): string {
  return JSON.stringify('map' in tree ? tree.map[0] : tree)
}

/** Scalars of every kind, for any place. */
const ODD_SCALARS = [
  '""',
  'null',
  '~',
  '0',
  '-1',
  '12',
  '1.5',
  '0x1f',
  '1e3',
  'true',
  'no',
  '"a b"',
  "'it''s'",
  '2001-01-01',
  '!!str 12',
  '"\\u00e4"',
  '1_000',
  '.inf',
  '0o17',
  '08',
  '[]',
  '{}',
  '=',
  '<<',
]
const ODD_KEYS = [
  'unknown',
  'Path',
  'contents',
  'mode',
  'name',
  'filesystem',
  'user',
  'with_mount_unit',
  'enable',
  'trees',
  '<<',
  'null',
  '1',
  'size',
  'inline',
  'wipe_table',
  'append',
  'selinux',
  'quadlets',
  'parent',
  'metadata',
  'openshift',
]

const PATHS = [
  '/etc/a',
  '/etc/b.conf',
  '/opt/tool',
  '/var/lib/x',
  '/srv/x',
  '/etc/systemd/system/a.service',
  '/home/core/.bashrc',
  '/usr/local/bin/x',
  '/etc/hostname',
  '/boot/x',
]
const ODD_PATHS = [
  '/etc/a/b',
  'etc/a',
  '/etc/a/',
  '/etc//a',
  '/etc/../a',
  '/',
  '.',
  '/etc/a/b/c',
  '/etc/systemd/system',
  '/etc/systemd/system/a.service.d/10.conf',
  '"/with space"',
  '/ä',
]
const MODES = ['0644', '0755', '420', '0600', '493', '0o644', '01777', '0440', '384', '04755']
const ODD_MODES = [
  '644',
  '755',
  '600',
  '777',
  '1777',
  '"0644"',
  '010000',
  '4755',
  '2755',
  '-1',
  '0o7777',
  '4096',
  '0x1ff',
  '0b111',
  '07778',
  '400',
  '500',
  '0.5',
  '1e2',
  '0644.0',
]
const DEVICES = [
  '/dev/sda',
  '/dev/vda',
  '/dev/disk/by-id/coreos-boot-disk',
  '/dev/disk/by-partlabel/var',
  '/dev/mapper/data',
  '/dev/md/md-root',
  '/dev/sdb',
  '/dev/nvme0n1',
]
const URLS = [
  'http://192.0.2.1/f',
  '"https://example.com/f?a=b"',
  's3://bucket/key',
  'tftp://192.0.2.1/f',
  '"data:,hello"',
  '"data:;base64,aGVsbG8="',
  'gs://bucket/o',
  '"arn:aws:s3:::bucket/key"',
  '"data:text/plain;charset=utf-8,a%20b"',
  '"s3://bucket/key?versionId=1"',
]
const ODD_URLS = [
  'ftp://h/f',
  'h/f',
  '"http://[::1"',
  '"data:,a b"',
  '"data:;base64,a"',
  '"s3://b/k?versionId="',
  '"arn:aws:s3:::bucket"',
  '"arn:aws:ec2:::a/b"',
  '"arn:aws:s3:::accesspoint/x"',
  '"arn:aws:s3:us-east-1:1:accesspoint/x/y"',
  'oem:///x',
  '"http://h/%zz"',
  '" http://h"',
  '"HTTP://H/"',
  '"http://h:a/"',
  '"https:"',
  '"data:foo/bar,x"',
  '"data:;base64;a=b,aGk="',
  '"data:text/plain,"',
  '"s3:///k"',
  '"s3://b/k?versionId=%zz"',
  '"arn:aws:s3:::b/k?versionId="',
  '"gs:"',
  '"//h/p"',
  '":"',
  '"http://u:p@h/"',
  '"http://h/ "',
  '"data:,%C3%A4"',
  '"data:;charset=\\"a\\",x"',
]
const UNITS = [
  '"[Unit]\\nDescription=a\\n[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n"',
  '"[Service]\\nExecStart=/bin/true\\n"',
  '"[Install]\\nWantedBy=a"',
]
const ODD_UNITS = [
  '"[Service"',
  '"a"',
  '"[Service]\\nbad"',
  '"[Install]"',
  '"# only a comment"',
  '"[A]\\nb=\\\\\\n c\\n[Install]\\nx=y"',
  '"=a"',
  '"[A]\\n=b"',
  '"[Unit] # x"',
  '"[]\\na=b"',
  '"[A]\\nb"',
  '";[\\n[A]\\nb=c"',
  '"\\ufeff[A]\\nb=c"',
  '"[A]\\n\\tb=c"',
  '"[A]b=c"',
  '"[Install]\\n#WantedBy=x"',
  '"[ Install ]\\na=b"',
  '"\\r\\n[A]\\r\\nb=c\\\\\\r\\nd"',
]
const FORMATS = ['ext4', 'xfs', 'btrfs', 'vfat', 'swap']
const HASHES = [`sha512-${'a'.repeat(128)}`, `sha256-${'b'.repeat(64)}`]
const ODD_HASHES = [
  'sha512-ab',
  'md5-abc',
  'sha256',
  `sha256-${'g'.repeat(64)}`,
  'SHA256-abc',
  `sha512-${'ä'.repeat(64)}`,
]

/** What the two languages share, with Butane's names or Ignition's. */
function configOf(oddness: Oddness, isButane: boolean, spec: number): Arbitrary<Tree> {
  const { one, text, flag, list, map } = builders(oddness)
  const n = (name: string) => (isButane ? snake(name) : name)
  const named = (fields: Readonly<Record<string, Arbitrary<Tree>>>) =>
    map(Object.fromEntries(Object.entries(fields).map(([name, value]) => [n(name), value])))
  const sugar = <T>(fields: T): T | Record<string, never> => (isButane ? fields : {})
  const since = <T>(first: number, fields: T): T | Record<string, never> =>
    spec >= first || oddness > 0 ? fields : {}
  const path = one(PATHS, ODD_PATHS)
  const owner = map({
    id: one(['0', '1000', '500'], ['-1', '1e3', '"5"']),
    name: text(['core', 'root', '"dnsmasq"']),
  })
  const ownerOnce = fc.oneof(
    map({ 'id!': one(['0', '1000']) }),
    map({ 'name!': text(['core', 'root']) }),
    ...(oddness > 0 ? [owner] : []),
  )
  const headers = list(
    map({ 'name!': text(['X-A', 'Authorization', 'B']), 'value!': text(['v', '"Basic x"'], ['""']) }),
  )
  const verification = map({ 'hash!': text(HASHES, ODD_HASHES) })
  const remote = named({
    'source!': text(URLS, ODD_URLS),
    verification: verification,
    ...since(1, { compression: text(['gzip', '""'], ['xz', 'GZIP']) }),
  })
  const remoteWithHeaders = named({
    'source!': text(URLS.slice(0, 2), URLS),
    ...since(1, { httpHeaders: headers }),
  })
  const inline = map({
    'inline!': text([
      'hello',
      '"a\\nb\\n"',
      '"#!/bin/sh"',
      `"${'same '.repeat(60)}"`,
      '12',
      'yes',
      '"\\u00e4"',
    ]),
    compression: one(['""', 'gzip']),
  })
  const local = map({
    'local!': text(
      ['motd.txt', 'a.service', 'big.txt'],
      ['none.txt', '../motd.txt', 'tree', '/motd.txt', './motd.txt'],
    ),
  })
  const resource: Arbitrary<Tree> = fc.oneof(
    remote,
    remoteWithHeaders,
    ...(isButane ? [inline, inline, ...(spec >= 1 ? [local] : [])] : []),
    ...(oddness > 0
      ? [map({ source: text(URLS), ...sugar({ inline: text(['x']), local: text(['motd.txt']) }) })]
      : []),
  )
  const innerConfig = text(
    [3, 4, spec].map(minor => `'{"ignition": {"version": "3.${minor}.0"}}'`),
    [
      `'{"ignition": {"version": "3.${spec}.0"}, "storage": {"files": [{"path": "x"}]}}'`,
      `'{"ignition": {"version": "3.${spec}.0"}, "x": 1}'`,
      `'{"ignition": {"version": "2.3.0"}}'`,
      `'{"ignition": {}}'`,
      `'{'`,
      `'{"ignition": {"version": 3}}'`,
      `'{"ignition": {"version": "x"}}'`,
    ],
  )
  const reference = fc.oneof(remote, ...(isButane && spec >= 1 ? [map({ 'inline!': innerConfig })] : []))
  const partition = named({
    'label!': text(
      ['root', 'var', 'data', 'boot', 'a'],
      ['EFI-SYSTEM', 'BIOS-BOOT', 'PowerPC-PReP-boot', '"a:b"', `"${'l'.repeat(37)}"`, '""', 'root-1'],
    ),
    number: one(['0', '1', '2', '3', '4', '5'], ['-1', '130']),
    sizeMiB: one(['0', '512', '8192', '20000', '4096'], ['-5', '8191']),
    startMiB: one(['0', '1', '600', '9000'], ['-5']),
    typeGuid: text(
      ['0FC63DAF-8483-4772-8E79-3D69D8477DE4', '""'],
      ['linux', '0fc63daf-8483-4772-8e79-3d69d8477de4 '],
    ),
    guid: text(['""', '0FC63DAF-8483-4772-8E79-3D69D8477DE4'], ['x']),
    wipePartitionEntry: flag,
    shouldExist: one(['true', 'true', 'false']),
    ...since(2, { resize: flag }),
  })
  const disk = named({ 'device!': text(DEVICES, ODD_PATHS), wipeTable: flag, partitions: list(partition, 4) })
  const filesystem = named({
    'device!': text(DEVICES, ODD_PATHS),
    'format!': text(FORMATS, ['none', 'zfs', 'EXT4']),
    path: text(['/var', '/var/lib/x', '/srv', '/etc/x', '/'], ODD_PATHS),
    label: text(
      ['root', 'data', 'a'],
      ['"12345678901"', '"123456789012"', '"1234567890123"', '"12345678901234567"'],
    ),
    uuid: text(['9aa6237a-ab6b-458b-a7e8-f25e2baef1a3', 'x']),
    wipeFilesystem: flag,
    options: list(text(['-L', '-m', '"0"'])),
    ...since(1, { mountOptions: list(text(['noatime', 'ro', 'noatime'])) }),
    ...sugar(since(1, { withMountUnit: flag })),
  })
  const raid = named({
    'name!': text(['data', 'md-root', 'x'], ['a/b']),
    'level!': text(['raid1', 'raid0', 'raid5', '"10"', 'stripe'], ['linear', 'raid7', '1', '5']),
    'devices!': list(text(['/dev/sda', '/dev/sdb', '/dev/sdc', '/dev/disk/by-partlabel/a'], ODD_PATHS), 4),
    spares: one(['0', '1'], ['-1']),
    options: list(text(['--metadata=1.0'])),
  })
  const tang = map({
    'url!': text(['http://t', 'https://t2/x', 'http://t3'], ['ftp://t', '"t"', '"http://[x"']),
    'thumbprint!': text(['abc', '"x-y"'], ['""']),
    ...since(4, {
      advertisement: text([`'{"payload": "x"}'`, '"1"'], ['"{"', '"x"', '""', '"[1,]"', '" 1 "', '"01"']),
    }),
  })
  const clevis = named({
    tpm2: flag,
    tang: list(tang),
    threshold: one(['1', '2', '0']),
    ...(oddness > 0
      ? {
          custom: named({
            'pin!': text(['tpm2', 'tang', 'sss'], ['other', '""']),
            'config!': text(["'{}'", 'c'], ['""']),
            needsNetwork: flag,
          }),
        }
      : {}),
  })
  const luks = named({
    'name!': text(['data', 'root', 'x'], ['a/b', '""']),
    'device!': text(DEVICES, ODD_PATHS),
    label: text(['luks-root', 'l'], [`"${'l'.repeat(48)}"`]),
    keyFile: resource,
    clevis: clevis,
    wipeVolume: flag,
    options: list(text(['--cipher', 'x'])),
    uuid: text(['x']),
    ...since(4, { discard: flag, openOptions: list(text(['--a', '--b', '--a'])) }),
    ...since(5, { cex: map({ 'enabled!': flag }) }),
  })
  const node = { 'path!': path, user: ownerOnce, group: ownerOnce }
  const storage = named({
    'files!': list(
      map({
        ...node,
        mode: one(MODES, ODD_MODES),
        'contents!': resource,
        append: oddness > 0 ? list(resource) : list(resource, 1),
        overwrite: flag,
      }),
      4,
    ),
    directories: list(map({ ...node, mode: one(MODES, ODD_MODES), overwrite: flag })),
    links: list(
      map({
        ...node,
        'target!': text(['/etc/a', '../b', '/opt', '/etc/systemd/system/a.service'], ['""', '/etc/a/']),
        hard: flag,
        overwrite: flag,
      }),
    ),
    disks: list(disk, 2),
    filesystems: list(filesystem),
    raid: list(raid, 2),
    ...since(2, { luks: list(luks, 2) }),
    ...sugar(
      since(1, {
        trees: list(
          named({
            'local!': text(['tree', 'tree/etc'], ['keys', 'none', '..', '""', './tree/', '.']),
            path: text(['/srv', '/opt/x', '/'], ODD_PATHS),
            ...since(6, {
              user: ownerOnce,
              group: ownerOnce,
              fileMode: one(MODES, ODD_MODES),
              dirMode: one(MODES, ODD_MODES),
            }),
          }),
          2,
        ),
      }),
    ),
  })
  const unitText = text(UNITS, ODD_UNITS)
  const dropin = named({
    'name!': text(['10-a.conf', 'b.conf'], ['a', 'a.CONF', '.conf', '"x/y.conf"']),
    'contents!': unitText,
    ...sugar(since(4, { contentsLocal: text(['a.service'], ['none', '""', 'motd.txt']) })),
  })
  const systemd = named({
    'units!': list(
      named({
        'name!': text(
          [
            'a.service',
            'b.timer',
            'getty@tty1.service',
            'getty@.service',
            'var-lib-x.mount',
            'docker.socket',
          ],
          ['a', 'a.conf', '""', '"a/b.service"', 'a.service.d', '@.service', 'x@y@z.service'],
        ),
        enabled: flag,
        mask: flag,
        contents: unitText,
        dropins: list(dropin, 2),
        ...sugar(since(4, { contentsLocal: text(['a.service'], ['none', '""', 'big.txt']) })),
      }),
      4,
    ),
  })
  const passwd = named({
    users: list(
      named({
        'name!': text(['core', 'admin', 'x'], ['""', '12', 'yes']),
        sshAuthorizedKeys: list(text(['"ssh-ed25519 AAAA a"', '"ssh-rsa BBBB"', 'key'])),
        passwordHash: text(['"$6$a$b"', '""', '"*"']),
        groups: list(text(['wheel', 'sudo', 'docker', 'wheel'])),
        uid: one(['1000', '0'], ['-1', '"1000"', '99999999999999999999', '1.0']),
        homeDir: text(['/home/core', 'x']),
        noCreateHome: flag,
        noUserGroup: flag,
        noLogInit: flag,
        shell: text(['/bin/bash']),
        gecos: text(['"A B"']),
        primaryGroup: text(['wheel']),
        system: flag,
        ...since(2, { shouldExist: flag }),
        ...sugar(since(4, { sshAuthorizedKeysLocal: list(text(['keys'], ['none', '../x']), 2) })),
      }),
    ),
    groups: list(
      named({
        'name!': text(['a', 'b', 'wheel']),
        gid: one(['500', '501']),
        system: flag,
        passwordHash: text(['x']),
        ...since(2, { shouldExist: flag }),
      }),
    ),
  })
  const args = list(text(['quiet', 'console=ttyS0', '"a=b c"', 'mitigations=auto,nosmt', 'quiet']))
  const ignition = named({
    config: fc.oneof(map({ merge: list(reference) }), map({ replace: reference })),
    timeouts: named({ httpResponseHeaders: one(['10', '0'], ['"10"', '1.5']), httpTotal: one(['60']) }),
    security: map({
      tls: named({ certificateAuthorities: list(oddness > 0 ? fc.oneof(resource, reference) : remote) }),
    }),
    ...since(1, {
      proxy: named({
        httpProxy: text(['http://p:1', 'https://p'], ['ftp://p', 'p']),
        httpsProxy: text(['https://p', 'http://p'], ['""']),
        noProxy: list(text(['a', 'b', '"10.0.0.0/8"'])),
      }),
    }),
  })
  const sections = {
    storage,
    systemd,
    passwd,
    ...since(3, { kernelArguments: named({ shouldExist: args, shouldNotExist: args }) }),
  }
  return isButane
    ? named({ ...sections, ignition })
    : named(sections).chain(rest =>
        fc.tuple(fc.option(ignition), fc.constant(rest)).map(([own, whole]): Tree => {
          if (!('map' in whole)) return whole
          const members = own !== null && 'map' in own ? own.map : []
          const head: Tree = { map: [['version', { yaml: '', json: `"3.${spec}.0"` }], ...members] }
          return { map: [['ignition', head], ...whole.map] }
        }),
      )
}

/** What fcos has beside: the boot device and GRUB. */
function fcosOf(oddness: Oddness, fcos: number): Arbitrary<Tree> {
  const { one, text, flag, list, map } = builders(oddness)
  const tang = map({ 'url!': text(['http://t', 'https://u'], ['ftp://t']), 'thumbprint!': text(['x', 'y']) })
  const layouts = ['x86_64', 'x86_64', 'aarch64', 'ppc64le']
  return map({
    boot_device: map({
      'layout!': text(layouts, ['s390x-eckd', 's390x-zfcp', 's390x-virt', 'arm', 'x86-64']),
      mirror: map({ 'devices!': list(text(['/dev/sda', '/dev/sdb', '/dev/vda'], ['sda', '/dev/sda/']), 3) }),
      luks: map({
        tpm2: flag,
        tang: list(tang, 2),
        threshold: one(['1', '2']),
        ...(fcos >= 5 || oddness > 0 ? { discard: flag } : {}),
        ...(fcos >= 6 || oddness > 0
          ? { cex: map({ 'enabled!': flag }), device: text(['/dev/dasda', '/dev/sda'], ['x']) }
          : {}),
      }),
    }),
    ...(fcos >= 5 || oddness > 0
      ? {
          grub: map({
            'users!': list(
              map({
                'name!': text(['root', 'b'], ['""']),
                'password_hash!': text(['grub.pbkdf2.x'], ['""']),
              }),
              2,
            ),
          }),
        }
      : {}),
  })
}

/** Variant, version, spec and fcos's minor version. */
const VARIANTS: readonly (readonly [variant: string, version: string, spec: number, fcos?: number])[] = [
  ['fcos', '1.0.0', 0, 0],
  ['fcos', '1.1.0', 1, 1],
  ['fcos', '1.2.0', 2, 2],
  ['fcos', '1.3.0', 2, 3],
  ['fcos', '1.4.0', 3, 4],
  ['fcos', '1.5.0', 4, 5],
  ['fcos', '1.6.0', 5, 6],
  ['fcos', '1.7.0', 6, 7],
  ['flatcar', '1.0.0', 3],
  ['flatcar', '1.1.0', 4],
  ['r4e', '1.0.0', 3],
  ['r4e', '1.1.0', 4],
  ['fiot', '1.0.0', 4],
]
const ODD_HEADS = [
  'variant: fcos\n',
  'version: 1.5.0\n',
  'variant: fcos\nversion: 1.5\n',
  'variant: fcos\nversion: "1.05.0"\n',
  'variant: FCOS\nversion: 1.5.0\n',
  'variant: cider\nversion: 1.0.0\n',
  'variant: rhcos\nversion: 0.1.0\n',
  'variant: fcos\nversion: 1.9.0\n',
  'variant: flatcar\nversion: 1.5.0\n',
  'variant: [fcos]\nversion: 1.5.0\n',
  'Variant: fcos\nversion: 1.5.0\n',
  'variant: fcos\nversion: 1.5.0+x\n',
  'variant: fcos\nversion: v1.5.0\n',
  'variant: fcos\nversion: null\n',
  '',
]

const DIRECTIVES = [
  '%YAML 1.1',
  '%YAML 01.1',
  '%YAML 1.01',
  '%YAML 1.1#c',
  '%YAML 1.2',
  '%YAML 1.1\n%YAML 1.1',
  '%TAG !e! tag:x,2000:',
  '%TAG !e! tag:x,2000:\n%TAG !e! tag:y:',
  '%TAG !e x',
  '%FOO',
]

/** Makes the text another: what editors, templates and copying do to it. Most leave it as it is. */
function mutated(text: string, isButane: boolean): Arbitrary<string> {
  const lines = text.split('\n')
  const at = fc.integer({ min: 0, max: Math.max(lines.length - 1, 0) })
  const withLine = (change: (line: string) => readonly string[]) =>
    at.map(index => lines.flatMap((line, other) => (other === index ? change(line) : [line])).join('\n'))
  const place = fc.integer({ min: 0, max: Math.max(text.length - 1, 0) })
  const both: Arbitrary<string>[] = [
    fc.constant(text.replaceAll('\n', '\r\n')),
    fc.constant(`\uFEFF${text}`),
    withLine(() => []),
    withLine(line => [line, line]),
    withLine(line => [`  ${line}`]),
    withLine(line => [line.replace(/^ {2}/, '')]),
    place.map(index => text.slice(0, index)),
    place.map(index => text.slice(0, index) + text.slice(index + 1)),
    fc
      .tuple(
        place,
        fc.constantFrom(
          '"',
          ':',
          '{',
          '}',
          '[',
          ']',
          ',',
          '-',
          ' ',
          '#',
          '\t',
          '&',
          '*',
          '!',
          '|',
          '>',
          '%',
          '@',
          '`',
          "'",
          '\\',
          '\u0000',
          '\u0085',
          '\u2028',
          'ä',
        ),
      )
      .map(([index, mark]) => text.slice(0, index) + mark + text.slice(index)),
  ]
  if (!isButane) return fc.oneof(...both)
  const word = /(?<=: )[\w./-]+/g
  const words = [...text.matchAll(word)]
  const replaced = fc
    .tuple(
      fc.nat(),
      fc.constantFrom(
        ...ODD_SCALARS,
        '&a x',
        '*a',
        '|\n  x',
        '>-\n    x',
        '"unended',
        '! x',
        '!!int 12',
        '!!float 1',
        '!!bool yes',
        '!!null ""',
        '!!null x',
        '!!int "12"',
        '!!int 1.5',
        '!!bool "yes"',
        '!!float "3"',
        '9223372036854775807',
        '9223372036854775808',
        '"a\\/b"',
        '"it\\\'s"',
        '"\\ud83d\\ude00"',
        '"a\n\n b"',
        "'a\n b'",
        '!x y',
        '? a',
        '- a',
      ),
    )
    .map(([nat, other]) => {
      const found = words[nat % Math.max(words.length, 1)]
      return found === undefined
        ? text
        : text.slice(0, found.index) + other + text.slice(found.index + found[0].length)
    })
  return fc.oneof(
    ...both,
    replaced,
    replaced,
    fc.constant(text.replaceAll('  ', '\t')),
    withLine(line => [line.replace(/: /, ':')]),
    withLine(line => [line.replace(/$/, ' # a comment')]),
    fc.constant(`---\n${text}`),
    fc.constant(`%YAML 1.1\n---\n${text}...\n`),
    fc.constant(`${text}---\nvariant: other\n`),
    fc.tuple(fc.constantFrom(...DIRECTIVES), fc.integer({ min: 0, max: 4 })).map(([directive, how]) => {
      if (how === 0) return `${text}${directive}\n`
      if (how === 1) return `${text}...\n${directive}\n`
      return how === 2 ? `${directive}\n${text}` : `${directive}\n---\n${text}`
    }),
    fc
      .constantFrom('\t', ' \t', '\t# a comment', '            \t')
      .chain(tab => withLine(line => [line, tab])),
    fc.constant(`# a comment\n\n${text}`),
  )
}

/** Styles of writing a tree as YAML. */
type Style = { readonly flowFrom: number; readonly indentLists: boolean; readonly quoteKeys: boolean }

function yamlOf(tree: Tree, style: Style, depth = 0, indent = ''): string {
  if ('yaml' in tree) return ` ${tree.yaml}\n`
  if (depth >= style.flowFrom) return ` ${flowOf(tree)}\n`
  if ('map' in tree) {
    if (tree.map.length === 0) return ' {}\n'
    const lines = tree.map.map(([key, value]) => {
      const name = style.quoteKeys ? `"${key}"` : key
      return `${indent}${name}:${yamlOf(value, style, depth + 1, indent + ('list' in value && !style.indentLists ? '' : '  '))}`
    })
    return `\n${lines.join('')}`
  }
  if (tree.list.length === 0) return ' []\n'
  return `\n${tree.list
    .map(item => {
      const text = yamlOf(item, style, depth + 1, `${indent}  `)
      return text.startsWith('\n') ? `${indent}- ${text.slice(1).trimStart()}` : `${indent}-${text}`
    })
    .join('')}`
}

function flowOf(tree: Tree): string {
  if ('yaml' in tree) return tree.yaml
  if ('list' in tree) return `[${tree.list.map(flowOf).join(', ')}]`
  return `{${tree.map.map(([key, value]) => `${key}: ${flowOf(value)}`).join(', ')}}`
}

function jsonOf(yaml: string): string {
  if (yaml.startsWith('"')) return yaml
  if (/^'.*'$/.test(yaml)) return JSON.stringify(yaml.slice(1, -1).replaceAll("''", "'"))
  if (/^(?:true|false|null|\[\]|\{\}|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e\d+)?)$/.test(yaml)) return yaml
  if (/^0[0-7]+$/.test(yaml)) return String(Number.parseInt(yaml, 8))
  if (yaml === '~') return 'null'
  return JSON.stringify(yaml)
}

/** A tree some of whose objects have a key twice: the same value again, a part of it, another member's, null or nothing. */
function repeating(tree: Tree): Arbitrary<Tree> {
  return fc
    .array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 9 })), { minLength: 1, maxLength: 4 })
    .map(choices => choices.reduce(repeated, tree))
}

function repeated(tree: Tree, [at, other, how]: readonly [at: number, other: number, how: number]): Tree {
  const objects = objectsOf(tree).filter(members => members.length > 0)
  const chosen = objects[at % Math.max(objects.length, 1)]
  if (chosen === undefined) return tree
  const [key, value] = chosen[other % chosen.length]!
  const again = how < 2 && 'map' in value ? { map: value.map.slice(other % 2) } : AGAIN[how]?.(value)
  const name = how % 3 === 1 ? key.replace(/^./, letter => letter.toUpperCase()) : key
  const added = [how === 8 ? key.replaceAll('s', '\u017f') : name, again ?? value] as const
  return withMember(tree, chosen, added)
}

/** The value that a key has the second time. */
const AGAIN: readonly (((value: Tree) => Tree) | undefined)[] = [
  undefined,
  undefined,
  () => raw('null'),
  value => ('list' in value ? { list: [] } : value),
  value => ('list' in value ? { list: value.list.map(() => raw('null')) } : value),
  value => ('list' in value ? { list: value.list.toReversed() } : raw('"x"')),
  value => ('list' in value ? { list: value.list.map(item => partOf(item)) } : raw('7')),
  value => ('list' in value ? { list: [...value.list, ...value.list.slice(0, 1)] } : raw('{}')),
]

/** An object without its first member. */
function partOf(tree: Tree): Tree {
  return 'map' in tree ? { map: tree.map.slice(1) } : tree
}

type Members = readonly (readonly [key: string, value: Tree])[]

function objectsOf(tree: Tree): readonly Members[] {
  if ('list' in tree) return tree.list.flatMap(objectsOf)
  return 'map' in tree ? [tree.map, ...tree.map.flatMap(([, value]) => objectsOf(value))] : []
}

/** The tree with one member more in the object of these members: at the end, so that the first comes before. */
function withMember(tree: Tree, members: Members, added: Members[number]): Tree {
  if ('list' in tree) return { list: tree.list.map(item => withMember(item, members, added)) }
  if (!('map' in tree)) return tree
  const below = tree.map.map(([key, value]) => [key, withMember(value, members, added)] as const)
  return { map: tree.map === members ? [...below, added] : below }
}

function jsonText(tree: Tree, isPretty: boolean): string {
  const compact = (value: Tree): string => {
    if ('json' in value) return value.json
    if ('list' in value) return `[${value.list.map(compact).join(',')}]`
    return `{${value.map.map(([key, item]) => `${JSON.stringify(key)}:${compact(item)}`).join(',')}}`
  }
  const pretty = (value: Tree, indent: string): string => {
    const inner = `${indent}  `
    if ('json' in value) return value.json
    if ('list' in value) {
      if (value.list.length === 0) return '[]'
      return `[\n${value.list.map(item => inner + pretty(item, inner)).join(',\n')}\n${indent}]`
    }
    if (value.map.length === 0) return '{}'
    const lines = value.map.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${pretty(item, inner)}`)
    return `{\n${lines.join(',\n')}\n${indent}}`
  }
  return isPretty ? pretty(tree, '') : compact(tree)
}

function snake(name: string): string {
  return name.replace('MiB', '_mib').replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

function butaneOf(oddness: Oddness, filesDir: string): Arbitrary<Question> {
  return fc.constantFrom(...VARIANTS).chain(([variant, version, spec, fcos]) =>
    fc
      .record({
        body: configOf(oddness, true, spec),
        own: fcos === undefined || fcos < 3 ? fc.constant<Tree>({ map: [] }) : fcosOf(oddness, fcos),
        style: fc.record({
          flowFrom: fc.constantFrom(9, 9, 3, 5),
          indentLists: fc.boolean(),
          quoteKeys: fc.constantFrom(false, false, false, true),
        }),
        head: fc.integer({ min: 0, max: 99 }),
        oddHead: fc.constantFrom(...ODD_HEADS),
      })
      .map(({ body, own, style, head, oddHead }) => {
        const tree: Tree = 'map' in body && 'map' in own ? { map: [...body.map, ...own.map] } : body
        const start = head < oddness / 4 ? oddHead : `variant: ${variant}\nversion: ${version}\n`
        return { butane: true, text: start + yamlOf(tree, style).trimStart(), filesDir }
      }),
  )
}

function ignitionOf(oddness: Oddness): Arbitrary<Question> {
  return fc.integer({ min: 0, max: 6 }).chain(spec =>
    fc
      .tuple(configOf(oddness, false, spec), fc.boolean(), fc.integer({ min: 0, max: 2 }))
      .chain(([tree, isPretty, repeats]) =>
        (repeats === 0 ? repeating(tree) : fc.constant(tree)).map(it => ({
          butane: false,
          text: jsonText(it, isPretty),
        })),
      ),
  )
}

/** `count` configs of this seed; Butane's read files below `filesDir`. */
export function corpus(seed: number, count: number, filesDir: string): Question[] {
  const plain = fc.oneof(
    butaneOf(0, filesDir),
    butaneOf(3, filesDir),
    butaneOf(3, filesDir),
    butaneOf(20, filesDir),
    ignitionOf(0),
    ignitionOf(3),
    ignitionOf(20),
  )
  const arbitrary = fc
    .tuple(plain, fc.integer({ min: 0, max: 3 }))
    .chain(([question, at]) =>
      at > 0
        ? fc.constant(question)
        : mutated(question.text, question.butane).map(text => ({ ...question, text })),
    )
  return fc.sample(arbitrary, { seed, numRuns: count })
}
