// Templates are data of any client that may write objects. Rendering one gives no code on the server, and takes no time that
// machines would miss.

import t from 'tap'
import { testServer, type TestServer } from '../server/serving.ts'

t.setTimeout(200_000) // a busy machine takes its time

/** What code of a template would leave behind: the server runs in this process. */
const MARK = 'codeOfATemplate'
const CODE = `globalThis.${MARK} = 1`
const isMarked = () => Reflect.get(globalThis, MARK) !== undefined

/** Thirty levels of lists, each eight times in the next. */
const LISTS = `{% set a = [1, 1] %}${'{% set a = [a, a, a, a, a, a, a, a] %}'.repeat(30)}`

/** A way from what a template sees to JavaScript, as text of a template. */
const ESCAPES: Readonly<Record<string, string>> = {
  'the constructor of a function': `{{ file.constructor("${CODE}")() }}`,
  'the constructor of a global': `{{ range.constructor("${CODE}")() }}`,
  'a constructor by a text in brackets': `{{ range["constructor"]("${CODE}")() }}`,
  'a constructor by parts of its name': `{{ range["const" + "ructor"]("${CODE}")() }}`,
  'a constructor by a list that is its name': `{{ range[["constructor"]]("${CODE}")() }}`,
  'the constructor of a text': `{{ server.url.constructor.constructor("${CODE}")() }}`,
  'the constructor of a method of a text': `{{ server.url.slice.constructor("${CODE}")() }}`,
  'the constructor of a number': `{{ (1).constructor.constructor("${CODE}")() }}`,
  'the constructor of a list': `{{ [].constructor.constructor("${CODE}")() }}`,
  'the constructor of a method of a list': `{{ [].join.constructor("${CODE}")() }}`,
  'the constructor of an object': `{{ {}.constructor.constructor("${CODE}")() }}`,
  'the constructor of a regular expression': `{{ r/a/.constructor.constructor("${CODE}")() }}`,
  'a function of an object: toString': `{{ labels.toString.constructor("${CODE}")() }}`,
  'a function of an object: valueOf': `{{ labels.valueOf.constructor("${CODE}")() }}`,
  'a function of an object: hasOwnProperty': `{{ labels.hasOwnProperty.constructor("${CODE}")() }}`,
  'an object that a label names': `{{ labels.__proto__.constructor.constructor("${CODE}")() }}`,
  __proto__: `{{ {}.__proto__.constructor.constructor("${CODE}")() }}`,
  '__proto__ in brackets': `{{ {}["__proto__"]["constructor"]["constructor"]("${CODE}")() }}`,
  '__proto__ as a variable': `{{ __proto__.constructor.constructor("${CODE}")() }}`,
  'constructor as a variable': `{{ constructor.constructor("${CODE}")() }}`,
  __lookupGetter__: `{{ {}.__lookupGetter__("__proto__").constructor("${CODE}")() }}`,
  'the prototype of a function': `{{ range.prototype.constructor.constructor("${CODE}")() }}`,
  'call of a function': `{{ range.call(1, 2) }}`,
  'bind of a function': `{{ range.bind(1)() }}`,
  'the caller of a function': `{{ range.caller.constructor("${CODE}")() }}`,
  'the arguments of a function': `{{ range.arguments.constructor("${CODE}")() }}`,
  'a cycler': `{{ cycler(1).next.constructor("${CODE}")() }}`,
  'a joiner': `{{ joiner(1).constructor("${CODE}")() }}`,
  'a macro': `{% macro m() %}{% endmacro %}{{ m.constructor("${CODE}")() }}`,
  'what a macro gives': `{% macro m() %}{% endmacro %}{{ m().constructor.constructor("${CODE}")() }}`,
  'the caller of a macro': `{% macro m() %}{{ caller.constructor("${CODE}")() }}{% endmacro %}{% call m() %}{% endcall %}`,
  'an imported template': `{% import "ipxe/parts.njk" as parts %}{{ parts.constructor.constructor("${CODE}")() }}`,
  'a macro of another template': `{% from "ipxe/parts.njk" import query %}{{ query.constructor("${CODE}")() }}`,
  'an import of a constructor': `{% from "ipxe/parts.njk" import constructor %}{{ constructor.constructor("${CODE}")() }}`,
  'a loop': `{% for x in [1] %}{{ loop.constructor.constructor("${CODE}")() }}{% endfor %}`,
  'names of a loop': `{% for constructor in [range] %}{{ constructor.constructor("${CODE}")() }}{% endfor %}`,
  'the keys of an object': `{% for key, value in range %}{{ value }}{% else %}{{ range.name }}{% endfor %}`,
  'a block': `{% block b %}{{ self.constructor.constructor("${CODE}")() }}{% endblock %}`,
  'super without a parent': `{% block b %}{{ super().constructor("${CODE}")() }}{% endblock %}`,
  'a filter that takes an attribute: join': `{{ ([range] | join(",", "constructor"))("${CODE}")() }}`,
  'a filter that takes an attribute: map': `{{ ([range] | map("constructor") | first)("${CODE}")() }}`,
  'a filter that takes an attribute: sum': `{{ [range] | sum("constructor") }}{{ fail("sum gave it") }}`,
  'a filter that takes an attribute: sort': `{{ ([range] | sort(attribute="constructor") | first).constructor("${CODE}")() }}`,
  'a filter that takes an attribute: groupby': `{{ [range, range] | groupby("constructor.constructor") | dump }}`,
  'a filter that takes a function: groupby': `{{ [1] | groupby(range.constructor("${CODE}")) | dump }}`,
  'the filter list': `{{ ({a: range} | list | first).value.constructor("${CODE}")() }}`,
  'the filter dictsort': `{{ ({} | dictsort | first)[1].constructor("${CODE}")() }}`,
  'the filter safe': `{{ ("x" | safe).constructor.constructor("${CODE}")() }}`,
  'the filter default': `{{ (x | default(range)).constructor("${CODE}")() }}`,
  'the filter dump with a replacer': `{{ {toJSON: range} | dump }}`,
  'replace with a function': `{{ "x".replace("x", range.constructor("${CODE}")) }}`,
  'replace with a regular expression': `{{ "x" | replace(r/x/, range.constructor("${CODE}")) }}`,
  'a text of an object of the template': `{{ "" + {toString: range} ~ {valueOf: range} }}{{ fail("no code") }}`,
  'the environment of nunjucks': `{{ env.globals.range.constructor("${CODE}")() }}`,
  'the context of nunjucks': `{{ context.env.constructor("${CODE}")() }}`,
  'the frame of nunjucks': `{{ frame.constructor.constructor("${CODE}")() }}`,
  'the runtime of nunjucks': `{{ runtime.makeMacro.constructor("${CODE}")() }}`,
  'this of JavaScript': `{{ this.constructor.constructor("${CODE}")() }}`,
  'globals of JavaScript': `{{ globalThis.process.exit }}{{ process.exit }}{{ require("fs") }}`,
  'keyword arguments': `{% macro m(a) %}{{ kwargs.constructor.constructor("${CODE}")() }}{% endmacro %}{{ m(a=1) }}`,
  'a name that is code once compiled': '{{ a"&Function`globalThis\\x2ecodeOfATemplate\\x3d1```&"b }}',
  'a name of a variable that is code once compiled':
    '{% set a"&Function`globalThis\\x2ecodeOfATemplate\\x3d1```&"b = 1 %}',
  'a name of a filter that is code once compiled':
    '{{ 1 | a"&Function`globalThis\\x2ecodeOfATemplate\\x3d1```&"b }}',
  'a name of a test that is code once compiled':
    '{{ 1 is a"&Function`globalThis\\x2ecodeOfATemplate\\x3d1```&"b }}',
  'names of a loop that are code once compiled':
    '{% for a"&Function`globalThis\\x2ecodeOfATemplate\\x3d1```&"b in [1] %}{% endfor %}',
  'a name of an argument that is code once compiled':
    '{% macro m(a`b) %}{% endmacro %}{{ m(a"&Function`globalThis\\x2ecodeOfATemplate\\x3d1```&"b=1) }}',
  'a file above the data directory': '{% include "../../../../etc/hostname" %}',
  'a file by its whole path': '{{ file("/etc/hostname") }}',
  'a file of another folder of the directory': '{% include "machines/machine.json" %}',
  'a template by an object': '{% include {raw: "ipxe/parts.njk"} %}',
  'what runs later': `{% asyncEach x in [1] %}{{ x }}{% endeach %}`,
}

