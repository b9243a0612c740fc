// The watch against a scripted API: it goes on from the last version, lists anew only when it must, and ends by itself.

import t, { type Test } from 'tap'
import type { KubernetesObject } from '#rack/kubernetes/objects.ts'
import { Followed } from '#rack/kubernetes/watch.ts'
import { waitUntil } from '#progress/wait.ts'
import {
  breakOff,
  refuse,
  scriptApi,
  sendJson,
  statusOf,
  type Answer,
  type Exchange,
} from './scripted-api.ts'

const pods = { apiVersion: 'v1', kind: 'Pod', namespace: 'n' }

const pod = (name: string, resourceVersion: string) => ({
  metadata: { name, namespace: 'n', resourceVersion },
})

/** One answer of a script: a list, or what is done with the stream of a watch. */
type Turn = { readonly list: readonly string[]; readonly at: string } | Act
type Act = (stream: Answer) => void

/** An API whose answers are `turns`, one a request in this order; after the last one nothing is answered any more. */
async function follow(t: Test, turns: readonly Turn[], silenceSeconds = 5) {
  const left = [...turns]
  const script = ({ answer }: Exchange) => {
    const turn = left.shift()
    if (turn === undefined) return
    if (typeof turn !== 'function')
      return sendJson(answer, 200, {
        items: turn.list.map(name => pod(name, turn.at)),
        metadata: { resourceVersion: turn.at },
      })
    turn(answer)
  }
  const api = await scriptApi(t, script, { requestSeconds: 5, silenceSeconds })
  const ended = new AbortController()
  t.teardown(() => ended.abort())
  const followed = new Followed<KubernetesObject>(api.client, pods, ended.signal)
  const names = async () => (await followed.objects()).map(({ metadata }) => metadata.name).toSorted()
  return {
    followed,
    end: () => ended.abort(),
    names,
    untilNames: (...wanted: string[]) =>
      waitUntil('the pods', { limitSeconds: 10, everyMs: 10 }, async () => {
        const seen = await names()
        return seen.join() === wanted.join() ? { value: true } : { not: seen.join() }
      }),
    untilAsked: (count: number) =>
      waitUntil('requests', { limitSeconds: 10, everyMs: 10 }, async () =>
        api.asked.length >= count ? { value: true } : { not: String(api.asked.length) },
      ),
    /** What each watch asked for. */
    watches: () =>
      api.asked
        .map(line => new URL(line.split(' ')[1] ?? '', 'https://host').searchParams)
        .filter(query => query.has('watch')),
    /** `list` or the version that a watch continued from, of each request. */
    asked: () =>
      api.asked.map(line => {
        const query = new URL(line.split(' ')[1] ?? '', 'https://host').searchParams
        return query.has('watch') ? query.get('resourceVersion') : 'list'
      }),
  }
}

const line = (stream: Answer, type: string, object: object) =>
  stream.write(`${JSON.stringify({ type, object })}\n`)

/** Begins a watch, and says nothing. */
const open = (stream: Answer) => stream.writeHead(200)

t.test('what is listed is kept up to date by the changes', async t => {
  const it = await follow(t, [
    { list: ['a', 'b'], at: '10' },
    stream => {
      line(stream, 'ADDED', pod('c', '11'))
      line(stream, 'DELETED', pod('a', '12'))
      line(stream, 'MODIFIED', pod('b', '13'))
    },
  ])
  await it.untilNames('b', 'c')
  const [b] = (await it.followed.objects()).filter(({ metadata }) => metadata.name === 'b')
  t.equal(b?.metadata.resourceVersion, '13')
  t.strictSame(it.asked(), ['list', '10'])
})

