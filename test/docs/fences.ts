// The fenced commands of a page: read from its text, and run in order in one shell.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** A fenced block of a page. */
export type Fence = {
  /** The word behind the first fence; empty when there is none. */
  readonly language: string
  /** Its lines, without the indentation of the fence. */
  readonly text: string
}

/** A fenced block of commands. */
export type Block = {
  /** Its first line, which names it. */
  readonly first: string
  /** All its lines. */
  readonly text: string
  /** The lines of the text block directly after it: they occur in its output, in this order. */
  readonly expected: readonly string[] | undefined
}

const ROOT = join(import.meta.dirname, '../..')
const FENCE = /^( *)```(\w*)\n([^]*?)\n\1```$/gm

/** All fenced blocks of a page. */
export function fencesOf(page: string): Fence[] {
  return [...page.matchAll(FENCE)].map(([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
}

/** The blocks of commands of a page. */
export function blocksOf(page: string): Block[] {
  const places = [...page.matchAll(FENCE)].map(({ 0: whole, index }) => ({ from: index, to: index + whole.length }))
  const fences = fencesOf(page)
  return fences.flatMap(({ language, text }, index) => {
    if (language !== 'sh' && language !== 'console') return []
    const next = fences[index + 1]
    const between = page.slice(places[index]?.to, places[index + 1]?.from)
    const isDirect = next?.language === 'text' && between.trim() === ''
    return [{ first: text.split('\n')[0] ?? '', text, expected: isDirect ? next.text.split('\n') : undefined }]
  })
}

/** The commands of a block: lines that belong together by quotes, a backslash, or a text that is given to a command. */
export function commandsOf(text: string): string[] {
  const commands: string[] = []
  let open = ''
  for (const line of text.split('\n')) {
    open = open === '' ? line : `${open}\n${line}`
    if (isWhole(open)) {
      commands.push(open)
      open = ''
    }
  }
  return open === '' ? commands : [...commands, open]
}

function isWhole(text: string): boolean {
  const [, end] = /<<-?'?(\w+)'?/.exec(text) ?? []
  if (end !== undefined) return text.split('\n').slice(1).includes(end)
  let quote = ''
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at)
    if (quote === "'") quote = character === "'" ? '' : quote
    else if (character === '\\') at += 1
    else if (quote === '"') quote = character === '"' ? '' : quote
    else if (character === "'" || character === '"') quote = character
    else if (character === '#' && /(^|\s)$/.test(text.slice(0, at))) return true
  }
  return quote === '' && !text.endsWith('\\')
}

/** The block without the lines that begin like this. */
export function without({ text, ...block }: Block, begins: readonly string[]): Block {
  const lines = text.split('\n').filter(line => !begins.some(begin => line.startsWith(begin)))
  return { ...block, text: lines.join('\n') }
}

/** The first of these lines that the output does not have in this order. `…` in a line is anything; times and numbered ids are any. */
export function firstAbsent(expected: readonly string[], output: string): string | undefined {
  const lines = masked(output).split('\n')
  let at = 0
  return expected.find(line => {
    const parts = masked(line)
      .split('…')
      .map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    const pattern = new RegExp(`^${parts.join('.*')}$`)
    const found = lines.findIndex((candidate, index) => index >= at && pattern.test(candidate))
    if (found >= 0) at = found + 1
    return found < 0
  })
}

/** Characters of the longest line that a transcript keeps. */
const WIDEST = 200
/** Lines of the longest output of a command that a transcript keeps. */
const LONGEST = 12

/** What the commands printed, for comparison with a golden file: what is another in each run is masked, and what is long is cut. */
export function transcriptOf(ran: readonly Ran[]): string {
  return ran
    .flatMap(({ command, output }) => {
      const lines = masked(output)
        .split('\n')
        .filter(line => line !== '')
        .map(line => (line.length > WIDEST ? `${line.slice(0, WIDEST)}…` : line))
      const more = lines.length > LONGEST ? [`… ${lines.length - LONGEST} more lines`] : []
      return [`$ ${command}`, ...lines.slice(0, LONGEST), ...more, '']
    })
    .join('\n')
}

/** Each with what stands for it: times, durations, digests, keys and random ids. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g, 'DATE'],
  [/\d{4}-\d\d-\d\d(?:[T ][\d:.]+Z?)?/g, 'TIME'],
  [/\b1[789]\d{11}\b/g, 'MILLISECONDS'],
  [/\bb-\d{4}\b/g, 'BOOT'],
  [/\b[\d.]+ m?s\b/g, 'SECONDS'],
  [/^ +\d+\.\d+s /gm, 'AT '],
  [/SHA256:[\w+/]{43,64}/g, 'FINGERPRINT'],
  [/\b[0-9a-f]{40,64}\b/g, 'DIGEST'],
  [/age1[a-z0-9]{20,}/g, 'RECIPIENT'],
  [/(?<![\w+/-])[A-Za-z0-9+/_-]{43,}=?/g, 'SECRET'],
  [/\bpid \d+/g, 'pid N'],
]

function masked(text: string): string {
  const named = text.replaceAll(ROOT, 'CLONE').replaceAll(/\/mnt\b/g, 'CLONE')
  return MASKS.reduce((shown, [pattern, word]) => shown.replaceAll(pattern, word), named).replaceAll(/[ \t\r]+$/gm, '')
}

// The shell is on a network and on mounts of its own, so pages name the ports, addresses and folders of a real server.
// `serve` stays up until the next one; a curl that gets an error status is an error, and each says its status.
const PROLOGUE = `
unset NODE_OPTIONS # of the test runner: it names files of the clone, which may be hidden below
mount --bind "$ROOT" /mnt && export ROOT=/mnt || exit 90 # the clone may be in one of the folders that are hidden next
mount -t tmpfs none /var/lib && mount -t tmpfs none /srv && mount -t tmpfs none /tmp && ip link set lo up || exit 90
ip address add 10.20.0.1/24 dev lo && ip address add 10.9.0.1/24 dev lo || exit 90
mkdir /tmp/home /tmp/clone && cd /tmp/clone && ln -s "$ROOT"/* . && rm -f server-state pilotlight-state lab-state
export HOME=/tmp/home PATH="$ROOT/bin:$PATH" PILOTLIGHT_DATA_PATH="$ROOT"
curl() { command curl -sS --max-time 60 --fail-with-body --write-out '%{stderr}\\nHTTP %{http_code}\\n' "$@" 2>> /tmp/status; }
statuses() { cat /tmp/status; : > /tmp/status; }
: > /tmp/status
server=
stop() { [ -z "$server" ] || { kill "$server"; wait "$server" || true; }; server=; }
pilotlight() {
  case $1 in
    serve) ;;
    lint) command pilotlight "$@" || [ $? = 1 ]; return ;; # 1: it found something
    *) command pilotlight "$@"; return ;;
  esac
  stop
  command pilotlight "$@" >/tmp/serve.log 2>&1 & server=$!
  for _ in $(seq 300); do
    grep -q '"text":"serving"' /tmp/serve.log && return
    kill -0 "$server" || break
    sleep 0.05
  done
  cat /tmp/serve.log; return 1
}
`

/** How long the commands of a page may take: the longest page takes 15 s alone, and a minute beside seven other programs. */
const LIMIT_SECONDS = 300

/** A command and what it printed. */
export type Ran = { readonly command: string; readonly output: string }

/**
 * Runs blocks in order, in one shell with network and mounts of its own; `setUp` are commands before the first. Each command
 * must succeed. What each block printed comes back, and each command; the first that fails ends the run, and `failed` is that
 * command with its output.
 */
export async function runBlocks(
  setUp: string,
  blocks: readonly Block[],
): Promise<{ outputs: string[]; ran: Ran[]; failed: string | undefined }> {
  const commands = blocks.flatMap(({ text }, block) => commandsOf(text).map(command => ({ block, command })))
  const script = commands.map(({ command }) => `echo '@@begin'\n${command}\nstatuses; echo '@@end'`)
  const shell = spawn(
    'unshare',
    ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'bash', '-c', wholeScript(setUp, script)],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ROOT }, timeout: LIMIT_SECONDS * 1000, killSignal: 'SIGKILL' },
  )
  let printed = ''
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  await once(shell, 'close')
  const [before = '', ...parts] = printed.split(/^@@begin\n/m)
  const ended = parts.filter(part => /@@end$/m.test(part)).length
  const ran = commands
    .slice(0, ended)
    .map(({ command }, at) => ({ command, output: parts[at]?.replace(/@@end\n[^]*$/, '') ?? '' }))
  const outputs = blocks.map((_, block) => ran.filter((_ran, at) => commands[at]?.block === block).map(it => it.output).join(''))
  const isDone = ended === commands.length
  const stopped = shell.signalCode === null ? '' : `\n(stopped after ${LIMIT_SECONDS} s)`
  return { outputs, ran, failed: isDone ? undefined : `${commands[ended]?.command}\n${parts[ended] ?? before}${stopped}` }
}

function wholeScript(setUp: string, script: readonly string[]): string {
  const quiet = [
    'exec 3>&1 > /tmp/set-up.log 2>&1',
    'trap "cat /tmp/set-up.log >&3" EXIT',
    setUp,
    'exec >&3 2>&1',
    'trap "statuses; stop" EXIT',
  ]
  return [PROLOGUE, 'set -e', ...quiet, ...script].join('\n')
}