/** Templates that cost much, or never end, as text of a template; each says which limit it meets. */
const BOMBS: Readonly<Record<string, readonly [content: string, limit: RegExp]>> = {
  'a range without end': ['{% for i in range(9000000000000000) %}{% endfor %}', /steps/],
  'a range of parts': ['{% for i in range(0, 1, 0.0000000001) %}{% endfor %}', /steps|whole/],
  'loops in loops': [`${'{% for i in range(99) %}'.repeat(9)}x${'{% endfor %}'.repeat(9)}`, /steps/],
  'a text that doubles': [`{% set a = "xxxxxxxx" %}${'{% set a = a ~ a %}'.repeat(60)}{{ a }}`, /characters/],
  'a text that doubles by filters': [
    `{% set a = "xxxxxxxx" %}${'{% set a = [a, a] | join %}'.repeat(60)}{{ a }}`,
    /characters/,
  ],
  'lists of lists, written': [`${LISTS}{{ a }}`, /steps|characters/],
  'lists of lists as JSON': [`${LISTS}{{ a | json }}`, /steps|characters/],
  'lists of lists, compared': [`${LISTS}{{ a == "x" }}`, /steps|characters/],
  'lists of lists, sorted': [`${LISTS}{{ [a, a] | sort | length }}`, /steps|characters/],
  'a macro that calls itself': ['{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', /inside of each other/],
  'a macro that calls itself twice': [
    '{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}',
    /steps/,
  ],
  'a template that includes itself': ['{% include "ipxe/evil.ipxe.njk" %}', /inside of each other/],
  'a template that includes itself twice': [
    '{% include "ipxe/evil.ipxe.njk" %}{{ file("evil.ipxe.njk") }}',
    /inside of each other/,
  ],
  'a template that imports itself': ['{% import "ipxe/evil.ipxe.njk" as evil %}', /inside of each other/],
  'a template that extends itself': ['{% extends "ipxe/evil.ipxe.njk" %}', /characters|inside of each other/],
  'the width of center': ['{{ "x" | center(900000000) }}', /characters/],
  'the width of indent': ['{{ "x" | indent(900000000) }}', /characters/],
  'the width of padStart': ['{{ "x".padStart(900000000) }}', /characters/],
  'the length of batch': ['{{ [1] | batch(900000000, 1) | length }}', /steps/],
  'the number of slices': ['{{ [1] | slice(900000000) | length }}', /steps/],
  'replace of nothing': ['{% set a = "x" | center(99999) %}{{ a | replace("", a) }}', /characters|steps/],
  'a regular expression': ['{{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" | replace(r/(a+)+$/, "") }}', /regular/],
  'long texts, searched': [
    '{% set a = "y" | center(999999) %}{% for i in range(99999) %}{{ ("y" ~ "y" | center(300)) in a }}{% endfor %}',
    /steps/,
  ],
  'long texts, compared': [
    '{% set a = "y" | center(999999) %}{% set b = "y" | center(999999) %}{% for i in range(99999) %}{{ a == b }}{% endfor %}',
    /steps/,
  ],
  'long texts as numbers': [
    '{% set a = "1".padStart(999999, "1") %}{% for i in range(99999) %}{{ a * 1 }}{% endfor %}',
    /steps/,
  ],
  'white space before a tag that removes it': [`${' '.repeat(99_999)}x{%- if 1 %}{% endif %}`, /white space/],
  'a raw block without an end': [`{% raw %}${'{%'.repeat(50_000)}`, /endraw/],
  'parentheses in parentheses': [`{{ ${'('.repeat(50_000)}1${')'.repeat(50_000)} }}`, /too deep/],
  'tags in tags': ['{% if 1 %}'.repeat(9999), /too deep/],
  'a long sum': [`{{ ${'1 + '.repeat(30_000)}1 }}`, /too deep/],
  'a large template': ['{{ 1 }}'.repeat(99_999), /128 KB/],
  'a number of replacements that would give steps back': [
    '{% set a = "a" | replace("b", "c", -1000000000) %}{{ range(300000) | length }}',
    /steps/,
  ],
  'spaces of dump that would give characters back': [
    '{% set a = {a: "x"} | dump(-1000000000) %}{{ "x" | center(9000000) }}',
    /characters/,
  ],
  'extends in a loop': [
    '{% for i in range(600) %}{% extends "ipxe/evil.ipxe.njk" %}{% endfor %}',
    /extends is in a loop, a macro or a block/,
  ],
  'extends in a macro': [
    '{% macro m() %}{% if 1 %}{% extends "ipxe/evil.ipxe.njk" %}{% endif %}{% endmacro %}{{ m() }}',
    /extends is in a loop, a macro or a block/,
  ],
  'extends in a block': [
    '{% for i in range(600) %}{% block b %}{% extends "ipxe/evil.ipxe.njk" %}{% endblock %}{% endfor %}',
    /extends is in a loop, a macro or a block/,
  ],
  'extends again and again': ['{% extends "ipxe/parts.njk" %}'.repeat(600), /only once/],
  'a template with a block that extends itself': [
    '{% extends "ipxe/evil.ipxe.njk" %}{% block b %}{% endblock %}',
    /steps/,
  ],
  'a large object, measured': [
    `{% set a = {${Array.from({ length: 2000 }, (_, at) => `k${at}: 1`).join()}} %}` +
      '{% for i in range(15000) %}{{ a | length }}{% endfor %}',
    /steps/,
  ],
  'a long text, searched from its end': [
    '{% set a = "x".padStart(40000, "x") %}{{ a.lastIndexOf(a.slice(20000) ~ "z") }}',
    /steps/,
  ],
  'numbers in many lists, indented': [
    `{% set a = [${'1,'.repeat(99)}1] %}${'{% set a = [a] %}'.repeat(180)}` +
      '{% for i in range(500) %}{{ a | dump(10) | length }}{% endfor %}',
    /characters/,
  ],
}

