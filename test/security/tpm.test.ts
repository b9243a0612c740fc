// Trust level L3: whose TPM gets a bundle. Attacks on a whole server, with emulated TPMs that the machine's own script asks.

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Machine } from '#model/machine.ts'
import { attestationKey } from '#server/agent/quote.ts'
import { machineKey, type TestKey } from '../machine-key.ts'
import { startTpm, whyNoTpm } from '../tpm.ts'
import { whyNoNetworks } from '../network.ts'
import type { Done } from './host.ts'
import { bootTo, CTL_1, CMP_1, laySegment, siteOf, trusting, type Host } from './segment.ts'

t.setTimeout(300_000) // each lays a segment and starts a server, while others use the machine
const skip = whyNoNetworks() || ((await whyNoTpm()) ?? false)
const secret = 'the content of the bundle'

type Tpm = Awaited<ReturnType<typeof tpmOf>>

async function tpmOf(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'pilotlight-tpm-'))
  const tpm = await startTpm(folder)
  t.teardown(async () => {
    await tpm.end()
    rmSync(folder, { recursive: true })
  })
  const ak = await tpm.script('key')
  return { ...tpm, ak, fingerprint: attestationKey(Buffer.from(ak, 'base64')).fingerprint }
}

async function segmentWith(
  t: Test,
  change: Partial<Machine> = {},
  approve: 'operator' | 'first-boot' = 'first-boot',
) {
  const machines = trusting({ level: 'L3', approve, reboot: 'same-key' })
  const segment = await laySegment(
    t,
    siteOf(
      {},
      machines.map(it => (it.name === 'ctl-1' ? { ...it, ...change } : it)),
    ),
  )
  for (const { name } of machines)
    await segment.put(`/v1/machines/${name}/bundle`, [{ path: '/etc/secret', mode: 0o600, content: secret }])
  return segment
}

/** What an attacker may do otherwise than the agent does. */
type Otherwise = { readonly quoteOf?: Tpm; readonly quoteFor?: string; readonly noQuote?: boolean }

/** Enrolls and asks for the bundle as the agent does; the last answer, its bundle opened. */
async function attest(
  host: Host,
  token: string,
  tpm: Tpm,
  key: TestKey,
  otherwise: Otherwise = {},
): Promise<Done> {
  const enrolled = await host.agent('enroll', token, { key: key.recipient, tpm: { ak: tpm.ak } })
  if (enrolled.status !== 200) return enrolled
  const { challenge } = JSON.parse(enrolled.text ?? '') as { challenge: string }
  const answer = await key.open(challenge)
  const digest = createHash('sha256')
    .update(`${answer}${otherwise.quoteFor ?? key.recipient}`)
    .digest('hex')
  const quote = JSON.parse(await (otherwise.quoteOf ?? tpm).script('quote', digest)) as object
  const done = await host.agent('bundle', token, { answer, ...(otherwise.noQuote ? {} : { quote }) })
  if (done.status !== 200) return done
  const opened = await key.openBytes(Buffer.from(done.base64 ?? '', 'base64'))
  return { ...done, text: Buffer.from(opened).toString('utf8') }
}

t.test(
  'gives the bundle for a quote of the TPM that was approved, and for nothing else',
  { skip },
  async t => {
    const segment = await segmentWith(t)
    const [own, foreign] = [await tpmOf(t), await tpmOf(t)]
    const machine = await segment.host()
    const key = await machineKey()
    const token = await bootTo(machine, CTL_1)
    for (const [otherwise, text] of [
      [{ noQuote: true }, /it sent no quote of its TPM/],
      [{ quoteOf: foreign }, /signature is not of the attestation key/],
      [{ quoteFor: (await machineKey()).recipient }, /for another challenge or another machine key/],
    ] as const)
      t.match(await attest(machine, token, own, key, otherwise), { status: 403, text })
    t.match(
      await attest(machine, token, own, key),
      { status: 200, text: secret },
      'what was wrong spent nothing',
    )
    await machine.agent('report', token, { stage: 'ready' })

    await own.powerCycle()
    const again = await bootTo(machine, CTL_1)
    const fresh = await machineKey()
    t.match(await attest(machine, again, own, fresh), { status: 200 }, 'the same TPM in the next boot')
  },
)

