import t from 'tap'
import { startedAgain } from '#cli/server/console.ts'

t.test('when a kernel began is the word of a server, and changes nothing on a terminal', t => {
  t.equal(
    startedAgain('ctl-1', '2026-12-01T05:00:00.000Z'),
    '--- ctl-1 started again at 2026-12-01T05:00:00Z',
  )
  t.notMatch(startedAgain('ctl-1', '\u001B]0;PWNED\u0007\u001B[2J'), /\p{Cc}/v)
  t.end()
})
