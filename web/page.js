// The operator's page: a table of machines and the journal of one, kept live by the event stream. It is a client of the
// HTTP API and knows nothing else; what it shows, curl shows too.

/** Seconds that one question for events waits; without an answer for a little longer the page calls itself stale. */
const WAIT_SECONDS = 5
/** How much of a boot's way is done, in quarters. */
const QUARTERS = ['○', '◔', '◑', '◕', '●']

/** Where the tab keeps its token: until it is closed, and for this origin alone. */
const TOKEN_KEY = 'pilotlight token'

/** An answer that asks for a token, or for another one. */
class SignInNeeded extends Error {}

const byId = id => document.getElementById(id)
const state = {
  machines: [],
  /** The rows of `/v1/phases`, by name; undefined until they were read. */
  phases: undefined,
  cursor: 0,
  lastAnswer: Date.now(),
  /** `not yet`, `yes`, `no`, or `refused`: it asks for a token. */
  answers: 'not yet',
  boot: '',
  token: keptToken(),
  /** Ends what is asked with the present token. */
  session: new AbortController(),
}

byId('origin').textContent = location.origin
byId('filter').value = params().get('q') ?? ''
byId('filter').addEventListener('input', event => {
  remember('q', event.target.value)
  drawMachines()
})
byId('filters').addEventListener('submit', event => event.preventDefault())
byId('boots').addEventListener('change', event => {
  state.boot = event.target.value
  showJournal()
})
byId('token-form').addEventListener('submit', event => {
  event.preventDefault()
  const token = byId('token').value.trim()
  if (/^[\x21-\x7e]+$/.test(token)) signIn(token)
  else put(byId('refused'), 'This is not a token: one is a word of letters, digits, - and _.')
})
byId('sign-out').addEventListener('click', () => signIn(''))
byId('unencrypted').hidden =
  location.protocol === 'https:' || /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname)
addEventListener('popstate', () => {
  drawMachines()
  showJournal()
})
setInterval(tick, 1000)
void follow()

/** Reads everything, then waits for events forever; after any failure it begins again. */
async function follow() {
  for (;;) {
    try {
      state.phases ??= new Map((await ask('/v1/phases')).map(row => [row.name, row]))
      await readMachines()
      await drawJournal()
      for (;;) {
        const { events, last } = await ask(`/v1/events?after=${state.cursor}&wait=${WAIT_SECONDS}`)
        state.cursor = last
        // A storm of boots redraws four times a second; a rack of many pages less often.
        const pauseMs = state.machines.length > 1000 ? WAIT_SECONDS * 1000 : 250
        if (events.length > 0) await new Promise(resolve => setTimeout(resolve, pauseMs))
        await readMachines() // also after a quiet wait: machines are declared without an event
        if (events.some(isSelected)) await drawJournal()
      }
    } catch (error) {
      if (state.session.signal.aborted)
        state.session = new AbortController() // with another token
      else if (error instanceof SignInNeeded) await askForToken()
      else {
        lost(error)
        await new Promise(resolve => setTimeout(resolve, 1000))
      }
    }
  }
}

/** Shows the form instead of what was seen, and waits until a token is given. */
async function askForToken() {
  put(
    byId('refused'),
    state.token === '' ? '' : 'The token was refused: it is not known, or its time is over.',
  )
  keepToken('')
  forget()
  showSignIn(true)
  byId('token').focus()
  const { signal } = state.session
  await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  state.session = new AbortController()
  put(byId('refused'), '')
}

/** Asks with `token` from now on, `''` for none, and begins again: nothing stays that another token has shown. */
function signIn(token) {
  byId('token').value = ''
  keepToken(token)
  forget()
  state.session.abort()
}

/** Takes what the server has shown off the page. */
function forget() {
  state.machines = []
  state.cursor = 0
  state.boot = ''
  for (const id of ['events', 'boots', 'journal-title', 'curl']) byId(id).replaceChildren()
  delete byId('events').dataset.boot
  byId('journal').hidden = true
  drawMachines()
  byId('empty').hidden = true
}

function showSignIn(isShown) {
  state.answers = isShown ? 'refused' : 'yes'
  byId('sign-in').hidden = !isShown
  for (const id of ['machines', 'filters']) byId(id).hidden = isShown
  byId('sign-out').hidden = state.token === ''
  tick()
}

function keptToken() {
  try {
    return sessionStorage.getItem(TOKEN_KEY) ?? ''
  } catch {
    return '' // a browser that keeps nothing: the token lasts until the page is loaded again
  }
}

