// What a server says of itself: of its assets, its loaders, its disk, and never that all is well where it did not look.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { BOOT_CHECKS, type Diagnosis } from '#model/diagnosis.ts'
import { USUAL_DISK } from '#model/disk.ts'
import { whyNoTftp } from '#server/diagnosis/tftp-client.ts'
import { openTftp } from '#server/protocols/tftp/socket.ts'
import { freePort } from '../../free-ports.ts'
import { SLOT_VERSION, slotFiles, slotText } from '../../slot-files.ts'
import { site, testServer } from '../serving.ts'

const PROFILES = Object.fromEntries(
  ['controller', 'live'].map(id => [
    `${id}.json`,
    JSON.stringify({ id, boot: { kernel: '/assets/live/vmlinuz', initrd: [], args: [] } }),
  ]),
)

async function serving(t: Test, kubernetes = '1.36.3') {
  const folder = t.testdir({
    data: { profiles: PROFILES, ignition: {} },
    assets: { live: { ...slotFiles().live, 'slot.json': slotText(slot => ({ ...slot, kubernetes })) } },
  })
  const assetsPath = join(folder, 'assets')
  const dataPath = join(folder, 'data')
  const server = await testServer(t, { dataPath, assetsPath, statePath: join(folder, 'state') })
  const diagnose = async (body: object = { name: 'rack-1', site }): Promise<Record<string, Diagnosis>> => {
    const answer = await server.post('/v1/diagnosis', body, server.admin)
    t.equal(answer.status, 200)
    const { items } = (await answer.json()) as { items: Diagnosis[] }
    return Object.fromEntries(items.map(item => [item.check, item]))
  }
  return { server, diagnose, assetsPath }
}

t.test('assets that are whole and of the version of the site are found right', async t => {
  const { diagnose } = await serving(t)
  t.match(await diagnose(), {
    assets: { verdict: 'ok' },
    images: { verdict: 'ok', text: `live system ${SLOT_VERSION}, Kubernetes 1.36.3` },
    digests: { verdict: 'ok', text: /^5 files/ },
    http: { verdict: 'ok' },
    agents: { verdict: 'ok' },
    disk: { text: /free at/ },
    clock: { verdict: 'ok' },
  })
})

t.test('images of another Kubernetes than the site keep its machines from being switched on', async t => {
  const { diagnose, assetsPath } = await serving(t, '1.35.0')
  t.match((await diagnose())['images'], {
    verdict: 'failed',
    blocks: true,
    text: /have Kubernetes 1\.35\.0, and site rack-1 is of 1\.36\.3/,
    fix: `pilotlight images build --kubernetes 1.36.3 --assets-path ${assetsPath}`,
  })
})

t.test('a file that was changed after a first look, or is gone, is named', async t => {
  const { diagnose, assetsPath } = await serving(t)
  await diagnose()
  writeFileSync(join(assetsPath, 'live/vmlinuz'), 'The kernel')
  t.match((await diagnose())['digests'], {
    verdict: 'failed',
    blocks: true,
    text: /vmlinuz has another digest/,
  })
  writeFileSync(join(assetsPath, 'live/vmlinuz'), 'kernel')
  t.match((await diagnose())['digests'], { text: /vmlinuz has 6 bytes in place of 10/ })
})

t.test('a file of another size keeps machines from being switched on, and no digest is needed', async t => {
  const { diagnose, assetsPath } = await serving(t)
  writeFileSync(join(assetsPath, 'live/vmlinuz'), 'ker')
  t.match(await diagnose({ name: 'rack-1', site, only: BOOT_CHECKS }), {
    images: {
      verdict: 'failed',
      blocks: true,
      text: /vmlinuz has 3 bytes in place of 10/,
      fix: /images build/,
    },
  })
})

t.test('a site that means to install is warned where there is nothing to install', async t => {
  const { diagnose, assetsPath } = await serving(t)
  rmSync(join(assetsPath, 'live/slot.json'))
  const machines = site.machines.map(machine => ({ ...machine, disk: USUAL_DISK }))
  const of = async (own: object[]) =>
    (await diagnose({ name: 'rack-1', site: { ...site, machines: own } }))['images']
  t.match(await of(machines), {
    verdict: 'warning',
    text: /slot\.json is not there, so there is nothing to install to the disks of ctl-1 and 1 more/,
    fix: /^pilotlight images build/,
  })
  t.match(await of(machines.map(machine => ({ ...machine, disk: 'none' }))), { verdict: 'unseen' })
})

t.test('what was not looked at is said with its reason', async t => {
  const { diagnose } = await serving(t)
  const found = await diagnose({})
  t.match(found, {
    dhcp: { verdict: 'unseen', text: /no site is known/, fix: 'pilotlight doctor SITE' },
    'other dhcp': { verdict: 'unseen', text: /127\.0\.0\.1, which is not of one wire/ },
    tftp: { verdict: 'unseen', text: /TFTP is off/ },
    card: { verdict: 'unseen' },
  })
  for (const { check, verdict, fix } of Object.values(found))
    if (verdict === 'failed') t.ok(fix, `${check} has a command`)
})

t.test('only what is asked for is looked at, by administrators alone', async t => {
  const { server, diagnose } = await serving(t)
  t.strictSame(Object.keys(await diagnose({ only: ['assets', 'images'] })), ['assets', 'images'])
  t.equal((await server.post('/v1/diagnosis', {}, { authorization: 'Bearer nonsense' })).status, 401)
  t.equal((await server.post('/v1/diagnosis', { only: [{}] }, server.admin)).status, 400)
})

t.test('a site whose subnet does not hold the address of the server is not answered', async t => {
  const { diagnose } = await serving(t)
  t.match((await diagnose())['dhcp'], { verdict: 'failed', blocks: true, text: /DHCP is off in this server/ })
})

t.test('a description of images that cannot be used keeps machines from being switched on', async t => {
  const { diagnose, assetsPath } = await serving(t)
  writeFileSync(join(assetsPath, 'live/slot.json'), '{"files":')
  t.match(await diagnose(), {
    images: { verdict: 'failed', blocks: true, text: /live\/slot\.json of the assets is not JSON/ },
    digests: { verdict: 'unseen', text: /is not JSON/ },
  })
})

t.test('images that were built for memory alone are compared with the digest beside them', async t => {
  const { diagnose, assetsPath } = await serving(t)
  rmSync(join(assetsPath, 'live/slot.json'))
  t.match(await diagnose(), { images: { verdict: 'unseen' }, digests: { verdict: 'unseen' } })
  writeFileSync(join(assetsPath, 'live/rootfs.sha256'), `${'0'.repeat(64)}\n`)
  t.match((await diagnose())['digests'], { verdict: 'failed', text: /rootfs\.squashfs has another digest/ })
})

t.test('a TFTP server is asked as firmware asks', async t => {
  const port = await freePort()
  const server = await openTftp({
    address: '127.0.0.1',
    port,
    events: { record: () => {} },
    report: () => {},
    macOf: () => undefined,
    files: async name => (name === 'snponly.efi' ? { bytes: new Uint8Array(2000) } : undefined),
  })
  t.teardown(() => server.close())
  t.equal(await whyNoTftp('127.0.0.1', 'snponly.efi', port), undefined)
  t.match(await whyNoTftp('127.0.0.1', 'missing.efi', port), /^it refuses: /)
  t.match(await whyNoTftp('127.0.0.1', 'snponly.efi', await freePort()), /no answer within 2\.5 s/)
})
