// Butane configs that use each piece of sugar, and break each rule. What is right about them is asked of the real
// butane; the files that they name are in `beside`.

/** Files and folders beside the configs. */
export const beside = {
  'motd.txt': 'Welcome & enjoy\n',
  'big.txt': 'the same line again\n'.repeat(200),
  keys: 'ssh-ed25519 AAAA one\r\n\nssh-ed25519 BBBB two\n',
  'a.service': '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n',
  tree: { etc: { conf: 'a=b\n', sub: { deep: 'x' } }, top: 'top' },
}

const fcos = (minor: number, body: string) => `variant: fcos\nversion: 1.${minor}.0\n${body}`
const flatcar = (minor: number, body: string) => `variant: flatcar\nversion: 1.${minor}.0\n${body}`
const file = (minor: number, contents: string) =>
  fcos(minor, `storage:\n  files:\n    - path: /f\n      contents:\n        ${contents}\n`)
const mount = (minor: number, fields: string) =>
  fcos(minor, `storage:\n  filesystems:\n    - {device: /dev/vdb, with_mount_unit: true, ${fields}}\n`)

const MERGED_MIRROR = `boot_device:
  layout: x86_64
  mirror: {devices: [/dev/vda, /dev/vdb]}
storage:
  disks:
    - device: /dev/vda
      partitions:
        - {label: root-1, size_mib: 8192}
        - {label: var-1}
  filesystems:
    - {device: /dev/md/md-root, format: btrfs, label: root, wipe_filesystem: true}
    - {device: /dev/disk/by-partlabel/var-1, path: /var, format: xfs, with_mount_unit: true}
`

const REMOTE = `storage:
  luks:
    - name: data
      device: /dev/vdb
      clevis: {tang: [{url: "https://t", thumbprint: x}]}
  filesystems:
    - {device: /dev/mapper/data, path: /var/lib/my-data, format: ext4, mount_options: [noatime], with_mount_unit: true}
`

const WORDS = `storage:
  files:
    - {path: /a, mode: 0644, overwrite: no, user: {id: 0x10}, group: {name: 12}}
    - {path: /b, mode: 0o755, contents: {inline: 1e3}}
    - {path: /c, mode: 4_20, contents: {inline: !!binary aGk=}}
    - {path: /d, contents: {inline: true}, user: {name: "0644"}}
    - {path: ~x, contents: ~}
`

const MERGE_KEYS = `systemd:
  units:
    - &a {name: a.service, enabled: true, contents: "[Install]"}
    - {<<: *a, name: b.service}
    - {<<: [{enabled: false}, *a], name: c.service}
`

