import fc from 'fast-check'
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { attestationKey, checkQuote, quoteData } from '#server/agent/quote.ts'
import { QuoteRefused, UnfitTpmKey } from '#server/agent/errors.ts'
import { startTpm, whyNoTpm } from '../../tpm.ts'

type Kind = 'ak' | 'owner' | 'plain' | 'rsa' | 'p384'
type Golden = Record<Kind, Record<'public' | 'attest' | 'signature', string>> & {
  answer: string
  key: string
}
const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'golden/quotes.json'), 'utf8')) as Golden
const bytes = (kind: Kind, part: 'public' | 'attest' | 'signature') =>
  new Uint8Array(Buffer.from(golden[kind][part], 'base64'))
const data = quoteData(golden.answer, golden.key)

t.test('takes the key and the quote that tpm2-tools made', async t => {
  const key = attestationKey(bytes('ak', 'public'))
  const area = bytes('ak', 'public').subarray(2)
  t.equal(key.fingerprint, `SHA256:${createHash('sha256').update(area).digest('hex')}`)
  t.strictSame(checkQuote(key, bytes('ak', 'attest'), bytes('ak', 'signature'), data), {
    measured: 'SHA256:5341e6b2646979a70e57653007a1f310169421ec9bdd9f1a5648f75ade005af1', // SHA-256 of 256 zero bytes
    resetCount: 1,
  })
})

t.test('refuses a key that its TPM would let sign a forged quote', async t => {
  t.throws(() => attestationKey(bytes('plain', 'public')), {
    code: 'UNFIT_TPM_KEY',
    message: /not marked as restricted/,
  })
})

t.test('refuses a key for each attribute that is not as the template has it', async t => {
  for (const [bit, name] of Object.entries({
    1: 'not marked as fixedTPM',
    4: 'not marked as fixedParent',
    5: 'not marked as sensitiveDataOrigin',
    16: 'not marked as restricted',
    17: 'is marked as decrypt',
    18: 'not marked as sign',
  }))
    t.throws(() => attestationKey(flipped(Number(bit))), { code: 'UNFIT_TPM_KEY', message: name }, name)
})

t.test('refuses keys of other kinds', async t => {
  t.throws(() => attestationKey(bytes('rsa', 'public')), { code: 'UNFIT_TPM_KEY', message: /type is 0x1/ })
  t.throws(() => attestationKey(bytes('p384', 'public')), { code: 'UNFIT_TPM_KEY', message: /hash is 0xc/ })
  const offCurve = bytes('ak', 'public')
  offCurve[offCurve.length - 1]! ^= 1
  t.throws(() => attestationKey(offCurve), { code: 'UNFIT_TPM_KEY', message: /not on the curve/ })
})

t.test('refuses the quote of a key of another hierarchy, which clearing the TPM would change', async t => {
  const key = attestationKey(bytes('owner', 'public'))
  t.throws(() => checkQuote(key, bytes('owner', 'attest'), bytes('owner', 'signature'), data), {
    code: 'QUOTE_REFUSED',
    message: /not a primary key of the endorsement hierarchy/,
  })
})

t.test("refuses another machine's quote, and one for another challenge or machine key", async t => {
  const key = attestationKey(bytes('ak', 'public'))
  const check = (kind: Kind, answer: string, age: string) => () =>
    checkQuote(key, bytes(kind, 'attest'), bytes(kind, 'signature'), quoteData(answer, age))
  const { answer, key: age } = golden
  t.throws(check('owner', answer, age), { code: 'QUOTE_REFUSED', message: /signature is not of/ })
  t.throws(check('ak', 'another answer', age), { code: 'QUOTE_REFUSED', message: /another challenge/ })
  t.throws(check('ak', answer, 'age1thief'), { code: 'QUOTE_REFUSED', message: /another machine key/ })
})

t.test('refuses what a key signed that is not a quote of its TPM', async t => {
  const { key, quote } = softTpm()
  t.doesNotThrow(() => checkQuote(key, ...quote({}), data), 'a program can write all of it: approval decides')
  for (const [change, message] of [
    [{ magic: 0xff544346 }, /not made by a TPM/],
    [{ type: 0x8017 }, /another kind/],
    [{ signer: new Uint8Array(34) }, /not a primary key/],
    [{ selection: '00000001000b03010000' }, /covers sha256:0, not sha256:0,1,2,3,4,5,6,7/],
    [{ trailing: Uint8Array.of(0) }, /1 bytes follow its end/],
  ] as const)
    t.throws(() => checkQuote(key, ...quote(change), data), { code: 'QUOTE_REFUSED', message })
})

t.test('compares what was measured where the machine is declared with it', async t => {
  const { key, quote } = softTpm()
  t.doesNotThrow(() => checkQuote(key, ...quote({}), data, `SHA256:${'ab'.repeat(32)}`))
  t.throws(() => checkQuote(key, ...quote({}), data, `SHA256:${'cd'.repeat(32)}`), {
    code: 'QUOTE_REFUSED',
    message: /other firmware/,
  })
})

