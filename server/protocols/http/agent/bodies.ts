// JSON schemas of what the agent on a machine sends.

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
