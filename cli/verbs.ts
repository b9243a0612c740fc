// All verbs of the command line, in the order of its help. A verb's own file is loaded only when that verb runs, is asked for
// help, or is completed.

import type { Command } from 'commander'

/** A verb, without what its own file says of it. */
export type Verb = {
  readonly name: string
  readonly summary: string
  /** Gives what adds the arguments, flags, subcommands and action to the verb's command. */
  readonly load: () => Promise<(command: Command) => void>
}

/** All of them. */
export const VERBS: readonly Verb[] = [
  {
    name: 'serve',
    summary: 'runs the server: DHCP, TFTP, HTTP',
    load: async () => (await import('./server/serve.ts')).defineServe,
  },
  {
    name: 'init',
    summary: 'writes a site file: a few questions, or flags',
    load: async () => (await import('./site/init.ts')).defineInit,
  },
  {
    name: 'plan',
    summary: 'says what `up` would do, touching nothing',
    load: async () => (await import('./site/plan.ts')).definePlan,
  },
  {
    name: 'doctor',
    summary: 'says what keeps machines from booting, before the first one is switched on',
    load: async () => (await import('./site/doctor.ts')).defineDoctor,
  },
  {
    name: 'up',
    summary: 'makes a site true: boot, Kubernetes, OpenStack',
    load: async () => (await import('./site/up.ts')).defineUp,
  },
  {
    name: 'kubeconfig',
    summary: "makes an administrator of a site's cluster, for eight hours",
    load: async () => (await import('./site/kubeconfig.ts')).defineKubeconfig,
  },
  {
    name: 'get',
    summary: 'lists machines, groups, profiles, templates, alarms, leases, and more',
    load: async () => (await import('./inventory/get.ts')).defineGet,
  },
  {
    name: 'describe',
    summary: 'shows all of one object: its fields, what it is tied to, who wrote it',
    load: async () => (await import('./inventory/describe.ts')).defineDescribe,
  },
  {
    name: 'apply',
    summary: 'puts the objects of files, all or none; says what was created, changed, or unchanged',
    load: async () => (await import('./inventory/apply.ts')).defineApply,
  },
  {
    name: 'diff',
    summary: 'shows what `apply` of the same files would change, line by line',
    load: async () => (await import('./inventory/apply.ts')).defineDiff,
  },
  {
    name: 'delete',
    summary: 'removes objects, all or none',
    load: async () => (await import('./inventory/apply.ts')).defineDelete,
  },
  {
    name: 'edit',
    summary: 'opens an object in $VISUAL or $EDITOR and puts it back',
    load: async () => (await import('./inventory/edit.ts')).defineEdit,
  },
  {
    name: 'history',
    summary: 'lists who wrote an object, when and what; leads back to an earlier revision',
    load: async () => (await import('./inventory/history.ts')).defineHistory,
  },
  {
    name: 'import',
    summary: "puts a data directory in Matchbox's layout into the server's store",
    load: async () => (await import('./inventory/import.ts')).defineImport,
  },
  {
    name: 'export',
    summary: "writes what the server serves as a data directory in Matchbox's layout",
    load: async () => (await import('./inventory/import.ts')).defineExport,
  },
  {
    name: 'journal',
    summary: 'shows the last boot of a machine, packet by packet',
    load: async () => (await import('./inventory/journal.ts')).defineJournal,
  },
  {
    name: 'console',
    summary: 'shows what a machine said on its console, from its initrd on',
    load: async () => (await import('./server/console.ts')).defineConsole,
  },
  {
    name: 'charts',
    summary: "OpenStack's releases: plan, apply, look at, change back, remove",
    load: async () => (await import('./charts/charts.ts')).defineCharts,
  },
  {
    name: 'verify',
    summary: 'proves that the cloud works: boots a guest in it, and removes everything again',
    load: async () => (await import('./charts/verify.ts')).defineVerify,
  },
  {
    name: 'openstack',
    summary: 'how to reach the cloud',
    load: async () => (await import('./charts/openstack.ts')).defineOpenstack,
  },
  {
    name: 'lab',
    summary: 'a virtual rack on this machine',
    load: async () => (await import('./lab/lab.ts')).defineLab,
  },
  {
    name: 'images',
    summary: 'builds the live system and the container images',
    load: async () => (await import('./images/images.ts')).defineImages,
  },
  {
    name: 'sbom',
    summary: 'writes a bill of materials (CycloneDX 1.5, JSON): packages of npm, Debian packages, Go modules',
    load: async () => (await import('./about/sbom.ts')).defineSbom,
  },
  {
    name: 'assets',
    summary: 'kernels and images for machines: add, get, list, verify, gc, remove',
    load: async () => (await import('./assets/assets.ts')).defineAssets,
  },
  {
    name: 'explain',
    summary: 'says which group takes a machine and why, and what it would be served',
    load: async () => (await import('./inventory/explain.ts')).defineExplain,
  },
  {
    name: 'lint',
    summary: 'says what is wrong with a data directory, with file, line and remedy',
    load: async () => (await import('./inventory/lint.ts')).defineLint,
  },
  {
    name: 'tokens',
    summary: 'access tokens: create, list, revoke',
    load: async () => (await import('./server/tokens.ts')).defineTokens,
  },
  {
    name: 'backup',
    summary: "writes all of a server's state into one encrypted file, while the server runs",
    load: async () => (await import('./server/backup.ts')).defineBackup,
  },
  {
    name: 'restore',
    summary: 'brings a backup into a state directory that is empty, for a server that does not run',
    load: async () => (await import('./server/backup.ts')).defineRestore,
  },
  {
    name: 'machines',
    summary: 'keys of machines: pending, approve, reject; and boots: reopen',
    load: async () => (await import('./server/machines.ts')).defineMachines,
  },
  {
    name: 'reinstall',
    summary: 'has the next network boot of machines install them anew, whatever their disks hold',
    load: async () => (await import('./server/orders.ts')).defineReinstall,
  },
  {
    name: 'wipe',
    summary: 'has the next network boot of machines erase their disks and switch them off',
    load: async () => (await import('./server/orders.ts')).defineWipe,
  },
  {
    name: 'upgrade',
    summary: "os: brings machines to the image of the server's assets, one after another",
    load: async () => (await import('./server/upgrade.ts')).defineUpgrade,
  },
  {
    name: 'disk',
    summary: 'keys of encrypted disks: unlock, recovery-key',
    load: async () => (await import('./server/disk.ts')).defineDisk,
  },
  {
    name: 'alarms',
    summary: 'what an operator says of alarms: ack, clear; `get alarms` lists them',
    load: async () => (await import('./server/alarms.ts')).defineAlarms,
  },
  {
    name: 'version',
    summary: 'shows which Pilotlight this is',
    load: async () => (await import('./about/version.ts')).defineVersion,
  },
  {
    name: 'completion',
    summary: 'prints a completion script:  source <(pilotlight completion bash)',
    load: async () => (await import('./about/completion.ts')).defineCompletion,
  },
]

/** Adds a verb to a program. */
export async function addVerb(program: Command, { name, summary, load }: Verb): Promise<void> {
  const define = await load()
  define(program.command(name).description(summary))
}
