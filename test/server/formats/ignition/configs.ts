// Configs on both sides of each rule. The real ignition-validate says which of them are right.

/** One config: the spec's minor number, and its members beside `ignition.version`. */
export type Sample = { readonly spec: number; readonly parts: Record<string, unknown> }

/** The text of a sample. */
export function textOf({ spec, parts }: Sample): string {
  const { ignition, ...rest } = parts
  return JSON.stringify({ ignition: { version: `3.${spec}.0`, ...(ignition as object) }, ...rest }, null, 1)
}

const SPECS = [0, 1, 2, 3, 4, 5, 6]
const file = (fields: object) => ({ storage: { files: [{ path: '/f', ...fields }] } })
const source = (url: string) => file({ contents: { source: url } })
const unit = (fields: object) => ({ systemd: { units: [{ name: 'a.service', ...fields }] } })
const disk = (...partitions: object[]) => ({ storage: { disks: [{ device: '/dev/sda', partitions }] } })
const filesystem = (fields: object) => ({ storage: { filesystems: [{ device: '/dev/sda', ...fields }] } })
const raid = (fields: object) => ({ storage: { raid: [{ name: 'r', devices: ['/dev/a'], ...fields }] } })
const luks = (fields: object) => ({ storage: { luks: [{ name: 'l', device: '/dev/a', ...fields }] } })
const link = (fields: object) => ({ storage: { links: [{ path: '/l', ...fields }] } })
const tang = { url: 'http://t', thumbprint: 'x' }

/** Rules that changed between specs: asked of each. */
const ACROSS: readonly Record<string, unknown>[] = [
  source('gs://bucket/object'),
  source('arn:aws:s3:::bucket/key'),
  source('s3://bucket/key?versionId='),
  file({ contents: { source: 'http://h', verification: { hash: `sha256-${'0'.repeat(64)}` } } }),
  file({ contents: { source: 'data:,x', httpHeaders: [{ name: 'a', value: 'b' }] } }),
  filesystem({ format: 'none' }),
  filesystem({ mountOptions: ['noatime'] }),
  raid({}),
  link({}),
  luks({ clevis: { custom: { needsNetwork: true } } }),
  luks({ clevis: { custom: { pin: 'other', config: 'c' } } }),
  luks({ clevis: { custom: {}, tpm2: true } }),
  luks({ clevis: { tang: [{ ...tang, advertisement: '{' }] } }),
  luks({ cex: { enabled: true }, keyFile: { source: 'data:,k' } }),
  { ignition: { config: { merge: [{}] } } },
  { kernelArguments: { shouldExist: ['a'], shouldNotExist: ['a'] } },
  { ignition: { proxy: { httpProxy: 'ftp://p' } } },
]

