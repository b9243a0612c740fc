// The `ssh_keys` and `console` of a site file: what they become, what is refused, and that no secret that was pasted is repeated.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import t from 'tap'
import { machineBundle, siteAuthority } from '#rack/cluster/bundle.ts'
import { compileSite } from '#rack/site/compile.ts'
import { parseSite } from '#rack/site/read.ts'
import { SITE_KEYS } from '#rack/site/site-keys.ts'
import { parseSshKey } from '#rack/site/ssh-key.ts'
import { accessSentences } from '#rack/up/plan-access.ts'
import { testPki } from '../../site-pki.ts'
import { problemsOf } from './problems-of.ts'

const HEAD =
  'name: rack-1\nnetwork: { subnet: 10.20.0.0/24 }\nmachines: [{ name: ctl-1, mac: 52-54-00-20-00-01, role: controller }]\n'
const withKeys = (...keys: string[]) => `${HEAD}ssh_keys: ${JSON.stringify(keys)}\n`

/** Strings of RFC 4251 §5, one after the other. */
const packed = (...parts: (string | Uint8Array)[]) =>
  Buffer.concat(
    parts.map(part => {
      const bytes = Buffer.from(part)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      return Buffer.concat([length, bytes])
    }),
  ).toString('base64')
const keyOf = (type: string, ...parts: (string | Uint8Array)[]) => `${type} ${packed(type, ...parts)}`
const ed25519 = () => keyOf('ssh-ed25519', randomBytes(32))
const point = (bytes: number) => Buffer.concat([Buffer.of(4), randomBytes(bytes - 1)])
const modulus = (bits: number) => {
  const bytes = randomBytes(Math.ceil(bits / 8))
  bytes[0] = 0x80 >> ((8 - (bits % 8)) % 8)
  return bits % 8 === 0 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
}
const rsa = (bits: number) => keyOf('ssh-rsa', Buffer.of(1, 0, 1), modulus(bits))

const GOOD: Readonly<Record<string, string>> = {
  ed25519: ed25519(),
  p256: keyOf('ecdsa-sha2-nistp256', 'nistp256', point(65)),
  p384: keyOf('ecdsa-sha2-nistp384', 'nistp384', point(97)),
  p521: keyOf('ecdsa-sha2-nistp521', 'nistp521', point(133)),
  device: keyOf('sk-ssh-ed25519@openssh.com', randomBytes(32), 'ssh:'),
  deviceP256: keyOf('sk-ecdsa-sha2-nistp256@openssh.com', 'nistp256', point(65), 'ssh:work'),
  rsa2048: rsa(2048),
  rsa4096: rsa(4096),
  rsa8192: rsa(8192),
}

t.test('each kind of key that OpenSSH takes is taken, and given to the machines as one line', async t => {
  for (const [kind, key] of Object.entries(GOOD)) {
    const { groups } = compileSite(parseSite('site.yaml', withKeys(`  ${key}   anna at  home \n`)))
    t.strictSame(groups[0]?.metadata?.['sshKeys'], [`${key} anna at home`], kind)
  }
  const { groups } = compileSite(parseSite('site.yaml', HEAD))
  t.notOk('sshKeys' in (groups[0]?.metadata ?? {}), 'a file without them lets no one in')
})

t.test('what a made key says of itself is what openssl made', async t => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 })
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
  const [exponent, bytes] = [Buffer.from(e, 'base64url'), Buffer.from(n, 'base64url')]
  t.match(parseSshKey(keyOf('ssh-rsa', exponent, Buffer.concat([Buffer.of(0), bytes]))), { type: 'ssh-rsa' })
})

