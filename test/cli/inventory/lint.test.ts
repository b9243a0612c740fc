import t from 'tap'
import { EXIT } from '#cli/exit.ts'
import { pilotlight } from '../pilotlight.ts'

t.test('warnings end with 1, or with 0 where they are allowed; errors always with 1', async t => {
  const odd = t.testdir({
    groups: { 'any.json': '{"id": "any", "profile": "used"}' },
    profiles: { 'used.json': profile('used'), 'unused.json': profile('unused') },
  })
  t.match(await pilotlight(['lint', odd]), {
    status: EXIT.failed,
    err: `${odd}: 0 errors, 1 warning in 1 group, 2 profiles, 0 templates\n`,
  })
  t.match(await pilotlight(['lint', odd, '--allow-warnings']), { status: EXIT.done, out: /^PL-2028 / })
})

t.test('a mistake is none the less one where warnings are allowed', async t => {
  const broken = t.testdir({ profiles: { 'a.json': '{' } })
  t.match(await pilotlight(['lint', broken, '--allow-warnings']), { status: EXIT.failed, out: /^PL-2001 / })
})

function profile(id: string): string {
  return `{"id": "${id}", "boot": {"kernel": "http://example.com/vmlinuz"}}`
}
