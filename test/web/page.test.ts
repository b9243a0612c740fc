// The operator's page, in a real browser, against a real server.

import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { site, testServer, type TestServer } from '../server/serving.ts'
import { openBrowser, whyNoBrowser, type Browser, type Page } from './browser.ts'

/** Seconds within which the page shows what has happened; it needs parts of one. */
const LIVE_SECONDS = 15

const skip = whyNoBrowser() ?? false
let browser: Browser
t.before(async () => {
  if (skip === false) browser = await openBrowser()
})
t.setTimeout(120_000)

t.test(
  'machines appear with role, phase and address, without a complaint of the browser',
  { skip },
  async t => {
    const { page } = await pageWithRack(t)
    t.strictSame(await rows(page), [
      ['ctl-1', 'controller', '○ new', '', '10.20.0.11', '52:54:00:20:00:01', 'not seen yet'],
      ['cmp-1', 'compute', '○ new', '', '10.20.0.12', '52:54:00:20:00:02', 'not seen yet'],
    ])
    t.equal(await text(page, '#freshness'), 'live')
    t.equal(await page.evaluate('document.getElementById("empty").hidden'), true)
    t.strictSame(page.complaints, [])
  },
)

t.test('without machines it says what to do, and shows those declared later by itself', { skip }, async t => {
  const server = await testServer(t)
  const page = await browser.page()
  await page.open(`${server.url}/ui/`)
  await sees(page, 'the hint', `!document.getElementById('empty').hidden`)
  t.match(await text(page, '#empty'), `pilotlight up site.yaml --server ${server.url}`)
  await server.put('/v1/sites/rack-1', site)
  await sees(page, 'two machines', `document.querySelectorAll('#rows tr').length === 2`)
  t.equal(await page.evaluate('document.getElementById("empty").hidden'), true)
})

t.test('the phase changes by itself when an event comes', { skip }, async t => {
  const { page, server } = await pageWithRack(t)
  await page.evaluate('globalThis.loadedOnce = true')
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  await sees(page, 'the script', `${row('ctl-1')}.cells[2].textContent === '◑ script'`)
  t.match(await text(page, '[data-id="ctl-1"] td:last-child'), 'http script: runs profile controller')
  t.match(await text(page, '[data-id="ctl-1"] time'), /^\d+ s$/)
  await server.get('/ignition?mac=52-54-00-20-00-01')
  await sees(page, 'the config', `${row('ctl-1')}.cells[2].textContent === '◕ config'`)
  await server.get('/ipxe?mac=52-54-00-20-00-77')
  await sees(page, 'a stranger', `${row('52:54:00:20:00:77')}?.cells[1].textContent === 'not declared'`)
  t.equal(await page.evaluate('loadedOnce'), true, 'without being loaded again')
  const asked = `performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/v1/phases')).length`
  t.equal(await page.evaluate(asked), 1, 'the table of phases is asked for once')
  t.equal(
    await page.evaluate(`${row('ctl-1')}.cells[2].title`),
    'the initrd has its Ignition config, or its bundle',
  )
})

t.test(
  'a machine that is chosen shows its journal, which grows, also for who is sent the address',
  { skip },
  async t => {
    const { page, server } = await pageWithRack(t)
    await server.get('/ipxe?mac=52-54-00-20-00-01')
    await page.evaluate(`${row('ctl-1')}.querySelector('button').click()`)
    await sees(page, 'one event', `document.querySelectorAll('#events tr').length === 1`)
    t.equal(await text(page, '#journal-title'), 'Boot journal of ctl-1')
    t.strictSame(await cells(page, '#events tr'), [['0.0 s', 'http', 'script', 'runs profile controller']])
    const kept = `document.querySelector('#events tr')`
    await page.evaluate(`globalThis.firstEvent = ${kept}; undefined`)
    await server.get('/ignition?mac=52-54-00-20-00-01')
    await sees(page, 'two events', `document.querySelectorAll('#events tr').length === 2`)
    t.equal(await page.evaluate(`${kept} === firstEvent`), true, 'and what was there stays')
    const command = await text(page, '#curl')
    t.match(await (await fetch(command.replace('curl ', ''))).text(), /http script +runs profile controller/)

    const colleague = await browser.page()
    await colleague.open(await page.evaluate<string>('location.href'))
    await sees(colleague, 'the same journal', `document.querySelectorAll('#events tr').length === 2`)
    await server.get('/ipxe?mac=52-54-00-20-00-01')
    await sees(page, 'the next boot', `document.getElementById('boots').options.length === 2`)
    t.equal((await cells(page, '#events tr')).length, 1, 'a new boot has its own journal')
    await page.evaluate(`boots.value = 'b-0001'; boots.dispatchEvent(new Event('change'))`)
    await sees(page, 'the boot before', `document.querySelectorAll('#events tr').length === 2`)
    await page.evaluate(`${row('cmp-1')}.querySelector('button').click()`)
    await sees(page, 'nothing yet', `!document.getElementById('unseen').hidden`)
    const details = `[...document.querySelectorAll('#details > *')].map(it => it.textContent)`
    t.strictSame(
      await page.evaluate(details),
      ['uuid', '4c4c4544-0000-2010-8020-b4c04f303232', 'labels', 'rack a'],
      'and what else it is declared with',
    )
    t.strictSame(page.complaints, [])
  },
)

