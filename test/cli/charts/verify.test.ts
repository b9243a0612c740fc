// What `verify` prints, and the client's configuration that `openstack rc` gives.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { EXIT } from '#cli/exit.ts'
import { openrc } from '#rack/openstack/openrc.ts'
import { changeSecrets } from '#rack/charts/secrets/secrets.ts'
import { checkTable, guestOf } from '#cli/charts/verify.ts'
import { smallSite } from '../../small-site.ts'
import { freePort } from '../../free-ports.ts'
import { pilotlight } from '../pilotlight.ts'

const PILOTLIGHT = join(import.meta.dirname, '../../../bin/pilotlight')
const SITE = join(import.meta.dirname, '../../../lab/racks/small/site.yaml')

t.test('the table has a line for each check, with the first line of what was seen', async t => {
  const table = checkTable([
    { name: 'image', state: 'passed', waited: 12.34, seconds: 0.5, note: '25.1 MB, checksums as sent' },
    { name: 'guest', state: 'failed', waited: 0, seconds: 180, note: 'waited 180 s.\nLinux version 6.1' },
  ])
  t.strictSame(table.split('\n'), [
    'check  result   waited  seconds',
    'image  passed     12.3      0.5  25.1 MB, checksums as sent',
    'guest  failed      0.0    180.0  waited 180 s.',
  ])
})

t.test('the guest is the one that the server hands out, unless a disk image is named', async t => {
  const server = 'http://10.20.0.1:8080'
  t.strictSame(guestOf({ server, expect: 'login:' }), { url: 'http://10.20.0.1:8080/assets/guest' })
  t.match(guestOf({ server, expect: 'login:', image: 'x.img' }), { file: /\/x\.img$/, shows: 'login:' })
})

t.test('a shell reads the password whatever is in it', async t => {
  const script = `${openrc(smallSite, `it's "$HOME" \`x\``)} echo "$OS_AUTH_URL $OS_PASSWORD"`
  t.equal(
    execFileSync('sh', ['-c', script], { encoding: 'utf8' }),
    `http://10.20.0.11:30500/v3 it's "$HOME" \`x\`\n`,
  )
})

t.test('`openstack rc` gives what `up` has made, and makes nothing itself', async t => {
  const state = mkdtempSync(join(tmpdir(), 'state-'))
  t.teardown(() => rmSync(state, { recursive: true }))
  const rc = (...more: string[]) =>
    execFileSync(PILOTLIGHT, ['openstack', 'rc', SITE, '--state', state, ...more], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  t.throws(() => rc(), { status: 3, message: /no password of a cloud/ })
  t.strictSame(readdirSync(state), [])
  await changeSecrets(state, () => [{ name: 'keystone-admin', version: 1, entries: { password: 'sesame' } }])
  t.match(rc(), /^export OS_PASSWORD='sesame'$/m)
  t.match(rc('--format', 'clouds.yaml'), /password: sesame/)
})

t.test('`verify` reports at once a state directory without a cloud, and a server that is silent', async t => {
  const server = `http://127.0.0.1:${await freePort()}`
  const state = t.testdir()
  const silent = ['verify', SITE, '--state', state, '--server', server]
  t.match(await pilotlight(silent), { status: EXIT.notFound, err: /no password of a cloud\n.*--state DIR/ })
  await changeSecrets(state, () => [{ name: 'keystone-admin', version: 1, entries: { password: 'sesame' } }])
  t.match(await pilotlight(silent), {
    status: EXIT.unreachable,
    out: /^guest files +failed/m,
    err: /because: The server that has the guest's .* does not answer: nothing listens at 127\.0\.0\.1:/,
  })
})
