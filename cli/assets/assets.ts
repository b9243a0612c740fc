// `pilotlight assets`: kernels and images for machines, brought from files and URLs, checked, listed and removed.

import { readFileSync } from 'node:fs'
import { Argument, InvalidArgumentError, Option, type Command } from 'commander'
import { Failure } from '#model/error.ts'
import type { BroughtAsset } from '#server/assets/bring/bring.ts'
import { digestFault, isUrl, nameOf, sourcesIn, type AssetSource } from '#server/assets/bring/sources.ts'
import { DISTRIBUTIONS, type Distribution, type UpstreamFile } from '#server/assets/bring/upstream.ts'
import { placeOf, storeAt, type PlaceFlags } from './places.ts'
import { serverOption } from '../options.ts'
import { addSubverbs, type Subverb } from '../subverbs.ts'
import { print, printJson } from '../terminal/show.ts'
import { tableOf } from '../terminal/table.ts'
import { withProgress } from '../terminal/with-progress.ts'

type Flags = PlaceFlags & { readonly json?: boolean }
type AddFlags = Flags & {
  readonly name?: string
  readonly file?: string
  readonly sha256?: string
  readonly sha512?: string
  readonly signature?: string
  readonly key?: string
}
type GetFlags = Flags & {
  readonly version?: string
  readonly channel: string
  readonly arch?: string
  readonly baseUrl?: string
  readonly key?: string
  readonly installImage?: boolean
}

export function defineAssets(command: Command): void {
  command.addHelpText(
    'after',
    `
They are kept in a directory (--assets-path), or sent to a server (--server). Bytes are kept once, whatever their
names, and checked before a name is theirs.

Examples:
  pilotlight assets add vmlinuz initrd.img --assets-path /var/lib/pilotlight/assets
  pilotlight assets get flatcar --version 4593.2.0 --key flatcar.asc
  pilotlight assets list
  pilotlight assets verify --assets-path /var/lib/pilotlight/assets`,
  )
  addSubverbs(command, VERBS)
}

const VERBS: readonly Subverb[] = [
  { name: 'add', summary: 'keeps files, or what URLs give, under their names', define: defineAdd },
  { name: 'get', summary: 'fetches a release of an operating system from its maker', define: defineGet },
  { name: 'list', summary: 'lists what machines can fetch below /assets/', define: defineList },
  {
    name: 'verify',
    summary:
      'reads all kept bytes again and names what is not as it was; status 7 when some are not, 1 when none is',
    define: defineVerify,
  },
  { name: 'gc', summary: 'removes bytes without a name, and what broken adds left behind', define: defineGc },
  { name: 'remove', summary: 'takes names away; gc frees the bytes', define: defineRemove },
]

function defineAdd(command: Command): void {
  withPlace(command)
    .argument('[source...]', 'files, or URLs')
    .option('--name <name>', 'path below /assets/; by default the last part of the source')
    .option(
      '-f, --file <list>',
      'URLs, one a line:  URL [NAME] [sha256=HEX] [sha512=HEX] [sig=URL]; - is the input',
    )
    .option('--sha256 <hex>', 'the digest that it must have', digestOf('sha256'))
    .option('--sha512 <hex>', 'the same', digestOf('sha512'))
    .option('--signature <from>', 'a detached OpenPGP signature: file or URL')
    .addOption(keyOption())
    .addHelpText(
      'after',
      `
A download that breaks off goes on where it was, also when the command is run again.

Examples:
  pilotlight assets add vmlinuz --name live/vmlinuz --sha256 9f86d08…
  pilotlight assets add https://mirror.example/os/initrd.img --signature https://mirror.example/os/initrd.img.sig --key os.asc
  pilotlight assets add -f urls.txt --server http://10.20.0.1:8080`,
    )
    .action(add)
}