t.test('it calls itself stale when the server is gone, and is live when it is back', { skip }, async t => {
  const { page, server } = await pageWithRack(t)
  await server.close()
  await sees(page, 'stale', `freshness.textContent.startsWith('stale since')`, 5)
  t.equal((await rows(page)).length, 2, 'the last picture stays')
  await withContrast(t, page)
  const httpPort = Number(new URL(server.url).port)
  const again = await testServer(t, { statePath: server.statePath, httpPort })
  await sees(page, 'live', `freshness.textContent === 'live'`)
  await again.get('/ipxe?mac=52-54-00-20-00-02')
  await sees(page, 'the script', `${row('cmp-1')}.cells[2].textContent === '◑ script'`)
})

t.test('the filter takes name, role, address and phase, and is in the address', { skip }, async t => {
  const { page, server } = await pageWithRack(t)
  const typed = async (words: string, count: string) => {
    await page.evaluate(`filter.focus(); filter.select()`)
    await page.type(words)
    await sees(page, `${count} for ${words}`, `document.getElementById('count').textContent === '${count}'`)
    return (await rows(page)).map(([name]) => name)
  }
  t.strictSame(await typed('COMPUTE', '1 of 2'), ['cmp-1'])
  t.strictSame(await typed('ctl', '1 of 2'), ['ctl-1'])
  t.strictSame(await typed('new 10.20.0.12', '1 of 2'), ['cmp-1'])
  t.strictSame(await typed('script', '0 of 2'), [])
  t.equal(await page.evaluate(`document.getElementById('no-match').hidden`), false)
  await server.get('/ipxe?mac=52-54-00-20-00-02')
  await sees(page, 'who matches now', `document.querySelectorAll('#rows tr').length === 1`)
  t.match(await page.evaluate('location.search'), '?q=script')
})

t.test('a keyboard is enough, and the focus stays while the table changes', { skip }, async t => {
  const { page, server } = await pageWithRack(t)
  const focused = () => page.evaluate<string>('document.activeElement.textContent')
  await page.press('Tab')
  t.equal(await focused(), 'To the machines')
  await page.press('Enter')
  await page.press('Tab')
  t.equal(await focused(), 'ctl-1')
  const outline = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle')
  t.equal(outline, 'solid', 'and it is seen')
  await page.press('Enter')
  await sees(page, 'the journal', `!document.getElementById('journal').hidden`)
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  await sees(page, 'one event', `document.querySelectorAll('#events tr').length === 1`)
  t.equal(await focused(), 'ctl-1')
  t.equal(await page.evaluate(`document.activeElement.getAttribute('aria-current')`), 'true')
})

t.test('assistive technology finds two named tables with headers for columns and rows', { skip }, async t => {
  const { page, server } = await pageWithRack(t)
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  await page.evaluate(`${row('ctl-1')}.querySelector('button').click()`)
  await sees(page, 'one event', `document.querySelectorAll('#events tr').length === 1`)
  const nodes = await page.accessible()
  const named = (role: string) => nodes.filter(it => it.role === role).map(({ name }) => name)
  t.strictSame(named('table'), ['Machines', 'Boot journal of ctl-1'])
  const machines = ['Machine', 'Role', 'Phase', 'Since', 'Address', 'MAC', 'Last event']
  t.strictSame(named('columnheader'), [...machines, 'Time', 'Layer', 'Event', 'What happened'])
  t.strictSame(named('rowheader'), ['ctl-1', 'cmp-1'])
  t.strictSame(named('searchbox'), ['Filter'])
  t.equal(nodes.filter(({ role }) => role === 'status').length, 2, 'freshness and the count are read out')
})

t.test('every text has the contrast of WCAG AA, by day and by night', { skip }, async t => {
  const { page, server } = await pageWithRack(t)
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  await page.evaluate(`${row('ctl-1')}.querySelector('button').click()`)
  await sees(page, 'one event', `document.querySelectorAll('#events tr').length === 1`)
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulate(scheme)
    await withContrast(t, page, scheme)
  }
})

