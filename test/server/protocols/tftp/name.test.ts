import fc from 'fast-check'
import t from 'tap'
import { cleanName } from '#server/protocols/tftp/name.ts'

t.test('a name is cleaned the way firmware needs it', async t => {
  const rows: [string, string | undefined][] = [
    ['undionly.kpxe', 'undionly.kpxe'],
    ['/undionly.kpxe', 'undionly.kpxe'],
    ['//boot//snponly.efi', 'boot/snponly.efi'],
    ['./snponly.efi', 'snponly.efi'],
    ['\\boot\\snponly.efi', 'boot/snponly.efi'],
    ['undionly.kpxe\u00ff', 'undionly.kpxe'],
    ['undionly.kpxe\u00ff\u00ff', 'undionly.kpxe'],
    ['..', undefined],
    ['../etc/shadow', undefined],
    ['a/../../etc/shadow', undefined],
    ['a\\..\\..\\etc', undefined],
    ['/', undefined],
    ['', undefined],
    ['a\nb', undefined],
    ['a'.repeat(256), undefined],
    ['snponly.efi..', 'snponly.efi..'],
  ]
  for (const [asked, wanted] of rows) t.equal(cleanName(asked), wanted, JSON.stringify(asked.slice(0, 40)))
})

t.test('no name leads out of the folder', async () => {
  const part = fc.constantFrom('..', '.', '/', '\\', 'a', '\u00ff', '//')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), parts => {
      const name = cleanName(parts.join(''))
      return name === undefined || (!name.startsWith('/') && !name.split('/').includes('..'))
    }),
  )
})
