import t from 'tap'
import { fileNamed, profileNamed } from '#server/inventory/file-names.ts'

t.test('an id is a path below its folder, however it is written', async t => {
  for (const id of [
    'node',
    './node',
    '/node',
    '//node',
    'racks/../node',
    '../ignition/node',
    '../../ignition/./node',
    'node/',
  ])
    t.equal(fileNamed('ignition', id), 'ignition/node', id)
  t.equal(fileNamed('cloud', './.hidden~'), 'cloud/.hidden~')
  t.equal(profileNamed('./racks//compute'), 'racks/compute')
  t.equal(profileNamed('../profiles/compute'), 'compute')
})

t.test('an id that leads out of its folder names no file', async t => {
  for (const id of ['../profiles/x.json', '..', '.', '', '../ignitions/x'])
    t.equal(fileNamed('ignition', id), `ignition/${id}`, id)
})