/** A name, and the text. */
export const SAMPLES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [0, 1, 2, 3, 4, 5, 6, 7].map(minor => [`fcos 1.${minor}`, file(minor, 'inline: hello world')]),
  ),
  ...Object.fromEntries(
    [0, 1].map(minor => [`flatcar 1.${minor}`, flatcar(minor, 'kernel_arguments: {should_exist: [a]}')]),
  ),
  ...Object.fromEntries([0, 1].map(minor => [`r4e 1.${minor}`, `variant: r4e\nversion: 1.${minor}.0\n`])),
  'fiot 1.0': 'variant: fiot\nversion: 1.0.0\npasswd: {groups: [{name: g}]}',
  'fcos 1.8': fcos(8, ''),
  'no such variant': 'variant: cider\nversion: 1.0.0',
  'no variant': 'version: 1.0.0',
  'no version': 'variant: fcos',
  'a short version': 'variant: fcos\nversion: 1.5',
  nothing: '',
  'a list': '- a',
  'broken YAML': fcos(5, 'storage: {files: [}'),
  'two of a key': fcos(5, 'storage: {}\nstorage: {}'),
  'two documents': `${fcos(5, '')}---\nvariant: cider\n`,
  'an unknown key': fcos(4, 'orchard: 1\npasswd: {users: [{name: a, colour: red}]}'),
  'a key of a later version': fcos(3, 'kernel_arguments: {should_exist: [a]}'),
  'a wrong type': fcos(5, 'storage: {files: {}}'),
  'words and numbers': fcos(5, WORDS),
  'a number for a boolean': fcos(5, 'systemd: {units: [{name: a.service, enabled: 1}]}'),
  'merge keys': fcos(5, MERGE_KEYS),
  'an anchor that is not there': fcos(5, 'passwd: *x'),
  'content: nothing': file(5, 'inline: ""'),
  'content: base64 is shorter': file(5, 'inline: "\\u00e4\\u00f6\\u00fc\\u00e4\\u00f6\\u00fc"'),
  'content: gzip is shorter': file(5, 'local: big.txt'),
  'content: gzip is never chosen in 1.0': file(0, `inline: ${'a'.repeat(500)}`),
  'content: compressed already': file(5, `inline: ${'a'.repeat(500)}\n        compression: gzip`),
  'content: from a file': file(5, 'local: motd.txt'),
  'content: from no file': file(5, 'local: nothing.txt'),
  'content: from outside': file(5, 'local: ../motd.txt'),
  'content: two of them': file(5, 'local: motd.txt\n        inline: a'),
  'content: appended': fcos(5, 'storage: {files: [{path: /f, append: [{inline: a}, {local: motd.txt}]}]}'),
  'content: local in 1.0': file(0, 'local: motd.txt'),
  'units: from files': fcos(
    5,
    'systemd: {units: [{name: a.service, enabled: true, contents_local: a.service, dropins: [{name: x.conf, contents_local: a.service}]}]}',
  ),
  'units: twice said': fcos(
    5,
    'systemd: {units: [{name: a.service, contents: "", contents_local: a.service}]}',
  ),
  'users: keys from files': fcos(
    5,
    'passwd: {users: [{name: core, ssh_authorized_keys: [ssh-rsa X], ssh_authorized_keys_local: [keys]}]}',
  ),
  trees: fcos(
    6,
    'storage: {trees: [{local: tree}, {local: tree/etc, path: /opt}], files: [{path: /top, mode: 0600}]}',
  ),
  'trees: with owners': fcos(
    7,
    'storage: {trees: [{local: tree, path: /srv, user: {name: u}, file_mode: 0400, dir_mode: 0700}]}',
  ),
  'trees: a clash': fcos(
    5,
    'storage: {trees: [{local: tree}], files: [{path: /top, contents: {inline: a}}]}',
  ),
  'trees: no folder': fcos(5, 'storage: {trees: [{local: keys}]}'),
  'trees: no name': fcos(5, 'storage: {trees: [{path: /x}]}'),
  'mounts: xfs': mount(1, 'path: /var/lib/my-data, format: xfs, mount_options: [noatime, ro]'),
  'mounts: swap': mount(4, 'format: swap'),
  'mounts: swap in 1.3': mount(3, 'format: swap'),
  'mounts: no format': mount(5, 'path: /var'),
  'mounts: a strange place': mount(6, 'path: /srv, format: xfs'),
  'mounts: a strange place in 1.5': mount(5, 'path: /srv, format: xfs'),
  'mounts: over the network': fcos(5, REMOTE),
  'mounts: over the network in 1.2': fcos(2, REMOTE),
  'mounts: twice the same unit': `${mount(5, 'path: /var, format: xfs')}systemd: {units: [{name: var.mount, enabled: false}]}`,
  'boot device: mirror': fcos(3, 'boot_device: {layout: x86_64, mirror: {devices: [/dev/a, /dev/b]}}'),
  'boot device: mirror on aarch64': fcos(
    7,
    'boot_device: {layout: aarch64, mirror: {devices: [/dev/a, /dev/b]}}',
  ),
  'boot device: mirror on ppc64le': fcos(
    5,
    'boot_device: {layout: ppc64le, mirror: {devices: [/dev/a, /dev/b]}, luks: {tpm2: true, discard: true}}',
  ),
  'boot device: mirror of one': fcos(5, 'boot_device: {layout: x86_64, mirror: {devices: [/dev/a]}}'),
  'boot device: mirror without layout': fcos(7, 'boot_device: {mirror: {devices: [/dev/a, /dev/b]}}'),
  'boot device: mirror without layout in 1.5': fcos(5, 'boot_device: {mirror: {devices: [/dev/a, /dev/b]}}'),
  'boot device: a mirror with more': fcos(5, MERGED_MIRROR),
  'boot device: tang': fcos(
    4,
    'boot_device: {luks: {threshold: 1, tang: [{url: "http://t", thumbprint: x}]}}',
  ),
  'boot device: tang that is wrong': fcos(4, 'boot_device: {luks: {tang: [{url: "ftp://t"}]}}'),
  'boot device: unknown layout': fcos(5, 'boot_device: {layout: s390x-eckd}'),
  'boot device: DASD': fcos(
    7,
    'boot_device: {layout: s390x-eckd, luks: {device: /dev/dasda, cex: {enabled: true}}}',
  ),
  'boot device: SCSI': fcos(6, 'boot_device: {layout: s390x-zfcp, luks: {device: /dev/sda, tpm2: true}}'),
  'boot device: no DASD': fcos(6, 'boot_device: {layout: s390x-eckd, luks: {device: /dev/sda, tpm2: true}}'),
  'boot device: cex elsewhere': fcos(6, 'boot_device: {layout: x86_64, luks: {cex: {enabled: true}}}'),
  'boot device: of flatcar': flatcar(1, 'boot_device: {luks: {tpm2: true}}'),
  grub: fcos(5, 'grub: {users: [{name: root, password_hash: grub.pbkdf2.x}, {name: b, password_hash: y}]}'),
  'grub: no password': fcos(5, 'grub: {users: [{name: root}]}'),
  'flatcar: clevis': flatcar(1, 'storage: {luks: [{name: a, device: /dev/a, clevis: {tpm2: true}}]}'),
  'flatcar: luks': flatcar(1, 'storage: {luks: [{name: a, device: /dev/a, key_file: {inline: k}}]}'),
  'r4e: disks': 'variant: r4e\nversion: 1.1.0\nstorage: {disks: [{device: /dev/a, wipe_table: true}]}',
  'fiot: arguments': 'variant: fiot\nversion: 1.0.0\nkernel_arguments: {should_exist: [a]}',
  'a config inside': fcos(
    5,
    'ignition: {config: {merge: [{inline: \'{"ignition": {"version": "3.4.0"}}\'}]}}',
  ),
  'a wrong config inside': fcos(
    5,
    'ignition: {config: {replace: {inline: \'{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "x"}]}}\'}}}',
  ),
  'another spec inside': fcos(
    5,
    'ignition: {config: {merge: [{inline: \'{"ignition": {"version": "3.2.0"}}\'}]}}',
  ),
  'a relative path': fcos(5, 'storage:\n  files:\n    - path: etc/x'),
  'one path twice': fcos(5, 'storage:\n  files:\n    - path: /x\n  directories:\n    - path: /x'),
  'all of storage': fcos(
    5,
    `storage:
  disks: [{device: /dev/a, wipe_table: true, partitions: [{number: 1, start_mib: 1, size_mib: 2, type_guid: 0FC63DAF-8483-4772-8E79-3D69D8477DE4}]}]
  raid: [{name: r, level: raid1, devices: [/dev/b, /dev/c], options: [--homehost=any]}]
  luks: [{name: l, device: /dev/d, wipe_volume: true, open_options: [--x], clevis: {custom: {pin: sss, config: c, needs_network: true}}}]
  directories: [{path: /d, mode: 0700}]
  links: [{path: /l, target: ../x, hard: false}]
`,
  ),
}
