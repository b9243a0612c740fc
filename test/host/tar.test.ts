import t from 'tap'
import { run } from '#host/command.ts'
import { tarEnd, tarHeader, tarPadding } from '#host/tar.ts'

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
