// What a lab could leave behind on this host, read from the host itself.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Everything on this host that has the lab's name, or is in its folder: empty when the lab left nothing. */
export function remainsOf(lab: string, directory: string): string[] {
  const ours = (line: string): boolean => line.includes(`pl-${lab}`) || line.includes(directory)
  const namespaces = existsSync('/run/netns') ? readdirSync('/run/netns') : []
  const mounts = lines(readFileSync('/proc/mounts', 'utf8')).filter(line => !line.startsWith('nsfs ')) // namespaces again
  const loops = lines(
    execFileSync('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'], { encoding: 'utf8' }),
  )
  const cgroups = lines(
    execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-type', 'd', '-name', 'pl-*'], {
      encoding: 'utf8',
    }),
  )
  const processes = readdirSync('/proc')
    .filter(pid => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap(pid => {
      try {
        return [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`]
      } catch {
        return [] // it ended meanwhile
      }
    })
  return [...namespaces, ...mounts, ...loops, ...cgroups, ...processes].filter(ours)
}

function lines(text: string): string[] {
  return text.split('\n')
}
