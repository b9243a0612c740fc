// What iPXE does with a script, as a pure interpreter: it asks for each thing it needs of the outside (a download,
// a DHCP exchange, a pause, a line on the screen) and gets its result. Meaning follows iPXE's own shell:
// settings are put into a line before it is split into words, `||` and `&&` end the line they are on, and a
// command that fails ends its script.

/** What the interpreter asks of the outside. */
export type IpxeRequest =
  | { readonly want: 'dhcp' }
  | { readonly want: 'text'; readonly url: string }
  | { readonly want: 'image'; readonly as: 'kernel' | 'initrd'; readonly url: string }
  | { readonly want: 'echo'; readonly text: string }
  | { readonly want: 'sleep'; readonly seconds: number }

/** The result of an action: the settings that it added, the text of a script, or why it failed. */
export type IpxeAnswer =
  | { readonly ok: true; readonly text?: string; readonly settings?: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly why: string }

/** An image that was downloaded, under the name by which the kernel's arguments may call it. */
export type IpxeImage = { readonly url: string; readonly name: string; readonly args: string }

/** How a script ended. */
export type IpxeEnd =
  | { readonly end: 'boot'; readonly kernel: IpxeImage; readonly initrds: readonly IpxeImage[] }
  | { readonly end: 'exit'; readonly status: number }
  | { readonly end: 'shell' | 'reboot' | 'poweroff' }
  | { readonly end: 'failed'; readonly line: number; readonly why: string }

/** What iPXE would answer to `${net0/mac}` and its like before any script has set anything. */
export function firmwareSettings(machine: { mac: string; uuid: string }): Record<string, string> {
  const { mac, uuid } = machine
  return {
    mac,
    uuid,
    'net0/mac': mac,
    'netX/mac': mac,
    buildarch: 'i386',
    platform: 'pcbios',
    version: '1.0.0+',
  }
}

/**
 * Runs the script that was read from `url`. `settings` is changed as the script sets things. More than 10,000
 * lines run count as a script that never ends, and fail.
 */
export function runScript(
  text: string,
  url: string,
  settings: Record<string, string>,
): Generator<IpxeRequest, IpxeEnd, IpxeAnswer> {
  return interpret(text, url, { settings, initrds: [], linesLeft: 10_000 })
}

/** What a script and those it chains to share. */
type Shared = {
  settings: Record<string, string>
  kernel?: IpxeImage
  initrds: IpxeImage[]
  linesLeft: number
}

type Work<T> = Generator<IpxeRequest, T, IpxeAnswer>

/** What a command did: succeeded, failed, jumped to a label, or ended the script. */
type Done =
  { readonly ok: true } | { readonly ok: false; readonly why: string } | { readonly goto: string } | IpxeEnd

const WELL: Done = { ok: true }
const failed = (why: string): Done => ({ ok: false, why })