t.test('no bytes make it throw anything but its own errors', async () => {
  const key = attestationKey(bytes('ak', 'public'))
  const { key: soft, signed } = softTpm()
  const any = fc.uint8Array({ maxLength: 200 })
  const publics = fc.oneof(any, spoiled(bytes('ak', 'public')), spoiled(bytes('rsa', 'public')))
  fc.assert(fc.property(publics, it => own(() => attestationKey(it))))
  const signatures = fc.oneof(any, spoiled(bytes('ak', 'signature')))
  fc.assert(fc.property(signatures, it => own(() => checkQuote(key, bytes('ak', 'attest'), it, data))))
  const attests = fc.oneof(any, spoiled(bytes('ak', 'attest'))) // signed well, so that all of it is read
  fc.assert(fc.property(attests, it => own(() => checkQuote(soft, ...signed(it), data))))
})

const noTpm = await whyNoTpm()
t.test("takes what the machine's own script gets from a TPM", { skip: noTpm ?? false }, async t => {
  const folder = t.testdir()
  const tpm = await startTpm(folder)
  t.teardown(() => tpm.end())
  const shown = await tpm.script('key')
  const key = attestationKey(Buffer.from(shown, 'base64'))
  const fresh = quoteData('an answer', 'age1another')
  const { attest, signature } = JSON.parse(
    await tpm.script('quote', Buffer.from(fresh).toString('hex')),
  ) as Record<'attest' | 'signature', string>
  const quote = checkQuote(key, Buffer.from(attest, 'base64'), Buffer.from(signature, 'base64'), fresh)
  t.match(quote.measured, /^SHA256:[0-9a-f]{64}$/)
  await tpm.powerCycle()
  t.equal(await tpm.script('key'), shown, 'the same key after the TPM lost power')
  await tpm.clear()
  t.equal(await tpm.script('key'), shown, 'the same key after its owner cleared it')
})

/** A program that writes a TPM's structures, right or wrong. */
function softTpm() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const shape = bytes('ak', 'public')
  shape.set(Buffer.from(x, 'base64url'), shape.length - 66)
  shape.set(Buffer.from(y, 'base64url'), shape.length - 32)
  const key = attestationKey(shape)
  return { key, quote, signed }

  type Change = {
    magic?: number
    type?: number
    signer?: Uint8Array
    selection?: string
    trailing?: Uint8Array
  }
  function quote(change: Change): [Uint8Array, Uint8Array] {
    const head = Buffer.alloc(6)
    head.writeUInt32BE(change.magic ?? 0xff544347, 0)
    head.writeUInt16BE(change.type ?? 0x8018, 4)
    const clock = Buffer.alloc(25)
    const selection = Buffer.from(change.selection ?? '00000001000b03ff0000', 'hex')
    const digest = Buffer.alloc(32, 0xab)
    return signed(
      Buffer.concat([
        head,
        ...sized(change.signer ?? key.qualifiedName),
        ...sized(data),
        clock,
        selection,
        ...sized(digest),
        change.trailing ?? Buffer.alloc(0),
      ]),
    )
  }

  function signed(attest: Uint8Array): [Uint8Array, Uint8Array] {
    return [attest, signature(privateKey, attest)]
  }
}

function signature(key: KeyObject, text: Uint8Array): Uint8Array {
  const plain = sign('sha256', text, { key, dsaEncoding: 'ieee-p1363' })
  return Buffer.concat([
    Buffer.from('0018000b', 'hex'),
    ...sized(plain.subarray(0, 32)),
    ...sized(plain.subarray(32)),
  ])
}

function sized(part: Uint8Array): Uint8Array[] {
  return [Uint8Array.of(part.length >> 8, part.length & 0xff), part]
}

/** The real key with one attribute turned. Size, type and name algorithm go before the attributes, which are big-endian. */
function flipped(bit: number): Uint8Array {
  const copy = bytes('ak', 'public')
  copy[6 + 3 - Math.floor(bit / 8)]! ^= 1 << (bit % 8)
  return copy
}

/** Says whether `call` succeeds, or throws one of our errors. */
function own(call: () => unknown): boolean {
  try {
    call()
    return true
  } catch (error) {
    return error instanceof UnfitTpmKey || error instanceof QuoteRefused
  }
}

/** Copies of `whole` that are cut short, and have up to three bytes changed. */
function spoiled(whole: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }))
  return fc.tuple(fc.nat(whole.length), fc.array(change, { maxLength: 3 })).map(([length, changes]) => {
    const copy = whole.slice()
    for (const [at, value] of changes) copy[at] = value
    return copy.subarray(0, length || undefined)
  })
}
