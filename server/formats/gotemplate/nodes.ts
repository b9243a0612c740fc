// The tree that a template is parsed to. Every node knows the offset of its source, for errors.

import type { Value } from './values.ts'

/** Nodes in the order in which they are run. */
export type List = readonly Node[]

/** A node of a parsed template. */
export type Node =
  | { readonly kind: 'text'; readonly at: number; readonly text: string }
  | { readonly kind: 'action'; readonly at: number; readonly pipe: Pipe }
  | {
      readonly kind: 'if' | 'with' | 'range'
      readonly at: number
      readonly pipe: Pipe
      readonly list: List
      readonly otherwise: List
    }
  | { readonly kind: 'break' | 'continue'; readonly at: number }
  | { readonly kind: 'template'; readonly at: number; readonly name: string; readonly pipe: Pipe | undefined }

/** `$a, $b := first | second …`: the value of each command is the last argument of the next. */
export type Pipe = {
  readonly kind: 'pipe'
  readonly at: number
  readonly variables: readonly string[]
  /** `=` rather than `:=`. */
  readonly assigns: boolean
  readonly commands: readonly Command[]
}

/** A word and its arguments. */
export type Command = { readonly at: number; readonly words: readonly [Operand, ...Operand[]] }

/** An operand: what can be one word of a command. */
export type Operand =
  | { readonly kind: 'dot'; readonly at: number }
  | { readonly kind: 'nil'; readonly at: number }
  | {
      readonly kind: 'literal'
      readonly at: number
      readonly value: Value
      readonly text: string
      /** Fits 64 bits without a sign, but not an int: an error only when it is used. */
      readonly overflows: boolean
    }
  | { readonly kind: 'field'; readonly at: number; readonly path: readonly string[] }
  | {
      readonly kind: 'variable'
      readonly at: number
      readonly name: string
      readonly path: readonly string[]
    }
  | { readonly kind: 'chain'; readonly at: number; readonly of: Operand; readonly path: readonly string[] }
  | { readonly kind: 'function'; readonly at: number; readonly name: string }
  | Pipe
