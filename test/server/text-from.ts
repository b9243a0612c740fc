// Requests that come from one of this host's addresses, as other hosts' do.

import { request } from 'node:http'

/** Fetches from another address of this host. */
export function textFrom(localAddress: string, url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { localAddress, agent: false }, answer => {
      answer.setEncoding('utf8')
      let text = ''
      answer.on('data', (part: string) => (text += part)).on('end', () => resolve(text))
    })
    sent.on('error', reject).end()
  })
}
