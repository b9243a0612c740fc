// Some hundred made-up requests to Matchbox and to us over made-up data directories; `bench/matchbox-http.ts` makes thousands.

import t from 'tap'
import { skip } from '../server/protocols/rpc/programs.ts'
import { EXPLAINED } from './answers.ts'
import { askBoth } from './live.ts'

for (const seed of [20261130, 20261131]) {
  t.test(`Matchbox and we answer alike, whatever is asked (seed ${seed})`, { skip }, async t => {
    const { requests, statuses, differences } = await askBoth(seed, 500)
    t.equal(requests, 500)
    t.strictSame(differences, [])
    for (const status of [200, 301, 307, 400, 404, 416])
      t.ok((statuses[status] ?? 0) > 0, `some are answered with ${status}`)
    t.ok((statuses[200] ?? 0) > 80, 'many are answered with a page')
  })
}

t.test('what differs on purpose has an id each', async t => {
  t.equal(new Set(EXPLAINED.map(({ id }) => id)).size, EXPLAINED.length)
})