t.test('from another host it asks for a token, and shows nothing before', { skip }, async t => {
  const { page, server, proxy } = await strangersPage(t)
  await sees(page, 'the form', `!document.getElementById('sign-in').hidden`)
  t.equal(await text(page, '#freshness'), 'not signed in')
  t.equal(await page.evaluate('document.activeElement.id'), 'token')
  t.equal(await page.evaluate(`document.getElementById('machines').checkVisibility()`), false)
  t.equal(await text(page, '#refused'), '')
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulate(scheme)
    await withContrast(t, page, scheme)
  }
  const nodes = await page.accessible()
  t.ok(nodes.some(({ role, name }) => role === 'textbox' && name === 'Token'))

  await signIn(page, 'plt_wrong')
  await sees(page, 'the refusal', `refused.textContent.includes('not known, or its time is over')`)
  await withContrast(t, page)
  await signIn(page, 'ключ')
  await sees(page, 'why it is none', `refused.textContent.startsWith('This is not a token')`)

  const { token, name } = await tokenOf(server)
  await signIn(page, token)
  await sees(page, 'two machines', `document.querySelectorAll('#rows tr').length === 2`)
  t.equal(await text(page, '#freshness'), 'live')
  t.equal(await page.evaluate(`document.getElementById('sign-in').checkVisibility()`), false)
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  await sees(page, 'the script', `${row('ctl-1')}.cells[2].textContent === '◑ script'`)
  await page.evaluate(`${row('ctl-1')}.querySelector('button').click()`)
  await sees(page, 'one event', `document.querySelectorAll('#events tr').length === 1`)
  t.match(
    await text(page, '#curl'),
    /^curl -H "Authorization: Bearer \$TOKEN" http/,
    'without the token itself',
  )

  await page.open(await page.evaluate<string>('location.href'))
  await sees(page, 'two machines again', `document.querySelectorAll('#rows tr').length === 2`)
  const colleague = await browser.page()
  await colleague.open(await page.evaluate<string>('location.href'))
  await sees(colleague, 'the form in another tab', `!document.getElementById('sign-in').hidden`)

  await page.evaluate(`document.getElementById('sign-out').click()`)
  await sees(page, 'the form', `!document.getElementById('sign-in').hidden`)
  t.equal(await page.evaluate('sessionStorage.length'), 0)
  t.equal((await rows(page)).length + (await cells(page, '#events tr')).length, 0, 'nothing seen stays')
  t.notMatch(await page.evaluate<string>('document.documentElement.outerHTML'), /ctl-1/)

  await signIn(page, token)
  await sees(page, 'two machines', `document.querySelectorAll('#rows tr').length === 2`)
  await server.delete(`/v1/tokens/${name}`, server.admin)
  await sees(page, 'the end of a token that was revoked', `refused.textContent.includes('time is over')`)
  t.equal((await rows(page)).length, 0)
  t.notOk(
    proxy.targets.some(target => target.includes('plt_')),
    'no token is in an address',
  )
  t.ok(proxy.targets.includes('/machines'))
})