const [, blob = ''] = ed25519().split(' ')
const BAD: readonly [string, string, RegExp][] = [
  ['an empty text', '', /is empty/],
  ['a word', 'anna', /is not a key of ssh-ed25519/],
  ['a type alone', 'ssh-ed25519', /is not a whole key of the type ssh-ed25519/],
  ['a key cut short', `ssh-ed25519 ${blob.slice(0, -8)}`, /is not a whole key .*\n {2}copy it whole/],
  ['base64 that is none', `ssh-ed25519 ${blob.slice(0, 20)}!${blob.slice(21)}`, /is not a whole key/],
  ['base64 with padding that is not its own', `ssh-ed25519 ${blob}=`, /is not a whole key/],
  ['another type than its bytes say', `ssh-rsa ${blob}`, /is not a whole key of the type ssh-rsa/],
  ['bytes behind the key', keyOf('ssh-ed25519', randomBytes(32), 'more'), /is not a whole key/],
  ['a key of 31 bytes', keyOf('ssh-ed25519', randomBytes(31)), /is not a whole key/],
  [
    'a length beyond the end',
    `ssh-ed25519 ${Buffer.of(255, 255, 255, 255, 1).toString('base64')}`,
    /is not a whole/,
  ],
  ['a point of another curve', keyOf('ecdsa-sha2-nistp256', 'nistp384', point(97)), /is not a whole key/],
  [
    'a compressed point',
    keyOf('ecdsa-sha2-nistp256', 'nistp256', Buffer.concat([Buffer.of(2), randomBytes(32)])),
    /not a whole/,
  ],
  [
    'a device key without its application',
    keyOf('sk-ssh-ed25519@openssh.com', randomBytes(32)),
    /not a whole/,
  ],
  ['RSA of 1024 bits', rsa(1024), /has 1024 bits, and RSA keys of 2048 to 8192 are taken\n {2}make another/],
  ['RSA of 2047 bits', rsa(2047), /has 2047 bits/],
  ['RSA of 8200 bits', rsa(8200), /has 8200 bits/],
  [
    'RSA with a negative modulus',
    keyOf('ssh-rsa', Buffer.of(1, 0, 1), Buffer.alloc(256, 255)),
    /not a whole/,
  ],
  ['RSA without an exponent', keyOf('ssh-rsa', '', modulus(2048)), /not a whole/],
  ['DSA', keyOf('ssh-dss', randomBytes(128)), /is a DSA key/],
  ['a certificate', keyOf('ssh-ed25519-cert-v01@openssh.com', randomBytes(32)), /is a certificate/],
  ['options', `command="id",no-pty ${ed25519()}`, /has options before the key, and none are taken/],
  ['a certificate authority', `cert-authority ${ed25519()}`, /has options before the key/],
  ['two keys in one text', `${ed25519()}\n${ed25519()}`, /is more than one line/],
  [
    'a public key in PEM',
    '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----',
    /is in PEM\n {2}convert it/,
  ],
  [
    'RFC 4716',
    '---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----',
    /RFC 4716\n {2}convert it: {2}ssh-keygen -i/,
  ],
  ['a path', '/root/.ssh/id_ed25519.pub', /is not a key of/],
  ['a URL', 'https://github.example/anna.keys', /is not a key of/],
  ['a host key line', `10.20.0.11 ${ed25519()}`, /has options before the key/],
  ['a control character', `ssh-ed25519 ${blob} \u0007anna`, /must be a plain text/],
  ['4097 characters', 'x'.repeat(4097), /must be a plain text of at most 4096/],
]
for (const [what, key, says] of BAD)
  t.test(`refuses ${what}, at its place, without repeating it`, async t => {
    const { problems, message } = problemsOf(withKeys(GOOD['ed25519'] ?? '', key))
    t.equal(problems.length, 1, message)
    t.match(message, / site\.yaml:4:\d+ ssh_keys\[1\]: /)
    t.match(message, says)
    for (const word of key.split(/\s+/))
      if (word.length > 30) t.notOk(message.includes(word.slice(0, 30)), word)
  })

const lines = (text: string) => text.replaceAll(/.{70}/g, '$&\n')

