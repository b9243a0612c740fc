// Our TFTP server over the files of a folder, for bench/tftp.ts: `serve-tftp.ts ADDRESS PORT FOLDER`.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openTftp } from '#server/protocols/tftp/socket.ts'

const [address = '127.0.0.1', port = '69', folder = '.'] = process.argv.slice(2)
const kept = new Map<string, Promise<{ bytes: Uint8Array } | undefined>>()

await openTftp({
  address,
  port: Number(port),
  events: { record: () => {} },
  report: problem => console.error(problem.message),
  files: name => {
    const file =
      kept.get(name) ??
      readFile(join(folder, name)).then(
        bytes => ({ bytes }),
        () => undefined,
      )
    kept.set(name, file)
    return file
  },
})
