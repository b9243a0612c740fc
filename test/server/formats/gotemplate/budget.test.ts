// What a Go template or a YAML text may cost: none of them holds up the event loop or fills the memory.

import t from 'tap'
import { mergedMembers, parseYaml } from '#server/formats/butane/yaml.ts'
import { goTemplate } from '#server/formats/gotemplate/template.ts'
import type { Value } from '#server/formats/gotemplate/values.ts'
import type { Member } from '#server/formats/ignition/tree.ts'

t.setTimeout(200_000) // a busy machine takes its time

const entries = Array.from({ length: 20_000 }, (_, at) => [`k${at}`, 'v'])
const deep = Array.from({ length: 100 }).reduce<Value>(d => ({ d }), 'v')
const DATA = { map: Object.fromEntries(entries) as Record<string, string>, list: entries.flat(), deep }

/** Processor time in seconds: some 0.05 to 0.3, with a margin for other work; without limits each takes many, or all memory. */
const MOST_SECONDS = 3

const LARGE = '{{ $a := printf "%1000000d" 1 }}{{ range 100000 }}'

const BOMBS: Readonly<Record<string, readonly [source: string, limit: RegExp]>> = {
  'a range that never ends': ['{{ range 9000000000000 }}x{{ end }}', /steps/],
  'a template that runs itself': [
    '{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}',
    /inside of each other/,
  ],
  'wide numbers': ['{{ range 100000 }}{{ printf "%1000000d" 1 }}{{ end }}', /characters/],
  'a list of wide items': ['{{ printf "%1000000v" .list }}', /characters/],
  'a text that doubles': [
    `{{ $a := "xxxxxxxx" }}${'{{ $a = printf "%s%s" $a $a }}'.repeat(40)}{{ len $a }}`,
    /characters/,
  ],
  'a text that grows by print': [
    `{{ $a := "xxxxxxxx" }}${'{{ $a = print $a $a $a $a }}'.repeat(40)}{{ len $a }}`,
    /characters/,
  ],
  'a long text, escaped': [`${LARGE}{{ $b := urlquery $a }}{{ end }}`, /characters/],
  'a long text, measured': [`${LARGE}{{ if eq (len $a) 3 }}{{ end }}{{ end }}`, /characters/],
  'a long text, cut': [`${LARGE}{{ $b := slice $a 1 }}{{ end }}`, /characters/],
  'a large map, measured': ['{{ range 100000 }}{{ if eq (len $.map) 3 }}{{ end }}{{ end }}', /steps/],
  'a large map as a condition': ['{{ range 100000 }}{{ if $.map }}{{ end }}{{ end }}', /steps/],
  'a large map, begun': ['{{ range 100000 }}{{ range $.map }}{{ break }}{{ end }}{{ end }}', /steps/],
  'a large map, printed': ['{{ range 100000 }}{{ $x := print $.map }}{{ end }}', /steps|characters/],
  'a large list, again and again': ['{{ range 6 }}{{ range $.list }}{{ end }}{{ end }}', /steps/],
  'many variables, and the first of them': [
    `${Array.from({ length: 10_000 }, (_, at) => `{{ $a${at} := 1 }}`).join('')}{{ eq${' $a0'.repeat(2000)} }}`,
    /steps/,
  ],
  'a long text, used again by printf': [
    `{{ $a := printf "%99999d" 1 }}{{ printf "${'%.1[1]s'.repeat(200)}" $a }}`,
    /characters/,
  ],
  'a long text, used again in bytes': [
    `{{ $a := printf "%99999d" 1 }}{{ printf "${'%.1[1]x'.repeat(200)}" $a }}`,
    /characters/,
  ],
  'a large list, used again by printf': [`{{ printf "${'%[1]T'.repeat(999)}" .list }}`, /characters/],
  'many conditions in one': [`{{ range 50 }}{{ if and${' 1'.repeat(5000)} }}{{ end }}{{ end }}`, /steps/],
  'parentheses, again and again': [
    `{{ range 300 }}{{ $x := ${'('.repeat(999)}1${')'.repeat(999)} }}{{ end }}`,
    /steps/,
  ],
  'a long path': [`{{ range 9000 }}{{ $x := $.deep${'.d'.repeat(100)} }}{{ end }}`, /steps/],
  'parentheses in parentheses': [`{{ ${'('.repeat(50_000)}1${')'.repeat(50_000)} }}`, /too deep/],
  'a large source': ['{{ if 1 }}'.repeat(50_000), /256 KB/],
}

for (const [what, [source, limit]] of Object.entries(BOMBS)) {
  t.test(`a template is ended in time with ${what}`, async t => {
    const before = process.cpuUsage()
    t.throws(() => goTemplate(source).render(DATA), { code: 'GO_TEMPLATE', message: limit })
    const { user, system } = process.cpuUsage(before)
    t.ok((user + system) / 1e6 < MOST_SECONDS, `${(user + system) / 1e6} s`)
  })
}

t.test('white space before an action that trims it takes no time', async t => {
  const before = process.cpuUsage()
  t.equal(goTemplate(`${' '.repeat(200_000)}x${' '.repeat(9)}{{- 1 }}`).render(DATA).length, 200_002)
  t.ok(process.cpuUsage(before).user / 1e6 < MOST_SECONDS)
})

const YAML_BOMBS: Readonly<Record<string, string>> = {
  'lists in lists': `a: ${'['.repeat(200_000)}`,
  'maps in maps': `a: ${'{a: '.repeat(100_000)}`,
  'lists in lists of one line': `${'- '.repeat(200_000)}x`,
  'keys that are keys': `${'? '.repeat(200_000)}x`,
  'keys, each compared with all': Array.from({ length: 50_000 }, (_, at) => `k${at}: 1`).join('\n'),
  'keys of a map in braces': `a: {${Array.from({ length: 30_000 }, (_, at) => `k${at}`).join(',')}}`,
  'keys after question marks': Array.from({ length: 19_000 }, (_, at) => `? k${at}`).join('\n'),
  'keys without commas': `a: {${Array.from({ length: 40_000 }, (_, at) => `"${at}"`).join('')}}`,
  'spaces after a key': `a:${' '.repeat(900_000)}b`,
  'anchors without end': '- &a x\n'.repeat(100_000),
  'a large text': `a: ${'x'.repeat(2_000_000)}`,
}

for (const [what, text] of Object.entries(YAML_BOMBS)) {
  t.test(`YAML is refused in time with ${what}`, async t => {
    const before = process.cpuUsage()
    t.throws(() => parseYaml(text), { code: 'BAD_YAML' })
    const { user, system } = process.cpuUsage(before)
    t.ok((user + system) / 1e6 < MOST_SECONDS, `${(user + system) / 1e6} s`)
  })
}

t.test('each key of merged maps is looked at a few times only', async t => {
  let looks = 0
  const members = Array.from({ length: 2000 }, (_, at): Member => ({
    get key() {
      looks += 1
      return `k${at}`
    },
    at: 0,
    value: { kind: 'null', at: 0 },
  }))
  const map = { kind: 'object', at: 0, members } as const
  const merged = mergedMembers({ kind: 'list', at: 0, items: Array.from({ length: 20 }, () => map) })
  t.ok(looks <= 4 * 20 * 2000, `${looks} looks`)
  t.equal(merged.length, 2000)
})

t.test('no item of an ordered map is compared with the others', async t => {
  const read = parseYaml('a: !!omap [b, b]')
  t.match(read, { members: [{ key: 'a', value: { items: [{ value: 'b' }, { value: 'b' }] } }] })
})