function defineGet(command: Command): void {
  withPlace(command)
    .addArgument(new Argument('<system>').choices(DISTRIBUTIONS))
    .option('--version <version>', 'the newest by default')
    .option('--channel <channel>', "Flatcar's channel, or the stream of Fedora CoreOS", 'stable')
    .option('--arch <arch>', 'amd64 or arm64 (Flatcar), x86_64 or aarch64 (Fedora CoreOS); the PC by default')
    .option('--base-url <url>', 'a mirror')
    .option('--install-image', 'also the image that an installer writes to disks')
    .addOption(keyOption())
    .addHelpText(
      'after',
      `
Names are those of Matchbox's scripts: flatcar/VERSION/…, fedora-coreos/….

Examples:
  pilotlight assets get flatcar --version 4593.2.0 --key Flatcar_Image_Signing_Key.asc
  pilotlight assets get fedora-coreos --channel testing --key fedora.gpg --assets-path assets`,
    )
    .action(get)
}

function defineList(command: Command): void {
  withPlace(command)
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight assets list\n  pilotlight assets list --assets-path assets --json',
    )
    .action(list)
}

function defineVerify(command: Command): void {
  withDirectory(command)
    .addHelpText('after', '\nExamples:\n  pilotlight assets verify --assets-path /var/lib/pilotlight/assets')
    .action(verify)
}

function defineGc(command: Command): void {
  withDirectory(command)
    .addHelpText('after', '\nExamples:\n  pilotlight assets gc --assets-path /var/lib/pilotlight/assets')
    .action(gc)
}

function defineRemove(command: Command): void {
  withPlace(command)
    .argument('<name...>', 'as the list shows them')
    .addHelpText(
      'after',
      '\nExamples:\n  pilotlight assets remove flatcar/4459.2.0/flatcar_production_pxe.vmlinuz',
    )
    .action(remove)
}

async function add(given: readonly string[], flags: AddFlags): Promise<void> {
  const sources = [...given.map(from => ({ from, name: nameOf(from) })), ...listedSources(flags.file)]
  const { name, sha256, sha512, signature } = flags
  const ofOne = Object.entries({ name, sha256, sha512, signature }).filter(([, value]) => value !== undefined)
  if (sources.length === 0) {
    throw new Failure('BAD_OPTION', 'nothing is named', 'name files or URLs, or a list with -f')
  }
  if (ofOne.length > 0 && (sources.length > 1 || flags.file !== undefined)) {
    const remedy = 'give it beside a single source; a list has digests in its lines'
    throw new Failure('BAD_OPTION', `--${ofOne[0]?.[0]} is about one source`, remedy)
  }
  await bringAll(
    sources.map(source => ({ ...source, ...Object.fromEntries(ofOne) })),
    flags,
  )
}

function listedSources(file: string | undefined): AssetSource[] {
  if (file === undefined) return []
  try {
    return sourcesIn(readFileSync(file === '-' ? 0 : file, 'utf8'), file)
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    throw new Failure('BAD_INPUT', `${file} cannot be read`, 'name a list of URLs, or - for the input', {
      cause,
    })
  }
}

async function get(system: Distribution, flags: GetFlags): Promise<void> {
  const { findRelease } = await import('#server/assets/bring/upstream.ts')
  const { readSmall } = await import('#server/assets/bring/bring.ts')
  const { channel, version, arch, baseUrl, installImage = false } = flags
  if (baseUrl !== undefined && !isUrl(baseUrl)) {
    throw new Failure(
      'BAD_OPTION',
      `"${baseUrl}" is not a URL`,
      'give --base-url as https://mirror.example/path',
    )
  }
  const signal = new AbortController().signal // each of these small reads has its own limit
  const release = await findRelease(
    system,
    { channel, version, arch, baseUrl, withInstallImage: installImage },
    async url => {
      const bytes = await readSmall(url, signal)
      return bytes && Buffer.from(bytes).toString()
    },
  )
  process.stderr.write(`${system} ${release.version} (${channel})\n`)
  await bringAll(release.files.map(upstreamSource), flags)
  if (flags.key === undefined) process.stderr.write(`${unsigned(release.files)}\n`)
}

function upstreamSource({ url, name, signatureUrl, sha256, sha512 }: UpstreamFile): AssetSource {
  return { from: url, name, signature: signatureUrl, keepSignature: true, sha256, sha512 }
}

/** What was checked when there was no key, plainly. */
function unsigned(files: readonly UpstreamFile[]): string {
  const isTold = files.every(({ sha256, sha512 }) => sha256 !== undefined || sha512 !== undefined)
  const digests = isTold ? 'digests that came from the same server' : 'nothing but their lengths'
  const tls = files.every(({ url }) => url.startsWith('https:')) ? 'its TLS certificate and ' : ''
  return `No signature was checked, only ${tls}${digests}. Give the maker's public key with --key to check who made them.`
}

