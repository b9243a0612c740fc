// A run of the chart stage in a separate process, for a test that kills it: arguments are the kubeconfig, the
// state directory, the tools directory and the site's openstack.values as JSON.

import { applyCharts } from '#rack/charts/verbs/apply.ts'
import { silentStage } from '#progress/stage.ts'
import { infrastructureOf } from '../infrastructure.ts'

const [kubeconfigPath = '', stateDirectory = '', toolsDirectory = '', values = '{}'] = process.argv.slice(2)
const { site, plan } = infrastructureOf(JSON.parse(values) as Record<string, unknown>)
await applyCharts({ site, plan, kubeconfigPath, stateDirectory, toolsDirectory, stage: silentStage })
