// The users of the image's base and those that charts run their pods as are written down on both sides.

import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { USERS } from '#images/openstack.ts'

const charts = join(import.meta.dirname, '../../rack/charts/services')
/** Debian calls these two otherwise than their charts are called. */
const DEBIAN_NAME: Readonly<Record<string, string>> = { mariadb: 'mysql', memcached: 'memcache' }

t.test('every chart with a user runs its pods as the one that its image has', async t => {
  const users = globSync('*/chart/values.yaml', { cwd: charts }).flatMap(path => {
    const { pod } = parse(readFileSync(join(charts, path), 'utf8')) as { pod?: { user?: number } }
    const chart = basename(dirname(dirname(path)))
    return pod?.user === undefined ? [] : [[DEBIAN_NAME[chart] ?? chart, pod.user] as const]
  })
  t.strictSame(Object.fromEntries(users), { ...USERS })
})