function keepToken(token) {
  state.token = token
  try {
    if (token === '') sessionStorage.removeItem(TOKEN_KEY)
    else sessionStorage.setItem(TOKEN_KEY, token)
  } catch {
    // as above
  }
}

async function readMachines() {
  // A long list comes in pages. The first one says from which event on nothing is missed.
  const machines = []
  let cursor
  for (let path = '/machines'; path !== undefined;) {
    const response = await get(path)
    cursor ??= Number(response.headers.get('x-last-event'))
    machines.push(...(await response.json()))
    path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
  }
  state.machines = machines
  // Behind us: another server with another history. Before the first events: from now on.
  if (state.cursor === 0 || cursor < state.cursor) state.cursor = cursor
  drawMachines()
}

/** Asks for JSON, with an end to the wait. */
async function ask(path) {
  return (await get(path)).json()
}

async function get(path) {
  const { session, token } = state
  const response = await fetch(path, {
    headers: { accept: 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
    signal: AbortSignal.any([session.signal, AbortSignal.timeout((WAIT_SECONDS + 5) * 1000)]),
  })
  session.signal.throwIfAborted() // an answer to the token before
  if (response.status === 401) throw new SignInNeeded()
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  state.lastAnswer = Date.now()
  showSignIn(false)
  return response
}

function lost(error) {
  console.debug(error)
  state.answers = 'no'
  tick()
}

/** Says how old the picture is, with a text that stays the same while nothing changes: screen readers read it out. */
function tick() {
  const isAsking = state.answers === 'refused'
  const stale =
    !isAsking && (state.answers === 'no' || Date.now() - state.lastAnswer > (WAIT_SECONDS + 3) * 1000)
  const since = new Date(state.lastAnswer).toLocaleTimeString()
  const fresh = isAsking ? 'not signed in' : state.answers === 'yes' ? 'live' : 'connecting'
  const line = byId('freshness')
  put(line, stale ? `stale since ${since}: the server does not answer` : fresh)
  line.className = stale ? 'stale' : 'fresh'
  document.body.classList.toggle('is-stale', stale)
  for (const time of document.querySelectorAll('time[data-since]')) time.textContent = ago(time.dateTime)
}

function drawMachines() {
  const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean)
  const shown = state.machines.filter(machine => words.every(word => textOf(machine).includes(word)))
  byId('count').textContent = `${shown.length} of ${state.machines.length}`
  byId('empty').hidden = state.machines.length > 0
  byId('no-match').hidden = shown.length > 0 || state.machines.length === 0
  const failed = state.machines.filter(({ phase }) => state.phases.get(phase)?.end === 'bad').length
  document.title = failed > 0 ? `(${failed} failed) Pilotlight` : 'Pilotlight'
  const rows = byId('rows')
  const kept = new Map([...rows.children].map(row => [row.dataset.id, row]))
  shown.forEach((machine, at) => {
    const row = kept.get(machine.id) ?? newRow(machine.id)
    kept.delete(machine.id)
    fillRow(row, machine)
    if (rows.children[at] !== row) rows.insertBefore(row, rows.children[at] ?? null)
  })
  for (const row of kept.values()) row.remove()
}

/** A row lives as long as its machine, so that focus and selection stay where they are. */
function newRow(id) {
  const row = document.createElement('tr')
  row.dataset.id = id
  const name = document.createElement('th')
  name.scope = 'row'
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = id
  button.addEventListener('click', () => {
    remember('machine', id)
    state.boot = ''
    drawMachines()
    showJournal()
  })
  name.append(button)
  row.append(name, ...Array.from({ length: 6 }, () => document.createElement('td')))
  row.children[4].className = 'mono'
  row.children[5].className = 'mono'
  return row
}

function fillRow(row, { id, declared, role, phase, since, address, macs, lastEvent }) {
  const { quarters = 0, end, text = '' } = state.phases.get(phase) ?? {}
  const [nameCell, roleCell, phaseCell, sinceCell, addressCell, macCell, eventCell] = row.children
  nameCell.firstElementChild.setAttribute('aria-current', String(id === params().get('machine')))
  put(roleCell, declared ? role : 'not declared')
  put(phaseCell, `${end === 'bad' ? '✕' : QUARTERS[quarters]} ${phase}`)
  phaseCell.className = end ?? (quarters === 0 ? 'fresh' : 'busy')
  phaseCell.title = text
  if (since === undefined) put(sinceCell, '')
  else if (sinceCell.firstElementChild?.dateTime !== since) {
    const time = document.createElement('time')
    time.dateTime = since
    time.dataset.since = ''
    time.textContent = ago(since)
    sinceCell.replaceChildren(time)
  }
  put(addressCell, address ?? '')
  put(macCell, macs.join(' '))
  put(eventCell, lastEvent ? `${lastEvent.layer} ${lastEvent.kind}: ${lastEvent.text}` : 'not seen yet')
}

