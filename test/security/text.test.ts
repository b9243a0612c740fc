// Text from the wire (finding 10, and the lengths of 11): a client hides terminal commands, forged lines and kilobytes in
// what it says about itself.

import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { Journal, journalText } from '#server/machines/journal.ts'
import { SqliteStore } from '#server/store/sqlite/store.ts'
import { lineLog } from '#server/log.ts'
import { cleanName } from '#server/protocols/tftp/name.ts'
import { testServer, type TestServer } from '../server/serving.ts'

t.setTimeout(120_000) // a busy machine takes its time

/** What no line of a log, journal or answer may hold. */
const UNSAFE = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const MAC = '52-54-00-20-00-99'
/** ESC, LF, C1 (CSI), DEL, a bidirectional override and a zero-width space. */
const ATTACK = '%1b%5D0%3bowned%07%0a%200.0s%20os%20ready%20forged%c2%9b2J%7f%e2%80%ae%e2%80%8b'

t.test('keeps no terminal command, no forged line and no kilobytes of a label', async t => {
  const server = await testServer(t)
  await server.get(`/ipxe?mac=${MAC}&rack=${ATTACK}&${ATTACK}=1&bytes=%ff%9b&long=${'x'.repeat(7000)}`)
  const answer = await server.get(`/ignition?mac=${MAC}&serial=${ATTACK}`)
  t.notMatch(answer.headers.get('x-reason') ?? '', UNSAFE)
  const journal = await (await server.get(`/v1/machines/${MAC}/journal`)).text()
  t.equal(journal.split('\n').length, 4, 'a heading and a line for each request')
  t.match(journal, /refused {2}No group matches mac=52:54:00:20:00:99 rack=\\x1b\]0;owned\\x07\\x0a 0\.0s os/)
  t.notMatch(journal, UNSAFE)
  for (const line of journal.split('\n')) t.ok(line.length < 340, `${line.length} characters`)
  for (const path of ['/machines', '/v1/events?after=0']) {
    t.notMatch(await (await server.get(path)).text(), UNSAFE, path)
  }
})

t.test('logs what a request holds as escapes, at most 512 characters of it', async t => {
  const server = await testServer(t)
  // Bytes that no client library sends: a raw C1 and a raw override in the target.
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.on('error', () => {})
  const target = Buffer.from(`/ipxe/\x9b2J\u202e?mac=${MAC}&a=\x9b1m${'y'.repeat(4000)}`, 'latin1')
  socket.end(Buffer.concat([Buffer.from('GET '), target, Buffer.from(' HTTP/1.1\r\nHost: a\r\n\r\n')]))
  socket.resume()
  await once(socket, 'close')
  await server.get(`/groups/${ATTACK}`)
  await (await server.get(`/v1/profiles/${'z'.repeat(4000)}`)).text()
  const records = await waitUntil('all are logged', { limitSeconds: 5, everyMs: 10 }, async () =>
    server.records.filter(({ text }) => text.startsWith('GET')).length >= 2
      ? { value: server.records }
      : { not: 'not yet' },
  )
  const json = linesOf(records, 'json')
  for (const format of ['json', 'text'] as const) t.notMatch(linesOf(records, format), UNSAFE, format)
  for (const line of json.split('\n')) t.ok(line.length < 1500, `${line.length} characters`)
})

t.test('answers an error that quotes the client without what a terminal obeys', async t => {
  const server = await testServer(t)
  for (const path of [
    `/groups/${ATTACK}`,
    `/v1/groups/${ATTACK}`,
    `/v1/machines/${ATTACK}/journal`,
    `/v1/${ATTACK}`,
  ]) {
    const answer = await server.get(path)
    t.equal(answer.status, 404, path)
    const { detail } = (await answer.json()) as { detail: string }
    t.notMatch(detail, UNSAFE, path)
    t.equal(detail.split('\n').length, 1, path)
  }
})

t.test('cleans what TFTP and the agent report as well', async t => {
  const store = new SqliteStore(':memory:')
  t.teardown(() => store.close())
  const journal = await Journal.open(
    store.events,
    () => ({ machine: () => undefined }),
    () => 1,
    error => t.error(error),
  )
  const mac = '52:54:00:20:00:99'
  const name = cleanName('boot\u202eexe.ipxe') ?? ''
  t.not(name, '', 'a name may hold an override')
  journal.record({ mac, layer: 'tftp', kind: 'read', text: `reads ${name}`, detail: { file: name } })
  const log = `line 1\x1b[2J\nline 2\u202e\n${'w'.repeat(60_000)}`
  const text = `\x1b[1mdone\n${'v'.repeat(2000)}`
  const boot = journal.record({ mac, layer: 'os', kind: 'failed', text, detail: { log } })
  t.notMatch(journalText(await store.events.eventsOf(boot?.id ?? '')), UNSAFE)
  const [read, failed] = await store.events.eventsOf(boot?.id ?? '')
  t.equal(read?.detail['file'], 'boot\\u{202e}exe.ipxe')
  t.equal(failed?.text.length, 300)
  const kept = String(failed?.detail['log'])
  t.ok(kept.length <= 8192 && kept.endsWith('www'), 'the end of the log is kept')
  t.notMatch(kept, UNSAFE)
})

t.test('renders templates with the labels as they were sent', async t => {
  const server = await testServer(t)
  await server.put('/v1/profiles/shown', { id: 'shown', generic_id: 'shown.tmpl' })
  await server.put('/v1/templates/generic/shown.tmpl', { text: '{{.request.query.rack}}' })
  await server.put('/v1/groups/all', { id: 'all', profile: 'shown' })
  const answer = await server.get('/metadata?rack=%1b%5b2J%c2%9b')
  t.equal(await answer.text(), 'REQUEST_QUERY_RACK=\x1b[2J\x9b\nREQUEST_RAW_QUERY=rack=%1b%5b2J%c2%9b\n')
})

function linesOf(records: TestServer['records'], format: 'json' | 'text'): string {
  let lines = ''
  const log = lineLog({ format, level: 'debug', stream: { write: text => (lines += text) } })
  for (const { level, text, fields } of records) log(level, text, { ...fields })
  log.flush()
  return lines
}
