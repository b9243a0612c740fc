// What an object must be before it is kept, whatever its source: REST, gRPC or a site. Everything wrong is reported at once,
// each with a JSON pointer into the object.

import { isRecord } from '#model/record.ts'
import { readObject } from '#model/check.ts'
import type { Fault } from '#model/fault.ts'
import { SCHEMAS, type Kind, type KindedObject, type Objects } from '#model/kinds.ts'
import { machineFaults } from '#model/machine.ts'
import { TEMPLATE_FOLDERS } from '#model/template.ts'
import { templateFindings } from './template-check.ts'

/** An object that was checked: whole where nothing is wrong with it. */
export type Checked = {
  readonly faults: readonly Fault[]
  readonly warnings: readonly Fault[]
  readonly good?: KindedObject
}

/**
 * Checks a value as an object of `kind`, and normalises its MAC addresses and UUIDs. A lenient check makes warnings of
 * what is wrong in the text of a template.
 */
export function checkObject(kind: Kind, value: unknown, { lenient = false } = {}): Checked {
  if (!isRecord(value))
    return { faults: [{ pointer: '', detail: `a ${kind} is a JSON object` }], warnings: [] }
  const { value: object, faults: shape } = readObject(SCHEMAS[kind], value)
  const { faults: rules, warnings } =
    kind === 'template'
      ? templateFaults(object, lenient)
      : {
          faults: kind === 'machine' && shape.length === 0 ? machineFaults(object as Objects['machine']) : [],
          warnings: [],
        }
  const faults = [...shape, ...rules]
  // What is read without faults is what the schema of its kind describes.
  return faults.length > 0
    ? { faults, warnings }
    : { faults, warnings, good: { kind, object } as KindedObject }
}

function templateFaults(
  { id = '', content = '' }: Partial<Objects['template']>,
  lenient: boolean,
): { readonly faults: readonly Fault[]; readonly warnings: readonly Fault[] } {
  const faults: Fault[] = []
  const warnings: Fault[] = []
  const [folder = '', name] = id.split('/')
  if (!TEMPLATE_FOLDERS.includes(folder) || name === undefined) {
    const detail = `"${id}" is not a template: it is folder/name, with a folder of ${TEMPLATE_FOLDERS.join(' ')}`
    faults.push({ pointer: '/id', detail })
  }
  for (const { severity, message, line, column } of templateFindings({ id, content })) {
    const fault = { pointer: '/content', detail: `${id}:${line}:${column}: ${message}`, line, column }
    if (severity === 'error' && !lenient) faults.push(fault)
    else warnings.push(fault)
  }
  return { faults, warnings }
}
