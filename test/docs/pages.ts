// What the pages presuppose before their first command, and the commands of theirs that do not run in a test.

/** A folder of Matchbox without errors. */
const MATCHBOX = `
    mkdir -p /var/lib/matchbox/{groups,profiles,ignition,assets} && touch /var/lib/matchbox/assets/{kernel,initrd}
    echo '{"ignition": {"version": "3.4.0"}}' > /var/lib/matchbox/ignition/node.ign
    echo '{"id": "node", "ignition_id": "node.ign", "boot": {"kernel": "/assets/kernel", "initrd": ["--name main /assets/initrd"], "args": ["initrd=main"]}}' > /var/lib/matchbox/profiles/node.json
    echo '{"id": "all", "profile": "node"}' > /var/lib/matchbox/groups/all.json`
/** A server on loopback, with what every data directory of a clone has. */
const SERVER = `
    pilotlight serve --state-path /var/lib/pilotlight --no-dhcp --no-tftp`
/** A group for one machine. */
const GROUP = `
    echo '{kind: group, id: web-9, profile: live, selector: {mac: "52:54:00:20:00:09"}}' | pilotlight apply -f -`
/** A site file of these machines. */
const site = (...computes: readonly string[]) => `
    pilotlight init site.yaml --name rack-1 --subnet 10.20.0.0/24 --dhcp full --controller 52:54:00:20:00:01 --compute ${computes.join(' ')}`

/** Commands before the first of a page: what its reader has. */
export const SET_UP: Readonly<Record<string, string>> = {
  'README.md': `
    ip address delete 10.20.0.1/24 dev lo && ip address add 10.20.0.2/24 dev lo
    mount -t tmpfs none /usr/local/bin && mkdir -p /srv/pilotlight/assets${MATCHBOX}`,
  'docs/access.md': `
    pilotlight serve --address 10.20.0.1 --state-path /var/lib/pilotlight --no-dhcp --no-tftp
    export PILOTLIGHT_SERVER=http://10.20.0.1:8080 PILOTLIGHT_TOKEN_FILE=/var/lib/pilotlight/admin.token
    TOKEN=$(pilotlight tokens create operator --role admin 2> /dev/null)
    echo '{kind: group, id: spare, profile: live, selector: {mac: "52:54:00:20:00:09"}}' | pilotlight apply -f -`,
  // The page leaves out the token of role admin, and a machine asks from its own address.
  'docs/api.md': `
    export PILOTLIGHT_SERVER=http://10.20.0.1:8080 PILOTLIGHT_TOKEN_FILE=/var/lib/pilotlight/admin.token
    P=$PILOTLIGHT_SERVER
    mkdir -p /srv/assets/live && echo kernel > /srv/assets/live/vmlinuz && cp /srv/assets/live/vmlinuz .
    pilotlight serve --address 10.20.0.1 --state-path /var/lib/pilotlight --assets-path /srv/assets --no-dhcp --no-tftp
    "$ROOT/node_modules/.bin/node" "$ROOT/test/docs/site-bodies.ts"
    eval "asked() { $(declare -f curl | tail -n +2); }"
    curl() {
      case "$*" in
        *Authorization*) machine --fail-with-body "$@" ;;
        *) asked -H "Authorization: Bearer $(cat "$PILOTLIGHT_TOKEN_FILE")" "$@" ;;
      esac
    }
    as_json() { curl -H 'Content-Type: application/json' "$@"; }
    as_json -X PUT --data @site-objects.json $P/v1/sites/rack-1
    as_json -X PUT --data @authority.json $P/v1/sites/rack-1/authority
    as_json -X PUT --data @bundle.json $P/v1/machines/ctl-1/bundle
    as_json -X PUT --data @bundle-cmp-1.json $P/v1/machines/cmp-1/bundle
    cat > rack.yaml <<YAML
kind: profile
id: files
generic_id: node.cfg
cloud_id: node.yaml
---
{kind: template, id: generic/node.cfg, content: "disk={{.disk}}"}
---
{kind: template, id: cloud/node.yaml, content: "#cloud-config"}
---
{kind: group, id: other, profile: files, selector: {mac: "52:54:00:20:00:09"}, metadata: {disk: sda}}
---
{kind: group, id: old, profile: live, selector: {mac: "52:54:00:20:00:08"}}
YAML
    pilotlight apply -f rack.yaml
    printf '{kind: group, id: spare, profile: live, selector: {mac: "52:54:00:20:00:07"}}\\n---\\n{kind: group, id: spare-1, profile: live, selector: {mac: "52:54:00:20:00:06"}}\\n---\\n{kind: group, id: spare-2, profile: live, selector: {mac: "52:54:00:20:00:05"}}\\n' > rack.yaml
    export EDITOR='sed -i s/live/compute/'
    printf 'variant: fcos\\nversion: 1.5.0\\n' > node.bu
    mkdir -p /var/lib/matchbox/{groups,profiles} && echo '{"id": "plain"}' > /var/lib/matchbox/profiles/plain.json
    echo '{"id": "all", "profile": "plain", "selector": {"os": "installed"}}' > /var/lib/matchbox/groups/all.json
    ip address add 10.20.0.11/24 dev lo
    ip address add 10.20.0.12/24 dev lo
    machine() { command curl -sS $from "$@"; }
    part() { jq -r ".storage.files[] | select(.path == \\"/etc/pilotlight/$1\\").contents.source" config.json | sed 's/^data:[^,]*,//' | base64 -d; }
    # boot MACHINE NUMBER: boots, and shows a key, which waits for its approval
    boot() {
      from="--interface 10.20.0.1$2"
      machine "$P/ipxe?mac=52-54-00-20-00-0$2" > /dev/null
      machine "$P/ignition?mac=52-54-00-20-00-0$2" > config.json
      part ca.crt > ca.crt
      TOKEN=$(part authorization | sed 's/.*Bearer //')
      age-keygen --output $1.key
      agent enroll "{\\"key\\": \\"$(age-keygen -y $1.key)\\"}"
    }
    agent() { machine --cacert ca.crt -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d "$2" https://10.20.0.1:8443/agent/v1/$1; }
    boot ctl-1 1 && cp ctl-1.key machine.key && ctl=$TOKEN
    agent bundle '{"answer": "wrong", "csrs": {}}' # refused, which is an alarm
    boot cmp-1 2
    from='--interface 10.20.0.11' TOKEN=$ctl KERNEL=0b8fd5f2-5c5b-4f5e-9c1c-6d6f0c1d2e3f
    echo '[    0.000000] kernel: Linux version 6.12' > part
    machine --cacert ca.crt -H "Authorization: Bearer $TOKEN" -H 'Content-Type: text/plain' --data-binary @part "https://10.20.0.1:8443/agent/v1/console?boot=$KERNEL&part=1"`,
  'docs/matchbox.md': MATCHBOX,
  'docs/how-to/add-a-machine.md': site('52:54:00:20:00:02', '52:54:00:20:00:03') + SERVER,
  'docs/how-to/replace-a-network-card.md': site('52:54:00:20:00:02') + SERVER + GROUP,
  'docs/how-to/existing-dhcp-server.md': site('52:54:00:20:00:02'),
  'docs/how-to/log-in.md': site('52:54:00:20:00:02'),
  'docs/how-to/choose-a-disk.md': site('52:54:00:20:00:02'),
  'docs/how-to/upgrade-machines.md': SERVER,
  'docs/how-to/uefi-only.md': SERVER,
  'docs/how-to/back-up-and-restore.md': `${SERVER}
    mkdir -p /srv/backup pilotlight-state/pki && echo key > pilotlight-state/pki/ca.key`,
  'docs/how-to/move-the-server.md': `${SERVER}${GROUP}
    mkdir -p /srv/backup /srv/new && echo a passphrase of some length > passphrase && stop`,
  'docs/how-to/a-boot-that-hangs.md': SERVER + GROUP,
  'docs/how-to/back-to-matchbox.md': `${MATCHBOX}
    pilotlight serve --data-path /var/lib/matchbox --state-path /var/lib/pilotlight --no-dhcp --no-tftp`,
  'docs/service.md': `
    mount -t tmpfs none /opt && ln -s "$ROOT" /opt/pilotlight && mount -t tmpfs none /etc/systemd/system
    mkdir /srv/backup && pilotlight serve --state-path /var/lib/pilotlight --no-dhcp --no-tftp`,
}

