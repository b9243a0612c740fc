// A whole server for the attack tests, run inside a network namespace: `serve.ts SETTINGS`. It prints a line once it
// serves, then its log.

import { serverConfig, type GivenSettings } from '#server/config.ts'
import { serve } from '#server/main.ts'

if (import.meta.main) {
  const settings = JSON.parse(process.argv[2] ?? '{}') as GivenSettings
  const stop = new AbortController()
  process.stdin.once('end', () => process.exit(1)).resume() // its test was ended
  await serve(serverConfig({ ...settings, httpPort: 8080, agentPort: 8443 }), { signal: stop.signal, log })
}

function log(level: string, text: string): void {
  process.stdout.write(`${level} ${text}\n`)
}
