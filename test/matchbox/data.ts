// Data directories of Matchbox, made up from a seed: groups and profiles of any spelling, templates of Go, Ignition and Butane
// configs, cloud configs, and assets with dates.

import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Random } from '../../bench/random.ts'
import { corpus } from '../oracle/corpus.ts'
import { groupFile, profileFile } from './json.ts'
import { pick } from './requests.ts'
import { METADATA, templateText } from './templates.ts'

/** The files of a directory, with what is in them. */
export type Files = ReadonlyMap<string, string | Buffer>

/** Assets by path, and their dates in seconds: those that `contentCase` asks about. */
const ASSET_DATES = [784111777, 784111777, 1704164645, 1704164645, 0, 784111777.25]

/** A directory, named by its seed. */
export function dataFiles(random: Random): Files {
  const files = new Map<string, string | Buffer>()
  const put = (path: string, content: string | Buffer) => files.set(path, content)
  const few = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const configs = corpus(Math.floor(random() * 2 ** 31), 24, '/nonexistent')
  for (const [at, { butane, text }] of configs.entries()) {
    const name = butane
      ? `b${at}${pick(random, ['', '.yaml', '.bu', '.yml'])}`
      : `i${at}.${pick(random, ['ign', 'ign', 'ignition'])}`
    put(`ignition/${name}`, butane && random() < 0.3 ? templated(random, text) : text)
  }
  for (let at = 0; at < 30; at += 1) put(`generic/${nameOf(random, `t${at}`)}`, templateText(random))
  for (let at = 0; at < 14; at += 1) put(`cloud/${nameOf(random, `c${at}`)}`, cloudText(random))
  const names = (folder: string) =>
    [...files.keys()].filter(path => path.startsWith(`${folder}/`)).map(path => path.slice(folder.length + 1))
  const named = (folder: string) =>
    random() < 0.15
      ? pick(random, ['', 'missing', '.', './', 'deep'])
      : idOf(random, pick(random, names(folder)))
  const profiles: string[] = []
  for (let at = 0; at < 24; at += 1) {
    const name = nameOf(random, `p${at}`)
    profiles.push(name)
    put(
      `profiles/${name}.json`,
      random() < 0.1
        ? profileFile(random)
        : JSON.stringify({
            id: random() < 0.9 ? name : pick(random, ['other', '']),
            ...(random() < 0.8 && { ignition_id: named('ignition') }),
            ...(random() < 0.8 && { generic_id: named('generic') }),
            ...(random() < 0.8 && { cloud_id: named('cloud') }),
            ...(random() < 0.8 && { boot: bootOf(random) }),
          }),
    )
  }
  const isMany = random() < 0.3
  for (let at = 0, count = isMany ? few(13, 40) : few(3, 10); at < count; at += 1) {
    const selector = isMany ? { n: String(at), ...(random() < 0.3 && { os: 'x' }) } : selectorOf(random)
    const group = {
      id: random() < 0.8 ? `g${at}` : pick(random, ['', 'other']),
      name: 'a group',
      profile:
        random() < 0.06 ? pick(random, ['', 'missing', '.', 'P0']) : idOf(random, pick(random, profiles)),
      ...((isMany || random() < 0.85) && { selector }),
      metadata: { ...METADATA, n: at, [pick(random, ['a', 'os', 'MAC', 'request'])]: 'y' },
    }
    const name = nameOf(random, `g${at}`).replaceAll('/', '-')
    // Any number of torn files: a group that cannot be read is left out.
    put(`groups/${name}.json`, !isMany && random() < 0.15 ? groupFile(random) : JSON.stringify(group))
  }
  for (const [path, content] of ASSETS) put(`assets/${path}`, content)
  return files
}

