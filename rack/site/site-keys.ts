// Every key of a site file, with what it is for: the readers allow these and no others, and docs/site.md is made of them.

import { DEFAULT_KUBERNETES } from '#images/references.ts'
import { DISK_ENCRYPTIONS, DISK_TYPES } from '#model/disk.ts'
import { HARDWARE, machineSchema } from '#model/machine.ts'
import { MOST_NTP } from '#model/network.ts'
import { MACHINE_ROLES } from '#model/role.ts'
import { LONGEST_TEXT } from './document.ts'
import { scalarsOf } from './read-fields.ts'
import { RSA_BITS } from './ssh-key.ts'
import { CHART_PLANS, OPTIONAL_SERVICES } from './site.ts'

/** A key of a site file, as docs/site.md shows it. Texts are Markdown. */
export type SiteKey = {
  readonly type: string
  /** What it is for, and what reads it. */
  readonly description: string
  /** What holds where the file leaves it out; `required` where there is nothing. */
  readonly default: string
  /** What else than its type a value must be; may be empty. */
  readonly limits: string
  /** A value as YAML, on one line. */
  readonly example: string
  /** The keys below it, of a mapping or of each item of a list. */
  readonly keys?: SiteKeys
}

/** Keys by their names, in the order of the page. */
export type SiteKeys = Readonly<Record<string, SiteKey>>

/** Keys that a site may have, and their characters in all: every machine gets them with its config. */
export const SSH_KEYS = { most: 20, characters: 16_384 } as const

/** Bits of the smallest external network: of its six addresses, one is the gateway's and one each router's. */
export const SMALLEST_EXTERNAL = 29

const networkLimits = (smallest = 30) =>
  `IPv4, \`/8\` to \`/${smallest}\`, host bits zero; overlaps no other network of the site`

const NETWORK = {
  subnet: {
    type: 'network',
    description: 'The provisioning network: machines, the server, and their traffic with each other',
    default: 'required',
    limits: `${networkLimits()}; with \`dhcp: full\` at most \`/29\`, since a machine needs an address beside the pool`,
    example: '10.20.0.0/24',
  },
  gateway: {
    type: 'address',
    description: 'The router that DHCP and the live system give to the machines',
    default: 'the first address of the subnet',
    limits: 'an address of the subnet',
    example: '10.20.0.1',
  },
  dhcp: {
    type: '`full`, `proxy` or `off`',
    description:
      '`full`: Pilotlight gives addresses and the loader; `proxy`: another DHCP server gives addresses, Pilotlight only the loader; `off`: Pilotlight does not answer DHCP',
    default: '`full`',
    limits: '',
    example: 'full',
  },
  pool: {
    type: 'range of addresses',
    description: 'The addresses that DHCP leases to machines without a reservation',
    default:
      'hosts 100 to 199, of a subnet smaller than `/24` its upper half; less where the gateway, a DNS or time server or the server is among them',
    limits:
      'both ends in the subnet, lower first; with `dhcp: full` without the gateway, DNS and time servers',
    example: '10.20.0.100-10.20.0.199',
  },
  dns: {
    type: 'list of addresses',
    description: 'The DNS servers that the machines use',
    default: 'the gateway',
    limits:
      'at most 3, none twice; not in `podCidr` or `serviceCidr`, nor in `external.cidr` where no `interface` leads to it',
    example: '[10.20.0.1]',
  },
  ntp: {
    type: 'list of addresses',
    description:
      'The time servers that the machines ask, for networks without a way to those of Debian on the Internet. DHCP names them (option 42), and the live system asks them in any case',
    default: "Debian's servers on the Internet, by name",
    limits: `at least 1 and at most ${MOST_NTP}, none twice; addresses, since option 42 has no names; not of a machine, in \`podCidr\` or \`serviceCidr\`, nor in \`external.cidr\` where no \`interface\` leads to it`,
    example: '[10.20.0.1]',
  },
} as const satisfies SiteKeys

const HARDWARE_KEY = {
  type: HARDWARE.map(it => `\`${it}\``).join(' or '),
  description:
    'With which drivers the machines boot. `server`: those of all hardware; `vm`: those of virtual machines alone, so a network boot transfers 34 MB less',
  default: '`server`',
  limits: '',
  example: 'vm',
} as const satisfies SiteKey