t.test('a private key that was pasted by mistake is refused, and none of it is repeated', async t => {
  const body = randomBytes(300).toString('base64')
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const openssh = `b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE${body}`
  const pasted = [
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines(openssh)}\n-----END OPENSSH PRIVATE KEY-----\n`,
    `-----BEGIN RSA PRIVATE KEY-----\n${lines(`MII${body}`)}\n-----END RSA PRIVATE KEY-----\n`,
    privateKey,
    openssh,
    lines(openssh),
    `MII${body}`,
    `PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n${body}`,
    `ssh-ed25519 ${openssh}`,
  ]
  for (const text of pasted) {
    const { message } = problemsOf(withKeys(text))
    t.match(
      message,
      /ssh_keys\[0\]: is a private key\n {2}anyone who reads this file has it now: make another/,
    )
    t.notMatch(message, body.slice(0, 16))
  }
  // As someone writes it in a hurry: in a block, without one, without a list, or at the wrong depth.
  const block = pasted[0]?.trimEnd().replaceAll('\n', '\n    ') ?? ''
  const forms = [
    `ssh_keys:\n  - |\n    ${block}\n`,
    `ssh_keys:\n  - >\n    ${block}\n`,
    `ssh_keys:\n  - ${block}\n`,
    `ssh_keys: |\n    ${block}\n`,
    `ssh_keys: ${block}\n`,
    `ssh_keys: [${block}]\n`,
    `ssh_keys: "${block}"\n`,
    `ssh_keys:\n${pasted[0]}`,
    `ssh_keys:\n- ${pasted[0]}`,
    `ssh_keys: { ${block} }\n`,
    `ssh_keys:\n  anna: |\n    ${block}\n`,
    `ssh_keys:\n  - key: |\n      ${block.replaceAll('\n', '\n  ')}\n`,
    `console: |\n    ${block}\n`,
    `console: { login: password, password_hash: "${block}" }\n`,
  ]
  for (const form of forms) {
    const { message } = problemsOf(HEAD + form)
    for (const part of [openssh.slice(0, 30), body.slice(0, 24), body.slice(100, 124)])
      t.notOk(message.includes(part), `${form.slice(0, 40)}: ${message}`)
  }
})

t.test('keys are a list of some, each once', async t => {
  const rows: [string, RegExp][] = [
    [`${HEAD}ssh_keys: ${ed25519()}\n`, /4:1 ssh_keys: must be a list/],
    [`${HEAD}ssh_keys: []\n`, /4:1 ssh_keys: is empty\n {2}leave it out/],
    [`${HEAD}ssh_keys:\n`, /4:1 ssh_keys: must be a list/],
    [`${HEAD}ssh_keys: [{ key: a }]\n`, /ssh_keys\[0\]: must be a plain text/],
    [`${HEAD}ssh_keys: [5]\n`, /ssh_keys\[0\]: must be a plain text/],
    [
      withKeys(GOOD['ed25519'] ?? '', `${GOOD['ed25519']} again`),
      /PL-1007 .*ssh_keys\[1\]: the same key as ssh_keys\[0\]/,
    ],
    [
      withKeys(...Array.from({ length: 21 }, ed25519)),
      /PL-1010 .*ssh_keys\[20\]: 21 keys, and at most 20 are taken/,
    ],
    [
      withKeys(...Array.from({ length: 13 }, () => rsa(8192))),
      /PL-1010 .*ssh_keys: the keys have \d+ characters together/,
    ],
    [`${HEAD}sshKeys: [a]\n`, /unknown key\n {2}did you mean "ssh_keys"\?/],
  ]
  for (const [text, says] of rows) t.match(problemsOf(text).message, says)
  t.doesNotThrow(() => parseSite('site.yaml', withKeys(...Array.from({ length: 20 }, ed25519))))
})

const YESCRYPT = '$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC'
const SHA512 = `$6$rounds=500000$abcdefgh12345678$${'aB./'.repeat(21)}aB`
const withConsole = (text: string) => `${HEAD}console: ${text}\n`

t.test(
  'a shell without a password is in the config, and the hash of a password only in the bundle',
  async t => {
    const pki = await testPki(t.testdir())
    const of = (text: string) => {
      const site = parseSite('site.yaml', text)
      const [machine] = site.machines
      return {
        metadata: compileSite(site).groups[0]?.metadata,
        bundle: machineBundle(site, pki, machine!), // the site has one
        authority: siteAuthority(pki, site.access.console),
      }
    }
    const secret = { path: '/etc/pilotlight/console-password', secret: 'console-password' }
    const has = (it: ReturnType<typeof of>) => it.bundle.secrets.some(({ path }) => path === secret.path)
    for (const text of [HEAD, withConsole('{ login: off }')]) {
      const off = of(text)
      t.notOk(off.metadata && 'console' in off.metadata)
      t.notOk(has(off))
    }
    const auto = of(withConsole('{ login: autologin }'))
    t.equal(auto.metadata?.['console'], 'autologin')
    t.notOk(has(auto))
    for (const hash of [YESCRYPT, SHA512, SHA512.replace('rounds=500000$', '')]) {
      const hashed = of(withConsole(`{ login: password, password_hash: '${hash}' }`))
      t.match(hashed.bundle.secrets, [...hashed.bundle.secrets.slice(0, -1), secret])
      t.equal(hashed.authority.secrets['console-password'], `${hash}\n`)
      t.notMatch(JSON.stringify([hashed.metadata, hashed.bundle]), hash, 'nowhere else')
    }
  },
)

const planned = (text: string) => accessSentences(parseSite('site.yaml', text))

t.test('plan says who gets in, and nothing where no one does', async t => {
  t.strictSame(planned(HEAD), [])
  // The key of docs/site.md and what ssh-keygen -l shows of it.
  t.strictSame(planned(withKeys(SITE_KEYS.ssh_keys.example.slice(1, -1))), [
    'root on every machine, by ssh with the key anna SHA256:g0pK52HCPHVoGJkl9SIjLHYVcFw0AUtIGdIJUyIUnvk',
  ])
  t.match(planned(withConsole('{ login: autologin }')), [
    /anyone who reaches its screen, its serial port or its BMC/,
  ])
  const [hashed] = planned(withConsole(`{ login: password, password_hash: '${YESCRYPT}' }`))
  t.match(hashed, /at its console with the password/)
  t.notMatch(hashed, YESCRYPT.slice(20, 30))
})

t.test('each mistake with the console is said once, at its place, without the password', async t => {
  const hash = `'${YESCRYPT}'`
  const rows: [string, RegExp][] = [
    ['autologin', /4:1 console: must be a mapping/],
    ['true', /4:1 console: must be a mapping/],
    ['{}', /PL-1003 .*console\.login: missing/],
    ['{ login: yes }', /4:12 console\.login: "yes" is none of off, autologin, password/],
    ['{ login: true }', /"true" is none of/],
    ['{ login: auto-login }', /did you mean "autologin"\?/],
    ['{ login: [autologin] }', /must be a text/],
    ['{ login: autologin, user: anna }', /user: unknown key/],
    [
      '{ login: autologin, passwordHash: x }',
      /passwordHash: unknown key\n {2}did you mean "password_hash"\?/,
    ],
    [
      `{ password_hash: ${hash} }`,
      /PL-1003 .*console\.login: missing\n {2}write {2}login: password {2}beside the hash/,
    ],
    [`{ login: autologin, password_hash: ${hash} }`, /password_hash: is not used with {2}login: autologin/],
    [`{ login: off, password_hash: ${hash} }`, /password_hash: is not used with {2}login: off/],
    ['{ login: password }', /PL-1003 .*password_hash: missing\n {2}make one: {2}mkpasswd/],
    [
      '{ login: password, password_hash: tr0ub4dor&3-horse }',
      /is not the hash of a password; a password itself/,
    ],
    ['{ login: password, password_hash: "" }', /is not the hash of a password/],
    ['{ login: password, password_hash: }', /must be a plain text/],
    ['{ login: password, password_hash: 12345678 }', /must be a plain text/],
    [
      "{ login: password, password_hash: '$1$abcdefgh$Xm1l8cF4wUgxUBJ1Gq8aU/' }",
      /is not a whole hash of yescrypt/,
    ],
    [`{ login: password, password_hash: '${YESCRYPT.slice(0, -1)}' }`, /is not a whole hash/],
    [`{ login: password, password_hash: '${YESCRYPT}x' }`, /is not a whole hash/],
    [`{ login: password, password_hash: 'root:${YESCRYPT}' }`, /is not the hash of a password/],
    [`{ login: password, password_hash: '${YESCRYPT}:0:0' }`, /is not a whole hash/],
    [`{ login: password, password_hash: "${YESCRYPT}\\nroot2:x" }`, /is not a whole hash/],
    [`{ login: password, password_hash: '${SHA512.replace('500000', '10')}' }`, /is not a whole hash/],
    [`{ login: password, password_hash: '!${YESCRYPT}' }`, /is not the hash of a password/],
    ["{ login: password, password_hash: '*' }", /is not the hash of a password/],
    ['{ login: password, password_hash: [a, b] }', /must be a plain text/],
    ['{ login: password, password_hash: !!binary c2VjcmV0 }', /must be a plain text/],
  ]
  for (const [text, says] of rows) {
    const { problems, message } = problemsOf(withConsole(text))
    t.equal(problems.length, 1, `${text}: ${message}`)
    t.match(message, / site\.yaml:4:\d+ console/)
    t.match(message, says, text)
    for (const secret of ['tr0ub4dor', '12345678', 'tnSYvahCwPBHKZUspmcxMfb0', 'c2VjcmV0'])
      t.notMatch(message, secret)
  }
})
