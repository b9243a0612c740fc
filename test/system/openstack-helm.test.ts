// Database, queue, cache, Keystone, Glance and Placement, from this program's images with the values of the plan openstack-helm,
// started as upstream's charts start them: their users, read-only roots, mounts, commands and configuration. No kubelet is here:
// test/rack/charts has what the charts' objects are, and docs/runs what was seen in a cluster.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { findArtefact, type Recipe } from '#host/cache.ts'
import { run } from '#host/command.ts'
import {
  openstackBaseRecipe,
  openstackControlRecipe,
  openstackHelmInfraRecipe,
  openstackHelmRecipe,
  openstackInfraRecipe,
} from '#images/openstack.ts'
import { waitUntil } from '#progress/wait.ts'
import { valuesOf } from '#rack/charts/plan/plan.ts'
import { planCharts } from '#rack/charts/services/plan-charts.ts'
import { mergeValues, type Values } from '#rack/charts/values/values.ts'
import { smallSite } from '../small-site.ts'
import { startMachine, type Container } from './containers.ts'

t.setTimeout(600_000)

const recipes = [
  openstackBaseRecipe,
  openstackInfraRecipe,
  openstackControlRecipe,
  openstackHelmInfraRecipe,
  openstackHelmRecipe,
]
const layers = await Promise.all(recipes.map(recipe => findArtefact(recipe)))
const skip =
  (process.getuid?.() !== 0 && 'needs root for namespaces') ||
  (layers.some(layer => layer === undefined) && 'the layers are not built here (pilotlight images build)')

const MARIADB = 'mariadb-server-0.mariadb-discovery.openstack.svc.cluster.local'
const RABBITMQ = 'rabbitmq-rabbitmq-0.rabbitmq.openstack.svc.cluster.local'
const PASSWORD = { root: 'of-root', rabbitmq: 'of-rabbitmq', admin: 'of-admin' }
const services = ['keystone', 'glance', 'placement'] as const
type Service = (typeof services)[number]
const ownPassword = (of: Service, what: 'database' | 'queue' | 'account') => `${what}-of-${of}`

/** The configuration that a chart of 2026 has, with the plan's values over it. */
function confOf(release: string, own: Values): Values {
  const plan = planCharts({ ...smallSite, openstack: { ...smallSite.openstack, plan: 'openstack-helm' } })
  const found = plan.releases.find(({ name }) => name === release)
  const conf = found && valuesOf(found)['conf']
  return mergeValues(own, (conf ?? {}) as Values)
}

/** Sections and keys as the charts write them: a key whose value is null, which Helm removes, is not there. */
const ini = (sections: unknown) =>
  Object.entries(sections as Values)
    .filter(([, keys]) => keys !== null)
    .map(([name, keys]) => `[${name}]\n${lines(keys as Values)}`)
    .join('\n')
const lines = (keys: Values) =>
  Object.entries(keys)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key} = ${String(value)}\n`)
    .join('')

/** Maps in maps, with dots between their keys. */
const flat = (values: Values, above = ''): Values =>
  Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) =>
      typeof value === 'object' && value !== null
        ? Object.entries(flat(value as Values, `${above}${key}.`))
        : [[`${above}${key}`, value]],
    ),
  )

/** Logs to the container's output, as the charts set every service. */
const logging = (service: Service) =>
  ini({
    loggers: { keys: `root,${service}` },
    handlers: { keys: 'stdout,null' },
    formatters: { keys: 'context' },
    logger_root: { level: 'WARNING', handlers: 'null' },
    [`logger_${service}`]: { level: 'INFO', handlers: 'stdout', qualname: service },
    handler_null: { class: 'logging.NullHandler', args: '()' },
    handler_stdout: { class: 'StreamHandler', args: '(sys.stdout,)', formatter: 'context' },
    formatter_context: { class: 'oslo_log.formatters.ContextFormatter' },
  })

/** What every service is told of the others. */
const connection = (of: Service) => `mysql+pymysql://${of}:${ownPassword(of, 'database')}@mariadb:3306/${of}`
const queue = (of: Service) => `rabbit://${of}:${ownPassword(of, 'queue')}@${RABBITMQ}:5672/${of}`
const accountOf = (of: Service, type: string): Values => ({
  auth_type: 'password',
  auth_version: 'v3',
  auth_url: 'http://keystone-api:5000/v3',
  memcached_servers: 'memcached:11211',
  memcache_security_strategy: 'ENCRYPT',
  memcache_secret_key: 'key-of-the-cache',
  project_domain_name: 'service',
  user_domain_name: 'service',
  project_name: 'service',
  username: of,
  password: ownPassword(of, 'account'),
  region_name: 'RegionOne',
  service_token_roles: 'service',
  service_token_roles_required: true,
  service_type: type,
})