/** Writes the files below `root`, with dates for the assets. */
export function writeData(root: string, files: Files): void {
  for (const folder of ['groups', 'profiles', 'ignition', 'generic', 'cloud', 'assets/empty']) {
    mkdirSync(join(root, folder), { recursive: true })
  }
  for (const [path, content] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  for (const [at, [path]] of ASSETS.entries()) {
    const date = ASSET_DATES[at % ASSET_DATES.length]! // it is less than the length
    utimesSync(join(root, 'assets', path), date, date)
  }
}

/** The name of a file: plain, hidden, an editor's, in a folder, or with letters of any kind. */
function nameOf(random: Random, name: string): string {
  if (random() < 0.7) return name
  return pick(random, [
    `.${name}`,
    `${name}~`,
    `deep/${name}`,
    `${name}.x`,
    `${name} y`,
    `ü${name}`,
    `${name}%41`,
    `#${name}#`,
    `deep/er/${name}`,
    `${name}..`,
  ])
}

/** A name as a file may be referred to by: Matchbox cleans paths. */
function idOf(random: Random, name: string): string {
  if (random() < 0.7) return name
  return pick(random, [
    `./${name}`,
    `/${name}`,
    `//${name}`,
    `x/../${name}`,
    name.replaceAll('/', '//'),
    `${name}/`,
    `${name}/.`,
    `./.././${name}`,
    `${name} `,
  ])
}

function templated(random: Random, text: string): string {
  return `${text}\n${pick(random, ['# {{.text}}', '{{/* a note */}}', '{{range .list}}# {{.}}\n{{end}}', '{{.nosuch}}', '# {{.request.query.q}}', '{{"{{"}}'])}\n`
}

function cloudText(random: Random): string {
  return pick(random, [
    () => `#cloud-config\nhostname: {{.text}}\nusers:\n  - name: a\n`,
    () => `#cloud-config\r\nhostname: x\r\n`,
    () => `#cloud-config \n{{range .list}}# {{.}}\n{{end}}`,
    () => `#cloud-config\nhostname: [\n`,
    () => `#cloud-config\nwrite_files: [{path: /a, permissions: 0644, content: "{{.wide}}"}]\nunknown: 1\n`,
    () =>
      `#cloud-config\ncoreos: {units: [{name: a.service, command: start}], update: {reboot-strategy: "off"}}\n`,
    () => `#!/bin/sh\necho {{.text}}\n`,
    () => `#!ipxe\n${templateText(random)}`,
    () => `#cloud-config\n${templateText(random)}`,
    () => templateText(random),
    () => '',
    () => '#cloud-config',
    () => '#cloud-config\n- a\n',
    () => '#cloud-config\na: 1\na: 2\n',
    () => '\n#cloud-config\na: b\n',
  ])()
}

function bootOf(random: Random): object {
  const text = () =>
    pick(random, [
      '/assets/a.txt',
      'http://x/k',
      '/k?a=b&c',
      'a b',
      'x=${mac:hexhyp}',
      '{{.text}}',
      'ü',
      '<&>',
      '"',
      'a\nb',
      '',
      '--name main /assets/i',
      "x='y'",
      '\u2028',
    ])
  const texts = () => Array.from({ length: Math.floor(random() * 4) }, text)
  return {
    ...(random() < 0.9 && { kernel: text() }),
    ...(random() < 0.9 && { initrd: texts() }),
    ...(random() < 0.9 && { args: texts() }),
  }
}

function selectorOf(random: Random): Record<string, string> {
  const pairs = Array.from({ length: Math.floor(random() * 3) }, (): [string, string] =>
    pick<() => [string, string]>(random, [
      () => ['os', pick(random, ['x', 'y', 'installed', ''])],
      () => ['n', pick(random, ['0', '1', '2', '3'])],
      () => [
        'mac',
        pick(random, ['52:54:00:20:00:01', '52-54-00-20-00-02', '5254.0020.0003', '52:54:00:AA:00:04']),
      ],
      () => ['OS', 'x'],
      () => ['a b', 'c=d&e'],
      () => ['ü', 'ß'],
      () => ['', 'z'],
    ])(),
  )
  return Object.fromEntries(pairs)
}

const ASSETS: readonly (readonly [string, string | Buffer])[] = [
  ['a.txt', 'abcdefghijklmnopqrstuvwxyz'],
  ['b.bin', Buffer.from(Array.from({ length: 300 }, (_, at) => at % 256))],
  ['empty.txt', ''],
  ['one', 'x'],
  ['five', 'abcde'],
  ['page.html', '<!doctype html><p>page'],
  ['kernel', Buffer.concat([Buffer.from('\u007fELF'), Buffer.alloc(600, 7)])],
  ['index.html', '<p>home'],
  ['dir/index.html', '<p>in dir'],
  ['dir/x.json', '{}'],
  ['list/a b.txt', 'space'],
  ['list/ü.txt', 'wide'],
  ['list/%41.txt', 'percent'],
  ['list/<b>&.txt', 'marked'],
  ['list/.hidden', 'hidden'],
  ['list/back~', 'tilde'],
  ['list/deep/er.gz', Buffer.from('1f8b0800000000000003', 'hex')],
  ['list/x.PNG', Buffer.alloc(40)],
  ['list/x.IPXE', '#!ipxe'],
  ['list/x.svg', '<svg/>'],
  ['list/x.js', '1'],
  ['list/x.wasm', '1'],
  ['list/x.tar.gz', Buffer.from('1f8b08', 'hex')],
  ['list/x.y?z', 'question'],
  ['list/text', 'plain words'],
  ['list/nul', Buffer.from('a\0b')],
  ['list/bom', Buffer.from('fffe6100', 'hex')],
  ['list/xml', '<?xml version="1.0"?><a/>'],
  ['list/png', Buffer.from('89504e470d0a1a0a', 'hex')],
  ['list/pdf', '%PDF-1.4'],
]

/** The paths of the assets. */
export const ASSET_PATHS: readonly string[] = ASSETS.map(([path]) => path)