/** Processor time of one answer in seconds: some 0.05 here, with a large margin for the start and other work. */
const MOST_SECONDS = 1.5

t.test('a template', async t => {
  const server = await testServer(t)
  for (const [what, content] of Object.entries(ESCAPES)) {
    await t.test(`gets no code by ${what}`, async t => {
      const { status, text } = await answerWith(server, content)
      t.notOk(isMarked(), 'the code did not run')
      Reflect.deleteProperty(globalThis, MARK)
      t.ok([400, 503].includes(status), `${status}: ${text}`)
      t.match(
        text,
        /^ipxe\/\S+ cannot be rendered: line \d+, column \d+: |"line":\d+,"column":\d+/,
        'with the place',
      )
    })
  }
  for (const [what, [content, limit]] of Object.entries(BOMBS)) {
    await t.test(`is ended in time with ${what}`, async t => {
      const before = process.cpuUsage()
      const { status, text } = await answerWith(server, content)
      const { user, system } = process.cpuUsage(before)
      t.ok([400, 503].includes(status), `${status}`)
      t.match(text, limit)
      t.match(text, /evil\.ipxe\.njk/, 'with the name of the template')
      t.ok((user + system) / 1e6 < MOST_SECONDS, `${(user + system) / 1e6} s`)
    })
  }
  t.match(await answerWith(server, '#!ipxe\necho {{ server.url }}'), { status: 200, text: /echo http:/ })
})