/** uWSGI as the charts set it up, which serves a module that only a later OpenStack has. */
const uwsgi = (service: Service, port: number, stats: number): Values => ({
  'http-socket': `0.0.0.0:${port}`,
  stats: `0.0.0.0:${stats}`,
  'stats-http': true,
  processes: 1,
  module: `${service}.wsgi.api:application`,
  'add-header': 'Connection: close',
  'buffer-size': 65535,
  'die-on-term': true,
  'enable-threads': true,
  'hook-master-start': 'unix_signal:15 gracefully_kill_them_all',
  'lazy-apps': true,
  'log-x-forwarded-for': true,
  master: true,
  'route-user-agent': '^kube-probe.* donotlog:',
  'thunder-lock': true,
})

const mariadbConf = ini({
  mysqld: {
    datadir: '/var/lib/mysql',
    tmpdir: '/tmp',
    basedir: '/usr',
    'ignore-db-dirs': 'lost+found',
    bind_address: '0.0.0.0',
    port: 3306,
    user: 'mysql',
    secure_file_priv: '/home',
    character_set_server: 'utf8',
    collation_server: 'utf8_general_ci',
    // These two were removed from the server long ago, and are still in the chart.
    innodb_file_format: 'Barracuda',
    innodb_locks_unsafe_for_binlog: 1,
    innodb_flush_method: 'O_DIRECT',
    innodb_log_file_size: '128M',
    innodb_autoinc_lock_mode: 2,
    binlog_format: 'ROW',
    'default-storage-engine': 'InnoDB',
    max_connections: 8192,
    wsrep_on: 1,
    wsrep_provider: '/usr/lib/galera/libgalera_smm.so',
    wsrep_sst_method: 'mariabackup',
    wsrep_cluster_name: 'mariadb-server_openstack',
    wsrep_cluster_address: 'gcomm://',
    wsrep_node_address: `${MARIADB}:4567`,
    wsrep_node_name: MARIADB,
    wsrep_slave_threads: 12,
    wsrep_provider_options: '"gmcast.listen_addr=tcp://0.0.0.0:4567"',
    sql_mode: '"STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"',
  },
  client: { protocol: 'tcp', port: 3306, default_character_set: 'utf8' },
})

const keystoneSite = `
Listen 0.0.0.0:5000
ErrorLog /dev/stdout
CustomLog /dev/stdout "%h %r %>s"
<VirtualHost *:5000>
  WSGIDaemonProcess keystone-public processes=1 threads=1 user=keystone group=keystone display-name=%{GROUP}
  WSGIProcessGroup keystone-public
  WSGIScriptAlias / /var/www/cgi-bin/keystone/wsgi.py
  WSGIApplicationGroup %{GLOBAL}
  WSGIPassAuthorization On
</VirtualHost>
`
const manyThreads = `
<IfModule mpm_event_module>
  ServerLimit 1024
  StartServers 32
  ThreadsPerChild 25
  ThreadLimit 720
</IfModule>
`

