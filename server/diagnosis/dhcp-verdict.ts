// What a look for DHCP servers means for a network: pure, over what was seen.

import type { Diagnosis } from '#model/diagnosis.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import type { DhcpLook } from '../protocols/dhcp/other-servers-probe.ts'
import { answerText, othersIn } from '../protocols/dhcp/other-servers-watch.ts'
import type { DhcpAnswer } from '../protocols/dhcp/other-servers.ts'

/** What the verdict needs beside the look. */
export type DhcpFacts = {
  /** Our address. */
  readonly address: string
  /** What the network's site lets our DHCP do; undefined where no site is known. */
  readonly mode: ProvisioningNetwork['dhcp'] | undefined
  /** Whether our DHCP answers in that network now: the site is put, and this server has an address there. */
  readonly serves: boolean
}

const CHECK = 'other dhcp'

/** Whether the servers that answered are those that should. */
export function dhcpVerdicts(look: DhcpLook, facts: DhcpFacts): Diagnosis[] {
  if (!look.looked) return [{ check: CHECK, verdict: 'unseen', text: look.why, fix: look.remedy }]
  const { address, mode, serves } = facts
  const others = othersIn(look.answers, address)
  const ours = look.answers.filter(({ server }) => server === address)
  return [
    verdictOnOthers(others, look.seconds, facts),
    ...(serves ? [verdictOnOurs(ours, mode, address)] : []),
  ]
}

function verdictOnOthers(
  others: readonly DhcpAnswer[],
  seconds: number,
  { address, mode }: DhcpFacts,
): Diagnosis {
  const [first] = others
  const said = others.map(answerText).join('; ')
  const within = `within ${seconds} s of a DISCOVER`
  if (first === undefined) {
    const none = `no other DHCP server answers ${within}`
    if (mode === 'proxy' || mode === 'off')
      return {
        check: CHECK,
        verdict: 'warning',
        text: `${none}, and the site file has  dhcp: ${mode}: machines get no address, unless theirs answers known machines alone`,
        fix: `tcpdump -ni any 'port 67 or port 68'`,
      }
    return { check: CHECK, verdict: 'ok', text: none }
  }
  const giving = others.find(({ address: given }) => given !== undefined)
  if (mode === undefined)
    return {
      check: CHECK,
      verdict: 'warning',
      text: `${said}; a site of this network needs  dhcp: proxy  or  dhcp: off, or that server off`,
      fix: identify(first),
    }
  if (mode === 'full')
    return {
      check: CHECK,
      verdict: 'failed',
      text: `${said}: with  dhcp: full  a machine that takes its offer does not boot from here. Switch it off, or write  dhcp: proxy`,
      fix: identify(first),
      blocks: true,
    }
  const withFile = others.find(({ bootFile, nextServer }) => bootFile !== undefined && nextServer !== address)
  if (mode === 'proxy') {
    if (giving === undefined)
      return {
        check: CHECK,
        verdict: 'warning',
        text: `${said}; none of them gives an address`,
        fix: identify(first),
      }
    if (withFile !== undefined)
      return {
        check: CHECK,
        verdict: 'warning',
        text: `${answerText(withFile)}: it names a boot file as well, and firmware may take that one`,
        fix: identify(withFile),
      }
    return { check: CHECK, verdict: 'ok', text: said }
  }
  const names = others.some(({ bootFile, nextServer }) => bootFile !== undefined && nextServer === address)
  if (names) return { check: CHECK, verdict: 'ok', text: said }
  return {
    check: CHECK,
    verdict: 'failed',
    text: `${said}: with  dhcp: off  it must name ${address} as the boot server, and it does not (docs/how-to/existing-dhcp-server.md)`,
    fix: identify(withFile ?? first),
    blocks: true,
  }
}

function verdictOnOurs(ours: readonly DhcpAnswer[], mode: DhcpFacts['mode'], address: string): Diagnosis {
  const check = 'dhcp answer'
  const [answer] = ours
  if (answer === undefined)
    return {
      check,
      verdict: 'failed',
      text: `this server's own DHCP did not answer a DISCOVER on its wire: a firewall of this host drops it, or no address of the pool is free`,
      fix: `nft list ruleset; pilotlight get leases`,
      blocks: mode === 'full',
    }
  const given = answer.address === undefined ? 'no address' : answer.address
  return {
    check,
    verdict: 'ok',
    text: `${address} offers ${given}${answer.bootFile === undefined ? '' : `, boot file ${answer.bootFile}`} to a machine that it does not know`,
  }
}

/** Who a server is: its hardware address, from which its vendor and its switch port follow. */
function identify({ server }: DhcpAnswer): string {
  return `ping -c 1 ${server}; ip neighbour show ${server}`
}
