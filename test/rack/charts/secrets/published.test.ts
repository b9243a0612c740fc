// Published passwords are found in a chart's own values, whatever accounts and keys it has; none is kept.

import t from 'tap'
import { publishedTexts, replacementOf } from '#rack/charts/secrets/published.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { withUpstreamChart } from '#rack/charts/sources/upstream.ts'
import { valuesOf } from '#rack/charts/plan/plan.ts'
import { mergeValues, type Values } from '#rack/charts/values/values.ts'
import { smallSite } from '../../../small-site.ts'

const references = (values: Values) => replacementOf(publishedTexts('keystone', values)).values
const refused = (values: Values) =>
  publishedTexts('keystone', values).flatMap(({ path, instead }) =>
    'refused' in instead ? [path.join('.')] : [],
  )

t.test('an account that this program has never heard of gets a generated secret', async t => {
  const auth = {
    owl: { role: 'admin', username: 'night-owl', password: 'owl', project_name: 'service' },
    lock: { passphrase: 'open', user_domain_name: 'service' },
  }
  t.strictSame(references({ endpoints: { identity: { auth }, aviary: { auth: { feed_token: 'seed' } } } }), {
    endpoints: {
      identity: {
        auth: {
          owl: { password: 'secret://night-owl-keystone/password' },
          lock: { passphrase: 'secret://lock-keystone/passphrase' },
        },
      },
      aviary: { auth: { feed_token: 'secret://feed-token-aviary/password' } },
    },
  })
})

t.test('a user of one server has one secret, whichever chart and endpoint it is in', async t => {
  const account = { a: { username: 'nova', password: 'password' } }
  const found = references({
    endpoints: {
      oslo_db: { auth: account },
      oslo_db_cell7: { auth: account },
      oslo_messaging: { auth: account },
    },
  })
  t.match(found, {
    endpoints: {
      oslo_db: { auth: { a: { password: 'secret://nova-db/password' } } },
      oslo_db_cell7: { auth: { a: { password: 'secret://nova-db/password' } } },
      oslo_messaging: { auth: { a: { password: 'secret://nova-queue/password' } } },
    },
  })
})

const keys: readonly [path: string, text: unknown, isFound: boolean][] = [
  ['conf.app.DEFAULT.admin_password', 'changeme', true],
  ['conf.app.rootPassword', 'changeme', true],
  ['conf.app.horizon_secret_key', '7777', true],
  ['conf.app.pin', 1234, true],
  ['conf.app.filter:osprofiler.hmac_keys', 'SECRET_KEY', true],
  ['conf.app.erlang_cookie', 'openstack-cookie', true],
  ['tls.api_key', 'abc', true],
  ['conf.app.credential.key_repository', '/etc/keystone/credential-keys/', false],
  ['conf.app.token.provider', 'fernet', false],
  ['conf.app.auth_type', 'password', false],
  ['conf.app.admin_password', null, false],
  ['conf.app.admin_password', '', false],
  ['conf.app.admin_password', '{{ .Values.x }}', false],
  ['conf.app.ssh.public_key', 'ssh-ed25519 AAAA', false],
  ['conf.policy.identity:change_password', 'rule:admin_or_owner', false],
  ['secrets.identity.admin', 'keystone-keystone-admin', false],
  ['ceph_client.user_secret_name', 'pvc-ceph-client-key', false],
  ['labels.api.node_selector_key', 'openstack-control-plane', false],
  ['pod.tolerations.key', 'node-role', false],
  ['manifests.secret_keystone', true, false],
  ['jobs.user.password', 'changeme', true],
  ['monitoring.exporter.password', 'changeme', true],
  ['pod.env.DB_PASSWORD', 'changeme', true],
  ['secrets.oci.password', 'changeme', true],
  ['secrets.tls.key', 'keystone-tls', false],
  ['conf.app.dbpassword', 'changeme', true],
  ['conf.app.userpasswd', 'changeme', true],
  ['conf.app.adminpass', 'changeme', true],
  ['conf.app.bypass', 'changeme', false],
  ['conf.app.compass', 'north', false],
  ['conf.app.password1', 'changeme', true],
  ['conf.app.password_2', 'changeme', true],
  ['conf.app.root_pw', 'changeme', true],
  ['conf.app.passwords.one', 'changeme', true],
  ['conf.app.api_tokens.one', 'changeme', true],
  ['conf.app.secret_key_base', 'changeme', true],
  ['conf.app.password_hash', '$6$x', true],
  ['conf.app.password_hash_rounds', 10, false],
  ['conf.app.password_regex', '^.*$', false],
  ['conf.app.memcache_security_strategy', 'ENCRYPT', false],
  ['conf.ceph.admin_keyring', 'AQB=', true],
  ['conf.ceph.admin_keyring', '/etc/ceph/keyring', false],
  ['conf.app.psk', 'changeme', true],
  ['conf.app.transport_url', 'rabbit://nova:changeme@rabbitmq:5672/', true],
  ['conf.app.connection', 'mysql+pymysql://nova:{{ .x }}@db/nova', false],
  ['conf.app.proxy', 'http://proxy.example.org:3128/', false],
]
for (const [path, text, isFound] of keys)
  t.test(`${path}: ${JSON.stringify(text)} is ${isFound ? 'a' : 'no'} published secret`, async t => {
    const values = path
      .split('.')
      .toReversed()
      .reduce<unknown>((inner, key) => ({ [key]: inner }), text)
    t.equal(publishedTexts('app', values as Values).length, isFound ? 1 : 0)
  })

