// Texts that someone could write to break what reads them later, under every key for disks, people and time: each is refused
// once at its place, or is a text that shells, JSON and configuration files take as it is.

import { stringify } from 'yaml'
import t from 'tap'
import { compileSite } from '#rack/site/compile.ts'
import { FileProblems } from '#rack/site/problems.ts'
import { parseSite } from '#rack/site/read.ts'

const HOSTILE: readonly unknown[] = [
  '',
  ' ',
  '\t',
  '\n',
  'a\nb',
  'a\r\nb',
  'a\u0000b',
  'a\u001b[2Jb',
  '\u202Eevil',
  '\uD800',
  'é',
  '😀',
  '\u00A0a',
  '"',
  "'",
  '`',
  '\\',
  'a"b',
  '$(reboot)',
  '${HOME}',
  '`id`',
  'a;reboot',
  'a&&b',
  'a|b',
  '> /dev/sda',
  '*',
  '?',
  '[a-z]*',
  '{a,b}',
  '!a',
  '../../etc/passwd',
  '/dev/sda',
  '/dev/disk/by-id/../../sda',
  '-rf',
  '--help',
  '{{ machine.name }}',
  '{% include "x" %}',
  '<script>',
  '%s%n',
  'null',
  '~',
  'true',
  'yes',
  'NaN',
  '-1',
  '0',
  '1e999',
  '0x10',
  '9'.repeat(30),
  '1'.repeat(4096),
  'a'.repeat(4097),
  'none ',
  'NONE',
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e300,
  [],
  [[]],
  [null],
  {},
  { a: 1 },
  { $ref: '#' },
  { toString: 'x' },
  ['a', 'b'],
]

/** Each key with a place for the text, and what of the compiled site it becomes. */
const KEYS: Readonly<Record<string, (value: unknown) => object>> = {
  disk: value => ({ disk: value }),
  'disk.match': value => ({ disk: { match: value } }),
  'disk.match.by-id': value => ({ disk: { match: { 'by-id': value } } }),
  'disk.match.serial': value => ({ disk: { match: { serial: value } } }),
  'disk.match.model': value => ({ disk: { match: { model: value } } }),
  'disk.match.type': value => ({ disk: { match: { type: value } } }),
  'disk.match.minSize': value => ({ disk: { match: { minSize: value } } }),
  'disk.mirror': value => ({ disk: { mirror: value } }),
  'disk.encrypt': value => ({ disk: { encrypt: value } }),
  'disk.overwrite': value => ({ disk: { match: { type: 'nvme' }, overwrite: value } }),
  hardware: value => ({ hardware: value }),
  'network.ntp': value => ({ network: { subnet: '10.20.0.0/24', ntp: value } }),
  'network.ntp[0]': value => ({ network: { subnet: '10.20.0.0/24', ntp: [value] } }),
  ssh_keys: value => ({ ssh_keys: value }),
  'ssh_keys[0]': value => ({ ssh_keys: [value] }),
  console: value => ({ console: value }),
  'console.login': value => ({ console: { login: value } }),
  'console.password_hash': value => ({ console: { login: 'password', password_hash: value } }),
}

/** What a machine's scripts may meet: no quote, no backslash, nothing that a shell expands but the two marks of a glob. */
const SAFE = /^[A-Za-z0-9 ._:+/()#,&@*?=-]*$/

t.test('each is refused once at its place, or becomes nothing that could break what reads it', async t => {
  let [refused, taken] = [0, 0]
  for (const [key, siteWith] of Object.entries(KEYS))
    for (const value of HOSTILE) {
      const what = `${key}: ${JSON.stringify(value)?.slice(0, 60)}`
      const text = stringify({
        name: 'rack-1',
        network: { subnet: '10.20.0.0/24' },
        machines: [{ name: 'ctl-1', mac: '52:54:00:20:00:01', role: 'controller' }],
        ...siteWith(value),
      })
      try {
        const { machines, groups, network } = compileSite(parseSite('site.yaml', text))
        taken += 1
        const { disk, hardware } = machines[0]! // the site has one
        const { sshKeys, console: atConsole } = groups[0]?.metadata ?? {}
        for (const leaf of leavesOf({ disk, hardware, sshKeys, atConsole, ntp: network.ntp }))
          t.match(String(leaf), SAFE, `${what} becomes ${String(leaf)}`)
      } catch (error) {
        if (!(error instanceof FileProblems)) throw error
        refused += 1
        const places = error.problems.map(it => `${it.line}:${it.column}`)
        t.equal(new Set(places).size, places.length, `${what}: ${error.message}`)
        const [{ code, line, column, what: said, remedy }] = error.problems as [
          FileProblems['problems'][number],
        ]
        t.match(code, /^PL-10(?:0[1-9]|10)$/)
        t.ok(line >= 1 && column >= 1 && remedy !== '' && said.length <= 601, what)
        t.notMatch(said, /\p{Cc}/u, `${what}: no control character goes to a terminal`)
      }
    }
  t.ok(refused > 1000 && taken > 20, `${refused} refused, ${taken} taken`)
})

function leavesOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value ?? '']
  return Object.values(value).flatMap(leavesOf)
}
