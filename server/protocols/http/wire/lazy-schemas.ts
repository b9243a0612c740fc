// Compiles the schema of a route when a request first needs it. The compilers are most of what a server would load and do
// before it listens, and machines that boot use no route with a schema.

import { createRequire } from 'node:module'
import { lazily } from '#host/lazy.ts'

/** Checks a part of a request, in place; what is wrong with it is in `errors` until the next one. */
export type Validate = ((value: unknown) => unknown) & { errors?: unknown }

/** Writes the body of an answer. */
export type Serialize = (value: unknown) => string

/** What makes one of them of a route's schema. */
export type Compile<Made> = (route: { readonly schema: unknown }) => Made

/** Gives the compiler of an app: the schemas that others refer to, and the options of its compiler. */
export type BuildCompiler<Made> = (schemas: unknown, options: unknown) => Compile<Made>

/** Fastify's `compilersFactory`: its own compilers, which are loaded with the first schema that is used. */
export const lazyCompilers = {
  buildValidator: lazyValidators(() => ofFastify('@fastify/ajv-compiler')),
  buildSerializer: lazySerializers(() => ofFastify('@fastify/fast-json-stringify-compiler')),
}

/** A builder whose validators compile their schema when they first see a value. @throws when that schema is wrong */
export function lazyValidators(load: () => BuildCompiler<Validate>): BuildCompiler<Validate> {
  return (schemas, options) => {
    const compiler = lazily(() => load()(schemas, options))
    return route => {
      const compiled = lazily(() => compiler()(route))
      const validate: Validate = value => {
        const isGood = compiled()(value)
        validate.errors = compiled().errors
        return isGood
      }
      return validate
    }
  }
}

/** A builder whose serializers compile their schema when they first see a value. @throws when that schema is wrong */
export function lazySerializers(load: () => BuildCompiler<Serialize>): BuildCompiler<Serialize> {
  return (schemas, options) => {
    const compiler = lazily(() => load()(schemas, options))
    return route => {
      const compiled = lazily(() => compiler()(route))
      return value => compiled()(value)
    }
  }
}

/** A compiler's package as Fastify itself finds it: its dependency, not ours. */
function ofFastify<Made>(name: string): BuildCompiler<Made> {
  const fastify = createRequire(createRequire(import.meta.url).resolve('fastify'))
  return (fastify(name) as () => BuildCompiler<Made>)() // both packages export what makes a builder
}
