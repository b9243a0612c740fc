// flannel: the pod network, VXLAN between the machines and a bridge on each.

import { imageReferences } from '#images/references.ts'
import type { Site } from '../../site/site.ts'
import {
  accountWithRights,
  apiEnvironment,
  fromField,
  hostPath,
  labelsOf,
  mount,
  nodeDaemon,
} from './object.ts'
import type { Manifest } from '../../kubernetes/objects.ts'

const name = 'flannel'

/** flannel with its VXLAN back end on UDP 8472, and the CNI plugins and configuration that it puts on each node. */
export function flannel(site: Site): Manifest[] {
  const metadata = { name, namespace: 'kube-system', labels: labelsOf(name) }
  return [
    ...accountWithRights(name, [
      { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
      { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
    ]),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata,
      data: { 'net-conf.json': network(site), 'start.sh': start },
    },
    nodeDaemon(
      name,
      [
        {
          name,
          image: imageReferences(site.cluster.kubernetes).flannel,
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '/etc/kube-flannel/start.sh'],
          env: [
            ...apiEnvironment(site),
            fromField('NODE_NAME', 'spec.nodeName'),
            fromField('HOST_IP', 'status.hostIP'),
            fromField('POD_NAME', 'metadata.name'),
            fromField('POD_NAMESPACE', 'metadata.namespace'),
          ],
          resources: { requests: { cpu: '50m' } },
          securityContext: { privileged: true },
          volumeMounts: [
            mount('config', '/etc/kube-flannel'),
            mount('run', '/run/flannel', false),
            mount('lock', '/run/xtables.lock', false),
            mount('plugins', '/host/cni/bin', false),
            mount('networks', '/host/cni/net.d', false),
          ],
        },
      ],
      [
        { name: 'config', configMap: { name } },
        hostPath('run', '/run/flannel', 'DirectoryOrCreate'),
        hostPath('lock', '/run/xtables.lock', 'FileOrCreate'),
        hostPath('plugins', '/opt/cni/bin', 'DirectoryOrCreate'),
        hostPath('networks', '/etc/cni/net.d', 'DirectoryOrCreate'),
      ],
    ),
  ]
}

function network(site: Site): string {
  return JSON.stringify({
    Network: site.cluster.podCidr,
    EnableNFTables: false,
    Backend: { Type: 'vxlan', Port: 8472 },
  })
}

// The CNI configuration appears only once flannel has its subnet: that is what makes a node Ready. A plugin that
// the machine has already is left alone, for it may be running right now.
const start = `set -eu
for plugin in /opt/cni/*; do
  at=/host/cni/bin/$(basename "$plugin")
  if [ -f "$plugin" ] && [ ! -e "$at" ]; then cp "$plugin" "$at.new" && mv "$at.new" "$at"; fi
done
rm -f /run/flannel/subnet.env
(
  until [ -s /run/flannel/subnet.env ]; do sleep 0.1; done
  . /run/flannel/subnet.env
  subnet=$(echo "$FLANNEL_SUBNET" | sed 's#\\.1/#.0/#')
  cat > /host/cni/net.d/.flannel.new <<END
{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "bridge", "bridge": "cni0", "mtu": $FLANNEL_MTU,
      "isGateway": true, "isDefaultGateway": true, "hairpinMode": true, "ipMasq": false,
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "$subnet" }]] }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
END
  mv /host/cni/net.d/.flannel.new /host/cni/net.d/10-flannel.conflist
) &
exec flanneld --ip-masq --kube-subnet-mgr --iface="$HOST_IP"
`
