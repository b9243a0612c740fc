// What decides the answers to machines that boot: the inventory as it is now, and what makes texts of its templates.

import { localFilesBelow } from '../formats/butane/local-files.ts'
import type { Catalog } from '../inventory/catalog.ts'
import { templateFiles } from '../inventory/template-files.ts'
import type { Sources } from './render/answers.ts'
import type { Endpoints } from './render/context.ts'
import { GoTemplates } from './render/go-templates.ts'
import { Templates } from './render/templates.ts'

/** What it needs of the service. */
export type SourceNeeds = {
  /** Always as of now. */
  readonly catalog: Catalog
  readonly dataPath: string
  /** Butane configs read no file of it. */
  readonly statePath: string
  /** Where machines reach the server, which is known once its ports are. */
  readonly endpoints: () => Endpoints
}

/** Returns what each request is answered from. */
export function bootSources({ catalog, dataPath, statePath, endpoints }: SourceNeeds): () => Sources {
  const templates = new Templates(templateFiles(catalog))
  const goTemplates = new GoTemplates(templateFiles(catalog))
  const localFiles = localFilesBelow(dataPath, statePath)
  return () => ({ catalog, templates, goTemplates, localFiles, endpoints: endpoints() })
}