t.test('what nothing generated can replace is named', async t => {
  t.strictSame(refused({ network: { ssh: { private_key: '-----BEGIN' } } }), ['network.ssh.private_key'])
  t.strictSame(refused({ network: { ssh: { private_key: 'null' } } }), [])
  t.strictSame(refused({ conf: { backends: [{ name: 'a', san_password: 'x' }] } }), [
    'conf.backends.0.san_password',
  ])
  t.strictSame(refused({ conf: { transport_url: 'rabbit://nova:changeme@rabbitmq:5672/' } }), [
    'conf.transport_url',
  ])
  t.strictSame(refused({ endpoints: { ldap: { auth: { client: { tls: { key: '-----BEGIN' } } } } } }), [
    'endpoints.ldap.auth.client.tls.key',
  ])
  t.strictSame(refused({ conf: { app: { fernet_key: 'x', kek: 'y', api_tokens: ['z'] } } }), [
    'conf.app.fernet_key',
    'conf.app.kek',
    'conf.app.api_tokens.0',
  ])
})

const site = (keystone: Values = {}) => ({
  ...smallSite,
  openstack: { ...smallSite.openstack, plan: 'openstack-helm' as const, values: { keystone } },
})
const chart = {
  version: '2026.1.0',
  values: { endpoints: { identity: { auth: { owl: { password: 'owl' } } } } },
}
const keystoneOf = (own: Values, values: Values = {}) => {
  const plan = withUpstreamChart(planCharts(site(own)), 'keystone', {
    ...chart,
    values: mergeValues(chart.values, values),
  })
  const release = plan.releases.find(({ name }) => name === 'keystone')
  return { plan, values: release === undefined ? {} : valuesOf(release) }
}
const owl = (password: unknown) => ({ endpoints: { identity: { auth: { owl: { password } } } } })

t.test('a plan refuses a password that the site repeats from the chart, and takes another', async t => {
  t.match(keystoneOf({}).values, owl('secret://owl-keystone/password'))
  t.match(keystoneOf(owl('mine')).values, owl('mine'))
  t.notOk(keystoneOf(owl('mine')).plan.secrets.some(({ name }) => name === 'owl-keystone'))
  for (const empty of [null, ''])
    t.throws(() => keystoneOf(owl(empty)), {
      code: 'CHART_PLAN',
      message: /^openstack\.values\.keystone\.endpoints\.identity\.auth\.owl\.password is empty/,
    })
  t.throws(() => keystoneOf({ endpoints: { identity: { auth: { new: { password: 'owl' } } } } }), {
    message: /auth\.new\.password is a text that the chart publishes/,
  })
  t.throws(() => keystoneOf(owl('owl')), {
    code: 'CHART_PLAN',
    message:
      /^openstack\.values\.keystone\.endpoints\.identity\.auth\.owl\.password is the text that the chart publishes/,
  })
})

t.test(
  'a plan names the key that it cannot replace, until the site gives one or switches it off',
  async t => {
    const values = { conf: { sso: { private_key: 'MIIEpA' } } }
    t.throws(() => keystoneOf({}, values), {
      code: 'CHART_PLAN',
      message:
        /release keystone publishes a secret .* Give your own as openstack\.values\.keystone\.conf\.sso\.private_key/,
    })
    t.doesNotThrow(() => keystoneOf({ conf: { sso: { private_key: null } } }, values))
  },
)

t.test('a list with a secret in it is named as the whole that the site can give', async t => {
  const values = { conf: { users: [{ name: 'a' }, { name: 'b', password: 'hunter' }] } }
  t.throws(() => keystoneOf({}, values), {
    code: 'CHART_PLAN',
    message:
      /inside a list.* Give the whole list openstack\.values\.keystone\.conf\.users, with your own in it\.$/,
  })
  t.doesNotThrow(() => keystoneOf({ conf: { users: [] } }, values))
  t.doesNotThrow(() => keystoneOf({ conf: { users: [{ name: 'b', password: 'of this site' }] } }, values))
})

t.test('a published text is refused at its own key of the site file', async t => {
  const values = { conf: { sso: { password: 'published' } } }
  const refused: unknown = t.throws(() => keystoneOf(values, values))
  t.match(refused, {
    place: ['openstack', 'values', 'keystone', 'conf', 'sso', 'password'],
    mistake: 'value',
  })
})

t.test('generated secrets are only in values, and are never rotated', async t => {
  const { plan } = keystoneOf({})
  const found = plan.secrets.find(({ name }) => name === 'owl-keystone')
  t.match(found, { isOnlyInValues: true, rotation: { never: /never again/ } })
})