const MATCH = {
  'by-id': {
    type: 'text',
    description: 'The disk that has this name in `/dev/disk/by-id`',
    default: 'not a condition',
    limits:
      'stands alone; at most 200 letters, digits and `#+.:=@_-`; a whole disk, not a partition of it; on one machine, unless that is `hardware: vm`',
    example: 'nvme-SAMSUNG_MZQL21T9HCJR-00A07_S64GNE0R600123',
  },
  serial: {
    type: 'text',
    description: 'The disk that shows this serial number',
    default: 'not a condition',
    limits:
      'stands alone; at most 128 letters, digits, spaces and `._:+/()#,&@-`; on one machine, unless that is `hardware: vm`',
    example: 'S64GNE0R600123',
  },
  model: {
    type: 'text',
    description: 'Disks of this model: `*` is any text, `?` one character',
    default: 'not a condition',
    limits: 'at most 128 letters, digits, spaces and `._:+/()#,&@*?-`, with a letter or a digit',
    example: "'SAMSUNG MZQL2*'",
  },
  type: {
    type: DISK_TYPES.map(it => `\`${it}\``).join(', '),
    description: 'Disks of this kind. `nvme`; `ssd`: others without rotating platters; `hdd`: with them',
    default: 'not a condition',
    limits: '',
    example: 'nvme',
  },
  minSize: {
    type: 'size',
    description: 'Disks that have at least this size',
    default: '`16GiB`',
    limits: 'a number with `GB`, `TB`, `GiB` or `TiB`; `16GiB` to `1000TB`',
    example: '100GB',
  },
} as const satisfies SiteKeys

const DISK = {
  match: {
    type: 'mapping',
    description:
      'What the disk must be, all of it; of those that are, an empty one goes first, then the smallest. One that is removable, on USB, an SD card or eMMC is never taken',
    default: 'any disk',
    limits: 'at least one condition',
    example: '{ type: nvme, minSize: 100GB }',
    keys: MATCH,
  },
  mirror: {
    type: '`true` or `false`',
    description: 'On two disks, so that the machine survives the loss of one',
    default: '`false`',
    limits: 'not with `by-id` or `serial`, which name one disk',
    example: 'true',
  },
  encrypt: {
    type: DISK_ENCRYPTIONS.map(it => `\`${it}\``).join(', '),
    description:
      'Whether what the machine keeps is encrypted on the disk, and what opens it at each boot: `tpm`: its TPM 2.0, and a machine without one stops; `server`: the server hands the key out, so a machine waits while the server is away; `auto`: the TPM where there is one, else the server. [What each defends against](how-to/encrypt-a-disk.md)',
    default: '`no`',
    limits: '`tpm` only where the machine has a TPM 2.0; none in a container machine of the lab',
    example: 'auto',
  },
  overwrite: {
    type: '`true` or `false`',
    description:
      'Whether a disk may be taken that holds something, **all of which is lost**. Otherwise such a disk is left alone',
    default: '`false`',
    limits: '`true` only with `match`',
    example: 'true',
  },
} as const satisfies SiteKeys

