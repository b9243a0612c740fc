// `pilotlight sbom`: a bill of materials of the product and its images.

import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { billOf, npmPurl, type Part } from '#host/cyclonedx.ts'
import { ROOT } from '../root.ts'
import { printJson } from '../terminal/show.ts'

export function defineSbom(command: Command): void {
  command
    .option('--kubernetes <version>', 'of the images, for example 1.36.3')
    .option('--no-images', 'only the product: nothing needs to be built for it')
    .option('--output <file>', 'standard output unless given')
    .option('--json', 'with --output, what was written as JSON; the document is JSON in any case')
    .addHelpText(
      'after',
      `
The images are read from the cache: pilotlight images build comes first.

Examples:
  pilotlight sbom --output pilotlight.cdx.json
  pilotlight sbom --no-images`,
    )
    .action(async (options: { kubernetes?: string; images: boolean; output?: string; json?: boolean }) => {
      const { imageParts } = await import('#images/contents.ts')
      const product = productPart(
        readFileSync(join(ROOT, 'package.json'), 'utf8'),
        readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
      )
      const images = options.images ? await imageParts(options.kubernetes) : []
      const bill = billOf({ ...product, parts: [...(product.parts ?? []), ...images] }, new Date())
      const text = `${JSON.stringify(bill, undefined, 2)}\n`
      if (options.output === undefined) process.stdout.write(text)
      else {
        await writeFile(options.output, text)
        if (options.json) printJson({ file: resolve(options.output), components: bill.components.length })
      }
    })
}

type Manifest = { readonly name: string; readonly version: string; readonly license: string }
type Locked = {
  readonly version?: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
}

/** The product with its packages of npm, without those for development, from the texts of its two files. */
export function productPart(manifest: string, lock: string): Part {
  const { name, version, license } = JSON.parse(manifest) as Manifest
  const { packages } = JSON.parse(lock) as { readonly packages: Readonly<Record<string, Locked>> }
  const parts = Object.entries(packages).flatMap(([path, one]): Part[] => {
    const packageName = path.split('node_modules/').at(-1) ?? ''
    if (packageName === '' || one.dev || one.version === undefined) return []
    const sha512 = /^sha512-(.*)$/.exec(one.integrity ?? '')?.[1]
    return [
      {
        type: 'library',
        name: packageName,
        version: one.version,
        purl: npmPurl(packageName, one.version),
        ...(one.license === undefined ? {} : { license: one.license }),
        ...(sha512 === undefined ? {} : { sha512: Buffer.from(sha512, 'base64').toString('hex') }),
      },
    ]
  })
  return { type: 'application', name, version, license, parts }
}
