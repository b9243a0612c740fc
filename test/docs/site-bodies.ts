// Writes what `pilotlight up` puts on a server for a site of two machines, as the files that docs/api.md names.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machineBundle, siteAuthority } from '#rack/cluster/bundle.ts'
import { compileSite } from '#rack/site/compile.ts'
import { parseSite } from '#rack/site/read.ts'
import { testPki } from '#test/site-pki.ts'

const site = parseSite(
  'site.yaml',
  `name: rack-1
network: { subnet: 10.20.0.0/24, gateway: 10.20.0.254, dhcp: off, dns: [10.20.0.254] }
machines:
  - { name: ctl-1, mac: 52:54:00:20:00:01, role: controller }
  - { name: cmp-1, mac: 52:54:00:20:00:02, role: compute }
`,
)
const directory = mkdtempSync(join(tmpdir(), 'pki-'))
const pki = await testPki(directory)
rmSync(directory, { recursive: true })
const [controller, compute] = site.machines
if (controller === undefined || compute === undefined) throw new Error('the site above has two machines')
const bodies = {
  'site-objects.json': compileSite(site),
  'authority.json': siteAuthority(pki),
  'bundle.json': machineBundle(site, pki, controller),
  'bundle-cmp-1.json': machineBundle(site, pki, compute),
}
for (const [name, body] of Object.entries(bodies)) {
  rmSync(name, { force: true }) // it may be a link to a file of the clone
  writeFileSync(name, JSON.stringify(body))
}
