// The data directory of a site: every file that its machines need is there, or is named with a remedy.

import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkDataDirectory } from '#rack/site/check-data.ts'
import { parseSite } from '#rack/site/read.ts'

const ROOT = join(import.meta.dirname, '../../..')
const SITE = parseSite(
  'site.yaml',
  `name: r
network: { subnet: 10.20.0.0/24 }
machines:
  - { name: c, mac: 52:54:00:00:00:01, role: controller }
  - { name: w, mac: 52:54:00:00:00:02, role: compute }
`,
)

t.test('what a fresh server serves is whole', async t => {
  await t.resolves(checkDataDirectory(SITE, ROOT))
})

t.test('a missing template is reported at the line of the profile that names it', async t => {
  const directory = copy(t)
  rmSync(join(directory, 'ignition', 'node.ign.njk'))
  const checking = checkDataDirectory(SITE, directory)
  await t.rejects(checking, {
    message:
      /PL-1008 .*controller\.json:\d+:\d+ ignition_id: the template node\.ign\.njk is missing\n {2}write/,
  })
})

for (const [title, spoil, says] of [
  [
    'a missing profile',
    d => rmSync(join(d, 'profiles', 'compute.json')),
    /compute\.json:1:1 ENOENT: machines with the role compute/,
  ],
  ['a missing boot script', d => rmSync(join(d, 'ipxe', 'boot.ipxe.njk')), /boot\.ipxe\.njk:1:1 missing/],
  [
    'a profile that is not JSON',
    d => writeFileSync(join(d, 'profiles', 'compute.json'), '{ "id": '),
    /PL-1001 .*compute\.json:1:/,
  ],
  [
    'a profile that is null',
    d => writeFileSync(join(d, 'profiles', 'compute.json'), 'null'),
    /PL-1004 .*compute\.json/,
  ],
] as [string, (directory: string) => void, RegExp][]) {
  t.test(`${title} is one message`, async t => {
    const directory = copy(t)
    spoil(directory)
    await t.rejects(checkDataDirectory(SITE, directory), { code: 'FILE_PROBLEMS', message: says })
  })
}

function copy(t: { testdir(): string }): string {
  const directory = t.testdir()
  for (const folder of ['profiles', 'ignition', 'ipxe']) {
    mkdirSync(join(directory, folder), { recursive: true })
    cpSync(join(ROOT, folder), join(directory, folder), { recursive: true })
  }
  return directory
}
