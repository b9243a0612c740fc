// A server on every address sends machines to the address that they reached.

import t from 'tap'
import { site, testServer } from './serving.ts'

t.test('no URL has the address 0.0.0.0', async t => {
  const server = await testServer(t, { address: '0.0.0.0' })
  await server.put('/v1/sites/rack-1', site)
  for (const path of ['/boot.ipxe', '/ipxe?mac=52-54-00-20-00-01', '/grub?mac=52-54-00-20-00-01'])
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const { port } = new URL(server.url)
      const text = await (await fetch(`http://${host}:${port}${path}`)).text()
      t.match(text, `http://${host}:${port}/`, `${path} by ${host}`)
      t.notMatch(text, '//0.0.0.0')
    }
})
