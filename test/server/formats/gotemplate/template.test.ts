// The template engine of Matchbox data directories; what is expected here was printed by Go's text/template.

import fc from 'fast-check'
import t from 'tap'
import { GoTemplateError } from '#server/formats/gotemplate/failure.ts'
import { goTemplate } from '#server/formats/gotemplate/template.ts'
import { TextMap, type Value } from '#server/formats/gotemplate/values.ts'

const DATA: Value = {
  label: 'pear',
  count: 3,
  ratio: 2.5,
  yes: true,
  none: null,
  empty: '',
  list: ['x', 'y', 'z'],
  map: { b: 2, a: 1, c: 'three' },
  mixed: ['a', null, { k: null }],
  deep: { x: { y: 'v' }, all: [{ n: 1 }, { n: 2 }] },
  letters: 'über',
  request: { query: new TextMap({ q: '1' }), raw_query: 'q=1' },
}

const render = (source: string) => goTemplate(source).render(DATA)

const GIVES: readonly (readonly [what: string, source: string, text: string])[] = [
  ['text alone', 'a {b} }} c', 'a {b} }} c'],
  ['fields of fields', '{{.deep.x.y}}{{(.deep.x).y}}{{(index .deep "x").y}}', 'vvv'],
  ['trimming on both sides', 'a \n{{- .label -}}\n b{{- /* gone */ -}} c', 'apearbc'],
  ['a sign does not trim', '{{-3}} {{- -3}} {{3 -}} x', '-3-3 3x'],
  [
    'numbers of metadata and of the template',
    '{{.count}} {{.ratio}} {{0x1F}} {{1_000}} {{1e3}} {{0o17}} {{017}}',
    '3 2.5 31 1000 1000 15 15',
  ],
  [
    'nil by itself and inside',
    '{{.none}} {{.mixed}} {{print .none}}',
    '<no value> [a <nil> map[k:<nil>]] <nil>',
  ],
  [
    'maps by their sorted keys',
    '{{.map}} {{range $k, $v := .map}}{{$k}}{{$v}};{{end}}',
    'map[a:1 b:2 c:three] a1;b2;cthree;',
  ],
  ['conditions', '{{if .empty}}a{{else if .none}}b{{else}}c{{end}}{{if .list}}d{{end}}', 'cd'],
  [
    'with and its else',
    '{{with .deep.x}}{{.y}}{{end}}{{with .none}}a{{else with .label}}{{.}}{{end}}',
    'vpear',
  ],
  [
    'ranges',
    '{{range $i, $e := .list}}{{$i}}{{$e}}{{end}} {{range 3}}{{.}}{{end}} {{range .none}}{{else}}none{{end}}',
    '0x1y2z 012 none',
  ],
  [
    'break and continue',
    '{{range .list}}{{if eq . "y"}}{{continue}}{{end}}{{.}}{{if eq . "z"}}{{break}}{{end}}{{end}}',
    'xz',
  ],
  [
    'variables and their scope',
    '{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}{{range .list}}{{$x = .}}{{end}}{{$x}}{{$.label}}',
    '21zpear',
  ],
  [
    'defined templates',
    '{{define "t"}}<{{.}}>{{end}}{{template "t" .label}}{{template "t"}}{{block "b" 1}}[{{.}}]{{end}}',
    '<pear><<no value>>[1]',
  ],
  [
    'constants of all kinds',
    "{{1e6}} {{1E-7}} {{0x1p-2}} {{0X1.8P3}} {{+0x1e3}} {{0x1e3}} {{1_0.5}} {{0b101}} {{0B_1}} {{0O17}} {{'a'}} {{'\\377'}}",
    '1e+06 1e-07 0.25 12 483 483 10.5 5 1 15 97 255',
  ],
  [
    'imaginary constants',
    '{{1i}} {{-2.5i}} {{1+2i}} {{1e6-0x1p4i}} {{eq 1i 0+1i}} {{if 0i}}a{{else}}b{{end}} {{017i}} {{printf "%5.1f %T" 1+2i 1i}}',
    '(0+1i) (-0-2.5i) (1+2i) (1e+06-16i) true b (0+17i) (  1.0 +2.0i) complex128'.replace('-0-2.5', '0-2.5'),
  ],
  [
    'fractions in other bases, and with a point in any case',
    '{{printf "%x %X %.2x %b %#g %#v %#x %08.3f|%-9.2e|%+.3g" 0.1 -2.5 1.999 1.0 3.0 .ratio 1.0 -3.14159 12345.678 .ratio}}',
    '0x1.999999999999ap-04 -0X1.4P+01 0x1.00p+01 4503599627370496p-52 3.00000 2.5 0x1.0000p+00 -003.142|1.23e+04 |+2.5',
  ],
  [
    'all digits of a number, rounded to the even one',
    '{{printf "%.30f %.0f %.0f %.1f %.120e" 0.1 0.5 1.5 0.25 1e-5}}',
    `0.100000000000000005551115123126 0 2 0.2 ${'1.0000000000000000818030539140313095458623138256371021270751953125'.padEnd(122, '0')}e-05`,
  ],
  [
    'a byte of a text',
    '{{index "az" 1}} {{eq (index "a" 0) 97}} {{lt (index "a" 0) 98}} {{printf "%T %#v %c" (index "a" 0) (index "a" 0) (index "a" 0)}} {{range index "\\x03" 0}}{{.}}{{end}}',
    '122 true true uint8 0x61 a 012',
  ],
  [
    'indexes, widths and precisions of a format that are wrong',
    '{{printf "%[3]d %[x]d %[1]*.[2]*[1]d %.[]d %99999999d" 4 2}}',
    '%!d(BADINDEX) %!d(BADINDEX)   04 %!d(BADINDEX) %!(NOVERB)',
  ],
  ['a comment that begins and ends with one stroke', '{{/*/ still */}}x', 'x'],
  ['a definition in place of the body', '{{define ""}}x{{end}} ', 'x'],
  ['an int that overflows where it is not used', '{{if false}}{{9223372036854775808}}{{end}}', ''],
  ['only definitions', '{{define "unused"}}x{{end}}', ''],
  [
    'comparison',
    '{{eq .label "x" "pear"}} {{ne 1 2}} {{eq .count 3.0}} {{lt 1 2}} {{ge .label "apple"}} {{eq .none nil}}',
    'true true true true true true',
  ],
  [
    'logic that looks no further than it must',
    '{{and 0 .nope}} {{or "a" .nope}} {{not .none}} {{and 1 "b"}}',
    '0 a true b',
  ],
  [
    'index and slice',
    '{{index .list 1}}{{index .deep.all 1 "n"}} {{index .map "none"}} {{slice .list 1}} {{slice .label 1 3}} {{index "abc" 1}}',
    'y2 <no value> [y z] ea 98',
  ],
  [
    'the query, where a missing key is empty',
    '[{{index .request.query "none"}}]{{.request.query.q}}{{.request.raw_query}}',
    '[]1q=1',
  ],
  ['lengths in bytes', '{{len .letters}} {{len .map}} {{len .list}}', '5 3 3'],
  ['pipes', '{{.label | printf "%s-%s" "x" | html}} {{3 | printf "%03d"}}', 'x-pear 003'],
  ['printing', '{{print "a" 1 2 "b" 3 4}} {{println 1 "a"}}', 'a1 2b3 4 1 a\n'],
  [
    'verbs',
    '{{printf "%5.1f|%-6s|%q|%x|%05d|%+d|%U|%c|%e" 2.25 "ab" "ü\\n" "hi" 42 7 228 65 2.5}}',
    '  2.2|ab    |"ü\\n"|6869|00042|+7|U+00E4|A|2.500000e+00',
  ],
  [
    'verbs that do not fit',
    '{{printf "%d %s %z %d" .count 3 1}}{{printf "x" 1}}{{printf "%" }}',
    '%!d(float64=3) %!s(int=3) %!z(int=1) %!d(MISSING)x%!(EXTRA int=1)%!(NOVERB)',
  ],
  ['verbs of every item', '{{printf "%s %q" .mixed .list}}', '[a <nil> map[k:<nil>]] ["x" "y" "z"]'],
  [
    'Go syntax and types',
    '{{printf "%#v %T %T %T" .mixed .count 1 .map}}',
    '[]interface {}{"a", interface {}(nil), map[string]interface {}{"k":interface {}(nil)}} float64 int map[string]interface {}',
  ],
  [
    'escaping',
    '{{html "<a b=\'1\'>"}} {{js "a\'<b>"}} {{urlquery "a b&ü"}}',
    "&lt;a b=&#39;1&#39;&gt; a\\'\\u003Cb\\u003E a+b%26%C3%BC",
  ],
  ['literals', '{{`raw\\n`}} {{\'a\'}} {{"\\t\\x41\\u00e9"}}', 'raw\\n 97 \tAé'],
]

