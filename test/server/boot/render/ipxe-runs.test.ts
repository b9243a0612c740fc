// The scripts as real iPXE runs them, in a machine without a disk: what it asks a server that fails now and then.

import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import type { Group } from '#model/group.ts'
import type { Profile } from '#model/profile.ts'
import { waitUntil } from '#progress/wait.ts'
import { scriptOf, type Match, type Renderers } from '#server/boot/render/answers.ts'
import { directoryFiles } from '#server/boot/render/directory-files.ts'
import { GoTemplates } from '#server/boot/render/go-templates.ts'
import { Templates } from '#server/boot/render/templates.ts'
import { parseProfile } from '#server/inventory/matchbox-files.ts'

const IPXE = '/usr/lib/ipxe/ipxe.lkrn'
const QEMU = '/usr/bin/qemu-system-x86_64'
const missing = [IPXE, QEMU].find(path => !existsSync(path))
const skip = missing !== undefined && `there is no ${missing}`

t.setTimeout(240_000)

const files = directoryFiles(join(import.meta.dirname, '../../../..'))
const profileOf = (id: string): Profile => parseProfile(files.textOf(`profiles/${id}.json`) ?? '')

/** What the server answers to a path; undefined is 503. */
type Answer = (path: string, query: URLSearchParams, turn: number, renderers: Renderers) => string | undefined

/** Boots a machine from a server that answers so, until it has asked for `/end`. */
async function boot(t: Test, answer: Answer): Promise<string[]> {
  const asked: string[] = []
  const turns = new Map<string, number>()
  const server = createServer(({ url = '' }, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(url, 'http://x')
    const turn = (turns.get(pathname) ?? 0) + 1
    turns.set(pathname, turn)
    asked.push(pathname)
    const text = pathname === '/end' ? '#!ipxe\n' : answer(pathname, searchParams, turn, renderers)
    response.writeHead(text === undefined ? 503 : 200).end(text ?? '')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://10.0.2.2:${(server.address() as AddressInfo).port}` // the host, as the machine sees it
  const renderers: Renderers = {
    templates: new Templates(files),
    goTemplates: new GoTemplates(files),
    localFiles: { read: () => 'none', tree: () => 'none' },
    endpoints: { server: { url, address: '10.0.2.2', addresses: ['10.0.2.2'] }, agent: { url: '', ca: '' } },
  }
  const script = join(t.testdir(), 'start.ipxe')
  writeFileSync(script, `#!ipxe\ndhcp\nchain ${url}/boot.ipxe\nchain ${url}/end\n`)
  const flags = `-M pc -m 256 -display none -serial none -monitor none -nic user,model=virtio-net-pci -kernel ${IPXE}`
  const machine = spawn(QEMU, [...flags.split(' '), '-initrd', script], { stdio: 'ignore' })
  t.teardown(() => machine.kill('SIGKILL'))
  await waitUntil('the end of the boot', { limitSeconds: 90 }, () =>
    Promise.resolve(asked.includes('/end') ? { value: true } : { not: `asked for ${asked.join(' ')}` }),
  )
  return asked
}

const bootScript = ({ templates, endpoints }: Renderers) => templates.render('ipxe/boot.ipxe.njk', endpoints)

/** The script of a profile; the machine gave these labels. */
function scriptFor(renderers: Renderers, profile: Profile, metadata: Group['metadata'] = {}): string {
  const match: Match = {
    labels: {},
    group: { id: 'g', profile: profile.id, metadata },
    profile,
    machine: undefined,
  }
  return scriptOf(renderers, match).script
}

t.test('a machine gets over a server that fails at each step', { skip }, async t => {
  const asked = await boot(t, (path, query, turn, renderers) => {
    const { url } = renderers.endpoints.server
    if (path === '/boot.ipxe') return bootScript(renderers)
    if (path === '/ipxe') {
      t.match(query.get('mac'), /^52-54-00-/)
      return turn === 1
        ? undefined
        : scriptFor(renderers, { ...profileOf('live'), boot: { kernel: '/k', initrd: ['/i'] } })
    }
    if (turn === 1) return undefined
    return path === '/k' ? `#!ipxe\nchain ${url}/end\n` : 'initrd'
  })
  t.strictSame(asked, ['/boot.ipxe', '/ipxe', '/ipxe', '/k', '/k', '/i', '/k', '/i', '/end'])
})

t.test('a menu asks for what is chosen, and its default when no one answers', { skip }, async t => {
  const metadata = { menu: [{ id: 'live', title: 'The live system' }], default: 'live', seconds: 1 }
  await boot(t, (path, query, _, renderers) => {
    const { url } = renderers.endpoints.server
    if (path === '/boot.ipxe') return bootScript(renderers)
    const choice = query.get('choice')
    if (choice === null) return scriptFor(renderers, profileOf('menu'), metadata)
    t.equal(choice, 'live')
    return `#!ipxe\nchain ${url}/end\n`
  })
})

t.test('a local boot of any method goes back to the firmware where there is no disk', { skip }, async t => {
  const methods = ['auto', 'exit', 'sanboot', 'chain']
  const asked = await boot(t, (path, _, turn, renderers) => {
    const { url } = renderers.endpoints.server
    if (path === '/boot.ipxe') return `#!ipxe\n${`chain ${url}/again\n`.repeat(methods.length)}`
    if (path === '/again') return bootScript(renderers)
    return scriptFor(renderers, profileOf('local'), { local: { method: methods[turn - 1] } })
  })
  t.strictSame(asked, ['/boot.ipxe', ...methods.flatMap(() => ['/again', '/ipxe']), '/end'])
})
