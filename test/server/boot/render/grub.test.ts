import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import type { Profile } from '#model/profile.ts'
import { grubOf, type Match, type Renderers } from '#server/boot/render/answers.ts'
import { directoryFiles } from '#server/boot/render/directory-files.ts'
import { GoTemplates } from '#server/boot/render/go-templates.ts'
import { grubConfig, grubPath, grubWord } from '#server/boot/render/grub.ts'
import { Templates } from '#server/boot/render/templates.ts'

const CHECK = 'grub-script-check'
const skip = spawnSync(CHECK, ['--version']).error !== undefined && `there is no ${CHECK}`

const files = directoryFiles(join(import.meta.dirname, '../../../..'))
const renderers: Renderers = {
  templates: new Templates(files),
  goTemplates: new GoTemplates(files),
  localFiles: { read: () => 'none', tree: () => 'none' },
  endpoints: {
    server: { url: 'http://10.20.0.1:8080', address: '10.20.0.1', addresses: ['10.20.0.1'] },
    agent: { url: '', ca: '' },
  },
}

const ours: Profile = {
  id: 'live',
  ignition_id: 'live.ign.njk',
  boot: {
    kernel: '/assets/vmlinuz',
    initrd: ['--name main /assets/initrd.img'],
    args: ['url={{ server.url }}/ignition?uuid=${uuid}&mac=${mac:hexhyp}', "it's", 'mac=${net0/mac}'],
  },
}

function matchOf(profile: Profile, metadata = {}): Match {
  const labels = { mac: '52:54:00:20:00:01', uuid: 'u-1' }
  return { labels, group: { id: 'g', profile: profile.id, metadata }, profile, machine: undefined }
}

t.test('a Pilotlight profile gets a configuration with files by HTTP, and what the machine said', async t => {
  const text = grubOf(renderers, matchOf(ours))
  t.match(
    text,
    "if linux '(http,10.20.0.1:8080)/assets/vmlinuz'" +
      " 'url=http://10.20.0.1:8080/ignition?uuid=u-1&mac=52-54-00-20-00-01' 'it'\\''s' 'mac=52:54:00:20:00:01'; then",
  )
  t.match(text, "if initrd '(http,10.20.0.1:8080)/assets/initrd.img'; then")
  t.match(text, "configfile '(http,10.20.0.1:8080)/grub?mac=52%3A54%3A00%3A20%3A00%3A01&uuid=u-1'")
})

t.test("Matchbox's profiles keep Matchbox's", async t => {
  const profile = { id: 'p', boot: { kernel: '/k', args: ['{{x}}'] } }
  t.equal(grubOf(renderers, matchOf(profile)), grubConfig(profile))
})

t.test("GRUB's own checker takes all of them", { skip }, async t => {
  const local: Profile = { id: 'local' }
  for (const [title, text] of [
    ['with an initrd', grubOf(renderers, matchOf(ours))],
    ['without', grubOf(renderers, matchOf({ ...ours, boot: { kernel: '/k' } }))],
    ['from the disk', grubOf(renderers, matchOf(local))],
    ['by a loader', grubOf(renderers, matchOf(local, { local: { method: 'chain' } }))],
  ] as const) {
    const { status, stderr } = spawnSync(CHECK, { input: text, encoding: 'utf8' })
    t.equal(status, 0, `${title}: ${stderr}`)
  }
})

t.test('words and paths are as GRUB writes them', async t => {
  t.equal(grubWord("a'b $c"), "'a'\\''b $c'")
  t.equal(grubPath('http://h:80/x'), '(http,h:80)/x')
  t.equal(grubPath('(tftp)/x'), '(tftp)/x')
})