async function bringAll(
  sources: readonly AssetSource[],
  flags: Flags & { readonly key?: string },
): Promise<void> {
  const { bring, keysIn } = await import('#server/assets/bring/bring.ts')
  const place = await placeOf(flags)
  const keys = await keysIn(flags.key)
  const brought = await withProgress(({ stage, signal }) => bring(sources, { place, keys, stage, signal }))
  if (flags.json) printJson(brought)
  else print(broughtTable(brought))
}

function broughtTable(brought: readonly BroughtAsset[]): string {
  const isSigned = brought.some(({ signedBy }) => signedBy !== undefined)
  return tableOf(['name', 'result', 'size', 'sha256', ...(isSigned ? ['signedBy'] : [])], brought)
}

async function list({ json, ...flags }: Flags): Promise<void> {
  const items = await (await placeOf(flags)).list()
  if (json) return printJson(items)
  if (items.length === 0) return print('no assets yet: pilotlight assets add FILE puts one')
  print(
    tableOf(
      ['name', 'size', 'modified', 'sha256'],
      items.map(it => ({ ...it, sha256: it.sha256 ?? 'unmanaged' })),
    ),
  )
}

async function verify({ assetsPath, json }: Pick<Flags, 'assetsPath' | 'json'>): Promise<void> {
  const store = await storeAt(assetsPath)
  const all = await withProgress(async ({ stage, signal }) => {
    const looking = stage.child('reading all kept bytes')
    const checked = []
    for await (const one of store.verify(signal)) {
      checked.push({ ...one, isGood: one.found === one.sha256 })
      looking.waiting(`${checked.length} read, the last was ${one.names[0] ?? one.sha256}`)
    }
    looking.done(`${checked.length} read`)
    return checked
  })
  const unmanaged = (await store.list()).filter(({ sha256 }) => sha256 === undefined).map(({ name }) => name)
  const bad = all.filter(({ isGood }) => !isGood)
  if (json) printJson({ checked: all, unmanaged })
  else {
    for (const { names, sha256, found } of bad)
      print(`BAD  ${names.join(', ') || 'no name'}: was ${sha256}, is ${found}`)
    print(`${all.length - bad.length} good, ${bad.length} bad, ${unmanaged.length} not of the store`)
  }
  if (bad.length === 0) return
  const remedy =
    'the disk failed, or someone wrote into them: add the same files again, which repairs every name'
  const code = bad.length < all.length ? 'PARTLY_FAILED' : 'ASSETS_DAMAGED'
  throw new Failure(code, `${bad.length} of ${all.length} are not what was kept`, remedy)
}

async function gc({ assetsPath, json }: Pick<Flags, 'assetsPath' | 'json'>): Promise<void> {
  const collected = await (await storeAt(assetsPath)).gc()
  if (json) return printJson(collected)
  const { blobs, bytes, leftovers } = collected
  print(`${blobs.length} without a name removed (${(bytes / 1e6).toFixed(1)} MB), and ${leftovers} leftovers`)
}

async function remove(names: readonly string[], { json, ...flags }: Flags): Promise<void> {
  const place = await placeOf(flags)
  const { forEach } = await import('../each.ts')
  await forEach(names, json ?? false, async name => {
    await place.remove(name)
    return { state: 'deleted', line: `${name} deleted` }
  })
}

function withPlace(command: Command): Command {
  return withDirectory(command).addOption(serverOption())
}

function withDirectory(command: Command): Command {
  const path = new Option('--assets-path <dir>', 'the assets directory').env('PILOTLIGHT_ASSETS_PATH')
  return command.addOption(path).option('--json', 'as JSON')
}

function keyOption(): Option {
  return new Option('--key <file>', "the signers' OpenPGP public keys; every file must be signed by one then")
}

function digestOf(algorithm: 'sha256' | 'sha512') {
  return (text: string): string => {
    const fault = digestFault(algorithm, text)
    if (fault === undefined) return text.toLowerCase()
    throw new InvalidArgumentError(fault)
  }
}
