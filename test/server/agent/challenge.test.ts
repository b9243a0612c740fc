import t from 'tap'
import { Challenges } from '#server/agent/challenge.ts'

t.test('who asks from another address ends no challenge of the machine', t => {
  const challenges = new Challenges<string>()
  const home = '10.20.0.11'
  challenges.keep('ctl-1', { address: home, home }, 'own')
  for (let at = 0; at < 20; at++) challenges.keep('ctl-1', { address: '10.20.0.66', home }, `one ${at}`)
  for (let at = 0; at < 200; at++) challenges.keep('ctl-1', { address: `10.20.1.${at}`, home }, 'another')
  t.same(challenges.of('ctl-1', home), ['own'])
  t.same(challenges.of('ctl-1', '10.20.0.66'), [], 'the first of the others is forgotten first')
  t.same(challenges.of('ctl-1', '10.20.1.199'), ['another'])
  challenges.forget('ctl-1')
  t.same(challenges.of('ctl-1', home), [])
  t.end()
})
