// JSON schemas of what is sent to the agent side and of small bodies and queries, for Fastify to check. Objects have theirs in
// model/.

const text = { type: 'string', minLength: 1 } as const
const list = { type: 'array', items: { type: 'string' } } as const

const path = { type: 'string', pattern: '^/' } as const

const files = {
  type: 'array',
  items: {
    type: 'object',
    required: ['path', 'mode', 'content'],
    properties: {
      path,
      mode: { type: 'integer', minimum: 0, maximum: 4095 },
      content: { type: 'string' },
    },
  },
} as const

/** `BundleDescription`, or `BundleFile[]`: files alone. */
export const bundleBody = {
  anyOf: [
    {
      type: 'object',
      required: ['files', 'requests', 'secrets'],
      additionalProperties: false,
      properties: {
        site: text,
        files,
        requests: {
          type: 'array',
          items: {
            type: 'object',
            required: [
              'name',
              'key',
              'certificate',
              'signer',
              'commonName',
              'purposes',
              'dns',
              'addresses',
              'days',
            ],
            additionalProperties: false,
            properties: {
              name: text,
              key: path,
              certificate: path,
              signer: text,
              commonName: text,
              organization: text,
              purposes: { type: 'array', minItems: 1, items: { enum: ['server', 'client'] } },
              dns: list,
              addresses: list,
              days: { type: 'integer', minimum: 1, maximum: 3660 },
            },
          },
        },
        secrets: {
          type: 'array',
          items: {
            type: 'object',
            required: ['path', 'secret'],
            properties: { path, secret: text, renews: { type: 'boolean' } },
          },
        },
      },
    },
    files,
  ],
} as const

/** `SiteAuthority`. */
export const authorityBody = {
  type: 'object',
  required: ['signers', 'secrets'],
  additionalProperties: false,
  properties: {
    signers: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        required: ['certificate', 'key'],
        additionalProperties: false,
        properties: { certificate: { type: 'string' }, key: { type: 'string' } },
      },
    },
    secrets: { type: 'object', additionalProperties: { type: 'string' } },
  },
} as const

/** What a machine's agent reports. */
export const reportBody = {
  type: 'object',
  required: ['stage'],
  properties: {
    stage: { enum: ['booted', 'ready', 'failed'] },
    text: { type: 'string', maxLength: 2000 },
    log: { type: 'string', maxLength: 65_536 },
  },
} as const

/** The query of the event stream. */
export const eventsQuery = {
  type: 'object',
  properties: {
    after: { type: 'integer', minimum: 0 },
    machine: { type: 'string' },
    wait: { type: 'number', minimum: 0, maximum: 60 },
  },
} as const

const base64 = { type: 'string', pattern: '^[A-Za-z0-9+/]+={0,2}$', maxLength: 8192 } as const

/** `Shown`: what a machine enrolls with. */
export const enrollBody = {
  type: 'object',
  required: ['key'],
  additionalProperties: false,
  properties: {
    key: { type: 'string', maxLength: 128 },
    tpm: { type: 'object', required: ['ak'], properties: { ak: base64 } },
  },
} as const

/** `Asked`: what a machine sends for its bundle. */
export const askedBody = {
  type: 'object',
  required: ['answer'],
  additionalProperties: false,
  properties: {
    answer: { type: 'string', maxLength: 128 },
    csrs: { type: 'object', maxProperties: 32, additionalProperties: { type: 'string', maxLength: 8192 } },
    quote: {
      type: 'object',
      required: ['attest', 'signature'],
      properties: { attest: base64, signature: base64 },
    },
  },
} as const

/** What a machine sends to renew its certificates: nothing, for a challenge; then its answer and the requests to sign. */
export const renewBody = {
  type: 'object',
  additionalProperties: false,
  properties: { answer: askedBody.properties.answer, csrs: askedBody.properties.csrs },
} as const

/** Which key of a machine an operator means. */
export const keyBody = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: {
    fingerprint: { type: 'string', minLength: 1, maxLength: 128 },
    isOnly: {
      type: 'boolean',
      description: 'approve only when neither the boot of the key nor a later one showed another key',
    },
  },
} as const
