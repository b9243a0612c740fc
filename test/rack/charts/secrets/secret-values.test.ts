import { test } from 'tap'
import { secretReference, withSecretTexts } from '#rack/charts/secrets/secret-values.ts'

const secrets = { 'nova-db': { password: 'p1' }, 'rabbitmq-admin': { password: 'p2', cookie: 'p3' } }

test('references are replaced by texts, wherever they are, and nothing else changes', async t => {
  const values = {
    a: { b: [secretReference('nova-db', 'password'), 'plain', 7, null] },
    c: secretReference('rabbitmq-admin', 'cookie'),
    d: 'not secret://nova-db/password alone',
  }
  t.same(withSecretTexts(values, secrets), {
    a: { b: ['p1', 'plain', 7, null] },
    c: 'p3',
    d: 'not secret://nova-db/password alone',
  })
})

test('a reference to a secret that is not there is an error that names it and those that are', async t => {
  t.throws(() => withSecretTexts({ x: 'secret://nova-db/no' }, secrets), {
    message: /secret:\/\/nova-db\/no.*nova-db rabbitmq-admin/,
  })
})
