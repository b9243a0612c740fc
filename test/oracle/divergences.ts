// Where we say something else than Butane and Ignition on purpose, each with its reason and a config that shows it.

import type { Question } from './judge.ts'

/** One kind of difference. */
export type Divergence = {
  readonly id: string
  readonly reason: string
  /** Says whether a line of a difference is of this kind; `all` has every line of it. */
  readonly explains: (line: string, question: Question, all: readonly string[]) => boolean
  /** A config where it holds: when it does not any more, the row has to go. */
  readonly example: Question
}

const butane = (text: string): Question => ({ butane: true, text: `variant: fcos\nversion: 1.5.0\n${text}` })
const ignition = (text: string): Question => ({
  butane: false,
  text: `{"ignition": {"version": "3.4.0"}, ${text}}`,
})

/** The kind of a line without its place. */
const kindOf = (line: string) => line.replace(/^(?:real|ours): /, '').replace(/ \d+:\d+$/, '')
/** Says whether both report the same, at other places. */
const isElsewhere = (line: string, all: readonly string[]) =>
  all.some(other => other.slice(0, 4) !== line.slice(0, 4) && kindOf(other) === kindOf(line))

/** Says whether ours is one error about the whole config. */
const isRefusal = (all: readonly string[]) =>
  all.filter(line => line.startsWith('ours: ')).join() === 'ours: error unreadable'
/** That error, or what Butane says of a config that it reads. */
const isBesideRefusal = (line: string) => line === 'ours: error unreadable' || line.startsWith('real: ')