/** Rules that every spec has: asked of the newest. */
const NEWEST: readonly Record<string, unknown>[] = [
  ...[
    'http://h/a b',
    'http://h o',
    'http://h:port',
    'http://h:1/%zz',
    'http://u:p@h',
    'http://[::1]:80/',
  ].map(source),
  ...['', 'x', '//h/p', 'HTTP://H', 'ftp://h', ':x', 'a:b', 'http:', 'http://h/\u0001', 'tftp://h/f'].map(
    source,
  ),
  ...['data:,', 'data:', 'data:;base64,YQ==', 'data:;base64,YQ=', 'data:;base64,Y Q==', 'data:,a b'].map(
    source,
  ),
  ...['data:,%zz', 'data:,%20', 'data:,a{b', 'data:text/plain,a', 'data:text/plain;charset=utf-8,a'].map(
    source,
  ),
  ...['data:text,a', 'data:foo/bar,a', 'data:x-foo/bar,a', 'data:text/plain;charset="a b";base64,YQ=='].map(
    source,
  ),
  ...['data:,ä', "data:,it's", 'data:;base64;x=y,YQ==', 'data:;foo,a', 'data:,a?b#c', 'data:,100%'].map(
    source,
  ),
  ...[0, 0o7777, 0o10000, -1].map(mode => file({ mode })),
  file({ mode: '0644' }),
  file({ overwrite: true }),
  file({ overwrite: true, contents: { source: '' } }),
  file({ user: { id: 1, name: 'a' } }),
  file({ group: { id: 1, name: '' } }),
  file({ contents: { compression: 'xz' } }),
  file({ contents: { verification: { hash: 'sha512-00' } } }),
  file({ append: [{ source: 'data:,a' }, { source: 'data:,a' }] }),
  ...['', 'a', '/a/', '/a//b', '/a/../b', '/', '/a.b/./c'].map(path => ({
    storage: { directories: [{ path }] },
  })),
  { storage: { files: [{ path: '/a/b' }], links: [{ path: '/a', target: '/c' }] } },
  { storage: { files: [{ path: '/ab' }], links: [{ path: '/a', target: '/c' }] } },
  { storage: { directories: [{ path: '/d' }], links: [{ path: '/a', target: '/d', hard: true }] } },
  { storage: { directories: [{ path: '/a/d' }], links: [{ path: '/a', target: 'd', hard: true }] } },
  disk({}),
  disk({ number: 1 }, { number: 1 }),
  disk({ label: 'a' }, { label: 'a' }),
  disk({ label: 'a:b' }),
  disk({ label: 'a'.repeat(37) }),
  disk({ number: 1, guid: 'x' }, { number: 2, typeGuid: '' }),
  disk({ number: 1, guid: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B' }),
  disk({ number: 1, shouldExist: false }, { label: 'b' }),
  disk({ number: 1, shouldExist: false, label: 'b' }),
  disk({ number: 1, startMiB: 1, sizeMiB: 10 }, { number: 2, startMiB: 10, sizeMiB: 1 }),
  disk({ number: 1, startMiB: 1, sizeMiB: 10 }, { number: 2, startMiB: 11, sizeMiB: 0 }),
  disk({ number: 1, startMiB: 1, sizeMiB: 0 }, { number: 2, startMiB: 5, sizeMiB: 5 }),
  filesystem({ format: 'zfs' }),
  filesystem({ label: 'a' }),
  filesystem({ format: 'xfs', label: 'a'.repeat(13) }),
  filesystem({ format: 'vfat', label: 'ä'.repeat(6) }),
  filesystem({ format: 'ext4', path: 'a' }),
  ...['raid1', '1', 'raid7', 'linear', ''].map(level => raid({ level })),
  raid({ level: 'raid0', spares: 1 }),
  raid({ level: 'raid1', devices: [] }),
  raid({ level: 'raid1', devices: ['/dev/a', '/dev/a'] }),
  luks({ name: 'a/b' }),
  luks({ label: 'a'.repeat(48) }),
  luks({ device: '' }),
  luks({ clevis: { tang: [tang, tang] } }),
  luks({ clevis: { tang: [{ url: 'ftp://t', thumbprint: 'x' }] } }),
  luks({ clevis: { tang: [{ url: 'http://t' }] } }),
  luks({ cex: { enabled: true }, clevis: { tpm2: true } }),
  luks({ openOptions: ['a', 'a'] }),
  luks({ options: ['a', 'a'] }),
  ...['a', 'a.service', 'a.conf', '.service', 'a.b.timer', 'x/y.mount'].map(name => unit({ name })),
  ...[
    '[Unit]\nA=b',
    '[Unit]\nA',
    'A=b',
    '[Unit',
    '[Unit] x\n',
    '[Unit]\n# c \\\nA',
    '[U]\nA=b\\\nc\n[V]',
  ].map(contents => unit({ contents })),
  ...['', '\n\n[A]\r\nb=c\r\n', '[A]\nb=c\\', '[A]\n  b = c\n;x\n\n', 'x [A]\nb', '[A]\nb=\\\n\nc'].map(
    contents => unit({ contents }),
  ),
  unit({ contents: `[Unit]\nA=${'b'.repeat(3000)}\n` }),
  unit({ contents: '[Service]\nA=b', enabled: true }),
  unit({ dropins: [{ name: 'a' }] }),
  unit({ dropins: [{ name: 'a.conf', contents: '[A' }] }),
  unit({ dropins: [{ name: 'a.conf' }, { name: 'a.conf' }] }),
  { ...unit({ contents: '[A]' }), storage: { files: [{ path: '/etc/systemd/system/a.service' }] } },
  { systemd: { units: [{ name: 'a.service' }, { name: 'a.service' }] } },
  { passwd: { users: [{ name: 'a', sshAuthorizedKeys: ['k', 'k'] }] } },
  { passwd: { users: [{ name: 'a' }, { name: 'a' }], groups: [{ name: 'g' }] } },
  { passwd: { users: [{ uid: 1.5 }] } },
  { passwd: { users: [{ uid: 2 ** 70 }] } },
  { passwd: { users: [null] } },
  { passwd: { users: {} } },
  { passwd: [] },
  { storage: { files: [{ path: '/a' }, { path: '/a' }] } },
  { ignition: { security: { tls: { certificateAuthorities: [{}] } } } },
  { ignition: { proxy: { noProxy: ['a', 'a'], httpsProxy: 'http://p' } } },
  { ignition: { timeouts: { httpTotal: '5' } } },
  { unknown: { key: 1 } },
]

/** All of them. */
export const SAMPLES: readonly Sample[] = [
  ...ACROSS.flatMap(parts => SPECS.map(spec => ({ spec, parts }))),
  ...NEWEST.map(parts => ({ spec: 6, parts })),
]

/** Texts that are wrong, or odd, as a whole. */
export const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  'null',
  '[]',
  '{}',
  '{"ignition":{"version":"3.6.0"}',
  '{"ignition":{"version":"3.6.0"}} x',
  '{"ignition":{"version":"3.6.0",}}',
  '{"ignition":{"version":"3.6.0"},"ignition":{"timeouts":{"httpTotal":1}}}',
  '{"IGNITION":{"Version":"3.6.0"}}',
  '\uFEFF{"ignition":{"version":"3.6.0"}}',
  '{"ignition":{"version":3.6}}',
  '{"ignition":{"version":"3.7.0"}}',
  '{"ignition":{"version":"2.3.0"}}',
  '{"ignition":{"version":"3.6"}}',
  '{"ignition":{"version":"3.6.0"},"passwd":{"users":[{"name":"a","uid":1e3}]}}',
  '{"ignition":{"version":"3.6.0"},"passwd":{"users":[{"name":"a","uid":1.0}]}}',
  '{"ignition":{"version":"3.6.0"},"passwd":{"users":[{"name":"\\ud800"}]}}',
  '{"ignition":{"version":"3.6.0"},"passwd":{"users":[{"name":"a\nb"}]}}',
  '{"ignition":{"version":"3.6.0"},"x":01}',
  '{"ignition":{"version":"3.6.0"},"x":"\\x"}',
]
