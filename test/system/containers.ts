// Containers without a kubelet, for what is asked of an image alone: roots made of its packed layers, read-only where a pod's
// are, with volumes, a user without privileges, and one network that leads nowhere.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '#host/command.ts'

/** What a container has beyond its image. Paths in it are without links: `/run/x`, not `/var/run/x`. */
export type ContainerPlan = {
  /** Unpacked layers, the lowest first. */
  readonly layers: readonly string[]
  /** The number of its user, and of the user's group. */
  readonly user: number
  /** Whether more than its volumes can be written; a pod's `readOnlyRootFilesystem: false`. */
  readonly isWritable?: boolean
  /** Empty volumes that anyone may write to, as a kubelet makes them. */
  readonly volumes?: readonly string[]
  /** Read-only files by path, as a kubelet mounts them from a ConfigMap; a script can be run. */
  readonly files?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
}

/** A container: commands run in it, one after another or at the same time. */
export type Container = {
  /** Runs a command to its end, as the container's user or as root, and gives what it printed. */
  run(command: readonly string[], as?: { readonly root: true }): Promise<string>
  /** Starts a command that stays; its output is in {@link log}. */
  start(command: readonly string[]): void
  /** What the started command has said so far. */
  log(): Promise<string>
}

/** The one machine that containers are in. */
export type Machine = {
  container(name: string, plan: ContainerPlan): Promise<Container>
  /** Ends every process in it; its mounts go with it. */
  close(): Promise<void>
}

/** Makes a root: an overlay of layers, what a runtime mounts in it, volumes, files. Its arguments: see `container`. */
const MAKE = `
set -e
at=$1 layers=$2 hosts=$3 files=$4; shift 4
mkdir -p "$at/upper" "$at/work" "$at/root"
mount -t overlay overlay -o "lowerdir=$layers,upperdir=$at/upper,workdir=$at/work" "$at/root"
cd "$at/root"
mkdir -p proc dev tmp run etc
mount -t proc proc proc
mount --rbind /dev dev
touch etc/hosts; mount --bind "$hosts" etc/hosts
while [ $# -gt 0 ] && [ "$1" != -- ]; do mkdir -p ".$1"; mount -t tmpfs -o mode=777 none ".$1"; shift; done
shift
index=0
for path; do
  mkdir -p "$(dirname ".$path")"; [ -e ".$path" ] || touch ".$path"
  mount --bind "$files/$index" ".$path"; mount -o remount,bind,ro ".$path"
  index=$((index + 1))
done
`

/** Runs a command with its output in a pipe of the user's, which can be opened again as /dev/stdout, as a runtime arranges it. */
const START = `
pipe=$1 log=$2 user=$3; shift 3
mkfifo "$pipe"; chown "$user" "$pipe"
cat "$pipe" >> "$log" &
exec "$@" > "$pipe" 2>&1
`

/**
 * Starts a machine whose host name and names of services all are its loopback address. `folder` is an empty one on the disk.
 * Needs root.
 */
export async function startMachine(
  folder: string,
  hostname: string,
  names: readonly string[],
): Promise<Machine> {
  const state = join(folder, 'state')
  await mkdir(state)
  await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost ${[hostname, ...names].join(' ')}\n`)
  const apart = ['--mount', '--net', '--uts', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc']
  const set = 'hostname "$1"; ip link set lo up; mount -t tmpfs none "$2"; echo ready; exec sleep infinity'
  const holder = spawn('unshare', [...apart, 'sh', '-ec', set, 'sh', hostname, state], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(holder, 'exit')
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(([code]) => Promise.reject(new Error(`unshare ended with ${code}`))),
  ])
  const children = await readFile(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8')
  const enter = [`--target=${children.trim()}`, '--mount', '--net', '--uts', '--ipc', '--pid', '--']

  return {
    async container(name, { layers, user, isWritable = false, volumes = [], files = {}, environment = {} }) {
      const at = join(state, name)
      const sources = join(folder, `files-${name}`)
      await mkdir(sources)
      const texts = Object.values(files)
      for (const [index, text] of texts.entries())
        await writeFile(join(sources, `${index}`), text, { mode: text.startsWith('#!') ? 0o555 : 0o444 })
      const lower = layers.toReversed().join(':')
      const made = [at, lower, join(folder, 'hosts'), sources, ...volumes, '--', ...Object.keys(files)]
      const root = join(at, 'root')
      await run('nsenter', [...enter, 'sh', '-c', MAKE, 'sh', ...made], { limitSeconds: 60 })
      if (!isWritable)
        await run('nsenter', [...enter, 'mount', '-o', 'remount,ro', root], { limitSeconds: 60 })
      const home = await homeOf(layers, user)
      const variables = {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: home,
        LANG: 'C.UTF-8',
        PYTHONWARNINGS: 'ignore',
        ...environment,
      }
      const inside = (id: number) => [
        'setpriv',
        '--no-new-privs',
        'env',
        '-i',
        ...Object.entries(variables).map(it => it.join('=')),
        'chroot',
        `--userspec=${id}:${id}`,
        root,
      ]
      const log = join(folder, `${name}.log`)
      return {
        async run(command, as) {
          const { stdout } = await run('nsenter', [...enter, ...inside(as ? 0 : user), ...command], {
            limitSeconds: 120,
            log: join(folder, `${name}-jobs.log`),
          })
          return stdout
        },
        start(command) {
          const piped = ['sh', '-c', START, 'sh', join(at, 'output'), log, `${user}`]
          spawn('nsenter', [...enter, ...piped, ...inside(user), ...command], { stdio: 'ignore' })
        },
        log: () => readFile(log, 'utf8').catch(() => ''),
      }
    },
    async close() {
      holder.kill('SIGKILL')
      await ended
    },
  }
}

/** The home of the first user of that number, as a runtime looks it up. */
async function homeOf(layers: readonly string[], user: number): Promise<string> {
  for (const layer of layers.toReversed()) {
    const passwd = await readFile(join(layer, 'etc/passwd'), 'utf8').catch(() => '')
    const found = passwd.split('\n').find(line => line.split(':')[2] === `${user}`)
    if (found !== undefined) return found.split(':')[5] ?? '/'
  }
  return '/'
}
