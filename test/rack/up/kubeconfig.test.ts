// Administrators on demand: minted from the sealed authority, for hours.

import { X509Certificate } from 'node:crypto'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { freshenKubeconfig } from '#rack/up/kubeconfig.ts'
import { siteKey } from '#rack/up/site-key.ts'
import { keepKubeconfig, renderKubeconfig } from '#rack/cluster/kubeconfig.ts'
import { ensurePki, mintAdministrator } from '#rack/cluster/pki.ts'
import { smallSite } from '../../small-site.ts'
import { pilotlight } from '../../cli/pilotlight.ts'

const siteFile = join(import.meta.dirname, '../../../lab/racks/small/site.yaml')
const hour = 60 * 60 * 1000

async function statePki(state: string) {
  const directory = join(state, 'pki')
  return ensurePki(directory, await siteKey(state, directory))
}

async function certificateIn(path: string): Promise<X509Certificate> {
  const { users } = parse(await readFile(path, 'utf8')) as {
    users: { user: Record<string, string> }[]
  }
  return new X509Certificate(Buffer.from(users[0]?.user['client-certificate-data'] ?? '', 'base64'))
}

t.test('pilotlight kubeconfig writes an administrator that is good for eight hours', async t => {
  const state = t.testdir()
  const pki = await statePki(state)
  const { out, status } = await pilotlight(['kubeconfig', siteFile, '--state', state])
  t.equal(status, 0)
  t.match(out, /kubeconfig {2}.*\/kubeconfig\ngood until {2}20/)
  const path = join(state, 'kubeconfig')
  t.equal((await stat(path)).mode & 0o777, 0o600)
  const certificate = await certificateIn(path)
  t.equal(certificate.subject, 'O=pilotlight:admins\nCN=pilotlight-admin')
  t.ok(certificate.verify(new X509Certificate(pki.authorities.ca.certificate).publicKey))
  t.ok(Math.abs(certificate.validToDate.getTime() - Date.now() - 8 * hour) < hour / 10)
  t.match(await readFile(path, 'utf8'), 'server: https://10.20.0.11:6443')
})

t.test('only --break-glass makes a member of system:masters, in a separate file', async t => {
  const state = t.testdir()
  await statePki(state)
  await pilotlight(['kubeconfig', siteFile, '--state', state, '--break-glass'])
  const certificate = await certificateIn(join(state, 'kubeconfig-break-glass'))
  t.equal(certificate.subject, 'O=system:masters\nCN=pilotlight-break-glass')
  await t.rejects(stat(join(state, 'kubeconfig')))
})

t.test('a state directory without a PKI, or without its key, is refused and stays as it is', async t => {
  const state = t.testdir()
  const none = await pilotlight(['kubeconfig', siteFile, '--state', state])
  t.match(none, { status: 3, err: /there is no authority in .*pki/ })
  await statePki(state)
  await rm(join(state, 'openstack-secrets.key'))
  const locked = await pilotlight(['kubeconfig', siteFile, '--state', state])
  t.match(locked, { status: 2, err: /their key is not there/ })
  await t.rejects(stat(join(state, 'openstack-secrets.key')), 'no second key is made')
})

t.test(
  'a verb that needs the cluster mints a new administrator when the last one is nearly over',
  async t => {
    const state = t.testdir()
    const path = join(state, 'kubeconfig')
    const { authorities } = await statePki(state)
    const minted = async (at: number) => {
      const pair = await mintAdministrator(authorities.ca, 'admin', at)
      await keepKubeconfig(
        path,
        renderKubeconfig('https://10.20.0.11:6443', authorities.ca.certificate, 'a', pair),
      )
      return certificateIn(path)
    }
    const fresh = await minted(Date.now())
    await freshenKubeconfig(smallSite, state)
    t.equal((await certificateIn(path)).fingerprint256, fresh.fingerprint256, 'it is good for longer')
    await minted(Date.now() - 7 * hour)
    await freshenKubeconfig(smallSite, state)
    t.ok((await certificateIn(path)).validToDate.getTime() > Date.now() + 7 * hour)
    await writeFile(path, 'apiVersion: v1\n')
    await freshenKubeconfig(smallSite, state)
    t.equal(await readFile(path, 'utf8'), 'apiVersion: v1\n', 'a kubeconfig of another kind stays')
  },
)
