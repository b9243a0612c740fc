// What a profile makes machines fetch below `/assets/`: kernels, initrds, images.

import type { Profile } from './profile.ts'

/** The path below `/assets/` that a kernel, an initrd or an argument names; none when only a template knows it. */
export function assetOf(text: string): string | undefined {
  const [, path] =
    /(?:^|[\s=]|\{\{ *server\.url *\}\}|https?:\/\/[^/\s]+)\/assets\/([^\s?#]+)/.exec(text) ?? []
  return path === undefined || /\{\{|\{%|\$\{|%/.test(path) ? undefined : path
}

/** The assets that a profile names, each with its place in the profile. */
export function assetsNamed(profile: Profile): { path: ['boot', string, ...number[]]; asset: string }[] {
  return textsOf(profile).flatMap(([path, text]) => {
    const asset = assetOf(text)
    return asset === undefined ? [] : [{ path, asset }]
  })
}

/** Kernel, initrds and arguments of a profile, each with its place in it. */
export function textsOf({ boot = {} }: Profile): [path: ['boot', string, ...number[]], text: string][] {
  const { kernel, initrd = [], args = [] } = boot
  return [
    ...(kernel === undefined ? [] : [[['boot', 'kernel'], kernel] satisfies [['boot', string], string]]),
    ...initrd.map((text, at): [['boot', string, number], string] => [['boot', 'initrd', at], text]),
    ...args.map((text, at): [['boot', string, number], string] => [['boot', 'args', at], text]),
  ]
}
