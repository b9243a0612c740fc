// Whose program listens at a port of this host, as Linux lists it: what is secret is shown to no one else's, and a port that is
// taken is named with the process that has it.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { endianness } from 'node:os'
import { basename } from 'node:path'
import { parseAddress } from '#model/address.ts'
import { cleanText } from '#model/clean.ts'
import { reasonOf } from '#model/reason.ts'

/**
 * Says whether all programs that can answer at this address and port of this host belong to root or to the user `uid`; also
 * whether there is one at all. While a server is down, any user can listen in its place on a port above 1023.
 */
export function isListenerOf(uid: number, host: string, port: number): boolean {
  const hosts = host === 'localhost' ? ['127.0.0.1', '::1'] : [host]
  const uids = hosts.flatMap(one => listenersAt(one, port, readTables('tcp')))
  return uids.length > 0 && uids.every(owner => owner === 0 || owner === uid)
}

/**
 * The users who listen at a port of an address, or of all addresses.
 *
 * @param tables texts of `/proc/net/tcp` and `/proc/net/tcp6` (proc_pid_net(5)): address and port in hex, state (0A listens)
 *   and user of each socket
 */
export function listenersAt(host: string, port: number, tables: readonly string[]): number[] {
  return socketsAt(host, port, 'tcp', tables).map(({ uid }) => uid)
}

/** A process as a person finds it again: its number, and the words that started it, cut. */
export type PortHolder = { readonly pid: number; readonly words: readonly string[] }

/** Processes that are looked through at most, and the open files of each. */
const MOST = { processes: 50_000, files: 10_000 } as const

/**
 * The processes that have a port of an address, or of all addresses; none where this user may not see whose it is.
 *
 * @param protocol `udp` has no listening state: any socket that is bound there counts
 */
export function holdersOf(protocol: 'tcp' | 'udp', host: string, port: number): PortHolder[] {
  const hosts = host === 'localhost' ? ['127.0.0.1', '::1'] : [host]
  const tables = readTables(protocol)
  const inodes = new Set(
    hosts.flatMap(one => socketsAt(one, port, protocol, tables).map(({ inode }) => inode)),
  )
  if (inodes.size === 0) return []
  return processes().flatMap(pid => {
    const links = filesOf(pid)
    return links.some(link => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''))
      ? [{ pid, words: wordsOf(pid) }]
      : []
  })
}

/** Who has a port, for an error: `process 812 (dnsmasq --no-daemon)`, or `another process`, where it may not be seen. */
function holderText(protocol: 'tcp' | 'udp', host: string, port: number): string {
  const holders = holdersOf(protocol, host, port)
  const [first] = holders.filter(({ pid }) => pid !== 1).concat(holders)
  if (first === undefined) return 'another process'
  // Of a program and its script the names say enough; options between the two are the interpreter's.
  const [program = '', ...words] = first.words
  const script = /^(node|python|ruby|perl)/.test(basename(program))
    ? words.findIndex(word => !word.startsWith('-'))
    : 0
  const named = [
    basename(program),
    ...words
      .slice(Math.max(script, 0))
      .map((word, at) => (at === 0 && word.startsWith('/') ? basename(word) : word)),
  ]
  const command = cleanText(named.join(' ').replaceAll(/\s+/g, ' ').trim(), Infinity)
  return `process ${first.pid} (${command.length > 80 ? `${command.slice(0, 79)}…` : command || 'no command line'})`
}

/**
 * Why a port of this host could not be opened, for the end of an error: who has it, or what prevents it; and what to do.
 *
 * @param without a command that does without the port, or takes another one
 */
export function whyNotOpened(
  protocol: 'tcp' | 'udp',
  address: string,
  port: number,
  error: NodeJS.ErrnoException,
  without: string,
): { readonly why: string; readonly remedy: string } {
  if (error.code === 'EADDRINUSE')
    return { why: `${holderText(protocol, address, port)} has it`, remedy: `stop that one, or:  ${without}` }
  if (error.code === 'EACCES')
    return {
      why: 'the port is privileged',
      remedy: `run it as root, or let systemd open it (deploy/pilotlight.socket), or:  ${without}`,
    }
  if (error.code === 'EADDRNOTAVAIL')
    return {
      why: 'no interface of this host has the address',
      remedy: 'give --address one that this lists:  ip -brief address',
    }
  return { why: reasonOf(error), remedy: without }
}

type Socket = { readonly uid: number; readonly inode: string }

/** Of a host that listens at all addresses, each of them is taken; of a single address, all or this one. */
function socketsAt(host: string, port: number, protocol: 'tcp' | 'udp', tables: readonly string[]): Socket[] {
  const wanted = bitsOf(host)
  return tables.flatMap(table =>
    [
      ...table.matchAll(
        /^ *\d+: ([\dA-F]+):([\dA-F]{4}) \S+ ([\dA-F]{2}) \S+ \S+ \S+ +(\d+)(?: +\d+ (\d+))?/gm,
      ),
    ].flatMap(([, address = '', at = '', state = '', uid = '', inode = '']) => {
      if (protocol === 'tcp' && state !== '0A') return []
      const bits = boundTo(address)
      const isThere = bits === 0n || wanted === 0n || bits === wanted
      return Number.parseInt(at, 16) === port && isThere ? [{ uid: Number(uid), inode }] : []
    }),
  )
}

function readTables(protocol: 'tcp' | 'udp'): string[] {
  return [`/proc/net/${protocol}`, `/proc/net/${protocol}6`].flatMap(path => {
    try {
      return [readFileSync(path, 'latin1')]
    } catch {
      return [] // a host without IPv6, or without Linux
    }
  })
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .slice(0, MOST.processes)
      .map(Number)
  } catch {
    return []
  }
}

/** What the open files of a process are; none of a process of another user. */
function filesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`)
      .slice(0, MOST.files)
      .flatMap(name => {
        try {
          return [readlinkSync(`/proc/${pid}/fd/${name}`)]
        } catch {
          return [] // closed meanwhile
        }
      })
  } catch {
    return []
  }
}

function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  } catch {
    return []
  }
}

function bitsOf(host: string): bigint | undefined {
  return parseAddress(host.replaceAll(/^\[|\]$/g, ''))?.bits
}

/** The address of a socket, whose words of 32 bits are in the order of the processor; that of an IPv4 one mapped is the IPv4 one. */
function boundTo(hex: string): bigint {
  const words = hex.match(/.{8}/g) ?? []
  const plain = words.map(word =>
    endianness() === 'LE' ? (word.match(/../g) ?? []).toReversed().join('') : word,
  )
  const bits = BigInt(`0x${plain.join('')}`)
  return bits >> 32n === 0xffffn ? bits & 0xffff_ffffn : bits
}