t.test(
  'an asset or a template that holds a script reads neither the token nor the rack',
  { skip },
  async t => {
    const script = `<script>
    try { document.title = sessionStorage.getItem('pilotlight token') ?? 'none' } catch { document.title = 'kept' }
    const shut = () => document.body.append('shut')
    fetch('/machines').then(response => response.text()).then(text => document.body.append(text), shut)
  </script>`
    const files = { 'evil.html': script, 'evil.svg': svgOf('sessionStorage'), 'plain.txt': 'plain' }
    const folder = t.testdir({ assets: files, data: { groups: {}, profiles: {}, generic: {} } })
    const server = await testServer(t, {
      dataPath: join(folder, 'data'),
      assetsPath: join(folder, 'assets'),
      statePath: join(folder, 'state'),
    })
    await fetch(`${server.url}/v1/templates/generic/evil`, { method: 'PUT', body: script })
    await server.put('/v1/profiles/p', { generic_id: 'evil' })
    await server.put('/v1/groups/g', { profile: 'p' })
    const page = await browser.page()
    await page.open(`${server.url}/ui/`)
    await page.evaluate(`sessionStorage.setItem('pilotlight token', 'plt_secret')`)
    for (const path of ['/assets/evil.html', '/generic?mac=52-54-00-20-00-01']) {
      await page.open(server.url + path)
      t.not(await page.evaluate('document.title'), 'plt_secret', path)
      t.equal(await page.evaluate('origin'), 'null', path)
      t.notMatch(await page.evaluate<string>('document.body.innerText'), /\[/)
    }
    for (const [path, policy] of [
      ['/assets/evil.svg', /^sandbox/],
      ['/assets/plain.txt', undefined],
      ['/boot.ipxe', undefined],
    ] as const) {
      const sent = (await server.get(path)).headers.get('content-security-policy')
      if (policy === undefined) t.equal(sent, null, path)
      else t.match(sent, policy, path)
    }
  },
)

t.test('the browser ends, and leaves nothing behind', { skip }, async t => {
  await browser.close()
  t.throws(() => process.kill(-browser.pid, 0), { code: 'ESRCH' })
  t.equal(existsSync(browser.home), false)
})

/** A server with two machines, and the page when it shows them. */
async function pageWithRack(t: Test): Promise<{ server: TestServer; page: Page }> {
  const server = await testServer(t)
  await server.put('/v1/sites/rack-1', site)
  const page = await browser.page()
  await page.open(`${server.url}/ui/`)
  await sees(page, 'two machines', `document.querySelectorAll('#rows tr').length === 2`)
  return { server, page }
}

/** The page of a server that others reach, as one of them sees it: through a proxy. */
async function strangersPage(
  t: Test,
): Promise<{ server: TestServer; page: Page; proxy: { readonly targets: readonly string[] } }> {
  const server = await testServer(t, { address: '0.0.0.0' })
  await server.put('/v1/sites/rack-1', site)
  const targets: string[] = []
  const proxy = createServer((request, response) => {
    const { url = '', method = 'GET', headers } = request
    targets.push(url)
    const passed = { ...headers, 'x-forwarded-for': '192.0.2.1' }
    const onward = httpRequest(server.url + url, { method, headers: passed }, answer => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => {
    proxy.close()
    proxy.closeAllConnections()
  })
  const page = await browser.page()
  await page.open(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/ui/`)
  return { server, page, proxy: { targets } }
}

function svgOf(script: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg"><script>${script}</script></svg>`
}

/** Makes a token that reads. */
async function tokenOf(server: TestServer): Promise<{ token: string; name: string }> {
  const made = await server.post('/v1/tokens', { name: 'page', role: 'read-only' }, server.admin)
  return (await made.json()) as { token: string; name: string }
}

/** Types a token, as a person does. */
async function signIn(page: Page, token: string): Promise<void> {
  await page.evaluate(`document.getElementById('token').focus(); document.getElementById('token').select()`)
  await page.type(token)
  await page.press('Enter')
}

/** Waits until an expression is true in the page. */
async function sees(
  page: Page,
  what: string,
  expression: string,
  limitSeconds = LIVE_SECONDS,
): Promise<void> {
  await waitUntil(what, { limitSeconds, everyMs: 50 }, async () => {
    if ((await page.evaluate(expression)) === true) return { value: true }
    return { not: await page.evaluate<string>('document.body.innerText') }
  })
}

const row = (id: string) => `document.querySelector('[data-id="${id}"]')`

function text(page: Page, selector: string): Promise<string> {
  return page.evaluate(`document.querySelector('${selector}').innerText`)
}

function cells(page: Page, selector: string): Promise<string[][]> {
  const each = `row => [...row.cells].map(cell => cell.textContent)`
  return page.evaluate(`[...document.querySelectorAll('${selector}')].map(${each})`)
}

function rows(page: Page): Promise<string[][]> {
  return cells(page, '#rows tr')
}

/** Every visible text of the page against its ground: a ratio of 4.5 or more (WCAG 2.2, 1.4.3). */
async function withContrast(t: Test, page: Page, scheme = 'light'): Promise<void> {
  const weak = await page.evaluate<string[]>(`(() => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number)
    const linear = value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    const luminance = colour => {
      const [r, g, b] = channels(colour).map(value => linear(value / 255))
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const groundOf = element => {
      const { backgroundColor } = getComputedStyle(element)
      return channels(backgroundColor)[3] === 0 ? groundOf(element.parentElement) : backgroundColor
    }
    return [...document.querySelectorAll('body *')]
      .filter(it => it.checkVisibility() && [...it.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim()))
      .flatMap(it => {
        const pair = [getComputedStyle(it).color, groundOf(it)]
        const [dark, light] = pair.map(luminance).sort((a, b) => a - b)
        const ratio = (light + 0.05) / (dark + 0.05)
        return ratio >= 4.5 ? [] : [it.textContent.trim() + ': ' + pair.join(' on ') + ' is ' + ratio.toFixed(1)]
      })
  })()`)
  t.strictSame(weak, [], scheme)
}