const MACHINES = 'needs machines that boot: npm run lab does it'
const CLOUD = 'needs a cloud that runs: test/system/tour.test.ts does it'
const CLOUD_ALONE = 'needs a cloud that runs, for some twenty minutes: by hand'
const LIBVIRT = 'needs machines of libvirt: vagrant/run does the same'
const BMC = 'needs a BMC'
/** The command that lists the parts of the images: its page and how its line begins. */
export const SBOM_OF_IMAGES = ['docs/dependencies.md', 'pilotlight sbom --output'] as const
/** YAML on the pages that is of no site file: the page, and its first line. */
export const OTHER_YAML: readonly (readonly [page: string, first: string])[] = [
  ['docs/access.md', 'scrape_configs:'], // Prometheus
]
const IMAGES = 'builds images, for a quarter of an hour: npm test does it'

/** Commands that do not run here: page, how the line begins, and why. */
export const NOT_RUN: readonly (readonly [page: string, begin: string, why: string])[] = [
  ['README.md', 'npm ci', 'needs the archive of npm packages: CI runs it before this test'],
  ['README.md', 'npm run lab', MACHINES],
  ['README.md', 'apt-get install', 'needs the archive of Debian'],
  ['README.md', 'pilotlight images build', IMAGES],
  ['README.md', 'pilotlight up', MACHINES],
  ['docs/access.md', 'pilotlight up', MACHINES],
  ['docs/how-to/boot-from-a-medium.md', 'pilotlight images medium', IMAGES],
  ['docs/how-to/boot-from-a-medium.md', 'curl -sk "$BMC/Systems"', BMC],
  ['docs/how-to/boot-from-a-medium.md', 'json -X POST "$BMC/Systems/1/VirtualMedia', BMC],
  ['docs/how-to/boot-from-a-medium.md', 'json -X PATCH', BMC],
  ['docs/how-to/boot-from-a-medium.md', 'json "$BMC/Systems/1"', BMC],
  ['docs/how-to/boot-from-a-medium.md', 'json -X POST "$BMC/Systems/1/Actions', BMC],
  ['docs/how-to/boot-from-a-medium.md', 'pilotlight machines pending', MACHINES],
  ['docs/how-to/boot-from-a-medium.md', 'pilotlight machines approve', MACHINES],
  ['docs/how-to/upgrade-machines.md', 'pilotlight images build', IMAGES],
  ['docs/how-to/upgrade-machines.md', 'pilotlight upgrade os cmp-1', MACHINES],
  ['docs/how-to/upgrade-machines.md', 'pilotlight upgrade os --site', MACHINES],
  ['docs/how-to/log-in.md', 'mkpasswd', "asks for a password, by Debian's package whois"],
  ['docs/how-to/move-the-server.md', 'systemctl', 'needs systemd'],
  ['docs/api.md', 'curl -X POST -H \'If-Match: "12"\'', 'its version and revision are examples'],
  ['docs/api.md', 'ask bundle', 'its signing requests are examples: test/security/host.ts makes real ones'],
  ['docs/openstack.md', 'source <(', CLOUD],
  ['docs/openstack.md', 'pilotlight openstack rc', CLOUD],
  ['docs/openstack.md', 'openstack network create', CLOUD],
  ['docs/openstack.md', 'openstack subnet create', CLOUD],
  [...SBOM_OF_IMAGES, 'needs built images: runs in a test of its own where they are'],
  ['docs/security.md', 'pilotlight images build', IMAGES],
  ['docs/how-to/secure-boot.md', 'pilotlight images sign', 'needs built images: test/images/secure-boot.test.ts signs'],
  ['bench/README.md', 'node_modules/.bin/node bench/machines/install-cuts.ts', 'needs the record of an install in QEMU'],
  ['bench/README.md', 'node_modules/.bin/node bench/machines/install.ts', MACHINES],
  ['bench/README.md', 'sudo node_modules/.bin/node bench/machines/install-kills.ts', MACHINES],
  ['bench/README.md', 'node_modules/.bin/node bench/machines/provisioner-off.ts', MACHINES],
  ['bench/README.md', 'sudo node_modules/.bin/node bench/machines/upgrade-os.ts', MACHINES],
  ['bench/README.md', 'sudo node_modules/.bin/node bench/machines/encrypted-disks.ts', MACHINES],
  ['bench/README.md', 'sudo node_modules/.bin/node bench/machines/disk-life.ts', MACHINES],
  ['docs/how-to/encrypt-a-disk.md', 'pilotlight machines reject', MACHINES],
  ['bench/README.md', 'pilotlight lab exec', CLOUD_ALONE],
  ['bench/README.md', 'sudo node_modules/.bin/node bench/machines/power-cut.ts', MACHINES],
  ['docs/firmware.md', 'node_modules/.bin/node bench/machines/firmware-matrix.ts', MACHINES],
  ['docs/tempest.md', 'npm run lab', MACHINES],
  ['docs/tempest.md', 'sudo node_modules/.bin/node test/tempest/run.ts waves --workers', CLOUD_ALONE],
  ['docs/tempest.md', 'sudo node_modules/.bin/node test/tempest/run.ts waves --regex', CLOUD_ALONE],
  ['vagrant/README.md', 'bin/pilotlight images build', IMAGES],
  ['vagrant/README.md', '(cd vagrant && vagrant up', LIBVIRT],
  ['vagrant/README.md', '(cd vagrant && vagrant destroy', LIBVIRT],
  ['vagrant/README.md', 'sudo bin/pilotlight serve', LIBVIRT],
  ['vagrant/README.md', 'vagrant/run', LIBVIRT],
  ['vagrant/README.md', 'export PILOTLIGHT_TOKEN_FILE', LIBVIRT],
  ['vagrant/README.md', 'bin/pilotlight up', LIBVIRT],
  [
    'docs/how-to/before-the-first-power-on.md',
    'pilotlight doctor',
    'ends with 1 beside a server without DHCP: test/rack/up/doctor.test.ts runs it beside others',
  ],
  ['docs/hardware.md', 'zstdcat', 'needs built images: test/images/drivers.test.ts reads them'],
  ['docs/hardware.md', 'npx tap --disable-coverage test/images/drivers', 'is a test itself'],
  ['docs/hardware.md', 'npx tap --disable-coverage test/images/cards', 'is a test itself'],
  ['docs/service.md', 'systemctl enable', 'needs systemd: test/deploy/service.test.ts does it'],
]
