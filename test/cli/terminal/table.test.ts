import t from 'tap'
import { tableOf, withSelectorText } from '#cli/terminal/table.ts'

t.test('a table shows a selector as explain does', async t => {
  const selector = {
    address: { cidr: '10.20.0.0/24' },
    mac: ['52:54:00:20:00:01', { glob: '52:54:00:aa:*' }],
    serial: { present: true },
    os: '',
  }
  const rows = [withSelectorText({ id: 'one', selector }), withSelectorText({ id: 'any' })]
  t.equal(
    tableOf(['id', 'selector'], rows),
    'ID   SELECTOR\n' +
      'one  address in 10.20.0.0/24, mac=52:54:00:20:00:01 or mac like 52:54:00:aa:*, some serial, no os\n' +
      'any  any machine',
  )
})

t.test('a column of times is headed by what happens then', t => {
  t.equal(tableOf(['at', 'expiresAt'], [{ at: 1, expiresAt: 2 }]), 'AT  EXPIRES\n1   2')
  t.end()
})