/** The keys of a machine that have a reader of their own; `mac` is the one that the model's list `macs` holds. */
const MACHINE = {
  name: {
    type: 'text',
    description: "The machine's host name, and the name of its node in Kubernetes",
    default: 'required',
    limits: 'lower-case letters, digits and dashes, at most 63; unique',
    example: 'ctl-1',
  },
  mac: {
    type: 'MAC address',
    description: 'The network card that the machine boots from; the machine is known by it',
    default: 'none; `mac` or `uuid` is required',
    limits: 'the address of one card; unique; with colons, dashes, dots or bare',
    example: '52:54:00:20:00:01',
  },
  uuid: {
    type: 'UUID',
    description: 'The UUID that SMBIOS shows; the machine is known by it, whichever card it boots from',
    default: 'none; `mac` or `uuid` is required',
    limits:
      'not one that many boards share, such as all zeros or all `f`; unique in both orders of its bytes',
    example: '8d2c1c3e-6a70-4c2f-9d4b-0a1b2c3d4e5f',
  },
  role: {
    type: MACHINE_ROLES.map(it => `\`${it}\``).join(' or '),
    description:
      '`controller` runs the control planes of Kubernetes and OpenStack; `compute` runs guests. Without compute machines the controller does both',
    default: 'required',
    limits: 'exactly one `controller`',
    example: 'controller',
  },
  address: {
    type: 'address',
    description: "The machine's own address, which DHCP keeps for it",
    default:
      'the next free one from host 11 on, then those before it, in the order of the file; [never one of the server](#addresses-that-pilotlight-chooses)',
    limits:
      'in the subnet; not the gateway, a DNS or time server, or given twice; with `dhcp: full` not in the pool',
    example: '10.20.0.11',
  },
  tpm: {
    type: 'digest',
    description:
      "The fingerprint of its TPM's attestation key; with another TPM a machine does not pass for this one",
    default: 'none',
    limits: '`SHA256:` and 64 hexadecimal digits; unique',
    example: `SHA256:${'0123456789abcdef'.repeat(4)}`,
  },
  firmware: {
    type: 'digest',
    description: 'What its TPM must have measured of its firmware at level L3 (PCRs 0 to 7)',
    default: 'none',
    limits: '`SHA256:` and 64 hexadecimal digits',
    example: `SHA256:${'fedcba9876543210'.repeat(4)}`,
  },
  labels: {
    type: 'mapping of texts',
    description:
      'What is known of the machine; templates have it as `machine.labels`, and `rack` and `serial` are also conditions of `trust.approve`. A node of Kubernetes is labelled by its role alone',
    default: 'none',
    limits:
      'names as Kubernetes has them, not those of `kubernetes.io` and `k8s.io`, and none that is a key of the machine; values of one line, at most 256 bytes',
    example: '{ rack: a, serial: X123 }',
  },
  hardware: { ...HARDWARE_KEY, default: '`hardware` of the file' },
  disk: {
    type: '`none` or a mapping',
    description:
      'The disk of this machine, in the form of [`disk`](#disk) of the file, of which then nothing holds for it',
    default: '`disk` of the file',
    limits: 'the same',
    example: 'none',
  },
} as const satisfies SiteKeys

/** The other fields of the model's machine that are one value: read as their schema says. */
export const MACHINE_SCALARS = scalarsOf(machineSchema, Object.keys(MACHINE))

const SCALAR_KEYS: SiteKeys = Object.fromEntries(
  Object.entries(MACHINE_SCALARS.properties).map(([name, field]) => [
    name,
    {
      type:
        field.enum?.map(it => `\`${it}\``).join(' or ') ??
        (field.type === 'string' ? 'text' : `${field.type}`),
      description: field.description ?? '',
      default: field.default === undefined ? 'none' : `\`${JSON.stringify(field.default)}\``,
      limits: [
        field.minimum === undefined ? '' : `at least ${field.minimum}`,
        field.maximum === undefined ? '' : `at most ${field.maximum}`,
        field.type === 'string' && field.enum === undefined ? `at most ${LONGEST_TEXT} characters` : '',
      ]
        .filter(it => it !== '')
        .join(', '),
      example:
        field.type === 'string' ? 'third from the top' : JSON.stringify(field.default ?? field.minimum ?? 1),
    },
  ]),
)

/** What each key of `trust.approve` lists. */
const CONDITIONS: SiteKeys = {
  racks: {
    type: 'list of texts',
    description: "The machine's label `rack` is one of these",
    default: 'not a condition',
    limits: '',
    example: '[a, b]',
  },
  ports: {
    type: 'list of texts',
    description: 'The switch port that the DHCP relay named in this boot is one of these',
    default: 'not a condition',
    limits: '',
    example: "['circuit=ge-0/0/7 remote=tor-1']",
  },
  serials: {
    type: 'list of texts',
    description: "The machine's label `serial` is one of these",
    default: 'not a condition',
    limits: '',
    example: '[X123]',
  },
}

const TRUST = {
  level: {
    type: '`L1`, `L2` or `L3`',
    description:
      'What a machine must show before it gets its bundle. `L1`: the wire is trusted; `L2`: the bundle is sealed to an approved key; `L3`: a TPM vouches for that key ([what each defends against](security.md#trust-levels))',
    default: '`L2`',
    limits: '',
    example: 'L2',
  },
  approve: {
    type: '`operator`, `first-boot` or a mapping',
    description:
      "Who approves a machine's first key. `operator`: an operator does; `first-boot`: the first key is trusted and pinned; a mapping: approved when all conditions in it hold, else an operator decides",
    default: '`operator`',
    limits: 'not with `level: L1`; a mapping has at least one condition',
    example: 'operator',
    keys: CONDITIONS,
  },
  reboot: {
    type: '`same-key`, `approve` or `auto`',
    description:
      'When a machine that was ready boots by firmware again. `same-key`: it must show its pinned key; `approve`: an operator opens that boot; `auto`: it may, with any key',
    default: '`same-key` at `L3`, else `approve`',
    limits: '`same-key` not with `level: L1`',
    example: 'approve',
  },
  deadline: {
    type: 'minutes or hours',
    description: 'How long a machine may wait for its approval',
    default: '`60m`',
    limits: '`1m` to `168h`',
    example: '8h',
  },
} as const satisfies SiteKeys

