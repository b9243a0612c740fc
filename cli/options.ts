// Options that several verbs share, described once.

import { Option } from 'commander'

/** Where the Pilotlight server is. */
export function serverOption(): Option {
  return new Option('--server <url>', 'the Pilotlight server')
    .env('PILOTLIGHT_SERVER')
    .default('http://127.0.0.1:8080')
}

/** Where `up` keeps what belongs to one site. */
export function stateOption(): Option {
  return new Option('--state <dir>', 'certificates, kubeconfig, secrets and journals of this site').default(
    'pilotlight-state',
  )
}
