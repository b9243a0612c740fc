// Public reports about data directories: what lint says of each with cause, and that it says nothing without.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { EXIT } from '#cli/exit.ts'
import { examineDirectory } from '#server/boot/lint/directory.ts'
import { lintText } from '#server/boot/lint/findings.ts'
import { pilotlight } from '../cli/pilotlight.ts'
import { testServer } from '../server/serving.ts'
import { finds } from './finds.ts'

const boot = {
  kernel: 'http://198.51.100.4/kernel',
  initrd: ['--name rd http://198.51.100.4/initrd'],
  args: ['initrd=rd'],
}
const profile = (id: string, more: object = {}) => JSON.stringify({ id, boot, ...more })
const ANY = '{ "id": "any", "profile": "worker" }'

/** A data directory with these files; one profile and a group that takes any machine where nothing else is said. */
function directory(t: Test, files: Readonly<Record<string, string>>): string {
  const root = t.testdir()
  const all = { 'groups/any.json': ANY, 'profiles/worker.json': profile('worker'), ...files }
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

/** What lint says of such a directory, a text each. */
function lintOf(t: Test, files: Readonly<Record<string, string>>, assetsPath?: string): string[] {
  return examineDirectory(directory(t, files), assetsPath).findings.map(lintText)
}

t.test('lint-group-without-id: such a group is known by the name of its file', async t => {
  const files = { 'groups/any.json': '{ "name": "Everyone", "profile": "worker" }' }
  t.strictSame(lintOf(t, files), [])
  const server = await testServer(t, {
    dataPath: directory(t, files),
    statePath: join(t.testdirName, 'state'),
  })
  t.match(await (await server.get('/groups')).json(), [{ id: 'any', profile: 'worker' }])
  t.match(await (await server.get('/groups/any')).json(), { id: 'any' })
  t.equal((await server.get('/ipxe?mac=52-54-00-00-00-01')).status, 200)
  finds(t, lintOf(t, { 'profiles/none.json': '{ "boot": {"kernel": "http://a/k"} }' }), [
    /^PL-2004 profiles\/none\.json/,
  ])
  finds(t, lintOf(t, { 'groups/none.json': '{ "selector": {"rack": "1"} }' }), [
    /^PL-2004 .*profile is missing/,
  ])
})

t.test('lint-hidden-files: what git, editors and people leave beside the files is no finding', async t => {
  const left =
    '.gitkeep .DS_Store ._any.json .#any.json .any.json.swp 4913 #any.json# any.json~ Thumbs.db README README.md ' +
    'LICENSE Makefile main.tf NOTES.md .git/config .terraform/x.json'
  const folders = ['groups', 'profiles', 'machines', 'ignition', 'generic', 'cloud', 'ipxe', 'grub']
  const files = folders.flatMap(folder =>
    left.split(' ').map(name => [`${folder}/${name}`, 'left {{ behind\n'] as const),
  )
  t.strictSame(lintOf(t, Object.fromEntries(files)), [])
})

t.test('lint-hidden-files: what could have been meant as a group or profile is a warning', async t => {
  for (const name of [
    'groups/b.yaml',
    'groups/any.json.bak',
    'groups/node1',
    'profiles/w.yml',
    'groups/old/x.json',
  ]) {
    finds(t, lintOf(t, { [name]: '{}' }), [new RegExp(`^PL-2008 ${name}:1:1 warning`)], name)
  }
  const copies = { 'groups/old/a.json': ANY, 'groups/old/b.json': ANY, 'groups/old/c.json': ANY }
  finds(
    t,
    lintOf(t, copies),
    [/^PL-2008 groups\/old\/a\.json.*\(nor 2 more files there\)/],
    'a folder is named once',
  )
})

t.test(
  'lint-hidden-files: what another file is made from is no finding, and a link counts as what it leads to',
  async t => {
    const ign = '{"ignition":{"version":"3.4.0"}}'
    const worker = { 'profiles/worker.json': profile('worker', { ignition_id: 'node.ign' }) }
    const sources = {
      'ignition/node.yaml': 'passwd: {users: [{name: core, overwite: 1}]}',
      'ignition/node.ign.tmpl': '{{',
      'groups/any.jsonnet': '{}',
    }
    t.strictSame(lintOf(t, { ...worker, 'ignition/node.ign': ign, ...sources }), [])
    finds(t, lintOf(t, { 'ignition/other.yaml': 'variant: fcos' }), [
      /^PL-2029/,
      /^PL-2032 ignition\/other\.yaml.* warning/,
    ])
    finds(t, lintOf(t, { 'ignition/old/a.ign': ign, 'ignition/old/b.ign': ign }), [
      /^PL-2029 .*nor 1 more file there/,
    ])
    const root = directory(t, { 'profiles/worker.json': profile('worker', { ignition_id: 'common/a.ign' }) })
    mkdirSync(join(root, 'shared'))
    mkdirSync(join(root, 'ignition'))
    writeFileSync(join(root, 'shared/a.ign'), '{"ignition": {"version": "3.4.0"}, "unknown": 1}')
    symlinkSync('../shared', join(root, 'ignition/common'))
    symlinkSync('.', join(root, 'ignition/round'))
    symlinkSync('../none.json', join(root, 'groups/lost.json'))
    finds(t, examineDirectory(root).findings.map(lintText), [
      /^PL-2001 groups\/lost\.json/,
      /^PL-2031 ignition\/common\/a\.ign/,
    ])
  },
)

t.test(
  'lint-wrong-directory: a folder that is no data directory is an error that says what was looked for',
  async t => {
    const root = t.testdir({ network: { 'a.conf': 'x' }, lab: { groups: {}, profiles: {} } })
    t.match(await pilotlight(['lint', join(root, 'network')]), {
      status: EXIT.usage,
      err: /network is not a data directory: none of groups, profiles, .*ignition.* is in it/,
    })
    t.match(await pilotlight(['lint', root]), { err: /pilotlight lint \S+\/lab\n/ }, 'the one below is named')
    t.match(await pilotlight(['lint', join(root, 'network/a.conf')]), {
      status: EXIT.usage,
      err: /is not a directory/,
    })
    t.match(await pilotlight(['lint', join(root, 'nowhere')]), { status: EXIT.usage, err: /does not exist/ })
    t.match(
      await pilotlight(['lint'], { cwd: join(root, 'network') }),
      { status: EXIT.usage },
      'not our own clone',
    )
  },
)

t.test('lint-wrong-directory: the summary says how much was read, and profiles need a group', async t => {
  const root = directory(t, {
    'generic/note': 'hello',
    'profiles/worker.json': profile('worker', { generic_id: 'note' }),
  })
  t.match(await pilotlight(['lint', root]), {
    status: EXIT.done,
    err: `${root}: 0 errors, 0 warnings in 1 group, 1 profile, 1 template\n`,
  })
  const { out } = await pilotlight(['lint', '--json', root])
  t.match(JSON.parse(out), { findings: [], read: { groups: 1, profiles: 1, templates: 1 } })
  const lonely = t.testdir({ profiles: { 'a.json': profile('a'), 'b.json': profile('b') } })
  finds(t, examineDirectory(lonely).findings.map(lintText), [/^PL-2040 profiles\/a\.json.*nor 1 more/])
  const ours = t.testdir({
    profiles: { 'a.json': profile('a', { generic_id: 'x.njk' }) },
    generic: { 'x.njk': '' },
  })
  t.strictSame(examineDirectory(ours).findings, [], 'the groups of our profiles are those of a site')
})

t.test(
  'lint-without-assets: kernels that are elsewhere are one warning, or none where that is said',
  async t => {
    const files = {
      'profiles/worker.json': profile('worker', {
        boot: { kernel: '/assets/os/kernel', initrd: ['--name rd /assets/os/initrd'], args: ['initrd=rd'] },
      }),
    }
    finds(t, lintOf(t, files), [
      /^PL-2041 profiles\/worker\.json:1:\d+ warning: .*\/assets\/os\/kernel and 1 more/,
    ])
    t.strictSame(lintOf(t, files, ''), [])
    finds(
      t,
      lintOf(t, { ...files, 'assets/os/kernel': 'k' }),
      [/^PL-2023 .*os\/initrd/],
      'those that are there are looked at',
    )
    t.strictSame(lintOf(t, {}), [], 'where no asset is named, none is missed')
    t.match(await pilotlight(['lint', directory(t, files), '--assets-path', '']), { status: EXIT.done })
    t.match(await pilotlight(['lint', '--help']), { out: /'' leaves them unchecked/ })
  },
)

t.test(
  'lint-braces-in-arguments: a template in a profile of Matchbox is a warning, and in one of ours it is not',
  async t => {
    const args = ['initrd=rd', 'config=http://198.51.100.4/{{.uuid}}.yaml', 'mac=${mac}']
    const text = (more: object) =>
      JSON.stringify({ id: 'worker', boot: { ...boot, args }, ...more }, undefined, 2)
    const [found = '', ...others] = lintOf(t, { 'profiles/worker.json': text({}) })
    t.match(found, /^PL-2042 profiles\/worker\.json:10:7 warning: .*braces.*\n.*\$\{uuid\}/)
    t.strictSame(others, [])
    const kernel = JSON.stringify({ id: 'worker', boot: { kernel: 'http://a/{{ .os }}/k' } })
    finds(t, lintOf(t, { 'profiles/worker.json': kernel }), [/^PL-2042/])
    const ours = text({ generic_id: 'note.njk' }).replace('{{.uuid}}', '{{ labels.uuid }}')
    t.strictSame(lintOf(t, { 'profiles/worker.json': ours, 'generic/note.njk': 'x' }), [])
    const script = {
      'profiles/worker.json': ours.replace('note.njk', ''),
      'ipxe/worker.ipxe.njk': '#!ipxe\n',
    }
    t.strictSame(lintOf(t, script), [], 'nor in one with its own script')
  },
)

t.test('an Ignition-only profile as the Terraform provider writes it is right', async t => {
  const ign = { 'ignition/w.ign': '{"ignition":{"version":"3.4.0"}}' }
  for (const empty of [
    {},
    { kernel: '' },
    { kernel: '', initrd: [], args: [] },
    { kernel: null, initrd: null, args: null },
    null,
  ]) {
    const worker = JSON.stringify({
      id: 'worker',
      name: '',
      boot: empty,
      ignition_id: 'w.ign',
      generic_id: '',
      cloud_id: '',
    })
    t.strictSame(lintOf(t, { ...ign, 'profiles/worker.json': worker }), [], JSON.stringify(empty))
  }
  const group = '{"id": "any", "name": "", "profile": "worker", "selector": null, "metadata": {}}'
  t.strictSame(lintOf(t, { 'groups/any.json': group }), [])
  const half = JSON.stringify({ id: 'worker', boot: { args: ['quiet'] }, ignition_id: 'w.ign' })
  finds(t, lintOf(t, { ...ign, 'profiles/worker.json': half }), [/^PL-2022/])
  finds(t, lintOf(t, { 'profiles/worker.json': '{"id": "worker", "boot": {}}' }), [/^PL-2022/])
})

const BUTANE = `variant: fcos
version: 1.5.0
systemd:
  units:
    - name: probe.service
      enabled: true
      contents: |
        [Service]
        ExecStart=/usr/bin/probe {{ .target }}
storage:
  directories:
    - path: /srv/{{ .target }}
      mdoe: 0755
`
const templated = {
  'profiles/worker.json': profile('worker', { ignition_id: 'w.yaml' }),
  'ignition/w.yaml': BUTANE,
}
const groupWith = (id: string, metadata: object, rest: object = {}) =>
  JSON.stringify({ id, profile: 'worker', metadata, ...rest })

t.test(
  'lint-templated-butane: a template has all the warnings of what it renders to, each with its remedy',
  async t => {
    const [unit = '', key = '', ...others] = lintOf(t, {
      ...templated,
      'groups/any.json': groupWith('any', { target: 'a' }),
    })
    t.match(unit, /^PL-2039 ignition\/w\.yaml:\d+:\d+ warning: for group any: .*\n.*\[Install\]/)
    t.match(key, /^PL-2031 ignition\/w\.yaml:13:\d+ warning: for group any: .*mdoe.*\n.*fix its name/)
    t.strictSame(others, [])
    const plain = BUTANE.replaceAll('{{ .target }}', 'a')
    const without = lintOf(t, { ...templated, 'ignition/w.yaml': plain })
    t.strictSame(
      without,
      [unit, key].map(text => text.replace('for group any: ', '')),
      'the same without braces',
    )
  },
)

t.test('lint-templated-butane: lines are those of the file, also below what a template repeats', async t => {
  const text = `{{ range .targets }}# {{ . }}\n{{ end }}${BUTANE.replaceAll('{{ .target }}', 'a')}`
  const files = {
    ...templated,
    'ignition/w.yaml': text,
    'groups/any.json': groupWith('any', { targets: ['a', 'b', 'c'] }),
  }
  t.match(lintOf(t, files)[1], /^PL-2031 ignition\/w\.yaml:14:/)
  const made = 'variant: fcos\nversion: 1.5.0\n{{ range .targets }}\n{{ . }}: 1\n{{ end }}'
  t.match(
    lintOf(t, { ...files, 'ignition/w.yaml': made })[0],
    /^PL-2031 ignition\/w\.yaml:4:\d+ .*in line 4 of its text: /,
  )
})

t.test('lint-templated-butane: each group is rendered, and the same finding is told once', async t => {
  const text = '{{ if eq .role "edge" }}# edge\nextra: 1\n{{ end }}' + BUTANE
  const files = {
    ...templated,
    'ignition/w.yaml': text,
    'groups/any.json': groupWith('any', { target: 'a', role: 'core' }),
    'groups/b.json': groupWith('b', { target: 'b', role: 'core' }, { selector: { rack: 'b' } }),
    'groups/c.json': groupWith('c', { target: 'c', role: 'edge' }, { selector: { rack: 'c' } }),
    'groups/d.json': groupWith('d', { role: 'core' }, { selector: { rack: 'd' } }),
  }
  const found = lintOf(t, files)
  t.equal(found.filter(it => it.includes('mdoe')).length, 1)
  t.equal(found.filter(it => it.includes('[Install]')).length, 1)
  t.match(
    found.filter(it => it.includes('extra')),
    [/^PL-2031 .* for group c: /],
    'what only one group has',
  )
  t.match(
    found.filter(it => it.startsWith('PL-2035')),
    [/for group d: \.target is not set/],
    'and what one lacks',
  )
  t.equal(found.length, 4)
})

t.test('lint-templated-butane: our own templates are rendered, too', async t => {
  const ours = '{\n  "ignition": { "version": "3.4.0" },\n  "passwrd": {},\n  "x": "{{ metadata.target }}"\n}'
  const files = {
    'profiles/worker.json': profile('worker', { ignition_id: 'w.ign.njk' }),
    'ignition/w.ign.njk': ours,
    'groups/any.json': groupWith('any', { target: 'a' }),
  }
  finds(t, lintOf(t, files), [/^PL-2031 ignition\/w\.ign\.njk:3:\d+ .*passwrd/, /^PL-2031 .*:4:/])
})

t.test('lint-templated-butane: explain and a dry run have the same warnings', async t => {
  const files = { ...templated, 'groups/any.json': groupWith('any', { target: 'a' }) }
  const dataPath = directory(t, files)
  const server = await testServer(t, { dataPath, statePath: join(t.testdirName, 'state') })
  const { lints } = (await (await server.get('/v1/explain?mac=52-54-00-00-00-01')).json()) as Linted
  t.strictSame(codes(lints), ['PL-2039', 'PL-2031'])
  const put = async (path: string, body: string) => {
    const answer = await fetch(`${server.url}${path}?dryRun=true`, {
      method: 'PUT',
      body,
      headers: { 'content-type': path.includes('template') ? 'text/plain' : 'application/json' },
    })
    return codes(((await answer.json()) as Linted).lints)
  }
  t.strictSame(await put('/v1/templates/ignition/w.yaml', BUTANE), ['PL-2039', 'PL-2031'], 'a template')
  const group = (metadata: object) => groupWith('new', metadata, { selector: { rack: 'n' } })
  t.strictSame(await put('/v1/groups/new', group({ target: 'n' })), ['PL-2039', 'PL-2031'], 'a group')
  t.strictSame(await put('/v1/groups/new', group({})), ['PL-2035'], 'and what is missing')
})

const codes = (lints: Linted['lints']) => lints.map(({ code }) => code)

type Linted = { readonly lints: readonly { readonly code: string }[] }

t.test('lint-templated-butane: of thousands of groups those are rendered that differ', async t => {
  const text = '{{ if eq .role "edge" }}extra: 1\n{{ end }}' + BUTANE
  const groups = Array.from({ length: 2500 }, (_, at) => {
    const role = at === 2499 ? 'edge' : 'core'
    const selector = { mac: `52:54:00:00:${hex(at >> 8)}:${hex(at & 255)}` }
    return [
      `groups/${String(at).padStart(4, '0')}.json`,
      groupWith(String(at).padStart(4, '0'), { target: `t${at}`, role }, { selector }),
    ]
  })
  const before = performance.now()
  const found = lintOf(t, { ...templated, 'ignition/w.yaml': text, ...Object.fromEntries(groups) })
  t.equal(found.filter(it => it.includes('extra')).length, 1)
  t.equal(found.filter(it => it.includes('mdoe')).length, 1)
  t.ok(performance.now() - before < 30_000)
})

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

const butane = (label: string) =>
  `variant: fcos\nversion: 1.5.0\nstorage: {directories: [{path: "/a/{{ .request.query.${label} }}"}]}\n`

t.test('labels that arguments or scripts make a machine send are there for a template', async t => {
  const url = 'http://198.51.100.4/ignition?uuid=${uuid}&mac=${mac:hexhyp}&stage=installed'
  const sending = profile('worker', {
    ignition_id: 'w.yaml',
    boot: { ...boot, args: ['initrd=rd', `ignition.config.url=${url}`] },
  })
  t.strictSame(lintOf(t, { 'profiles/worker.json': sending, 'ignition/w.yaml': butane('stage') }), [])
  finds(t, lintOf(t, { 'profiles/worker.json': sending, 'ignition/w.yaml': butane('other') }), [/^PL-2035/])
  const script = {
    'profiles/worker.json': profile('worker', { ignition_id: 'w.yaml', generic_id: 'install.sh' }),
    'generic/install.sh': 'curl "http://198.51.100.4/ignition?{{ .request.raw_query }}&other=1"',
  }
  t.strictSame(lintOf(t, { ...script, 'ignition/w.yaml': butane('other') }), [])
})

t.test('a Container Linux Config is recognised, with braces and without, and what to do is said', async t => {
  for (const text of [
    'passwd:\n  users: [{name: core}]\n',
    '---\nsystemd:\n  units: [{name: "{{.a}}.service"}]\n',
  ]) {
    const files = { ...templated, 'ignition/w.yaml': text, 'groups/any.json': groupWith('any', { a: 'a' }) }
    finds(t, lintOf(t, files), [
      /^PL-2043 ignition\/w\.yaml:\d+:1 error: .*Container Linux Config.*v0\.10.*\n.*variant: flatcar/,
    ])
    const server = await testServer(t, {
      dataPath: directory(t, files),
      statePath: join(t.testdirName, 'state'),
    })
    t.match(await (await server.get('/v1/problems')).json(), [
      { file: 'ignition/w.yaml', reason: /Container Linux Config/ },
    ])
    await server.close()
  }
  const json = '{"ignition": {"version": "3.4.0"}, "x": "{{.a}}"}'
  const files = { ...templated, 'ignition/w.yaml': json, 'groups/any.json': groupWith('any', { a: 'a' }) }
  finds(t, lintOf(t, files), [/^PL-2032 .*an Ignition config, and only files whose names end in \.ign/])
})

t.test('what is not YAML or JSON is said in our own words, with line and column', async t => {
  const yaml = (text: string) =>
    lintOf(t, { ...templated, 'ignition/w.yaml': text, 'groups/any.json': groupWith('any', { a: 'a' }) })
  for (const [text, place] of [
    ['variant: fcos\nversion: [1', '2:'],
    ['variant: fcos\n\tversion: 1.5.0', '2:'],
    ['variant: fcos\nversion: 1.5.0\nversion: 1.5.0', '3:'],
    ['variant: fcos\nstorage: *none', '2:'],
    ['variant: fcos\nversion: "{{ .a }}"\n x: {', '3:'],
  ] as const) {
    const [found = ''] = yaml(text)
    t.match(found, new RegExp(`^PL-2032 ignition/w\\.yaml:${place}\\d+ error: `), text)
    t.notMatch(
      found,
      /YAML\.parse|implicit|Unresolved|Nested mappings|Flow (?:map|sequence)|[Ss]ource contains/,
      text,
    )
  }
  finds(t, lintOf(t, { 'groups/b.json': '' }), [/^PL-2001 groups\/b\.json:1:1 error: it is empty/])
  const cloud = { 'profiles/worker.json': profile('worker', { cloud_id: 'c.yml' }) }
  t.strictSame(
    lintOf(t, { ...cloud, 'cloud/c.yml': '#cloud-config\na: 1\n---\nb: [' }),
    [],
    'the first document counts',
  )
  finds(t, lintOf(t, { ...cloud, 'cloud/c.yml': '#cloud-config\na: "1' }), [
    /^PL-2036 cloud\/c\.yml:2:\d+ error: .*quote/,
  ])
  finds(t, lintOf(t, { ...cloud, 'cloud/c.yml': '#cloud-config\na: *b' }), [/^PL-2036 .*an alias/])
})

const kernel = (path: string) => ({
  'profiles/worker.json': JSON.stringify({ id: 'worker', boot: { kernel: path } }),
  'assets/k': 'k',
  'elsewhere/k': 'k',
})

t.test(
  'an asset is what the server would find: no link out of the folder, and what a client asks for',
  async t => {
    const root = directory(t, kernel('/assets/out'))
    symlinkSync('../elsewhere/k', join(root, 'assets/out'))
    const found = () => examineDirectory(root).findings.map(lintText)
    finds(t, found(), [
      /^PL-2023 profiles\/worker\.json:1:\d+ error: the asset out is a link that leads out of the assets folder/,
    ])
    for (const path of ['/assets/in', '/assets/../assets/k', '/assets/round/k']) {
      writeFileSync(join(root, 'profiles/worker.json'), kernel(path)['profiles/worker.json'])
      if (path === '/assets/in') symlinkSync('./k', join(root, 'assets/in'))
      if (path === '/assets/round/k') symlinkSync('.', join(root, 'assets/round'))
      finds(t, found(), [], path)
    }
    writeFileSync(
      join(root, 'profiles/worker.json'),
      kernel('/assets/../elsewhere/k')['profiles/worker.json'],
    )
    finds(t, found(), [/^PL-2023 .*there is no asset/])
  },
)

t.test('PILOTLIGHT_ASSETS_PATH is where assets are looked for, as by serve', async t => {
  const files = { 'profiles/worker.json': JSON.stringify({ id: 'worker', boot: { kernel: '/assets/k' } }) }
  const root = directory(t, { ...files, 'kernels/k': 'k' })
  const asked = await pilotlight(['lint', root], {
    env: { ...process.env, PILOTLIGHT_ASSETS_PATH: join(root, 'kernels') },
  })
  t.match(asked, { status: EXIT.done, err: /0 errors, 0 warnings/ })
  t.match(await pilotlight(['lint', root]), { status: EXIT.failed, out: /PL-2041/ })
})

const ks = (text: string) => ({ 'generic/ks.cfg': text })
const asking = (query: string) =>
  profile('worker', {
    generic_id: 'ks.cfg',
    boot: { ...boot, args: ['initrd=rd', `url=http://198.51.100.4/generic${query}`] },
  })

t.test('where a profile names the page with a query, a machine sends its labels and no others', async t => {
  const mac = ks('{{ .request.query.mac }}')
  finds(t, lintOf(t, { ...mac, 'profiles/worker.json': asking('?profile=k') }), [/^PL-2035 .*mac/])
  finds(t, lintOf(t, { ...mac, 'profiles/worker.json': asking('?profile=k&mac=${mac:hexhyp}') }), [])
  finds(t, lintOf(t, { ...mac, 'profiles/worker.json': profile('worker', { generic_id: 'ks.cfg' }) }), [])
  const os = ks('{{ if eq .request.query.os "a" }}{{ .x }}{{ end }}')
  finds(
    t,
    lintOf(t, { ...os, 'profiles/worker.json': asking('?os=a&os=b') }),
    [/^PL-2035 .*\.x/],
    'the first counts',
  )
  finds(t, lintOf(t, { ...os, 'profiles/worker.json': asking('?os=b&os=a') }), [])
  finds(t, lintOf(t, { ...os, 'profiles/worker.json': asking('?os=a#b') }), [/^PL-2035 .*\.x/], 'up to #')
})

t.test('two groups whose modes want another number each are two warnings', async t => {
  const text = 'variant: fcos\nversion: 1.7.0\nstorage:\n  files:\n    - path: /a\n      mode: {{ .mode }}\n'
  const found = lintOf(t, {
    'profiles/worker.json': profile('worker', { ignition_id: 'w.yaml' }),
    'ignition/w.yaml': text,
    'groups/any.json': groupWith('any', { mode: '0644' }),
    'groups/a.json': groupWith('a', { mode: '644' }, { selector: { rack: 'a' } }),
    'groups/b.json': groupWith('b', { mode: '755' }, { selector: { rack: 'b' } }),
    'groups/c.json': groupWith('c', { mode: '755' }, { selector: { rack: 'c' } }),
  })
  finds(t, found, [/^PL-2039 .* for group a: 644 /, /^PL-2039 .* for group b: 755 /])
})