const adminEnvironment = {
  OS_IDENTITY_API_VERSION: '3',
  OS_AUTH_URL: 'http://keystone-api:5000/v3',
  OS_REGION_NAME: 'RegionOne',
  OS_INTERFACE: 'internal',
  OS_PROJECT_DOMAIN_NAME: 'default',
  OS_USER_DOMAIN_NAME: 'default',
  OS_PROJECT_NAME: 'admin',
  OS_USERNAME: 'admin',
  OS_PASSWORD: PASSWORD.admin,
}

/** Waits until a command succeeds in a container; what its log says of errors, or its end, says why it does not. */
const ready = (what: string, container: Container, command: readonly string[]) =>
  waitUntil(what, { limitSeconds: 120, everyMs: 300 }, async () => {
    const said = await container.run(command).catch(async (error: unknown) => {
      const log = (await container.log()).split('\n')
      const bad = log.filter(line => /error|critical|denied|unable/i.test(line)).slice(0, 20)
      throw new Error([String(error), ...(bad.length > 0 ? bad : log.slice(-20))].join('\n'))
    })
    return { value: said }
  })
const answers = (what: string, container: Container, url: string) =>
  ready(what, container, ['curl', '--silent', '--fail', '--max-time', '10', '--output', '/dev/null', url])

