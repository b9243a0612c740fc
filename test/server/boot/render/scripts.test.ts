// The scripts and configs of a fresh server: every template of the project rendered, compared with golden files.

import t from 'tap'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { localFilesBelow } from '#server/formats/butane/local-files.ts'
import { parseProfile } from '#server/inventory/matchbox-files.ts'
import type { Profile } from '#model/profile.ts'
import { matchOf, scriptOf, type Sources } from '#server/boot/render/answers.ts'
import { assetKindsOf, bootUrlsOf, matchboxScript } from '#server/boot/render/ipxe.ts'
import { grubConfig } from '#server/boot/render/grub.ts'
import { GoTemplates } from '#server/boot/render/go-templates.ts'
import { directoryFiles } from '#server/boot/render/directory-files.ts'
import { Templates } from '#server/boot/render/templates.ts'
import { catalogOf } from '../../catalogs.ts'
import { site } from '../../serving.ts'
import { runScript } from '#lab/netboot/ipxe-script.ts'

const golden = join(import.meta.dirname, 'golden')
const templates = new Templates(directoryFiles('.'))
const profiles = new Map(
  ['controller', 'compute', 'live', 'local'].map(id => [
    id,
    parseProfile(readFileSync(`profiles/${id}.json`, 'utf8')),
  ]),
)
const groups = [
  ...site.groups,
  { id: 'disk', profile: 'local', selector: { os: 'installed', mac: '52:54:00:20:00:01' } },
]
const catalog = catalogOf({ groups, profiles: profiles.values(), machines: site.machines })
const endpoints = {
  server: { url: 'http://10.20.0.1:8080', address: '10.20.0.1', addresses: ['10.20.0.1'] },
  agent: { url: 'https://10.20.0.1:8443', ca: 'PEM' },
}
const sources: Sources = {
  catalog,
  templates,
  goTemplates: new GoTemplates(directoryFiles('.')),
  localFiles: localFilesBelow('.'),
  endpoints,
}

/** Compares with a golden file; UPDATE_GOLDEN=1 rewrites it, and still fails that run. */
function matchesGolden(t: Tap, name: string, text: string): void {
  const path = join(golden, name)
  if (process.env.UPDATE_GOLDEN && (!existsSync(path) || readFileSync(path, 'utf8') !== text)) {
    mkdirSync(golden, { recursive: true })
    writeFileSync(path, text)
    t.fail(`${name} was rewritten: read it, then run again without UPDATE_GOLDEN`)
  } else t.equal(text, readFileSync(path, 'utf8'))
}
type Tap = { fail(text: string): unknown; equal(found: string, wanted: string): unknown }

t.test('the scripts of a fresh server are those that were reviewed', async t => {
  matchesGolden(t, 'boot.ipxe', templates.render('ipxe/boot.ipxe.njk', endpoints))
  matchesGolden(t, 'autoexec.ipxe', templates.render('ipxe/autoexec.ipxe.njk', endpoints))
  const controller = scriptOf(sources, matchOf(catalog, { mac: '52:54:00:20:00:01' }))
  matchesGolden(t, 'controller.ipxe', controller.script)
  t.strictSame(Object.fromEntries(controller.assets), {
    '/assets/live/vmlinuz': 'kernel',
    '/assets/live/microcode.img': 'initrd',
    '/assets/live/initrd.img': 'initrd',
    '/assets/live/rootfs.squashfs': 'rootfs',
  })
  const local = scriptOf(sources, matchOf(catalog, { mac: '52:54:00:20:00:01', os: 'installed' }))
  matchesGolden(t, 'local.ipxe', local.script)
})

