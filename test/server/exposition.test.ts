// The figures of /metrics in Prometheus' text format.

import { Registry, Counter, Gauge, Histogram } from 'prom-client'
import t from 'tap'
import { Distribution, EXPOSITION_TYPE, Figures } from '#server/exposition.ts'

t.test('figures are written as prom-client writes them', async t => {
  const registers = [new Registry()]
  const [registry] = registers
  const labelNames = ['route', 'status']
  const help = 'What "it" is, with a \\ in it'
  const counter = new Counter({ name: 'a_total', help, labelNames, registers })
  const gauge = new Gauge({ name: 'b', help, registers })
  const bounds = [0.0005, 1, 60]
  const histogram = new Histogram({
    name: 'c_seconds',
    help,
    labelNames: ['route'],
    buckets: bounds,
    registers,
  })
  const bare = new Histogram({ name: 'd_seconds', help, buckets: bounds, registers })
  const own = {
    counter: new Figures('counter', { name: 'a_total', help, labels: ['route', 'status'] }),
    gauge: new Figures('gauge', { name: 'b', help, labels: [] }),
    histogram: new Distribution(bounds, { name: 'c_seconds', help, labels: ['route'] }),
    bare: new Distribution(bounds, { name: 'd_seconds', help, labels: [] }),
  }
  const texts = () =>
    `${Object.values(own)
      .map(family => family.text())
      .join('\n\n')}\n`
  t.equal(texts(), await registry?.metrics(), 'while there are none')
  for (const route of ['/ipxe', 'a "b" \\ \n c', '']) {
    counter.inc({ route, status: 200 })
    own.counter.inc({ route, status: 200 })
    counter.inc({ route, status: 404 }, 3)
    own.counter.inc({ route, status: 404 }, 3)
    for (const seconds of [0.0005, 0.2, 1.5, 1000]) {
      histogram.observe({ route }, seconds)
      own.histogram.observe({ route }, seconds)
    }
  }
  for (const seconds of [0, 61]) {
    bare.observe(seconds)
    own.bare.observe({}, seconds)
  }
  for (const value of [1e21, -0.5, Infinity, -Infinity, 7]) {
    gauge.set(value)
    own.gauge.set({}, value)
    t.equal(texts(), await registry?.metrics(), `with ${value}`)
  }
  own.gauge.set({}, Number.NaN)
  t.match(own.gauge.text(), /\nb NaN$/, 'which prom-client writes as Nan')
  t.equal(EXPOSITION_TYPE, registry?.contentType)
})

t.test('figures that were reset are gone; one without labels is 0', t => {
  const labelled = new Figures('gauge', { name: 'a', help: 'A', labels: ['phase'] })
  labelled.set({ phase: 'new' }, 4)
  labelled.reset()
  t.equal(labelled.text(), '# HELP a A\n# TYPE a gauge')
  const single = new Figures('gauge', { name: 'b', help: 'B', labels: [] })
  single.set({}, 4)
  single.reset()
  t.equal(single.text(), '# HELP b B\n# TYPE b gauge\nb 0')
  t.end()
})
