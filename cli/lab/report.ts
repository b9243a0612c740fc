// What a finished `pilotlight lab up` prints: the nodes, what `up` said, and how to look around.

import { join } from 'node:path'
import { labFiles } from '#lab/state.ts'
import type { FinishedLab } from '#lab/up/up.ts'
import { adminTokenFile } from '#model/endpoint.ts'

/**
 * Prints it; nothing for a lab whose machines only booted. A lab that does not stay has nothing to look around in.
 *
 * @throws {CommandFailed} when the cluster does not answer
 */
export async function showLab({ lab, hostUrl, tools, upLines, stays }: FinishedLab): Promise<void> {
  if (upLines === undefined) return
  const { up, serverState } = labFiles(lab.directory)
  const kubectl = [join(tools, 'kubectl'), '--kubeconfig', join(up, 'kubeconfig')]
  const { run } = await import('#host/command.ts')
  const [command = '', ...args] = lab.inRack([...kubectl, 'get', 'nodes'])
  say((await run(command, args, { limitSeconds: 30 })).stdout.trimEnd())
  say(`\n${upLines.join('\n')}`)
  if (!stays) return say('\nthe rack is taken down now; to look around in it:  npm run lab -- --keep')
  const [machine] = lab.rack.machines
  const exec = `bin/pilotlight lab exec --lab ${lab.name}`
  say(`
look around
  page       ${hostUrl}/ui/
  server     curl ${hostUrl}/machines
  changes    export PILOTLIGHT_SERVER=${hostUrl} PILOTLIGHT_TOKEN_FILE=${adminTokenFile(serverState)}
  kubectl    ${exec} rack ${kubectl.join(' ')} get pods -A -o wide
  openstack  ${exec} rack env OS_CLIENT_CONFIG_FILE=${join(up, 'clouds.yaml')} OS_CLOUD=pilotlight openstack service list
  machine    ${exec} ${machine?.name} journalctl -b
  down       npm run lab -- down --lab ${lab.name}`)
}

/** The same for programs: where its server is, and where the files of its site are. */
export function labJson({ lab, hostUrl, tools, upLines, stays }: FinishedLab): object {
  const { up, serverState } = labFiles(lab.directory)
  const server = { url: hostUrl, tokenFile: adminTokenFile(serverState) }
  const made = upLines === undefined ? {} : { kubeconfig: join(up, 'kubeconfig'), up: upLines }
  return { lab: lab.name, machines: lab.rack.machines.map(({ name }) => name), server, tools, stays, ...made }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
