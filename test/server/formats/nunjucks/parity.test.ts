// Our templates against nunjucks itself, which compiles them to JavaScript: the same text comes out.

import t from 'tap'
import nunjucks from 'nunjucks'
import { Templates } from '#server/boot/render/templates.ts'

const VALUES = {
  name: 'Node One',
  list: ['b', 'A', 'c'],
  numbers: [3, 1, 20],
  deep: { a: { b: 'x' }, 'with space': 1, none: null },
  items: [
    { id: 'm', size: 2, ok: true },
    { id: 'k', size: 1, ok: false },
    { id: 'l', size: 2, ok: true },
  ],
  text: ' one two\nthree\n',
  zero: 0,
}

const FILES: Readonly<Record<string, string>> = {
  'parts.njk':
    '{% set word = "of parts" %}{% set _own = 1 %}{% macro greet(who, sign="!", end="") %}hi {{ who }}{{ sign }}{{ end }}{% endmacro %}',
  'seen.njk': 'name={{ name }} word={{ word }}{% set word = "changed" %}',
  'base.njk': '[{% block head %}base head{% endblock %}|{% block body %}base {{ name }}{% endblock %}]',
  'middle.njk': '{% extends "base.njk" %}{% block body %}middle, {{ super() }}{% endblock %}',
}

const ROWS: readonly string[] = [
  '{{ name }} {{ deep.a.b }} {{ deep["with space"] }} {{ list[1] }} {{ list.length }} {{ name[0] }}',
  '{{ 1 + 2 * 3 - 4 / 8 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 2 ** 5 }} {{ -3 + +"4" }} {{ (1 + 2) * 3 }}',
  '{{ "a" + 1 }} {{ 1 ~ 2 }} {{ "a" ~ none }} {{ [1, 2] + "x" }} {{ 1 + true }}',
  '{{ 1 < 2 }} {{ "a" < "b" }} {{ 1 == "1" }} {{ 1 === "1" }} {{ 2 != 2 }} {{ 3 >= 3 }} {{ 1 < 2 < 3 }} {{ none == zero }}',
  '{{ true and "yes" }} {{ false or "no" }} {{ not zero }} {{ zero or "other" }}',
  '{{ "x" if zero else "y" }}{{ "x" if zero }}',
  '{{ "a" in list }} {{ "A" in list }} {{ "od" in name }} {{ "a" in deep }} {{ "z" not in deep }}',
  '{{ name is defined }} {{ nothing is defined }} {{ nothing is not defined }} {{ deep["none"] is null }} {{ 3 is odd }} {{ 4 is divisibleby(2) }} {{ "a" is string }} {{ deep is mapping }} {{ 2 is gt(1) }}',
  '{% if zero %}a{% elif name %}b{% else %}c{% endif %}{% if nothing %}d{% endif %}',
  '{% for it in list %}{{ loop.index }}/{{ loop.length }}{{ it }}{{ "," if not loop.last }}{% else %}none{% endfor %}',
  '{% for it in nothing %}x{% else %}none{% endfor %}{% for it in [] %}x{% else %}none{% endfor %}',
  '{% for key, value in deep.a %}{{ key }}={{ value }};{% endfor %}{% for a, b in [[1, 2], [3, 4]] %}{{ a }}-{{ b }} {% endfor %}',
  '{% for c in "abc" %}{{ c }}{{ loop.revindex }}{{ loop.first }}{% endfor %}',
  '{% set x = 1 %}{% for it in list %}{% set x = x + 1 %}{% set y = it %}{% endfor %}{{ x }}',
  '{% set a, b = 5 %}{{ a }}{{ b }}{% set c %}<{{ name }}>{% endset %}{{ c }}',
  '{% macro m(a, b="two", c=3) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 2) }} {{ m(1, c="x") }} {{ m(a="q", b="r") }} {{ m(1, 2, 4) }}',
  '{% macro wrap(tag) %}<{{ tag }}>{{ caller() }}</{{ tag }}>{% endmacro %}{% call wrap("b") %}in {{ name }}{% endcall %}',
  '{% macro each(all) %}{% for one in all %}{{ caller(one) }};{% endfor %}{% endmacro %}{% call(it) each(list) %}[{{ it }}]{% endcall %}',
  '{% macro sees() %}{{ name }}{% endmacro %}{% set name = "set later" %}{{ sees() }}',
  '{% import "parts.njk" as parts %}{{ parts.greet("you") }} {{ parts.word }}',
  '{% from "parts.njk" import greet, word as w %}{{ greet("you", end=".") }} {{ w }}',
  '{% set word = "mine" %}{% include "seen.njk" %} {{ word }}',
  '{% set word = 1 %}{% for name in list %}{% include "seen.njk" ignore missing %}{{ word }}{% endfor %}',
  '{% include "none.njk" ignore missing %}.',
  '{% extends "base.njk" %}{% block head %}mine{% endblock %} not seen',
  '{% extends "middle.njk" %}{% block body %}top, {{ super() }}{% endblock %}',
  '{% block one %}in a block {{ name }}{% endblock %}',
  '{% switch name %}{% case "x" %}no{% case "Node One" %}{% case "y" %}yes{% default %}other{% endswitch %}',
  '{% raw %}{{ not run }}{% endraw %} {# a comment #}{%- if 1 -%}  trimmed  {%- endif -%}  end',
  '{% filter upper %}loud {{ name }}{% endfilter %}',
  '{{ name | upper }} {{ name | lower }} {{ "aB cd" | title }} {{ "aB" | capitalize }} {{ "  x " | trim }}|{{ "x" | center(6) }}|{{ "xy" | center(7) }}|',
  '{{ list | join(", ") }} {{ items | join("-", "id") }} {{ list | first }} {{ list | last }} {{ list | length }} {{ deep | length }} {{ name | length }}',
  '{{ list | sort }} {{ list | sort(true) }} {{ list | sort(case_sensitive=true) }} {{ numbers | sort }} {{ items | sort(attribute="id") | join(",", "id") }} {{ items | sort(attribute="size", reverse=true) | join(",", "size") }}',
  '{{ list | reverse }} {{ "abc" | reverse }} {{ numbers | sum }} {{ items | sum("size") }} {{ items | sum("size", 10) }}',
  '{% for size, all in items | groupby("size") %}{{ size }}:{{ all | join(",", "id") }};{% endfor %}',
  '{{ items | selectattr("ok") | join(",", "id") }} {{ items | rejectattr("ok") | join(",", "id") }} {{ numbers | select("odd") }} {{ numbers | reject("gt", 2) }}',
  '{{ nothing | default("d") }} {{ "" | default("d", true) }} {{ zero | default("d") }} {{ "x" | d("y") }}',
  '{{ text | indent }}|{{ text | indent(2, true) }}|{{ text | replace("o", "0") }}|{{ "aaa" | replace("a", "b", 2) }}|{{ "ab" | replace("", ".") }}',
  '{{ 3.14159 | round(2) }} {{ 2.5 | round }} {{ 2.1 | round(0, "ceil") }} {{ 2.9 | round(0, "floor") }} {{ -3 | abs }} {{ "4x" | int }} {{ "q" | int(7) }} {{ "ff" | int(0, 16) }} {{ "2.50" | float }}',
  '{{ deep.a | dump }} {{ items | dump(2) }} {{ "<a>" | escape }} {{ "<a>" | safe }} {{ "a b" | urlencode }} {{ {a: 1, "b c": 2} | urlencode }}',
  '{{ deep.a | dictsort }} {{ {b: 1, A: 2} | dictsort }} {{ {b: 1, a: 2} | dictsort(false, "value") }} {{ "abc" | list }} {% for it in {a: 1} | list %}{{ it.key }}{{ it.value }}{% endfor %}',
  '{{ "a long text of words" | truncate(8) }} {{ "a long text of words" | truncate(8, true, "~") }} {{ "two words" | wordcount }} {{ 5 | string }}',
  '{% for row in [1, 2, 3, 4, 5] | batch(2, "-") %}[{{ row }}]{% endfor %}{% for row in [1, 2, 3, 4, 5] | slice(3, "-") %}({{ row }}){% endfor %}',
  '{{ range(3) }} {{ range(1, 4) }} {{ range(10, 0, -3) }} {{ range(0, 1, 5) }}',
  '{% set turn = cycler("odd", "even") %}{{ turn.next() }} {{ turn.next() }} {{ turn.next() }}{% set comma = joiner(",") %}{% for it in list %}{{ comma() }}{{ it }}{% endfor %}',
  '{{ name.split(" ").length }} {{ name.slice(1, 3) }} {{ name.indexOf("O") }} {{ name.toUpperCase() }} {{ list.join("+") }} {{ list.indexOf("c") }} {{ name.startsWith("No") }} {{ "a-b-c".replace("-", "+") }} {{ list.slice(1) }} {{ "7".padStart(3, "0") }}',
]

