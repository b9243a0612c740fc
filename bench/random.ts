// Numbers that look random and come again with their seed.

/** Gives a number from 0 up to 1 at each call. */
export type Random = () => number

/** sfc32 of PractRand: 128 bits of state, passes its tests. */
export function sfc32(seed: number): Random {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, seed | 0, 1]
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
  for (let turn = 0; turn < 12; turn += 1) next()
  return next
}
