// The last look for published passwords, in what a chart makes.

import t from 'tap'
import { checkPublished } from '#rack/charts/preflight/published.ts'
import { objectsIn } from '#rack/charts/preflight/rendered.ts'

const found = (manifest: string, texts = ['changeme']) =>
  checkPublished('nova', objectsIn(manifest), texts).map(({ what }) =>
    what.replace(/ holds a password .*/, ''),
  )
const secret = (key: string, text: string) =>
  `kind: Secret\nmetadata: { name: s }\ndata: { ${key}: ${Buffer.from(text).toString('base64')} }\n`
const map = (text: string) =>
  `kind: ConfigMap\nmetadata: { name: c }\ndata: { nova.conf: ${JSON.stringify(text)} }\n`

t.test('a published text under the name of a secret is found, in each form', async t => {
  t.strictSame(found(secret('DB_PASSWORD', 'changeme\n')), ['DB_PASSWORD of Secret s'])
  t.strictSame(found('kind: Secret\nmetadata: { name: s }\nstringData: { token: changeme }'), [
    'token of Secret s',
  ])
  t.strictSame(found(secret('connection', 'mysql://nova:changeme@mariadb/nova')), ['connection of Secret s'])
  t.strictSame(found(map('[database]\npassword = changeme\n')), ['nova.conf of ConfigMap c'])
  t.strictSame(found(map('{ "a": 1,\n  "admin_password": "changeme",\n}')), ['nova.conf of ConfigMap c'])
  const job =
    'kind: Job\nmetadata: { name: j }\nspec: { template: { spec: { containers: [{ env: [{ name: OS_PASSWORD, value: changeme }] }] } } }'
  t.strictSame(found(job), ['OS_PASSWORD of Job j'])
})

t.test('the same text as another thing, and other texts, are not', async t => {
  t.strictSame(found(map('auth_type = password\nmethods = password,token\n'), ['password']), [])
  t.strictSame(found(secret('DB_PASSWORD', 'secret://nova-db/password')), [])
  t.strictSame(found(secret('USERNAME', 'changeme')), [])
  t.strictSame(found(map('password = changeme\n'), []), [])
})
