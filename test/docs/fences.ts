// The fenced commands of a page: read from its text, and run in order in one shell.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

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

/** The blocks of commands of a page. */
export function blocksOf(page: string): Block[] {
  const fences = [...page.matchAll(/^```(\w*)\n([^]*?)\n```$/gm)]
  return fences.flatMap(([whole, language, text = ''], index) => {
    if (language !== 'sh' && language !== 'console') return []
    const end = fences[index]!.index + whole.length
    const next = fences[index + 1]
    const isDirect = next?.[1] === 'text' && page.slice(end, next.index).trim() === ''
    return [{ first: text.split('\n')[0]!, text, expected: isDirect ? next[2]!.split('\n') : undefined }]
  })
}

/** The first of these lines that the output does not have in this order. `…` in a line is anything; times and numbered ids are any. */
export function firstAbsent(expected: readonly string[], output: string): string | undefined {
  const lines = output.split('\n').map(mask)
  let at = 0
  return expected.find(line => {
    const pattern = new RegExp(
      `^${mask(line)
        .split('…')
        .map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
        .join('.*')}$`,
    )
    const found = lines.findIndex((candidate, index) => index >= at && pattern.test(candidate))
    if (found >= 0) at = found + 1
    return found < 0
  })
}

function mask(line: string): string {
  return line
    .replace(/\d{4}-\d\d-\d\d[T ][\d:.]+Z?/g, 'TIME')
    .replace(/\bb-\d{4}\b/g, 'BOOT')
    .trimEnd()
}

// `serve` stays up until the next one; each block says its status; a curl that gets an error status is an error.
const PROLOGUE = `
mount --bind "$ROOT" /mnt && export ROOT=/mnt || exit 90 # the clone may be in one of the folders that are hidden next
mount -t tmpfs none /var/lib && mount -t tmpfs none /srv && mount -t tmpfs none /tmp && ip link set lo up || exit 90
mkdir /tmp/home /tmp/clone && cd /tmp/clone && ln -s "$ROOT"/* . && rm -f server-state
export HOME=/tmp/home PATH="$ROOT/bin:$PATH"
curl() { command curl -sS --fail-with-body "$@"; }
server=
stop() { [ -z "$server" ] || { kill "$server"; wait "$server" || true; }; server=; }
trap stop EXIT
pilotlight() {
  if [ "$1" != serve ]; then command pilotlight "$@"; return; fi
  stop
  command pilotlight "$@" >/tmp/serve.log 2>&1 & server=$!
  for _ in $(seq 200); do
    command curl -sf http://127.0.0.1:8080/readyz >/dev/null && return
    kill -0 "$server" || break
    sleep 0.05
  done
  cat /tmp/serve.log; return 1
}
`

/**
 * Runs blocks in order, in one shell with network and mounts of its own; `setUp` are commands before the first.
 * What each printed comes back; a block that fails where no output is expected ends the run, and `failed` tells of it.
 */
export async function runBlocks(
  setUp: string,
  blocks: readonly Block[],
): Promise<{ outputs: string[]; failed: string | undefined }> {
  const script = blocks.map(({ text, expected }, index) =>
    [
      `echo '@@block ${index}'`,
      expected === undefined ? 'set -e' : 'set +e',
      text,
      'set -e',
      `echo '@@done ${index}'`,
    ].join('\n'),
  )
  const shell = spawn(
    'unshare',
    ['--net', '--mount', '--pid', '--fork', '--kill-child', 'bash', '-c', ['exec 2>&1', PROLOGUE, 'set -e', setUp, ...script].join('\n')],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ROOT }, timeout: 60_000, killSignal: 'SIGKILL' },
  )
  let printed = ''
  shell.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  await once(shell, 'close')
  const [before = '', ...parts] = printed.split(/^@@block \d+\n/m)
  const ended = parts.filter(part => /^@@done \d+$/m.test(part)).length
  const failed = ended === blocks.length ? undefined : `${blocks[ended]?.first}\n${parts[ended] ?? before}`
  return { outputs: parts.map(part => part.replace(/^@@done \d+$[^]*/m, '')), failed }
}
