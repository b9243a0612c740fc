import t from 'tap'
import { firmwareSettings, runScript } from '#lab/netboot/ipxe-script.ts'
import type { IpxeAnswer, IpxeEnd, IpxeRequest } from '#lab/netboot/ipxe-script.ts'

const MACHINE = { mac: '52:54:00:20:00:01', uuid: '5a0e7f00-0020-4000-8000-000000000001' }
const BASE = 'http://s/boot.ipxe'

/** Runs a script to its end; URLs that `web` does not have fail. Gives what it said, fetched and how it ended. */
function play(script: string, web: Record<string, string> = {}) {
  const settings = firmwareSettings(MACHINE)
  const asked: IpxeRequest[] = []
  const answer = (request: IpxeRequest): IpxeAnswer => {
    asked.push(request)
    if (request.want === 'dhcp')
      return { ok: true, settings: { ip: '10.20.0.11', 'next-server': '10.20.0.1' } }
    if (!('url' in request)) return { ok: true }
    const text = web[request.url]
    return text === undefined ? { ok: false, why: `${request.url}: 404` } : { ok: true, text }
  }
  const work = runScript(`#!ipxe\n${script}`, BASE, settings)
  let step = work.next()
  while (!step.done) step = work.next(answer(step.value))
  const said = asked.flatMap(request => (request.want === 'echo' ? [request.text] : []))
  const fetched = asked.flatMap(request => ('url' in request ? [request.url] : []))
  const end: IpxeEnd = step.value
  return { end, said, fetched, settings }
}

const SAYS: [title: string, script: string, said: string[]][] = [
  ['the MAC address with hyphens', 'echo ${mac:hexhyp}', ['52-54-00-20-00-01']],
  ['the MAC of the first card', 'echo ${net0/mac}', ['52:54:00:20:00:01']],
  ['the UUID, and nothing for what is not set', 'echo ${uuid}<${serial}>', [`${MACHINE.uuid}<>`]],
  ['what it runs on', 'echo ${buildarch:uristring} ${platform}', ['i386 pcbios']],
  ['a setting that it makes itself', 'set base http://s:8080/a\necho ${base}/b', ['http://s:8080/a/b']],
  ['a setting named by another', 'set which mac\necho ${${which}}', [MACHINE.mac]],
  ['what DHCP brought', 'dhcp\necho ${ip} from ${next-server}', ['10.20.0.11 from 10.20.0.1']],
  ['nothing of what the same line brings, as settings go in first', 'dhcp && echo <${ip}>', ['<>']],
  ['the second half of || when the first fails', 'isset ${none} || echo not set', ['not set']],
  ['nothing after || when the first goes well', 'isset ${mac} || echo not set\necho next', ['next']],
  ['the second half of && when the first goes well', 'iseq ${platform} pcbios && echo bios', ['bios']],
  [
    'nothing after && when the first fails, and goes on',
    'iseq ${platform} efi && echo efi ||\necho on',
    ['on'],
  ],
  ['the third of a chain of ||', 'iseq a b || isset ${none} || echo third', ['third']],
  ['what follows a label', 'goto there\necho here\n:there\necho there', ['there']],
  ['a line that goes on in the next', 'echo one \\\n  two', ['one two']],
  ['no comment', '# echo a\necho b # c', ['b']],
  ['a number that grew', 'set n:int8 7\ninc n\ninc n 2\necho ${n}', ['10']],
  ['a cleared setting as nothing', 'set x 1\nclear x\necho <${x}>', ['<>']],
]

for (const [title, script, said] of SAYS)
  t.test(`a script says ${title}`, async t => t.same(play(script).said, said))

const ENDS: [title: string, script: string, end: Partial<IpxeEnd>][] = [
  ['a script that boots nothing ends as by exit', 'echo a', { end: 'exit', status: 0 }],
  ['exit keeps its status', 'exit 3', { end: 'exit', status: 3 }],
  ['shell asks for a keyboard', 'shell', { end: 'shell' }],
  ['boot without a kernel fails', 'boot', { end: 'failed', line: 2, why: 'no kernel to boot' }],
  [
    'a command that fails ends the script at its line',
    'echo a\niseq a b\necho c',
    { end: 'failed', line: 3 },
  ],
  ['an unknown command fails', 'menu x', { end: 'failed', why: 'menu: command not found' }],
  ['a goto into nothing fails', 'goto nowhere', { end: 'failed', why: 'no label nowhere' }],
  ['a loop without end is stopped', ':a\ngoto a', { end: 'failed', why: 'the script never ends' }],
  [
    'a missing kernel fails with the reason',
    'kernel /vmlinuz',
    { end: 'failed', why: 'http://s/vmlinuz: 404' },
  ],
]

for (const [title, script, end] of ENDS) t.test(title, async t => t.match(play(script).end, end))

t.test('a text that is not a script is refused', async t => {
  const { end } = play('chain other', { 'http://s/other': '<html>' })
  t.match(end, { end: 'failed', why: /http:\/\/s\/other is not an iPXE script/ })
})

t.test('the way of a Matchbox machine: chain with labels, kernel, named initrd, boot', async t => {
  const second = `http://s/ipxe?uuid=${MACHINE.uuid}&mac=52-54-00-20-00-01&arch=i386`
  const script = `#!ipxe
kernel /assets/vmlinuz initrd=main ignition.config.url=http://s/ignition?uuid=\${uuid}&mac=\${mac:hexhyp} quiet
initrd --name main /assets/initrd.img
boot`
  const { end, fetched } = play('chain ipxe?uuid=${uuid}&mac=${mac:hexhyp}&arch=${buildarch:uristring}', {
    [second]: script,
    'http://s/assets/vmlinuz': '',
    'http://s/assets/initrd.img': '',
  })
  t.same(fetched, [second, 'http://s/assets/vmlinuz', 'http://s/assets/initrd.img'])
  const args = `initrd=main ignition.config.url=http://s/ignition?uuid=${MACHINE.uuid}&mac=52-54-00-20-00-01 quiet`
  t.same(end, {
    end: 'boot',
    kernel: { url: 'http://s/assets/vmlinuz', name: 'vmlinuz', args },
    initrds: [{ url: 'http://s/assets/initrd.img', name: 'main', args: '' }],
  })
})

t.test(
  'a chained script that exits well goes on where it was called, unless it replaced its caller',
  async t => {
    const web = { 'http://s/b': '#!ipxe\necho in b\nexit' }
    t.same(play('chain --autofree b\necho back', web).said, ['in b', 'back'])
    t.same(play('chain --replace b\necho back', web).said, ['in b'])
    t.same(play('chain b || echo failed', { 'http://s/b': '#!ipxe\nexit 1' }).said, ['failed'])
  },
)
