// Where this Pilotlight is.

import { resolve } from 'node:path'

/** The directory of the checkout. */
export const ROOT = resolve(import.meta.dirname, '..')