const CLUSTER = {
  kubernetes: {
    type: 'version',
    description: 'The version of Kubernetes',
    default: `\`${DEFAULT_KUBERNETES}\``,
    limits: 'one that the images were built with',
    example: DEFAULT_KUBERNETES,
  },
  podCidr: {
    type: 'network',
    description: 'The network of pods; each node takes a `/24` of it',
    default: '`10.2.0.0/16`',
    limits: `${networkLimits()}; with a \`/24\` for each machine`,
    example: '10.2.0.0/16',
  },
  serviceCidr: {
    type: 'network',
    description: "The network of Kubernetes services; its tenth address is the cluster's DNS",
    default: '`10.3.0.0/24`',
    limits:
      'IPv4, `/12` to `/28` (`/27` with any of `waves`, `/26` with the plan `openstack-helm`), host bits zero; overlaps no other network of the site',
    example: '10.3.0.0/24',
  },
  apiVip: {
    type: 'address',
    description:
      "A shared address of several controllers. It is not built yet and is refused with `PL-1009`: the API is served at the controller's own address",
    default: 'none',
    limits: 'refused',
    example: '10.20.0.5',
  },
  openToPods: {
    type: 'list of TCP ports',
    description: 'Ports of the provisioning subnet that pods may reach beyond what they need',
    default: 'none',
    limits: '1 to 65535',
    example: '[9100, 10250]',
  },
} as const satisfies SiteKeys

