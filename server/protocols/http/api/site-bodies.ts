// JSON schemas of what `pilotlight up` sends beside the objects of a site: bundles and authorities.

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

/** Whether another authority may take the place of the one that is kept. */
export const replaceQuery = {
  type: 'object',
  properties: { replace: { type: 'boolean', default: false } },
} as const

/** Whether a site is only checked. */
export const dryRunQuery = {
  type: 'object',
  properties: {
    dryRun: { type: 'boolean', default: false, description: 'Checks the site, and changes nothing' },
  },
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