t.test(
  "what upstream's charts start comes up from this program's images, and a token is issued",
  { skip },
  async t => {
    const folder = await mkdtemp(join(tmpdir(), 'openstack-helm-'))
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    const unpacked = new Map<Recipe, string>()
    for (const [index, recipe] of recipes.entries()) {
      const to = join(folder, recipe.name)
      unpacked.set(recipe, to)
      const from = join(layers[index]?.path ?? '', 'layer.tar')
      await run(
        'sh',
        ['-c', 'mkdir "$1" && tar --extract --numeric-owner --file="$2" --directory="$1"', 'sh', to, from],
        {
          limitSeconds: 300,
        },
      )
    }
    const image = (...of: readonly Recipe[]) => of.map(recipe => unpacked.get(recipe) ?? '')
    const infra = image(openstackBaseRecipe, openstackInfraRecipe, openstackHelmInfraRecipe)
    const control = image(openstackBaseRecipe, openstackControlRecipe, openstackHelmRecipe)
    const names = ['mariadb', 'memcached', 'rabbitmq', 'keystone-api', MARIADB, RABBITMQ]
    const machine = await startMachine(folder, 'rabbitmq-rabbitmq-0', names)
    t.teardown(() => machine.close())

    const cache = await machine.container('memcached', { layers: infra, user: 65534, volumes: ['/tmp'] })
    cache.start(['memcached', '-v', '-p', '11211', '-U', '0', '-X', '-c', '8192', '-m', '1024'])

    const database = await machine.container('mariadb', {
      layers: infra,
      user: 999,
      volumes: ['/tmp', '/run/mysqld', '/etc/mysql/conf.d', '/var/lib/mysql'],
      files: {
        '/etc/mysql/my.cnf': '[client-server]\n!includedir /etc/mysql/conf.d/\n',
        '/etc/mysql/conf.d/00-base.cnf': mariadbConf,
        '/etc/mysql/admin_user.cnf': ini({
          client: { user: 'root', password: PASSWORD.root, host: 'localhost' },
        }),
        '/first.sql': `
DELETE FROM mysql.user WHERE user != 'mariadb.sys';
CREATE OR REPLACE USER 'root'@'%' IDENTIFIED BY '${PASSWORD.root}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
FLUSH PRIVILEGES;
SHUTDOWN;
`,
      },
    })
    const broker = await machine.container('rabbitmq', {
      layers: infra,
      user: 999,
      isWritable: true,
      volumes: ['/tmp', '/var/lib/rabbitmq'],
      files: {
        '/etc/rabbitmq/enabled_plugins':
          '[rabbitmq_management,rabbitmq_peer_discovery_k8s,rabbitmq_prometheus].\n',
        '/etc/rabbitmq/rabbitmq-env.conf': 'SERVER_ADDITIONAL_ERL_ARGS="+S 1:1"\n',
        '/etc/rabbitmq/rabbitmq.conf': lines(
          flat(
            confOf('rabbitmq', {
              rabbitmq: {
                listeners: { tcp: { 1: ':::5672' } },
                cluster_formation: {
                  peer_discovery_backend: 'rabbit_peer_discovery_k8s',
                  k8s: { address_type: 'hostname', host: 'kubernetes.default.svc.cluster.local' },
                  node_cleanup: { interval: 10, only_log_warning: true },
                },
                cluster_partition_handling: 'autoheal',
                queue_leader_locator: 'balanced',
                'loopback_users.guest': false,
                'management.load_definitions': '/var/lib/rabbitmq/definitions.json',
                'management.listener.port': 15672,
              },
            })['rabbitmq'] as Values,
          ),
        ),
      },
      environment: { RABBITMQ_USE_LONGNAME: 'true', RABBITMQ_NODENAME: `rabbit@${RABBITMQ}` },
    })
    const rabbitmqadmin = (...words: readonly string[]) =>
      broker.run([
        'rabbitmqadmin',
        '--host=rabbitmq',
        '--username=rabbitmq',
        `--password=${PASSWORD.rabbitmq}`,
        ...words,
      ])

    const startDatabase = async () => {
      await database.run(['sh', '-c', 'chown -R mysql:mysql /var/lib/mysql && chmod 700 /var/lib/mysql'], {
        root: true,
      })
      await database.run(['mysql_install_db', '--user=mysql', '--datadir=/var/lib/mysql'])
      await database.run(['mysqld', '--user=mysql', '--bind-address=127.0.0.1', '--init-file=/first.sql'])
      database.start(['mysqld', '--user=mysql', '--wsrep-new-cluster'])
      const asked = [
        'mysql',
        '--defaults-file=/etc/mysql/admin_user.cnf',
        '--connect-timeout',
        '2',
        '-N',
        '-e',
      ]
      const said = await ready('MariaDB', database, [
        ...asked,
        "show status like 'wsrep_local_state_comment'",
      ])
      t.match(said, /\tSynced\n$/, 'MariaDB is a cluster of one')
      t.match(await database.run(['pidof', 'mysqld']), /^\d+$/m, 'the probe of the chart finds mysqld')
    }
    const startBroker = async () => {
      const hashed = `
import base64, hashlib, json, os
salt = os.urandom(4)
text = base64.b64encode(salt + hashlib.sha512(salt + b'${PASSWORD.rabbitmq}').digest()).decode()
user = {'name': 'rabbitmq', 'password_hash': text, 'hashing_algorithm': 'rabbit_password_hashing_sha512', 'tags': 'administrator'}
json.dump({'users': [user], 'vhosts': [{'name': '/'}]}, open('/var/lib/rabbitmq/definitions.json', 'w'))`
      await broker.run(['python3', '-c', hashed], { root: true })
      const owned =
        'cd /var/lib/rabbitmq && echo -n cookie > .erlang.cookie && chmod 600 .erlang.cookie && chown -R rabbitmq: .'
      await broker.run(['sh', '-c', owned], { root: true })
      broker.start(['rabbitmq-server'])
      await ready('RabbitMQ', broker, ['rabbitmq-diagnostics', '-q', 'check_port_connectivity'])
      for (const service of ['keystone', 'glance'] as const) {
        await rabbitmqadmin(
          'declare',
          'user',
          `name=${service}`,
          `password=${ownPassword(service, 'queue')}`,
          'tags=user',
        )
        await rabbitmqadmin('declare', 'vhost', `name=${service}`)
        const all = ['configure=.*', 'write=.*', 'read=.*']
        await rabbitmqadmin('declare', 'permission', `vhost=${service}`, `user=${service}`, ...all)
      }
      t.match(await broker.log(), /Server startup complete/, "RabbitMQ's log is the container's output")
    }

    const keystone = await machine.container('keystone', {
      layers: control,
      user: 42424,
      volumes: [
        '/tmp',
        '/etc/keystone',
        '/etc/keystone/fernet-keys',
        '/etc/keystone/credential-keys',
        '/var/log/apache2',
        '/run/apache2',
        '/var/www/cgi-bin/keystone',
      ],
      files: {
        '/etc/keystone/logging.conf': logging('keystone'),
        '/etc/keystone/policy.yaml': '{}\n',
        '/etc/keystone/keystone.conf': ini(
          confOf('keystone', {
            keystone: {
              DEFAULT: { log_config_append: '/etc/keystone/logging.conf', transport_url: queue('keystone') },
              token: { provider: 'fernet', expiration: 43200 },
              identity: { domain_specific_drivers_enabled: true, domain_config_dir: '/etc/keystone/domains' },
              fernet_tokens: { key_repository: '/etc/keystone/fernet-keys/', max_active_keys: 7 },
              credential: { key_repository: '/etc/keystone/credential-keys/' },
              database: { connection: connection('keystone'), max_retries: -1 },
              cache: {
                enabled: true,
                backend: 'dogpile.cache.memcached',
                memcache_servers: 'memcached:11211',
              },
              oslo_messaging_notifications: { driver: 'messagingv2' },
              oslo_policy: { policy_file: '/etc/keystone/policy.yaml' },
            },
          })['keystone'],
        ),
        '/etc/apache2/ports.conf': '',
        '/etc/apache2/conf-enabled/wsgi-keystone.conf': keystoneSite,
        '/etc/apache2/mods-available/mpm_event.conf': manyThreads,
        '/tmp/wsgi.py':
          'from keystone.server import wsgi\napplication = wsgi.initialize_public_application()\n',
        '/tmp/keystone-api.sh': `#!/bin/bash
set -ex
cp -a /tmp/wsgi.py /var/www/cgi-bin/keystone/
source /etc/apache2/envvars
exec apache2 -DFOREGROUND
`,
      },
      environment: adminEnvironment,
    })
    const manage = (...words: readonly string[]) => keystone.run(['keystone-manage', ...words])
    const keyed = ['--keystone-user=keystone', '--keystone-group=keystone']
    await Promise.all([
      startDatabase(),
      startBroker(),
      manage('fernet_setup', ...keyed).then(() => manage('credential_setup', ...keyed)),
    ])
    await keystone.run([
      'python',
      '-c',
      `
from sqlalchemy import create_engine
root = create_engine('mysql+pymysql://root:${PASSWORD.root}@mariadb:3306')
for name in ${JSON.stringify(services)}:
    root.execute('CREATE DATABASE IF NOT EXISTS {0}'.format(name))
    root.execute("CREATE USER IF NOT EXISTS '{0}'@'%%' IDENTIFIED BY 'database-of-{0}'".format(name))
    root.execute("GRANT ALL ON {0}.* TO '{0}'@'%%'".format(name))`,
    ])

    const glanceConf = confOf('glance', {
      paste: {
        'composite:glance-api-keystone': {
          'paste.composite_factory': 'glance.api:root_app_factory',
          '/': 'api',
          '/healthcheck': 'healthcheck',
        },
        'composite:api': {
          'paste.composite_factory': 'glance.api:pipeline_factory',
          keystone: 'cors http_proxy_to_wsgi versionnegotiation osprofiler authtoken context rootapp',
        },
        'composite:rootapp': {
          'paste.composite_factory': 'glance.api:root_app_factory',
          '/': 'apiversions',
          '/v2': 'apiv2app',
        },
        'app:apiversions': { 'paste.app_factory': 'glance.api.versions:create_resource' },
        'app:apiv2app': { 'paste.app_factory': 'glance.api.v2.router:API.factory' },
        'app:healthcheck': { 'paste.app_factory': 'oslo_middleware:Healthcheck.app_factory' },
        'filter:cors': {
          'paste.filter_factory': 'oslo_middleware.cors:filter_factory',
          oslo_config_project: 'glance',
          oslo_config_program: 'glance-api',
        },
        ...Object.fromEntries(
          Object.entries({
            versionnegotiation: 'glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory',
            context: 'glance.api.middleware.context:ContextMiddleware.factory',
            authtoken: 'keystonemiddleware.auth_token:filter_factory',
            osprofiler: 'osprofiler.web:WsgiMiddleware.factory',
            http_proxy_to_wsgi: 'oslo_middleware:HTTPProxyToWSGI.factory',
          }).map(([name, factory]) => [`filter:${name}`, { 'paste.filter_factory': factory }]),
        ),
      },
      glance: {
        DEFAULT: {
          log_config_append: '/etc/glance/logging.conf',
          transport_url: queue('glance'),
          workers: 1,
        },
        database: { connection: connection('glance'), max_retries: -1 },
        keystone_authtoken: accountOf('glance', 'image'),
        glance_store: { filesystem_store_datadir: '/var/lib/glance/images' },
        paste_deploy: { flavor: 'keystone' },
        oslo_policy: { policy_file: '/etc/glance/policy.yaml' },
      },
      glance_api_uwsgi: { uwsgi: uwsgi('glance', 9292, 1717) },
    })
    const glance = await machine.container('glance', {
      layers: control,
      user: 42424,
      volumes: ['/tmp', '/etc/glance', '/var/lib/glance/images'],
      files: {
        '/etc/glance/logging.conf': logging('glance'),
        '/etc/glance/policy.yaml': '{}\n',
        '/etc/glance/glance-api.conf': ini(glanceConf['glance']),
        '/etc/glance/glance-api-paste.ini': ini(glanceConf['paste']),
        '/etc/glance/glance-api-uwsgi.ini': ini(glanceConf['glance_api_uwsgi']),
      },
    })
    const placementConf = confOf('placement', {
      placement: {
        DEFAULT: { log_config_append: '/etc/placement/logging.conf' },
        placement_database: { connection: connection('placement') },
        keystone_authtoken: accountOf('placement', 'placement'),
      },
      placement_api_uwsgi: { uwsgi: uwsgi('placement', 8778, 1718) },
    })
    const placement = await machine.container('placement', {
      layers: control,
      user: 42424,
      volumes: ['/tmp', '/etc/placement'],
      files: {
        '/etc/placement/logging.conf': logging('placement'),
        '/etc/placement/policy.yaml': '{}\n',
        '/etc/placement/placement.conf': ini(placementConf['placement']),
        '/etc/placement/placement-api-uwsgi.ini': ini(placementConf['placement_api_uwsgi']),
      },
    })

    const startKeystone = async () => {
      await manage('--config-file=/etc/keystone/keystone.conf', 'db_sync')
      const url = 'http://keystone-api:5000/v3'
      await manage(
        'bootstrap',
        '--bootstrap-username=admin',
        `--bootstrap-password=${PASSWORD.admin}`,
        '--bootstrap-project-name=admin',
        '--bootstrap-region-id=RegionOne',
        ...['admin', 'internal', 'public'].map(kind => `--bootstrap-${kind}-url=${url}`),
      )
      keystone.start(['/tmp/keystone-api.sh', 'start'])
      await answers('Keystone', keystone, 'http://127.0.0.1:5000/healthcheck')
    }
    const startGlance = async () => {
      await glance.run(['chown', '-R', 'glance:', '/var/lib/glance/images'], { root: true })
      const conf = ['glance-manage', '--config-file', '/etc/glance/glance-api.conf']
      await glance.run([...conf, 'db_sync'], { root: true })
      const loaded = await glance.run([...conf, 'db_load_metadefs', '/var/lib/openstack/etc/glance/metadefs'])
      t.match(loaded, /\.json loaded to database/, 'Glance reads its metadata definitions')
      t.notMatch(loaded, /Permission denied/)
      glance.start(['uwsgi', '--ini', '/etc/glance/glance-api-uwsgi.ini'])
      await answers('Glance', glance, 'http://127.0.0.1:9292/healthcheck')
    }
    const startPlacement = async () => {
      await placement.run(
        ['placement-manage', '--config-file', '/etc/placement/placement.conf', 'db', 'sync'],
        {
          root: true,
        },
      )
      placement.start(['uwsgi', '--ini', '/etc/placement/placement-api-uwsgi.ini'])
      await answers('Placement', placement, 'http://127.0.0.1:8778/')
    }
    await Promise.all([startKeystone(), startGlance(), startPlacement()])

    const token = (
      await keystone.run(['openstack', 'token', 'issue', '--format=value', '--column=id'])
    ).trim()
    t.match(token, /^gAAAA\S{100,}$/, 'the command openstack is given a token')

    /** Asks an API with the token, and gives status and body. */
    const ask = async (method: string, url: string, body?: unknown, type = 'application/json') => {
      const given =
        body === undefined ? [] : ['--data-raw', typeof body === 'string' ? body : JSON.stringify(body)]
      const headers = ['--header', `X-Auth-Token: ${token}`, '--header', `Content-Type: ${type}`]
      const asked = [
        'curl',
        '--silent',
        '--max-time',
        '30',
        '--request',
        method,
        ...headers,
        ...given,
        '--write-out',
        '\n%{http_code}',
        url,
      ]
      const said = await keystone.run(asked)
      const at = said.lastIndexOf('\n')
      const text = said.slice(0, at)
      return { status: Number(said.slice(at + 1)), body: (text === '' ? {} : JSON.parse(text)) as Values }
    }
    const identity = 'http://keystone-api:5000/v3'
    const made = async (kind: string, object: Values) => {
      const { body } = await ask('POST', `${identity}/${kind}s`, { [kind]: object })
      return String((body[kind] as Values | undefined)?.['id'])
    }
    const domain_id = await made('domain', { name: 'service' })
    const project = await made('project', { name: 'service', domain_id })
    const { body: found } = await ask('GET', `${identity}/roles?name=admin`)
    const [role] = found['roles'] as Values[]
    for (const service of ['glance', 'placement'] as const) {
      const user = await made('user', { name: service, domain_id, password: ownPassword(service, 'account') })
      const { status } = await ask(
        'PUT',
        `${identity}/projects/${project}/users/${user}/roles/${String(role?.['id'])}`,
      )
      t.equal(status, 204, `${service} has its account`)
    }

    const images = 'http://127.0.0.1:9292/v2/images'
    const { status, body } = await ask('POST', images, {
      name: 'one',
      disk_format: 'raw',
      container_format: 'bare',
    })
    t.equal(status, 201, 'Glance takes the token')
    const stored = await ask(
      'PUT',
      `${images}/${String(body['id'])}/file`,
      'bytes of a disk',
      'application/octet-stream',
    )
    t.equal(stored.status, 204)
    t.match(
      (await ask('GET', images)).body,
      { images: [{ name: 'one', status: 'active' }] },
      'and stores an image',
    )
    t.match(await ask('GET', 'http://127.0.0.1:8778/resource_providers'), {
      status: 200,
      body: { resource_providers: [] },
    })
    const refused = await keystone.run([
      'curl',
      '--silent',
      '--output',
      '/dev/null',
      '--write-out',
      '%{http_code}',
      images,
    ])
    t.equal(refused, '401', 'and refuses who has none')
  },
)