const OPENSTACK = {
  plan: {
    type: CHART_PLANS.map(it => `\`${it}\``).join(' or '),
    description: "Which charts install OpenStack: Pilotlight's own, or openstack-helm's",
    default: '`compute-kit`',
    limits: '`openstack-helm` needs `charts`',
    example: 'compute-kit',
  },
  charts: {
    type: 'mapping',
    description:
      'Where charts come from that are not part of Pilotlight. Paths are relative to the site file',
    default: 'none; required by the plan `openstack-helm`',
    limits: '',
    example: '{ source: ./charts }',
    keys: {
      source: {
        type: 'folder or URL',
        description:
          'A folder, the `https://` or `http://` URL of an index, or the `oci://` URL of a registry. What comes over `http://` is what the network says when the lock file is written; after that its digests are required',
        default: 'required',
        limits: '',
        example: './charts',
      },
      lock: {
        type: 'file',
        description: 'The lock file that pins the charts; `pilotlight charts lock` writes it',
        default: '`charts.lock`',
        limits: '',
        example: 'charts.lock',
      },
      overrides: {
        type: 'folder',
        description: "openstack-helm's values overrides, from which `features` selects",
        default: 'none',
        limits: '',
        example: './values_overrides',
      },
    },
  },
  features: {
    type: 'list of texts',
    description:
      "openstack-helm's names for variants of its values, which select files of `charts.overrides`",
    default: 'none',
    limits: 'only with the plan `openstack-helm`; letters, digits, dots, dashes and underscores',
    example: '[2026.1, ubuntu_noble]',
  },
  registries: {
    type: 'list of texts',
    description:
      "Registries that machines pull images from. Charts with other images than Pilotlight's are refused until their registry is here, or `values` name the images",
    default: 'none',
    limits: 'a host with a dot or a port, and perhaps a path; `default` for images that name no registry',
    example: '[registry.example.org/openstack]',
  },
  waves: {
    type: `list of ${OPTIONAL_SERVICES.map(it => `\`${it}\``).join(', ')}`,
    description: "Services beyond the plan's own",
    default: 'none',
    limits: '',
    example: '[heat]',
  },
  values: {
    type: 'mapping',
    description:
      "Helm values by release, merged over the plan's own. They are read as Helm reads YAML, where `no` is false",
    default: 'none',
    limits: '',
    example: '{ nova: { conf: { nova: { DEFAULT: { cpu_allocation_ratio: 8 } } } } }',
  },
  external: {
    type: 'mapping',
    description: 'The network between the cloud and the world: its addresses are floating IPs',
    default: 'as its keys',
    limits: '',
    example: '{ cidr: 172.24.4.0/24 }',
    keys: {
      cidr: {
        type: 'network',
        description: 'The external network; its gateway has the first address',
        default: '`172.24.4.0/24`',
        limits: networkLimits(SMALLEST_EXTERNAL),
        example: '172.24.4.0/24',
      },
      interface: {
        type: 'text',
        description: 'The interface by which every machine that runs guests reaches it',
        default:
          'none: the network is within the first of these machines, which hides it behind its own address',
        limits:
          'at most 15 letters, digits, dots, dashes, underscores and `@`; none that the system makes itself, such as `lo`, `cni0` or `br-ex`; leave the key out where there is none',
        example: 'eth1',
      },
    },
  },
} as const satisfies SiteKeys

/** The keys of a site file, from its root. */
export const SITE_KEYS = {
  name: {
    type: 'text',
    description: "The site's name, under which the server stores it",
    default: 'required',
    limits: 'lower-case letters, digits and dashes, at most 63',
    example: 'rack-1',
  },
  network: {
    type: 'mapping',
    description: 'The provisioning network',
    default: 'required',
    limits: '',
    example: '{ subnet: 10.20.0.0/24 }',
    keys: NETWORK,
  },
  machines: {
    type: 'list of mappings',
    description: 'The machines of the rack',
    default: 'required',
    limits: 'exactly one controller; at most 20,000',
    example: '[{ name: ctl-1, mac: 52:54:00:20:00:01, role: controller }]',
    keys: { ...MACHINE, ...SCALAR_KEYS },
  },
  hardware: HARDWARE_KEY,
  disk: {
    type: '`none` or a mapping',
    description:
      'The disk that each machine is installed to. `none`: it runs from RAM, and a power cut loses what it keeps. With a mapping a machine without such a disk stops, and says why',
    default: 'the smallest disk that holds nothing; a machine without one runs from RAM',
    limits: '`none`, or at least one key',
    example: '{ match: { type: nvme, minSize: 100GB }, mirror: true }',
    keys: DISK,
  },
  trust: {
    type: 'mapping',
    description: 'What machines must show before they get secrets',
    default: 'as its keys',
    limits: '',
    example: '{ level: L2, approve: operator }',
    keys: TRUST,
  },
  ssh_keys: {
    type: 'list of texts',
    description:
      'Public keys of people who may log in to every machine as root, by ssh from the network of the machines and from the server. Without the key no ssh server runs. A change counts from the next boot of a machine',
    default: 'none',
    limits: `1 to ${SSH_KEYS.most} lines of OpenSSH, \`TYPE KEY COMMENT\` without options, ${SSH_KEYS.characters} characters together; ed25519, ECDSA, keys in devices (\`sk-…\`), or RSA of ${RSA_BITS.least} to ${RSA_BITS.most} bits; no private key; none twice`,
    example: '[ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPwGPDRDKdxVhXWQKOuPHPP3ubMUwjRrdVMsNHFfpm9m anna]',
  },
  console: {
    type: 'mapping',
    description: "Who gets a shell at a machine's screen and serial port",
    default: 'as its keys',
    limits: '',
    example: '{ login: autologin }',
    keys: {
      login: {
        type: '`off`, `autologin` or `password`',
        description:
          '`off`: no one; `autologin`: anyone who reaches the console, also by a BMC, is root without being asked, as soon as the system starts; `password`: root with a password, once the machine has its bundle',
        default: '`off`',
        limits: 'required in `console`',
        example: 'autologin',
      },
      password_hash: {
        type: 'text',
        description:
          "The hash of root's password, from `mkpasswd --method=yescrypt`. It is sent sealed to the machine, in its bundle, and is in no config",
        default: 'none; required by `login: password`',
        limits:
          'of yescrypt (`$y$…`) or SHA-512 (`$6$…`), never the password itself; only with `login: password`',
        example: "'$y$j9T$…'",
      },
    },
  },
  cluster: {
    type: 'mapping',
    description: 'The Kubernetes that the machines become',
    default: 'as its keys',
    limits: '',
    example: '{ openToPods: [9100] }',
    keys: CLUSTER,
  },
  openstack: {
    type: 'mapping',
    description: 'The OpenStack that is installed in it',
    default: 'as its keys',
    limits: '',
    example: '{ plan: compute-kit }',
    keys: OPENSTACK,
  },
} as const satisfies SiteKeys