t.test('a change may come in pieces, a letter of two bytes torn between them', async t => {
  const whole = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: pod('grün', '11') })}\n`)
  const cut = whole.indexOf(0xc3) + 1
  const it = await follow(t, [
    { list: [], at: '10' },
    stream => {
      stream.write(whole.subarray(0, cut))
      setTimeout(() => stream.write(whole.subarray(cut)), 30)
    },
  ])
  await it.untilNames('grün')
})

t.test('a watch that the API ends goes on from the last bookmark, without a list', async t => {
  const it = await follow(t, [
    { list: ['a'], at: '10' },
    stream => {
      line(stream, 'BOOKMARK', { metadata: { resourceVersion: '25' } })
      stream.end()
    },
    stream => line(stream, 'ADDED', pod('b', '26')),
  ])
  await it.untilNames('a', 'b')
  t.strictSame(it.asked(), ['list', '10', '25'])
})

t.test('a connection that breaks within a change goes on from the version before it', async t => {
  const it = await follow(t, [
    { list: [], at: '10' },
    stream => {
      line(stream, 'ADDED', pod('a', '11'))
      stream.write('{"type":"ADDED","object":{"metad')
      setTimeout(() => breakOff(stream), 20)
    },
    stream => line(stream, 'ADDED', pod('b', '12')),
  ])
  await it.untilNames('a', 'b')
  t.strictSame(it.asked(), ['list', '10', '11'])
})

t.test('a version that is too old leads to a new list, whichever way the API says so', async t => {
  const it = await follow(t, [
    { list: ['a'], at: '10' },
    stream => refuse(stream, 410, 'too old resource version'),
    { list: ['b'], at: '20' },
    stream => {
      line(stream, 'ADDED', pod('c', '21'))
      line(stream, 'ERROR', statusOf(410, 'too old resource version'))
    },
    { list: ['d'], at: '30' },
    stream => open(stream),
  ])
  await it.names()
  await it.untilNames('d')
  await it.untilAsked(6)
  t.strictSame(it.asked(), ['list', '10', 'list', '20', 'list', '30'])
})

t.test('a line that is not a change is not ignored: what it hid is listed', async t => {
  for (const bad of ['what is this', '{"type":"ADDED"}', '[]', 'null']) {
    const it = await follow(t, [
      { list: [], at: '10' },
      stream => stream.write(`${bad}\n`),
      { list: ['a'], at: '12' },
      stream => open(stream),
    ])
    await it.names()
    await it.untilNames('a')
    await it.untilAsked(4)
    t.strictSame(it.asked(), ['list', '10', 'list', '12'], bad)
  }
})

t.test('each watch asks for bookmarks, and for an end', async t => {
  const it = await follow(t, [{ list: ['a'], at: '10' }, open, open], 0.4)
  await it.names()
  await it.untilAsked(3)
  const watches = it.watches()
  t.equal(watches.length, 2)
  for (const query of watches) {
    t.equal(query.get('allowWatchBookmarks'), 'true')
    t.ok(Number(query.get('timeoutSeconds')) > 0, 'the API is asked to end it')
  }
})

t.test('a change that does not end is not kept for ever', async t => {
  const it = await follow(t, [
    { list: [], at: '10' },
    stream => stream.write('x'.repeat(17 * 1024 * 1024)),
    { list: ['a'], at: '12' },
    stream => open(stream),
  ])
  await it.names()
  await it.untilNames('a')
})

t.test('a watch that falls silent is begun again', async t => {
  const it = await follow(t, [{ list: ['a'], at: '10' }, open, open, open], 0.4)
  await it.names()
  await it.untilAsked(3)
  t.strictSame(it.asked().slice(0, 3), ['list', '10', '10'])
})

t.test('an API that ends each watch at once is not stormed', async t => {
  const ends = Array.from({ length: 100 }, () => (stream: Answer) => {
    open(stream)
    stream.end()
  })
  const it = await follow(t, [{ list: [], at: '10' }, ...ends])
  await it.names()
  const began = performance.now()
  await it.untilAsked(4)
  t.ok(performance.now() - began >= 550, 'three watches, 0.3 s from one to the next')
})

t.test('a first list that fails is tried again with the next question', async t => {
  const it = await follow(t, [
    stream => refuse(stream, 403, 'not yet'),
    { list: ['a'], at: '10' },
    stream => open(stream),
  ])
  await t.rejects(it.names(), { code: 'KUBERNETES_REFUSED', status: 403 })
  t.strictSame(await it.names(), ['a'])
})

t.test('objects that nothing keeps up to date are not shown for long', async t => {
  const it = await follow(t, [{ list: ['a'], at: '10' }, ...Array<Turn>(40).fill(breakOff)])
  t.strictSame(await it.names(), ['a'])
  await t.rejects(
    waitUntil('an error', { limitSeconds: 15, everyMs: 50 }, async () => {
      const shown = await it.names().catch((error: unknown) => ({ error }))
      if ('error' in shown) return { value: Promise.reject(shown.error) }
      return { not: 'still shown' }
    }),
    { message: /does not answer/ },
  )
})

t.test('nothing is asked after the end', async t => {
  const it = await follow(t, [{ list: ['a'], at: '10' }, stream => open(stream)])
  await it.names()
  await it.untilAsked(2)
  it.end()
  await new Promise(resolve => setTimeout(resolve, 700))
  t.equal(it.asked().length, 2)
})
