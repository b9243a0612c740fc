// What is read of the Go modules' own files.

import t from 'tap'

import { withoutBackends } from '#images/go-tools.ts'
import { kubernetesRecipe, stagingModules, versionsOf } from '#images/kubernetes.ts'

t.test('the staging modules are those that a go.mod replaces by a staging folder', async t => {
  const goMod = [
    'module k8s.io/kubernetes',
    'require (\n\tk8s.io/api v0.0.0\n\tk8s.io/klog/v2 v2.130.1\n)',
    'replace (',
    '\tk8s.io/client-go => ./staging/src/k8s.io/client-go',
    '\tk8s.io/api => ./staging/src/k8s.io/api',
    '\texample.com/fork => ../fork',
    ')',
    'replace k8s.io/kubelet v0.0.0 => ./staging/src/k8s.io/kubelet',
  ].join('\n')
  t.same(stagingModules(goMod), ['k8s.io/api', 'k8s.io/client-go', 'k8s.io/kubelet'])
  t.same(stagingModules('module k8s.io/kubernetes\n'), [])
})

t.test('a version gives the version of its staging modules; any other text is refused', async t => {
  t.same(versionsOf('1.36.3'), { major: '1', minor: '36', staging: 'v0.36.3' })
  for (const wrong of ['v1.36.3', '1.36', 'latest', '']) {
    t.throws(() => versionsOf(wrong), { code: 'MALFORMED_KUBERNETES_VERSION' })
  }
  t.throws(() => kubernetesRecipe('1.x.0'), { code: 'MALFORMED_KUBERNETES_VERSION' })
})

t.test('only the kept backends of flannel are imported', async t => {
  const source = `import (\n\t"fmt"\n${line('alivpc')}${line('hostgw')}${line('vxlan')})\n`
  t.equal(
    withoutBackends(source, ['hostgw', 'vxlan']),
    `import (\n\t"fmt"\n${line('hostgw')}${line('vxlan')})\n`,
  )
})

function line(backend: string): string {
  return `\t_ "github.com/flannel-io/flannel/pkg/backend/${backend}"\n`
}