const environment = new nunjucks.Environment(
  {
    getSource: name => (FILES[name] === undefined ? null : { src: FILES[name], path: name, noCache: true }),
  } as nunjucks.ILoader,
  { autoescape: false, throwOnUndefined: true },
)

t.test('templates give the text that nunjucks gives', async t => {
  for (const row of ROWS) {
    const files: Readonly<Record<string, string>> = { ...FILES, 'row.njk': row }
    const templates = new Templates({
      stampOf: name => (files[name] === undefined ? undefined : '1'),
      textOf: name => files[name],
      bytesOf: () => undefined,
    })
    t.equal(templates.render('row.njk', VALUES), environment.renderString(row, VALUES), row)
    if (!row.includes('extends'))
      t.equal(templates.renderText('row', row, VALUES), environment.renderString(row, VALUES))
  }
})

t.test('a fault is named with the template that it is in, though another one uses that', async t => {
  const files: Readonly<Record<string, string>> = {
    'a.njk': 'x\n{% include "b.njk" %}',
    'b.njk': '\n\n{{ nothing }}',
    'c.njk': '{% from "d.njk" import m %}\n{{ m(1) }}',
    'd.njk': '{% macro m(a) %}\n  {{ a.b.c }}{% endmacro %}',
  }
  const templates = new Templates({
    stampOf: name => (files[name] === undefined ? undefined : '1'),
    textOf: name => files[name],
    bytesOf: () => undefined,
  })
  t.throws(() => templates.render('a.njk', {}), {
    message: 'b.njk cannot be rendered: line 3, column 1: a value is not defined in "{{ nothing }}"',
  })
  t.throws(() => templates.render('c.njk', {}), { message: /^d.njk cannot be rendered: line 2, column 3: / })
})