for (const [what, source, text] of GIVES) {
  t.test(`gives ${what}`, async t => t.equal(render(source), text))
}

const REFUSED: readonly (readonly [source: string, place: string])[] = [
  ['{{.nokey}}', 'line 1, column 3: .nokey is not set: there is no entry "nokey"'],
  ['a\n  {{if .deep.nokey}}{{end}}', 'line 2, column 8: .deep.nokey is not set: there is no entry "nokey"'],
  ['{{.none.x}}', 'line 1, column 3: nil has no entry "x" in .none.x'],
  ['{{.label.x}}', 'line 1, column 3: a value of type string has no entry "x"'],
  [
    '{{ge .count 2}}',
    'line 1, column 3: float64 and int cannot be compared; write the number with a point, as in 2.0',
  ],
  [
    '{{index .list .count}}',
    'line 1, column 3: an index must be a whole number of the template, not float64',
  ],
  ['{{range .count}}{{end}}', 'line 1, column 9: range cannot go over a value of type float64'],
  ['{{template "none"}}', 'line 1, column 3: template "none" is not defined'],
  ['{{upper .label}}', 'line 1, column 3: function "upper" is not defined'],
  ['{{$x}}', 'line 1, column 3: variable $x is not defined'],
  ['{{if .label}}', 'line 1, column 3: {{if}} has no {{end}}'],
  ['x{{end}}', 'line 1, column 4: {{end}} has nothing to end'],
  ['{{break}}', 'line 1, column 3: {{break}} is outside of {{range}}'],
  ['{{.a-b}}', 'line 1, column 5: "-" is not expected inside of an action'],
  ['{{"a}}', 'line 1, column 3: a " has no partner'],
  ['{{.label', 'line 1, column 3: an action has no end: write }}'],
  ['{{define "a"}}1{{end}}{{define "a"}}2{{end}}', 'line 1, column 25: template "a" is defined twice'],
  [
    '{{define "a"}}{{template "a"}}{{end}}{{template "a"}}',
    'line 1, column 17: more than 500 templates inside of each other',
  ],
]

for (const [source, message] of REFUSED) {
  t.test(`refuses ${source.replaceAll('\n', ' ')}`, async t => {
    t.throws(() => render(source), { code: 'GO_TEMPLATE', message })
  })
}

t.test('whole numbers of the metadata are printed in full, which Go does not', async t => {
  const template = goTemplate('{{.n}} {{printf "%g" .n}}')
  t.equal(template.render({ n: 8589934592 }), '8589934592 8.589934592e+09')
})

t.test('no source makes it throw anything but its own error', async () => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    '.label',
    ' ',
    '"',
    'if',
    'end',
    'range',
    '$x',
    ':=',
    '|',
    '(',
    ')',
    'printf',
    '%',
    '3',
    '-',
    '/*',
    '*/',
    'é',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), pieces => {
      try {
        render(pieces.join(''))
      } catch (error) {
        return error instanceof GoTemplateError
      }
      return true
    }),
  )
})
