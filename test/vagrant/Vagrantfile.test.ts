// Reads the Vagrantfile with Vagrant itself, and once more with a Ruby that only writes down what it declares.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { readSiteFile } from '#rack/site/read.ts'

const inPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some(folder => existsSync(`${folder}/${program}`))
const execute = promisify(execFile)

/** Replaces Vagrant: every call is accepted, `define` and `network` are printed. */
const RECORDER = `
  class Anything
    def method_missing(name, *args, **options)
      puts [name, args.first, options[:mac], options[:ip], options[:libvirt__dhcp_enabled]].join(" ") \\
        if [:define, :network].include?(name)
      yield self if block_given?
      self
    end
    def respond_to_missing?(*) = true
  end
  module Vagrant
    def self.configure(_version) = yield(Anything.new)
  end
  load "vagrant/Vagrantfile"
`

t.test(
  'Vagrant takes the file',
  { skip: inPath('vagrant') ? false : 'no vagrant here: apt-get install vagrant vagrant-libvirt' },
  async t => {
    const home = t.testdir()
    const env = { ...process.env, VAGRANT_HOME: `${home}/home`, VAGRANT_DOTFILE_PATH: `${home}/dot` }
    const { stdout } = await execute('vagrant', ['validate'], { cwd: 'vagrant', env, timeout: 60_000 })
    t.match(stdout, /validated successfully/)
  },
)

t.test(
  'its machines are those of the site file, by name and MAC, on a network without another DHCP server',
  { skip: inPath('ruby') ? false : 'no ruby here: it comes with the package vagrant' },
  async t => {
    const site = await readSiteFile('lab/racks/small/site.yaml')
    const { stdout } = await execute('ruby', ['-e', RECORDER], { timeout: 20_000 })
    t.same(
      stdout.trimEnd().split('\n'),
      site.machines.flatMap(({ name, macs: [mac], address }) => [
        `define ${name}   `,
        `network private_network ${mac} ${address} false`,
      ]),
    )
  },
)
