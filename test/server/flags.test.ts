import t from 'tap'
import { withoutMatchboxFlags } from '#server/flags.ts'

t.test("Matchbox's flags become ours, without DHCP and TFTP", async t => {
  const args = ['-address', '127.0.0.1:9090', '-data-path=/d', '-assets-path', '']
  t.same(withoutMatchboxFlags(args), [
    '--address',
    '127.0.0.1',
    '--http-port',
    '9090',
    '--agent-port',
    '0',
    '--no-dhcp',
    '--no-tftp',
    '--data-path',
    '/d',
    '--assets-path',
    '',
  ])
})

t.test('our own are left as they are', async t => {
  const args = ['--address', '10.20.0.1', '-h', '--no-dhcp', '--data-path=/d', '-q']
  t.same(withoutMatchboxFlags(args), args)
})