t.test('arguments of a profile are templates with the same limits, all of them together', async t => {
  const server = await testServer(t)
  const answerOf = async (args: readonly string[]) => {
    const profile = { id: 'evil', ignition_id: 'live.ign.njk', boot: { kernel: '/assets/vmlinuz', args } }
    t.ok((await server.put('/v1/profiles/evil', profile)).ok)
    const group = { id: 'evil', profile: 'evil', selector: { evil: 'yes' } }
    t.ok((await server.put('/v1/groups/evil', group)).ok)
    const answer = await server.get('/ipxe?evil=yes')
    return { status: answer.status, text: await answer.text() }
  }
  t.match(await answerOf(['url={{ server.url }}']), { status: 200, text: /url=http:/ })
  const code = await answerOf([`x={{ server.url.constructor.constructor("${CODE}")() }}`])
  t.match(code, { status: 503, text: /profile evil .*not a function of templates/ })
  t.notOk(isMarked())
  const long = '{% for i in range(9000) %}{% if i %}{% endif %}{% endfor %}'
  t.match(await answerOf([`a=${long}`]), { status: 200 }, 'one of them may take a while')
  t.match(await answerOf(Array.from({ length: 99 }, (_, at) => `a${at}=${long}`)), {
    status: 503,
    text: /steps/,
  })
})

/** What `/ipxe` answers where the script of the profile is this text; or why it is not taken as a template at all. */
async function answerWith(server: TestServer, content: string): Promise<{ status: number; text: string }> {
  const headers = { 'content-type': 'text/plain', ...server.admin }
  const path = `${server.url}/v1/templates/ipxe/evil.ipxe.njk`
  const put = await fetch(path, { method: 'PUT', headers, body: content })
  if (!put.ok) return { status: put.status, text: await put.text() }
  await server.put('/v1/profiles/evil', { id: 'evil' })
  await server.put('/v1/groups/evil', { id: 'evil', profile: 'evil', selector: { evil: 'yes' } })
  const answer = await server.get('/ipxe?evil=yes')
  return { status: answer.status, text: await answer.text() }
}