t.test(
  'UEFI goes on to the disk: scripts that leave the boot to it end with an error, at the outermost',
  async t => {
    const url = endpoints.server.url
    const local = scriptOf(sources, matchOf(catalog, { mac: '52:54:00:20:00:01', os: 'installed' })).script
    const texts: Readonly<Record<string, string>> = {
      [`${url}/autoexec.ipxe`]: templates.render('ipxe/autoexec.ipxe.njk', endpoints),
      [`${url}/boot.ipxe`]: templates.render('ipxe/boot.ipxe.njk', endpoints),
    }
    for (const [first, platform, status] of [
      [`${url}/autoexec.ipxe`, 'efi', 1],
      [`${url}/boot.ipxe`, 'efi', 1],
      [`${url}/ipxe`, 'efi', 1],
      [`${url}/boot.ipxe`, 'pcbios', 0],
    ] as const) {
      const run = runScript(texts[first] ?? local, first, {
        platform,
        ip: '10.20.0.11',
        mac: '52:54:00:20:00:01',
      })
      const asked: string[] = []
      let step = run.next()
      while (step.done !== true) {
        const wanted = step.value
        if (wanted.want === 'text') asked.push(wanted.url)
        step = run.next(
          wanted.want === 'text' ? { ok: true, text: texts[wanted.url] ?? local } : { ok: true },
        )
      }
      t.same(step.value, { end: 'exit', status }, `${first} on ${platform}`)
      t.ok(asked.length <= 2, 'nothing is asked for again')
    }
  },
)

t.test('a virtual machine gets the small initrd and no microcode, under the same name', async t => {
  for (const id of ['live', 'controller', 'compute']) {
    const profile = profiles.get(id)!
    const group = { id: 'vms', profile: id, metadata: { hardware: 'vm' } }
    const only = catalogOf({ groups: [group], profiles: [profile], machines: [] })
    const { script } = scriptOf(sources, matchOf(only, { mac: '52:54:00:20:00:09' }))
    t.match(script, /vmlinuz initrd=initrd\.img coreos/)
    t.match(script, '\ninitrd --name initrd.img http://10.20.0.1:8080/assets/live/initrd-vm.img ||')
    t.notMatch(script, 'microcode')
  }
})

t.test('every initrd has a name, and the kernel an argument for it', async t => {
  const profile: Profile = {
    id: 'p',
    boot: {
      kernel: 'http://else/k',
      initrd: ['/a/one.img', '--name two /b/x', '-n three /c'],
      args: ['quiet'],
    },
  }
  const files = bootUrlsOf(profile, 'http://s', text => text)
  t.strictSame(files, {
    kernel: 'http://else/k',
    args: ['initrd=one.img', 'initrd=two', 'initrd=three', 'quiet'],
    initrds: [
      { name: 'one.img', url: 'http://s/a/one.img' },
      { name: 'two', url: 'http://s/b/x' },
      { name: 'three', url: 'http://s/c' },
    ],
  })
  const chosen = bootUrlsOf({ id: 'p', boot: { kernel: '/k', initrd: ['{{x}}', '/i'] } }, 'http://s', text =>
    text.replace('{{x}}', ' '),
  )
  t.strictSame(chosen.initrds, [{ name: 'i', url: 'http://s/i' }], 'one that renders to nothing is left out')
  t.same([...assetKindsOf(files, 'http://s').keys()], ['/a/one.img', '/b/x', '/c'], 'only what we serve')
})

t.test('Matchbox profiles give the bytes of Matchbox', async t => {
  const boot = { kernel: '/k', initrd: ['--name main /i', '/j'], args: ['a', '${b}', '{{c}}'] }
  t.equal(
    matchboxScript({ id: 'p', boot }),
    '#!ipxe\nkernel /k a ${b} {{c}}\ninitrd --name main /i\ninitrd /j\nboot\n',
  )
  t.equal(matchboxScript({ id: 'p', boot: {} }), '#!ipxe\nkernel \nboot\n')
  t.throws(() => matchboxScript({ id: 'p' }), { code: 'NOTHING_TO_SERVE' })
  t.match(
    grubConfig({ id: 'p', boot }),
    'linuxefi "/k" a ${b} {{c}}\necho "Loading initrd"\ninitrdefi  "--name main /i" "/j"\n',
  )
  t.match(grubConfig({ id: 'p', boot: {} }), 'linux ""\necho "Loading initrd"\ninitrd \n}\n')
})
