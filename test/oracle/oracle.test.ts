// What we say of a Butane or Ignition config is what Butane and Ignition say: over made configs, the examples of their pages,
// and the samples of our other tests. The large form is run.ts.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { localFilesBelow } from '#server/formats/butane/local-files.ts'
import { beside, SAMPLES as BUTANE_SAMPLES } from '../server/formats/butane/samples.ts'
import { ODD_TEXTS, SAMPLES, textOf } from '../server/formats/ignition/configs.ts'
import { ask, differencesText } from './ask.ts'
import { difference } from './compare.ts'
import { corpus } from './corpus.ts'
import { DIVERGENCES } from './divergences.ts'
import { documentedConfigs } from './documentation.ts'
import { judge, type Question, skip } from './judge.ts'

const ROOT = join(import.meta.dirname, '../..')
/** Configs of one run in CI; they take a few seconds on two cores. */
const COUNT = 2000

/** The version of a module in the `go.mod` of a folder. */
const versionOf = (file: string, module: string) =>
  new RegExp(`${module} (v\\S+)`).exec(readFileSync(join(ROOT, file, 'go.mod'), 'utf8'))?.[1]

t.test('the judge has the modules that the images are built with', async t => {
  const judge = 'test/oracle/modules/oracle-judge'
  for (const module of ['github.com/coreos/butane', 'github.com/coreos/ignition/v2', 'gopkg.in/yaml.v3']) {
    t.type(versionOf(judge, module), 'string')
    t.equal(versionOf(judge, module), versionOf('images/go/butane', module), module)
  }
  const ignition = 'github.com/coreos/ignition/v2'
  t.equal(versionOf(judge, ignition), versionOf('images/go/ignition-validate', ignition))
})

t.test('made configs are accepted, refused and warned of alike', { skip }, async t => {
  const filesDir = t.testdir(beside)
  const { accepted, warned, unexplained } = await ask(corpus(20261130, COUNT, filesDir), filesDir)
  t.equal(differencesText(unexplained), '')
  t.ok(accepted > COUNT / 5, `${accepted} are accepted`)
  t.ok(warned > COUNT / 20, `${warned} of them with warnings`)
})

t.test('the samples of the other tests are, too', { skip }, async t => {
  const filesDir = t.testdir(beside)
  const questions: Question[] = [
    ...Object.values(BUTANE_SAMPLES).map(text => ({ butane: true, text, filesDir })),
    ...[...SAMPLES.map(textOf), ...ODD_TEXTS].map(text => ({ butane: false, text })),
  ]
  const { unexplained } = await ask(questions, filesDir)
  t.equal(differencesText(unexplained), '')
})

const documented = documentedConfigs('/nonexistent')
t.test(
  'the examples of the documentation are, too',
  { skip: skip || (documented.length === 0 && "needs Butane's sources in Go's module cache") },
  async t => {
    const { unexplained } = await ask(documentedConfigs(t.testdir(beside)), t.testdirName)
    t.equal(differencesText(unexplained), '')
    t.ok(documented.length > 40, `${documented.length} examples`)
  },
)

t.test('each divergence still holds', { skip }, async t => {
  const files = localFilesBelow(t.testdir(beside))
  const verdicts = await judge(DIVERGENCES.map(({ example }) => example))
  for (const [index, { id, example, explains }] of DIVERGENCES.entries()) {
    const said = difference(example, verdicts[index]!, files)?.said ?? []
    t.ok(
      said.some(line => explains(line, example, said)),
      `${id}: remove the row if this no longer differs`,
    )
  }
})