function* interpret(text: string, url: string, shared: Shared): Work<IpxeEnd> {
  if (!/^#!ipxe\s/.test(`${text}\n`))
    return { end: 'failed', line: 1, why: `${url} is not an iPXE script: it does not begin with #!ipxe` }
  const lines = logicalLines(text)
  for (let at = 0; at < lines.length; at += 1) {
    const { line, number } = lines[at]! // at < lines.length
    if (line.startsWith(':')) continue
    if ((shared.linesLeft -= 1) < 0) return { end: 'failed', line: number, why: 'the script never ends' }
    const done = yield* runLine(line, url, shared)
    if ('end' in done) return done.end === 'failed' ? { ...done, line: number } : done
    if ('goto' in done) {
      at = lines.findIndex(({ line }) => line.trimEnd() === `:${done.goto}`)
      if (at === -1) return { end: 'failed', line: number, why: `no label ${done.goto}` }
    } else if (!done.ok) return { end: 'failed', line: number, why: done.why }
  }
  return { end: 'exit', status: 0 }
}

/** Lines with a number each; one that ends in a backslash goes on in the next. */
function logicalLines(text: string): { line: string; number: number }[] {
  const lines: { line: string; number: number }[] = []
  let begun: { line: string; number: number } | undefined
  for (const [at, raw] of text.split(/\r?\n/).entries()) {
    const line = (begun?.line ?? '') + raw.trimStart()
    const number = begun?.number ?? at + 1
    begun = line.endsWith('\\') ? { line: line.slice(0, -1), number } : undefined
    if (!begun && line !== '' && !line.startsWith('#')) lines.push({ line, number })
  }
  return lines
}

function* runLine(line: string, url: string, shared: Shared): Work<Done> {
  const words = expand(line, shared.settings).split(/\s+/).filter(Boolean)
  const comment = words.findIndex(word => word.startsWith('#'))
  let rest = comment === -1 ? words : words.slice(0, comment)
  for (let done = WELL; ;) {
    const operator = rest.findIndex(word => word === '||' || word === '&&')
    const command = operator === -1 ? rest : rest.slice(0, operator)
    done = yield* runCommand(command, url, shared)
    if ('ok' in done && !done.ok) shared.settings['errno'] = done.why
    if (operator === -1 || !('ok' in done)) return done
    if (done.ok === (rest[operator] === '||')) return WELL // `||` ends a line that succeeded, `&&` one that did not
    rest = rest.slice(operator + 1)
  }
}

/** Puts settings in, the innermost first, so that a setting's name may be made of settings. */
function expand(line: string, settings: Readonly<Record<string, string>>): string {
  for (let text = line; ;) {
    const found = /\$\{([^${}]*)\}/.exec(text)
    if (!found) return text
    const [whole, setting = ''] = found
    text = text.slice(0, found.index) + valueOf(setting, settings) + text.slice(found.index + whole.length)
  }
}

function valueOf(setting: string, settings: Readonly<Record<string, string>>): string {
  const [name = '', type = 'string'] = setting.split(':')
  const value = settings[name] ?? ''
  if (type === 'hexhyp') return value.replaceAll(':', '-')
  if (type === 'hexraw') return value.replaceAll(/[:-]/g, '')
  return type === 'uristring' ? encodeURIComponent(value) : value
}

function* runCommand(words: readonly string[], url: string, shared: Shared): Work<Done> {
  const [command = '', ...all] = words
  const { options, args } = splitOptions(all)
  const { settings } = shared
  const [first = '', ...more] = args
  switch (command) {
    case 'imgfree':
      delete shared.kernel
      shared.initrds = []
      return WELL
    case '':
    case 'ifopen':
    case 'ifclose':
      return WELL
    case 'dhcp':
    case 'ifconf':
      return settled(yield { want: 'dhcp' }, settings)
    case 'set':
      if (more.length === 0) delete settings[bare(first)]
      else settings[bare(first)] = more.join(' ')
      return WELL
    case 'clear':
      delete settings[bare(first)]
      return WELL
    case 'inc': {
      const sum = (Number(settings[bare(first)]) || 0) + Number(more[0] ?? 1)
      settings[bare(first)] = String(sum)
      return WELL
    }
    case 'isset':
      return args.length > 0 ? WELL : failed('not set') // what is not set has left no word on the line
    case 'iseq':
      return first === (more[0] ?? '') ? WELL : failed(`${first} is not ${more[0] ?? 'given'}`)
    case 'echo':
      return settled(yield { want: 'echo', text: all.filter(word => word !== '-n').join(' ') }, settings)
    case 'sleep':
      return settled(yield { want: 'sleep', seconds: Number(first) || 0 }, settings)
    case 'sanboot':
      return failed('no disk to boot from')
    case 'prompt':
      return failed('no one is at the keyboard')
    case 'goto':
      return { goto: first }
    case 'exit':
      return { end: 'exit', status: Number(first) || 0 }
    case 'shell':
    case 'reboot':
    case 'poweroff':
      return { end: command }
    case 'kernel':
    case 'imgselect':
    case 'imgload': {
      const image = imageOf(first, more, options, url)
      const done = settled(yield { want: 'image', as: 'kernel', url: image.url }, settings)
      if ('ok' in done && done.ok) shared.kernel = image
      return done
    }
    case 'initrd':
    case 'module':
    case 'imgfetch': {
      const image = imageOf(first, more, options, url)
      const done = settled(yield { want: 'image', as: 'initrd', url: image.url }, settings)
      if ('ok' in done && done.ok) shared.initrds.push(image)
      return done
    }
    case 'imgargs':
      if (shared.kernel?.name !== first) return failed(`no image ${first}`)
      shared.kernel = { ...shared.kernel, args: more.join(' ') }
      return WELL
    case 'chain':
      return yield* chain(new URL(first, url).href, options.has('replace') || options.has('r'), shared)
    case 'boot':
    case 'imgexec':
      if (first !== '') return yield* chain(new URL(first, url).href, false, shared)
      if (!shared.kernel) return failed('no kernel to boot')
      return { end: 'boot', kernel: shared.kernel, initrds: shared.initrds }
    default:
      return failed(`${command}: command not found`)
  }
}

/** A chained script that ends by `exit` goes on where it was called, unless it replaced its caller. */
function* chain(target: string, replace: boolean, shared: Shared): Work<Done> {
  const answer = yield { want: 'text', url: target }
  if (!answer.ok) return failed(answer.why)
  const end = yield* interpret(answer.text ?? '', target, shared)
  if (end.end === 'failed') return failed(`${target}, line ${end.line}: ${end.why}`)
  if (end.end !== 'exit' || replace) return end
  return end.status === 0 ? WELL : failed(`${target} ended with ${end.status}`)
}

function settled(answer: IpxeAnswer, settings: Record<string, string>): Done {
  if (!answer.ok) return failed(answer.why)
  Object.assign(settings, answer.settings)
  return WELL
}

/** Options precede the first argument; `--name`, `--timeout` and their short forms take the next word. */
function splitOptions(words: readonly string[]): { options: Map<string, string>; args: readonly string[] } {
  const options = new Map<string, string>()
  for (let at = 0; ; at += 1) {
    const word = words[at] ?? ''
    if (!word.startsWith('-')) return { options, args: words.slice(at) }
    const [name = '', value] = word.replace(/^--?/, '').split('=')
    const takesNext = value === undefined && ['name', 'n', 'timeout', 't'].includes(name)
    if (takesNext) at += 1
    options.set(name, takesNext ? (words[at] ?? '') : (value ?? ''))
  }
}

function imageOf(
  target: string,
  args: readonly string[],
  options: ReadonlyMap<string, string>,
  base: string,
): IpxeImage {
  const { href, pathname } = new URL(target, base)
  const name = options.get('name') ?? options.get('n') ?? pathname.split('/').at(-1) ?? ''
  return { url: href, name, args: args.join(' ') }
}

/** `set mac:hexhyp x` sets `mac`: the type after the colon only says how to show it. */
function bare(setting: string): string {
  return setting.split(':')[0] ?? ''
}