function showJournal() {
  const { signal } = state.session
  drawJournal().catch(error => {
    if (signal.aborted) return
    if (error instanceof SignInNeeded)
      state.session.abort() // `follow` then asks for a token
    else lost(error)
  })
}

/** What the table of machines and the journal show already. */
const SHOWN = [
  'id',
  'name',
  'declared',
  'role',
  'phase',
  'since',
  'lastSeen',
  'boot',
  'address',
  'macs',
  'lastEvent',
]

/** Shows what else is known of a machine, whatever fields it has. */
function drawDetails(machine) {
  const others = Object.entries(machine).filter(([key]) => !SHOWN.includes(key))
  const rows = others.flatMap(([key, value]) => {
    const term = document.createElement('dt')
    const text = document.createElement('dd')
    term.textContent = key
    text.textContent = wordsOf(value)
    return text.textContent === '' ? [] : [term, text]
  })
  byId('details').replaceChildren(...rows)
}

/** A value as text: `rack a, serial S1` for an object. */
function wordsOf(value) {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .map(([key, inner]) => (Array.isArray(value) ? wordsOf(inner) : `${key} ${wordsOf(inner)}`))
    .join(', ')
}

/** Shows one boot of the machine in the address. Rows stay, since a reader may have scrolled or selected in them. */
async function drawJournal() {
  const id = params().get('machine')
  const machine = state.machines.find(it => it.id === id)
  byId('journal').hidden = machine === undefined
  if (machine === undefined) return
  const path = `/v1/machines/${encodeURIComponent(id)}`
  const boots = await ask(`${path}/boots`)
  const wanted = state.boot
  const boot = boots.some(it => it.id === wanted) ? wanted : boots[0]?.id
  const { events } = boot === undefined ? { events: [] } : await ask(`${path}/journal?boot=${boot}`)
  if (id !== params().get('machine') || wanted !== state.boot) return // another was chosen meanwhile
  put(byId('journal-title'), `Boot journal of ${id}`)
  drawDetails(machine)
  byId('unseen').hidden = boot !== undefined
  byId('boot').hidden = boot === undefined
  const header = state.token === '' ? '' : '-H "Authorization: Bearer $TOKEN" '
  put(byId('curl'), `curl ${header}${location.origin}${path}/journal?boot=${boot}`)
  drawBoots(boots.slice(0, 50), boot)
  const rows = byId('events')
  const which = `${id} ${boot}`
  if (rows.dataset.boot !== which) rows.replaceChildren()
  rows.dataset.boot = which
  const began = events[0]?.at ?? 0
  rows.append(...events.slice(rows.children.length).map(event => eventRow(event, began)))
}

function drawBoots(boots, chosen) {
  const select = byId('boots')
  const shown = [...select.options].map(({ value }) => value)
  if (shown.join() !== boots.map(({ id }) => id).join()) {
    const options = boots.map(({ id, began }) => new Option(`${id}, ${new Date(began).toLocaleString()}`, id))
    select.replaceChildren(...options)
  }
  select.value = chosen ?? ''
}

function eventRow({ at, layer, kind, text, detail }, began) {
  const row = document.createElement('tr')
  const cells = [`${((at - began) / 1000).toFixed(1)} s`, layer, kind, text].map(value => {
    const cell = document.createElement('td')
    cell.textContent = value
    return cell
  })
  if (['failed', 'refused', 'replayed', 'nak', 'broken'].includes(kind)) cells[2].className = 'bad'
  if (detail.log) {
    const log = document.createElement('pre')
    log.textContent = detail.log
    cells[3].append(log)
  }
  row.append(...cells)
  return row
}

function isSelected({ machine, mac }) {
  const id = params().get('machine')
  return id !== null && (machine === id || mac === id)
}

function textOf({ id, role, phase, address, macs, uuid }) {
  return [id, role, phase, address, ...macs, uuid].join(' ').toLowerCase()
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function ago(iso) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(iso)) / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

function params() {
  return new URLSearchParams(location.search)
}

/** The view is in the address, so that it can be sent to a colleague. */
function remember(name, value) {
  const next = params()
  if (value === '') next.delete(name)
  else next.set(name, value)
  history.replaceState(null, '', `?${next}`)
}
