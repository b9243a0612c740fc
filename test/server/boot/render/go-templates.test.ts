import t from 'tap'
import { GoTemplateFailed } from '#server/boot/render/errors.ts'
import { GoTemplates } from '#server/boot/render/go-templates.ts'

/** The templates of a folder, whose texts a test changes. */
function templatesOf(texts: Map<string, string>): GoTemplates {
  return new GoTemplates({
    stampOf: name => texts.get(name),
    textOf: name => texts.get(name),
    bytesOf: name => Buffer.from(texts.get(name) ?? ''),
  })
}

t.test('a changed template is rendered as it is now', async t => {
  const texts = new Map([['generic/a', '{{ .x }}']])
  const templates = templatesOf(texts)
  t.equal(templates.render('generic', 'a', { x: 'y' }), 'y')
  texts.set('generic/a', '{{ .x }}{{ .x }}')
  t.equal(templates.render('generic', 'a', { x: 'y' }), 'yy')
})

t.test('what is wrong with a template is found once, and forgotten where others need the room', async t => {
  const texts = new Map([['generic/bad', '{{ if }}']])
  const templates = templatesOf(texts)
  const fault = () => {
    try {
      return templates.render('generic', 'bad', {})
    } catch (error) {
      return error instanceof GoTemplateFailed ? error.cause : error
    }
  }
  const first = fault()
  t.match(first, { code: 'GO_TEMPLATE', line: 1 })
  t.equal(fault(), first, 'it was not parsed again')
  for (const letter of 'abcde') {
    texts.set(`generic/${letter}`, letter.repeat(8 << 20))
    t.equal(templates.render('generic', letter, {}).length, 8 << 20)
  }
  t.not(fault(), first, 'it was parsed again')
  t.match(fault(), { code: 'GO_TEMPLATE', line: 1 })
})
