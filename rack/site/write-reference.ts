// Writes docs/site.md:  npm run site-reference

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { siteReference } from './reference.ts'

writeFileSync(join(import.meta.dirname, '../../docs/site.md'), siteReference())
