// Options that several verbs share, described once.

import { Option } from 'commander'
import { DEFAULT_SERVER_URL } from '#model/endpoint.ts'
import { ROOT } from './root.ts'

/** Where the Pilotlight server is. */
export function serverOption(): Option {
  return new Option('--server <url>', 'the Pilotlight server')
    .env('PILOTLIGHT_SERVER')
    .default(DEFAULT_SERVER_URL)
}

/** The state directory of a site where none is named. */
export const DEFAULT_STATE = 'pilotlight-state'

/** Where `up` keeps what belongs to one site. */
export function stateOption(): Option {
  return new Option('--state <dir>', 'certificates, kubeconfig, secrets and journals of this site').default(
    DEFAULT_STATE,
  )
}

/** Where profiles and templates are read from; our own unless given. */
export function dataPathOption(): Option {
  return new Option('--data-path <dir>', 'data directory: profiles, ignition, ipxe')
    .env('PILOTLIGHT_DATA_PATH')
    .default(ROOT)
}
