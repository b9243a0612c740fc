// Variants and versions that Butane takes and that are of no use at a boot: each is refused with its own reason.

import t from 'tap'
import { transpile } from '#server/formats/butane/transpile.ts'
import { localFilesBelow } from '#server/formats/butane/local-files.ts'

t.test('openshift and experimental versions are refused, with what to write', async t => {
  const saidOf = (variant: string, version: string) => {
    const { good, findings } = transpile(
      `variant: ${variant}\nversion: ${version}\n`,
      localFilesBelow('/nonexistent'),
    )
    t.equal(good, undefined)
    return findings.map(({ message }) => message)
  }
  t.match(saidOf('openshift', '4.18.0'), [/MachineConfig for a cluster that runs.*variant: fcos/])
  t.match(saidOf('openshift', '4.20.0-experimental'), [/MachineConfig/])
  t.match(saidOf('fcos', '1.8.0-experimental'), [/experimental: no released Ignition .* 1\.7\.0$/])
  t.match(saidOf('flatcar', '1.2.0-experimental'), [/experimental.*one of 1\.0\.0, 1\.1\.0$/])
  t.match(saidOf('fcos', '9.0.0'), [/is not known for variant fcos/])
})
