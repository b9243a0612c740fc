// A running server with -web-ssl: boot files by HTTPS.

import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { testAuthority } from '../../../access/authority.ts'
import { testServer } from '../../../serving.ts'

t.test('with -web-ssl boot files come by HTTPS, and machines are sent to it', async t => {
  const authority = await testAuthority(join(t.testdir(), 'tls'))
  const { certFile, keyFile } = await authority.issue('web')
  const server = await testServer(t, {
    webSsl: true,
    webCertFile: certFile,
    webKeyFile: keyFile,
    statePath: join(t.testdirName, 'state'),
  })
  const https = server.url.replace('http:', 'https:')
  const asked = request(`${https}/autoexec.ipxe`, { ca: authority.ca, agent: false }).end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  t.equal(answer.statusCode, 200)
  t.match(Buffer.concat(await answer.toArray()).toString(), 'chain')
  t.match(
    server.records.find(({ text }) => text === 'serving'),
    { fields: { url: https } },
  )
  await t.rejects(server.get('/'), 'plain HTTP is not spoken there')
})

t.test('a certificate that is not there keeps the server from starting, and is named', async t => {
  const webCertFile = join(t.testdir(), 'none.crt')
  const settings = { webSsl: true, webCertFile, statePath: join(t.testdirName, 'state') }
  await t.rejects(testServer(t, settings), {
    code: 'BAD_SETTINGS',
    message: /Provide a valid TLS server certificate with -web-cert-file: .*none\.crt/,
    remedy: 'pilotlight serve --web-cert-file FILE',
  })
})