t.test(
  'holds a swapped machine with the same MAC and UUID, and says why and what to do',
  { skip },
  async t => {
    const segment = await segmentWith(t)
    const [own, foreign] = [await tpmOf(t), await tpmOf(t)]
    const machine = await segment.host()
    const token = await bootTo(machine, CTL_1)
    t.match(await attest(machine, token, own, await machineKey()), { status: 200 }, 'trust on first use')
    await machine.agent('report', token, { stage: 'ready' })

    const swapped = await segment.host()
    const stolen = await bootTo(swapped, CTL_1)
    const key = await machineKey()
    const held = await attest(swapped, stolen, foreign, key)
    t.equal(held.status, 202)
    const { message } = JSON.parse(held.text ?? '') as { message: string }
    t.match(
      message,
      `ctl-1 at 10.20.0.11 waits: it is not the key that was approved on ${new Date().toISOString().slice(0, 10)} (${own.fingerprint.slice(0, 23)}…)`,
    )
    t.ok(message.length <= 300, 'the journal has all of it')
    t.match(message, `pilotlight machines approve ctl-1 --fingerprint ${foreign.fingerprint}`)
    t.match(await segment.alarms(), { held: 1 })
    const replayed = await swapped.agent('enroll', stolen, { key: key.recipient, tpm: { ak: own.ak } })
    t.equal(replayed.status, 200, "anyone who saw the machine's attestation key can show it")
    const { challenge } = JSON.parse(replayed.text ?? '') as { challenge: string }
    const answer = await key.open(challenge)
    const digest = createHash('sha256').update(`${answer}${key.recipient}`).digest('hex')
    const quote = JSON.parse(await foreign.script('quote', digest)) as object
    t.match(await swapped.agent('bundle', stolen, { answer, quote }), {
      status: 403,
      text: /signature is not of/,
    })

    await segment.post('/v1/machines/ctl-1/approve', { fingerprint: foreign.fingerprint })
    t.match(
      await attest(swapped, stolen, foreign, key),
      { status: 200, text: secret },
      'once it was approved',
    )
  },
)

t.test('pins no TPM before its quote was checked', { skip }, async t => {
  const segment = await segmentWith(t)
  const [own, shown] = [await tpmOf(t), await tpmOf(t)]
  const machine = await segment.host()
  const token = await bootTo(machine, CTL_1)
  const forged = await attest(machine, token, shown, await machineKey(), { quoteOf: own })
  t.match(forged, { status: 403, text: /signature is not of the attestation key/ })
  t.match(await attest(machine, token, own, await machineKey()), { status: 200, text: secret })
  const keys = JSON.parse(await segment.read('/v1/machines/ctl-1/keys')) as { fingerprint: string }[]
  t.same(
    keys.map(({ fingerprint }) => fingerprint),
    [own.fingerprint],
  )
})

t.test('goes by the TPM that a machine is declared with', { skip }, async t => {
  const [own, foreign] = [await tpmOf(t), await tpmOf(t)]
  const segment = await segmentWith(t, { tpm: own.fingerprint }, 'operator')
  const swapped = await segment.host()
  const held = await attest(swapped, await bootTo(swapped, CTL_1), foreign, await machineKey())
  t.equal(held.status, 202)
  t.match(held.text, `its TPM is not the one that it is declared with (${own.fingerprint.slice(0, 23)}…)`)
  const machine = await segment.host()
  const given = await attest(machine, await bootTo(machine, CTL_1), own, await machineKey())
  t.match(given, { status: 200, text: secret }, 'no one has to approve the declared one')
})

t.test('refuses a machine that started other firmware than it is declared with', { skip }, async t => {
  const own = await tpmOf(t)
  const untouched = `SHA256:${createHash('sha256').update(new Uint8Array(256)).digest('hex')}` // PCRs 0 to 7 are zero
  const segment = await segmentWith(t, { firmware: untouched })
  const machine = await segment.host()
  t.match(await attest(machine, await bootTo(machine, CTL_1), own, await machineKey()), { status: 200 })
  const [bundle] = (await segment.events('ctl-1')).filter(({ kind }) => kind === 'bundle')
  t.match(bundle?.text, `firmware by its TPM ${untouched}`)
  await own.extend(0, 'ab'.repeat(32))
  const changed = await attest(machine, await bootTo(machine, CTL_1), own, await machineKey())
  t.match(changed, { status: 403, text: /QUOTE_REFUSED.*the machine started other firmware/s })
  t.match(await segment.alarms(), { refused: 1 })
})

t.test('holds a machine that shows the TPM of another one', { skip }, async t => {
  const segment = await segmentWith(t)
  const own = await tpmOf(t)
  const machine = await segment.host()
  t.match(await attest(machine, await bootTo(machine, CTL_1), own, await machineKey()), { status: 200 })
  const host = await segment.host()
  const held = await attest(
    host,
    await bootTo(host, { macs: [], uuid: CMP_1.uuid ?? '' }),
    own,
    await machineKey(),
  )
  t.match(held, { status: 202, text: /cmp-1 .* its TPM is the one of ctl-1/ })
})

t.test(
  'refuses a machine without a TPM, and one whose key is not of a TPM, with a message',
  { skip },
  async t => {
    const segment = await segmentWith(t)
    const machine = await segment.host()
    const token = await bootTo(machine, CTL_1)
    const { recipient: key } = await machineKey()
    const refused = await machine.agent('enroll', token, { key })
    t.match(refused, {
      status: 403,
      text: /the site asks for a TPM \(trust: L3\), and it showed no attestation key/,
    })
    t.match(await machine.agent('enroll', token, { key, tpm: { ak: 'AAAA' } }), {
      status: 400,
      text: /UNFIT_TPM_KEY/,
    })
    t.ok((await segment.events('ctl-1')).some(({ kind }) => kind === 'refused'))
  },
)