export const DIVERGENCES: readonly Divergence[] = [
  {
    id: 'repeated-keys',
    reason:
      'Ignition merges the keys of an object that are there twice and says nothing of it, nor of unknown keys in the first; it looks for the place of a fault in the last. We warn of them, and name what has the fault.',
    explains: (line, { butane }, all) =>
      !butane &&
      all.some(other => other.startsWith('ours: warning repeated-key')) &&
      (/^ours: warning (?:repeated|unknown)-key/.test(line) || isElsewhere(line, all)),
    example: ignition('"passwd": {"users": [{"name": "a"}]}, "passwd": {"users": [{"uid": 5}]}'),
  },
  {
    id: 'other-case',
    reason:
      'Ignition reads a key in another case, and places what is wrong below it at the start. We name what has the fault.',
    explains: (line, { butane }, all) =>
      !butane && all.some(other => /warning unknown-key/.test(other)) && isElsewhere(line, all),
    example: ignition('"STORAGE": {"FILES": [{"PATH": "a"}]}'),
  },
  {
    id: 'context-tree',
    reason:
      'Butane warns that it cannot report unused keys below a section that is empty or an alias. Nothing is wrong with such a config, and we report the keys.',
    explains: line => line.startsWith('real: warning context-tree'),
    example: butane('storage:\n'),
  },
  {
    id: 'merge-key',
    reason: 'Butane warns of << as an unused key, although it merges what the key names.',
    explains: (line, { butane, text }) =>
      butane && text.includes('<<') && line.startsWith('real: warning unknown-key '),
    example: butane('passwd: {users: [&a {name: a}, {<<: *a, name: b}]}'),
  },
  {
    id: 'below-an-alias',
    reason:
      'What an alias or a merge key brings in has a place where it was written, which Butane does not know: it reports no unused keys there, and places other things at the alias.',
    explains: (line, { butane, text }, all) =>
      butane &&
      /(?:\*\w|<<)/.test(text) &&
      (line.startsWith('ours: warning unknown-key ') ||
        isElsewhere(line, all) ||
        (line.startsWith('real: warning ') &&
          all.some(other => /^real: warning (?:unknown-key|context-tree)/.test(other)))),
    example: butane('owner: &o {named: core}\nstorage: {files: [{path: /b, user: *o}]}'),
  },
  {
    id: 'below-a-file',
    reason:
      'A node or unit below a file of the same config leaves the machine in the emergency shell. Ignition finds that out on the machine; we refuse it (coreos/ignition issue 1457).',
    explains: (line, _, all) =>
      all.some(other => other.startsWith('ours: error below-file')) &&
      (line.startsWith('ours: error below-file') || line === 'real: accepted'),
    example: ignition('"storage": {"files": [{"path": "/a"}, {"path": "/a/b"}]}'),
  },
  {
    id: 'all-at-once',
    reason:
      'A text that does not decode is reported by Go without its unused keys; we report both, so that all can be fixed at once.',
    explains: (line, _, all) =>
      line.startsWith('ours: warning unknown-key') && !all.some(other => other === 'real: accepted'),
    example: butane('storage: {files: {}, file: []}'),
  },
  {
    id: 'null-items',
    reason:
      'Butane leaves out what is null in a list and counts on, so that what follows has the place of the item before. Ours have their own.',
    explains: (line, { butane, text }, all) =>
      butane && /(?:- |\[|, )(?:null|~|!!null|$)/m.test(text) && isElsewhere(line, all),
    example: butane('storage: {files: [null, {path: /b, mode: 755}, {path: /c}]}'),
  },
  {
    id: 'tags-and-anchors',
    reason: 'Butane places a value at its tag or anchor, we place it at its text.',
    explains: (line, { butane, text }, all) =>
      butane && /[&!][\w!]*(?:\s|$)/m.test(text) && isElsewhere(line, all),
    example: butane('storage: {files: [{path: /b, mode: !!int 755}]}'),
  },
  {
    id: 'place-of-sugar',
    reason:
      'Where what boot_device or a tree stands for lacks a field, Butane looks for the place in the result and ends at the first line. We name the sugar.',
    explains: (line, { butane, text }, all) =>
      butane && /boot_device|trees|grub|with_mount_unit/.test(text) && isElsewhere(line, all),
    example: butane('boot_device: {luks: {tang: [{url: "http://t"}]}}'),
  },
  {
    id: 'config-inside',
    reason:
      'Butane places a fault of a config inside a config as if it were one of the outer one. We name the text that has it.',
    explains: (line, { butane, text }, all) =>
      butane && /(?:replace|merge):[\s\S]*inline:/.test(text) && isElsewhere(line, all),
    example: butane(
      `ignition: {config: {replace: {inline: '{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "x"}]}}'}}}`,
    ),
  },
  {
    id: 'unicode-line-breaks',
    reason:
      'YAML 1.1 ends a line at U+0085, U+2028 and U+2029 as well. YAML 1.2 does not, and no one means it; we read 1.2.',
    explains: (_, { butane, text }) => butane && /[\u0085\u2028\u2029]/.test(text),
    example: butane('passwd:\u2028  users: []\n'),
  },
  {
    id: 'below-an-unknown-key',
    reason:
      'Butane does not look at what is below a key that it does not know. We read the whole text, where no key is there twice and << names a map.',
    explains: (_, { butane }, all) =>
      butane &&
      all.includes('ours: error unreadable') &&
      all.some(line => line.startsWith('real: warning unknown-key')),
    example: butane('unknown: {<<: x}'),
  },
  {
    id: 'experimental',
    reason:
      'What Butane makes of an experimental version is an experimental Ignition, which no released Ignition takes and of which Matchbox serves an empty config. We refuse the version, and look at nothing else.',
    explains: (line, { butane, text }, all) =>
      butane &&
      /^version: ["']?\d+\.\d+\.\d+-experimental["']?\s*$/m.test(text) &&
      isRefusal(all) &&
      isBesideRefusal(line),
    example: { butane: true, text: 'variant: fcos\nversion: 1.8.0-experimental\n' },
  },
  {
    id: 'openshift',
    reason:
      'What comes out of variant openshift is a MachineConfig for a cluster that runs, not a config that a machine boots with. We refuse the variant, and look at nothing else.',
    explains: (line, { butane, text }, all) =>
      butane && /^variant: ["']?openshift["']?\s*$/m.test(text) && isRefusal(all) && isBesideRefusal(line),
    example: {
      butane: true,
      text: 'variant: openshift\nversion: 4.18.0\nmetadata: {name: a, labels: {machineconfiguration.openshift.io/role: worker}}\n',
    },
  },
]

/** The lines of a difference that no row explains. */
export function unexplained(question: Question, said: readonly string[]): string[] {
  return said.filter(line => !DIVERGENCES.some(({ explains }) => explains(line, question, said)))
}
