import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { run } from '#host/command.ts'
import { readTarHeader, tarEnd, tarHeader, tarPadding } from '#host/tar.ts'

t.test('tar lists what was written: modes, owners, sizes, times, long paths', async t => {
  const long = `${'folder/'.repeat(20)}file`
  const content = new TextEncoder().encode('hello')
  const archive = Buffer.concat([
    tarHeader({ path: 'tmp/', mode: 0o1777 }),
    tarHeader({ path: long, mode: 0o755, size: content.length, modifiedSeconds: 1_700_000_000 }),
    content,
    tarPadding(content.length),
    tarEnd,
  ])
  const { stdout } = await run('tar', ['--list', '--verbose', '--utc'], { limitSeconds: 10, input: archive })
  const [directory, file] = stdout.split('\n').map(line => line.replace(/\s+/g, ' '))
  t.equal(directory, 'drwxrwxrwt 0/0 0 1970-01-01 00:00 tmp/')
  t.equal(file, `-rwxr-xr-x 0/0 5 2023-11-14 22:13 ${long}`)
})

t.test('a path without a place in the format is refused by name', async t => {
  for (const path of ['', 'a/../b', 'x'.repeat(101), `${'x/'.repeat(128)}y`])
    t.throws(() => tarHeader({ path, mode: 0o600 }), { code: 'UNFIT_PATH' }, path.slice(0, 20))
})

t.test('a header is read as it was written, and nothing else is one', async t => {
  const names = fc.stringMatching(/^[a-zä-ü.-]{1,20}$/).filter(name => !name.includes('..'))
  const entries = fc.record({
    path: fc.array(names, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/')),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    size: fc.integer({ min: 0, max: 0o77777777777 }),
    modifiedSeconds: fc.integer({ min: 0, max: 0o77777777777 }),
  })
  fc.assert(fc.property(entries, entry => isDeepStrictEqual(readTarHeader(tarHeader(entry)), { ...entry })))
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 1024 }), bytes => {
      try {
        return readTarHeader(bytes) === undefined && bytes.every(byte => byte === 0)
      } catch (error) {
        return (error as { code?: string }).code === 'MALFORMED_TAR'
      }
    }),
  )
  t.equal(readTarHeader(tarEnd.subarray(0, 512)), undefined)
  const header = tarHeader({ path: 'a', mode: 0o600 })
  header[0] = 98
  t.throws(() => readTarHeader(header), { code: 'MALFORMED_TAR' }, 'a checksum that is not its own')
})
