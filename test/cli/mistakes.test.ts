// What typical mistakes are answered with, as a table: command, exit status, code and text. Each ends with a line that says what
// fixes it and one that names the page of its code; with --json the same is on standard output.

import { spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { helpTopic } from '#cli/about/help.ts'
import { EXIT } from '#cli/exit.ts'
import { freePort } from '../free-ports.ts'
import { site, testServer } from '../server/serving.ts'
import { pilotlight } from './pilotlight.ts'

t.setTimeout(300_000) // each row starts the program, on a machine that may be busy

/** What no operator should read: names of Node's errors, and the sentences of libraries. */
const OF_LIBRARIES =
  /\b(?:E[A-Z]{4,}|ERR_\w+|UND_ERR\w*)\b|fetch failed|bad port|YAML\.|parseAllDocuments|command-argument|too many arguments|required option|undefined|\[object/

type Mistake = {
  readonly typed: string
  readonly status: keyof typeof EXIT
  readonly code: string
  /** Parts of the text, without line ends. */
  readonly says: readonly string[]
}

const MISTAKES: readonly Mistake[] = [
  // The first things that anybody types.
  {
    typed: 'describe ctl-9',
    status: 'notFound',
    code: 'NOT_FOUND',
    says: ['"ctl-9"', 'fix: pilotlight get machines'],
  },
  { typed: 'describe group', status: 'usage', code: 'BAD_OPTION', says: ['fix: pilotlight get groups'] },
  { typed: 'describe', status: 'usage', code: 'BAD_OPTION', says: ['fix: pilotlight describe --help'] },
  { typed: 'describe grup x', status: 'usage', code: 'BAD_OPTION', says: ['did you mean group?'] },
  {
    typed: 'explain ctl-9',
    status: 'notFound',
    code: 'NOT_FOUND',
    says: ['no machine "ctl-9"', 'fix: pilotlight get machines'],
  },
  {
    typed: 'explain --mac 12',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['--mac cannot be "12"', '52:54:00:20:00:01'],
  },
  {
    typed: 'apply site.yaml',
    status: 'usage',
    code: 'BAD_INPUT',
    says: ['site.yaml:1:1: this is a site file', 'fix: pilotlight up site.yaml'],
  },
  {
    typed: 'apply',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['no file was named', 'fix: pilotlight apply '],
  },
  { typed: 'apply nowhere.yaml', status: 'usage', code: 'BAD_INPUT', says: ['nowhere.yaml', 'is not there'] },
  { typed: 'apply broken.yaml', status: 'usage', code: 'BAD_INPUT', says: ['broken.yaml:', 'fix: '] },
  { typed: 'journal ctl-9', status: 'notFound', code: 'NOT_FOUND', says: ['fix: pilotlight get machines'] },
  {
    typed: 'get',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['pilotlight get takes <kind> [id], and "kind" is missing'],
  },
  {
    typed: 'get machins',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['kind cannot be "machins": did you mean machines?'],
  },
  {
    typed: 'get groups spare',
    status: 'notFound',
    code: 'NOT_FOUND',
    says: ['There is no group "spare".', 'fix: pilotlight get groups'],
  },
  {
    typed: 'get assets kernel',
    status: 'notFound',
    code: 'NOT_FOUND',
    says: ['fix: start the server with a directory of assets:  pilotlight serve --assets-path '],
  },
  {
    typed: 'get -w',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['pilotlight get has no flag "-w"', 'fix: pilotlight get --help'],
  },
  {
    typed: 'get machines --jsn',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['no flag "--jsn"; did you mean --json?'],
  },
  {
    typed: 'get machines --server',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['the flag "--server <url>" needs a value'],
  },
  {
    typed: 'machins',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['there is no command "machins"; did you mean machines?', 'fix: pilotlight machines --help'],
  },
  {
    typed: 'machines aprove x',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['"aprove"', 'did you mean approve?'],
  },
  {
    typed: 'explain --uuid nonsense',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['--uuid cannot be "nonsense"', '4c4c4544-'],
  },
  {
    typed: 'explain --label foo',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['--label cannot be "foo"', 'os=installed'],
  },
  {
    typed: 'delete profile spare',
    status: 'refused',
    code: 'READ_ONLY_OBJECT',
    says: [
      'profiles/spare.json',
      'fix: in the data directory, on the host of the server, change or remove it:  rm ',
    ],
  },
  {
    typed: 'up site.yaml --boot-limit abc',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['--boot-limit cannot be "abc"', 'a number of seconds'],
  },
  {
    typed: 'tokens create x --days abc',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['--days cannot be "abc"'],
  },
  { typed: 'tokens create a/b', status: 'usage', code: 'BAD_OPTION', says: ['name cannot be "a/b"'] },
  {
    typed: 'init nowhere/x.yaml --controller 52:54:00:20:00:01',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['nowhere is not there', 'fix: mkdir -p '],
  },
  {
    typed: 'backup nowhere/x --state-path state --passphrase-file passphrase',
    status: 'failed',
    code: 'HOST_REFUSED',
    says: ['nowhere is not there', 'fix: mkdir -p '],
  },
  {
    typed: 'restore site.yaml --state-path state-9 --passphrase-file passphrase',
    status: 'usage',
    code: 'BAD_BACKUP',
    says: ['is not a backup', 'age --decrypt '],
  },
  {
    typed: 'backup x --state-path data --passphrase-file passphrase',
    status: 'notFound',
    code: 'NOTHING_TO_BACK_UP',
    says: ['holds no store', '--state-path /var/lib/pilotlight'],
  },
  { typed: 'plan a b', status: 'usage', code: 'BAD_OPTION', says: ['"b" is too much'] },
  { typed: 'help exit', status: 'notFound', code: 'NOT_FOUND', says: ['fix: pilotlight help exit-codes'] },
  { typed: 'help PL-9999', status: 'notFound', code: 'NOT_FOUND', says: ['"PL-9999"'] },
  // Files.
  { typed: 'plan nosite.yaml', status: 'usage', code: 'PL-1008', says: ['nosite.yaml', 'is not there'] },
  { typed: 'plan folder', status: 'usage', code: 'PL-1008', says: ['folder', 'is a directory'] },
  {
    typed: 'plan empty.yaml',
    status: 'usage',
    code: 'PL-1003',
    says: ['empty.yaml:1:1 the file is empty', 'pilotlight init empty.yaml --force'],
  },
  { typed: 'plan two.yaml', status: 'usage', code: 'PL-1001', says: ['two.yaml:2:1', 'one document'] },
  {
    typed: 'lab uo',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['"uo"', 'did you mean up?', 'fix: pilotlight lab up'],
  },
  {
    typed: 'edit group spare',
    status: 'usage',
    code: 'NEEDS_TERMINAL',
    says: ['no terminal', 'pilotlight get group spare -o yaml'],
  },
  { typed: 'import folder', status: 'usage', code: 'BAD_INPUT', says: ['is not a data directory', 'fix: '] },
  // The server's own start.
  {
    typed: 'serve --http-port abc',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['--http-port is "abc"', 'fix: pilotlight serve --http-port 0'],
  },
  {
    typed: 'serve --stop-seconds 1.5',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['--stop-seconds is "1.5"', 'fix: pilotlight serve --stop-seconds 10'],
  },
  {
    typed: 'serve --address 127.0.0.1:99999',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['address is "127.0.0.1:99999"', 'fix: pilotlight serve --address 127.0.0.1:0'],
  },
  {
    typed: 'serve --address name.example',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['address is "name.example"', 'ip -brief address'],
  },
  {
    typed: 'images medium --server http://10.20.0.1:8080 --kubernetes 1.2.3',
    status: 'usage',
    code: 'BAD_OPTION',
    says: [
      '--kubernetes is "1.2.3", which no image has: images have 1.',
      'fix: leave it out, or give  --kubernetes 1.',
    ],
  },
  {
    typed: 'serve --address 224.0.0.1',
    status: 'usage',
    code: 'BAD_OPTION',
    says: [
      'address is "224.0.0.1", a multicast address',
      'fix: give --address one that this lists:  ip -brief address',
    ],
  },
  {
    typed: 'serve --agent-address 127.255.255.255:8443',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['agent-address is "127.255.255.255:8443", a broadcast address', 'fix: give --agent-address one'],
  },
  {
    typed: 'serve --address 203.0.113.5 --no-dhcp --no-tftp --state-path state-1',
    status: 'failed',
    code: 'CANNOT_LISTEN',
    says: [
      'no interface of this host has the address',
      'fix: give --address one that this lists:  ip -brief address',
    ],
  },
  {
    typed: 'serve --state-path site.yaml',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['site.yaml is there, and is not a directory', 'ls -ld '],
  },
  {
    typed: 'serve --data-path nowhere',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['data-path is "nowhere"', 'mkdir -p nowhere'],
  },
  {
    typed:
      'serve --web-ssl --web-cert-file none.crt --no-dhcp --no-tftp --http-port 0 --agent-port 0 --state-path state-2',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['none.crt', 'fix: pilotlight serve --web-cert-file FILE'],
  },
  {
    typed: 'serve --log-level loud',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['log-level is "loud"', 'fix: pilotlight serve --log-level info'],
  },
  // Servers.
  {
    typed: 'get machines --server http://127.0.0.1:9',
    status: 'unreachable',
    code: 'SERVER_UNREACHABLE',
    says: ['no answer from the server at http://127.0.0.1:9'],
  },
  {
    typed: 'get machines --server http://127.0.0.1:6000',
    status: 'unreachable',
    code: 'SERVER_UNREACHABLE',
    says: ['belongs to another protocol'],
  },
  {
    typed: 'get machines --server http://name.invalid:8080',
    status: 'unreachable',
    code: 'SERVER_UNREACHABLE',
    says: ['the name name.invalid'],
  },
  {
    typed: 'get machines --server 127.0.0.1:8080',
    status: 'usage',
    code: 'BAD_OPTION',
    says: ['is not the URL of a server', 'http://10.20.0.1:8080'],
  },
  {
    typed: 'tokens list',
    status: 'refused',
    code: 'NOT_AUTHENTICATED',
    says: ['role admin', 'export PILOTLIGHT_TOKEN_FILE='],
  },
]

t.test(
  'each mistake is answered with its status, its code, what fixes it, and no words of a library',
  async t => {
    const { env, cwd } = await world(t)
    const ends = await together(MISTAKES, ({ typed }) => pilotlight(typed.split(' '), { env, cwd }))
    for (const [at, { typed, status, code, says }] of MISTAKES.entries()) {
      const ended = ends[at]! // one for each
      t.equal(ended.status, EXIT[status], `${typed}: ${ended.err}`)
      t.ok(ended.err.startsWith(`error ${code}`), `${typed}: ${ended.err}`)
      t.match(ended.err, `more: pilotlight help ${code}\n`, typed)
      for (const part of says) t.ok(ended.err.includes(part), `${typed}: "${part}" in ${ended.err}`)
      t.notMatch(ended.err, OF_LIBRARIES, typed)
      t.ok(await helpTopic(code, join(import.meta.dirname, '../../docs/errors.md')), `${code} has a page`)
    }
  },
)

t.test('with --json the error is JSON of one shape on standard output, whatever the verb', async t => {
  const { env, cwd } = await world(t)
  const typed = [
    'get groups spare --json',
    'get groups spare -o json',
    'get groups spare -o jsonl',
    'describe ctl-9 --json',
    'explain ctl-9 --json',
    'apply nowhere.yaml --json',
    'diff nowhere.yaml --json',
    'delete group spare --json',
    'history group spare --json',
    'journal ctl-9 --json',
    'plan nosite.yaml --json',
    'up nosite.yaml --json',
    'kubeconfig nosite.yaml --json',
    'charts plan nosite.yaml --json',
    'charts status nosite.yaml --json',
    'verify nosite.yaml --json',
    'machines approve ctl-9 --json',
    'machines pending --json --server http://127.0.0.1:9',
    'alarms ack none --json',
    'tokens list --json',
    'tokens revoke none --json',
    'assets list --json --server http://127.0.0.1:9',
    'images list --jsn --json',
    'images prune --keep 0 --json',
    'lint nowhere --json',
    'import nowhere --json',
    'backup x --state-path nowhere --passphrase-file nowhere --json',
    'lab status --lab none --json',
    'init site.yaml --json',
    'lab up nowhere.yaml --json',
    'lab power on m-1 --lab none --json',
    'lab console m-1 --lab none --json',
    'openstack rc nosite.yaml --json',
    'completion nushell --json',
    'sbom --no-images --output nowhere/x --json',
    'charts package charts --tools nowhere --json',
    'help nonsense --json',
    'nonsense --json',
  ]
  const ends = await together(typed, line => pilotlight(line.split(' '), { env, cwd }))
  for (const [at, line] of typed.entries()) {
    const { status, out, err } = ends[at]! // one for each
    t.not(status, 0, line)
    const { apiVersion, error } = JSON.parse(out || `{"error":{"out":${JSON.stringify(err)}}}`) as {
      apiVersion: string
      error: { code: string; message: string; fix: string; help: string; exitStatus: number }
    }
    t.equal(apiVersion, 'pilotlight/v1', `${line}: ${err}`)
    t.match(
      error,
      { code: String, message: /\w/, fix: /\w/, help: /^pilotlight help /, exitStatus: status },
      line,
    )
    t.match(err, /^error /, `${line}: people read it on standard error`)
  }
})

t.test('every list and result with --json begins with its apiVersion', async t => {
  const { env, cwd } = await world(t)
  const lists = ['machines', 'groups', 'profiles', 'templates', 'problems', 'alarms', 'leases']
  const typed = [
    ...lists.map(list => `get ${list} --json`),
    'get profile spare --json',
    'describe profile spare --json',
    'history profile spare --json',
    'explain --json',
    'machines pending --json',
    'images list --json',
    'version --json',
    'completion fish --json',
    'help exit-codes --json',
    'help lab power --json',
    'sbom --no-images --output bill.json --json',
    'images prune --dry-run --json',
    'apply objects.yaml --json --dry-run',
    'diff objects.yaml --json',
    'lint data --json',
  ]
  const ends = await together(typed, line => pilotlight(line.split(' '), { env, cwd }))
  for (const [at, line] of typed.entries()) {
    const { out, err } = ends[at]! // one for each
    t.match(JSON.parse(out || '{}'), { apiVersion: 'pilotlight/v1' }, `${line}: ${err}`)
  }
  const { out } = await pilotlight(['get', 'profiles', '-o', 'json'], { env })
  t.match(await pilotlight(['apply', '-', '--dry-run'], { env, input: out }), {
    status: 0,
    out: /profile spare created \(dry run\)/,
  })
})

t.test('an empty list says that it is empty, and what fills it', async t => {
  const { env, cwd } = await world(t)
  rmSync(join(cwd, 'data/profiles/spare.json')) // a profile without a group is a warning
  for (const [typed, said] of [
    ['get machines', /^no machines yet: .*pilotlight up/],
    ['get groups', /^no groups yet: /],
    ['get leases', /^no leases yet/],
    ['get problems', /^no problems: /],
  ] as const) {
    t.match(await pilotlight(typed.split(' '), { env, cwd }), { status: 0, out: said }, typed)
  }
})

t.test(
  'a token that is missing is named by the path that this server has, and works as the line says',
  async t => {
    const folder = t.testdir({ data: {} })
    const state = join(folder, 'state of a rack')
    const [http, agent] = [await freePort(), await freePort()]
    const main = join(import.meta.dirname, '../../cli/main.js')
    const args = [
      'serve',
      '--no-dhcp',
      '--no-tftp',
      '--http-port',
      String(http),
      '--agent-port',
      String(agent),
      '--data-path',
      join(folder, 'data'),
    ]
    const server = spawn(process.execPath, [main, ...args, '--state-path', 'state of a rack'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    t.teardown(() => server.kill())
    await new Promise<void>(resolve => {
      createInterface(server.stderr).on('line', line => {
        if (line.includes('"serving"')) resolve()
      })
    })
    const at = ['--server', `http://127.0.0.1:${http}`]
    const { err } = await pilotlight(['tokens', 'list', ...at])
    const path = join(state, 'admin.token')
    t.ok(err.includes(`\n  fix: export PILOTLIGHT_TOKEN_FILE='${path}'\n`), err)
    t.match(await pilotlight(['tokens', 'list', ...at], { env: { PILOTLIGHT_TOKEN_FILE: path } }), {
      status: 0,
      out: /bootstrap/,
    })
    // The same port again: the process that has it is named.
    const again = await pilotlight(['serve', ...args.slice(1), '--state-path', join(folder, 'other')])
    t.equal(again.status, EXIT.failed)
    t.match(
      again.err,
      new RegExp(`^error CANNOT_LISTEN: .*TCP port \\d+: process ${server.pid} \\(node main.js serve`),
    )
  },
)

t.test(
  'of several objects the ones that failed are named, and the status is 7 where others were done',
  async t => {
    const folder = t.testdir({ assets: { a: 'a', b: 'b' } })
    const at = ['--assets-path', join(folder, 'assets')]
    const some = await pilotlight(['assets', 'remove', 'a', 'none-1', 'b', 'none-2', ...at])
    t.match(some, { status: EXIT.partly, out: 'a deleted\nb deleted\n' })
    t.match(some.err, /^none-1: error NOT_FOUND: [^]*none-2: error NOT_FOUND: /)
    t.match(some.err, /error PARTLY_FAILED: it was done for 2 of 4, and not for none-1 none-2\n {2}fix: /)
    const none = await pilotlight(['assets', 'remove', 'none-1', 'none-2', '--json', ...at])
    t.equal(none.status, EXIT.notFound, 'where none was done, the status is that of the first error')
    const error = { code: 'NOT_FOUND', exitStatus: EXIT.notFound }
    t.match(JSON.parse(none.out), {
      items: [
        { id: 'none-1', error },
        { id: 'none-2', error },
      ],
    })
    const { env } = await world(t)
    const keys = await pilotlight(['machines', 'approve', 'a', 'b', '--fingerprint', 'SHA256:x'], { env })
    t.match(keys, { status: EXIT.usage, err: /--fingerprint is the key of one machine, and 2 are named/ })
  },
)

t.test(
  'tokens, alarms and machines end with 7 alike, and --json lists each with its state or its error',
  async t => {
    const folder = t.testdir({ data: { groups: { 'a.json': '{' } } })
    const dataPath = join(folder, 'data')
    const server = await testServer(t, { dataPath, statePath: join(folder, 'state') })
    t.equal((await server.put('/v1/sites/rack-1', site)).status, 200)
    const env = {
      PILOTLIGHT_SERVER: server.url,
      PILOTLIGHT_TOKEN: server.admin.authorization.replace('Bearer ', ''),
    }
    await pilotlight(['tokens', 'create', 'ci'], { env })
    const rows = [
      ['tokens revoke none-1 ci', 'ci', 'revoked', 'none-1', 'NOT_FOUND'],
      [
        `alarms clear PL-7022:data:${dataPath} PL-1`,
        `PL-7022:data:${dataPath}`,
        'cleared',
        'PL-1',
        'NOT_FOUND',
      ],
      ['machines reopen ctl-1 ctl-9', 'ctl-1', 'open', 'ctl-9', 'NOT_FOUND'],
      ['machines reopen --undo cmp-1 ctl-1', 'ctl-1', 'closed', 'cmp-1', 'NOT_REOPENED'],
    ] as const
    for (const [typed, done, state, not, code] of rows) {
      const { status, out, err } = await pilotlight([...typed.split(' '), '--json'], { env })
      t.equal(status, EXIT.partly, `${typed}: ${err}`)
      t.match(err, `${not}: error ${code}: `)
      t.match(err, `error PARTLY_FAILED: it was done for 1 of 2, and not for ${not}\n  fix: `)
      const { items } = JSON.parse(out) as { items: { id: string }[] }
      t.match(
        items.toSorted((a, b) => Number(b.id === done) - Number(a.id === done)),
        [
          { id: done, state },
          { id: not, error: { code } },
        ],
        typed,
      )
    }
  },
)

/** Runs commands, four at a time. */
async function together<T, R>(rows: readonly T[], run: (row: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let at = 0; at < rows.length; at += 4)
    results.push(...(await Promise.all(rows.slice(at, at + 4).map(run))))
  return results
}

/** A server with one profile, and a folder with files to name. */
async function world(t: Test) {
  const cwd = t.testdir({
    'site.yaml': 'name: rack\nnetwork: {}\nmachines: []\n',
    'empty.yaml': '',
    'two.yaml': 'name: a\n---\nname: b\n',
    'broken.yaml': 'kind: group\nid: a\nprofile: [\n',
    'objects.yaml': 'kind: group\nid: spare\nprofile: spare\n',
    folder: {},
    passphrase: 'long enough for one',
    data: { profiles: { 'spare.json': '{"id": "spare", "boot": {"kernel": "/vmlinuz"}}' } },
  })
  mkdirSync(join(cwd, 'data/groups'))
  const server = await testServer(t, { dataPath: join(cwd, 'data'), statePath: join(cwd, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url, VISUAL: '', EDITOR: '' }
  return { env, cwd }
}
