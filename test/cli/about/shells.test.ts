// Completion in the shells themselves, on the first TAB of a new one: words, ids of a server, and files where there are none.

import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { absent } from '../../absent.ts'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../pilotlight.ts'

const PROGRAM = join(import.meta.dirname, '../../../bin/pilotlight')
const MAC = '52:54:00:3c:00:07'

t.test('zsh completes on its first TAB by a file of fpath', { skip: absent('zsh') }, async t => {
  const { folder, run } = await shellWorld(t)
  writeFileSync(join(folder, '_pilotlight'), (await pilotlight(['completion', 'zsh'])).out)
  // A widget writes the line as it is after TAB.
  const settings = `PS1=
fpath=(${folder} $fpath)
autoload -Uz compinit
compinit -u -D
show() { print -r -- "LINE=[$BUFFER]" }
zle -N show
bindkey '^T' show
print READY
`
  writeFileSync(join(folder, 'settings.zsh'), settings)
  const press = async (typed: string) => {
    const drive = `zmodload zsh/zpty
zpty z "cd ${folder}; zsh -f -i"
zpty -w z "source ${folder}/settings.zsh"
zpty -r -m z first '*READY*'
zpty -n -w z $'${typed}\\t\\x14'
zpty -r -m z line '*LINE=*\\]*'
print -r -- "$line"
zpty -d z
`
    writeFileSync(join(folder, 'drive.zsh'), drive)
    return /LINE=\[(.*?)\]/.exec(await run('zsh', ['-f', join(folder, 'drive.zsh')]))?.[1]
  }
  t.equal(await press('pilotlight journ'), 'pilotlight journal ')
  t.equal(await press('pilotlight describe shell-'), 'pilotlight describe shell-one ')
  t.equal(await press('pilotlight explain --mac 52:54:00:3c'), `pilotlight explain --mac ${MAC} `)
  t.equal(
    await press('pilotlight plan rack-f'),
    'pilotlight plan rack-file.yaml ',
    'a file, where nothing else is due',
  )
})

t.test('fish offers ids alone where ids are due, and files elsewhere', { skip: absent('fish') }, async t => {
  const { folder, run } = await shellWorld(t)
  const script = join(folder, 'pilotlight.fish')
  writeFileSync(script, (await pilotlight(['completion', 'fish'])).out)
  const offered = async (typed: string) =>
    (await run('fish', ['--no-config', '-c', `source ${script}; cd ${folder}; complete -C '${typed}'`]))
      .split('\n')
      .filter(line => line !== '')
  t.strictSame(await offered('pilotlight journ'), ['journal'])
  t.strictSame(await offered('pilotlight journal '), ['shell-one'], 'no file of the folder')
  t.strictSame(await offered('pilotlight explain --mac 52:'), [MAC])
  t.match(await offered('pilotlight plan rack-f'), ['rack-file.yaml'])
})

t.test('bash completes MAC addresses, which it splits at their colons', async t => {
  const { folder, run } = await shellWorld(t)
  const script = join(folder, 'pilotlight.bash')
  writeFileSync(script, (await pilotlight(['completion', 'bash'])).out)
  const offered = async (typed: string) =>
    (
      await run('bash', [
        '--norc',
        '-c',
        `source ${script}; COMP_LINE='${typed}'; COMP_POINT=\${#COMP_LINE}; _pilotlight; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ])
    ).trim()
  t.equal(await offered('pilotlight journ'), 'journal')
  t.equal(
    await offered('pilotlight explain --mac 52:54:00:3c'),
    '3c:00:07',
    'what follows the last colon typed',
  )
  t.equal(await offered('pilotlight plan rack-f'), '', 'bash offers files then')
})

/** A folder with a file, a server with one machine, and a way to run a shell that finds the program by its name. */
async function shellWorld(t: Test) {
  const folder = t.testdir({ 'rack-file.yaml': '' })
  const data = join(folder, 'data')
  mkdirSync(data)
  const server = await testServer(t, { dataPath: data, statePath: join(folder, 'state') })
  const file = join(folder, 'machine.yaml')
  writeFileSync(
    file,
    `kind: machine\nname: shell-one\nmacs: ['${MAC}']\nrole: compute\naddress: 10.20.0.77\nlabels: {}\n`,
  )
  const env = { PILOTLIGHT_SERVER: server.url, PILOTLIGHT_STATE_PATH: join(folder, 'state') }
  const { status, err } = await pilotlight(['apply', file], { env })
  t.equal(status, 0, err)
  const programs = join(folder, 'programs')
  mkdirSync(programs)
  symlinkSync(PROGRAM, join(programs, 'pilotlight'))
  const run = (shell: string, args: readonly string[]) => {
    const path = `${programs}:${process.env.PATH}`
    const home = { HOME: folder, XDG_CONFIG_HOME: folder, TERM: 'dumb' }
    return new Promise<string>(resolve => {
      const options = { env: { ...process.env, ...env, ...home, PATH: path }, timeout: 60_000 }
      const child = execFile(shell, args, options, (_, stdout, stderr) => resolve(stdout || stderr))
      child.stdin?.end()
    })
  }
  return { folder, run }
}
