// What kind of thing a message says: a row for each message that Butane and Ignition have, with the pattern of ours for it.
// Warnings of ours name their kind themselves.

import type { PlacedFinding } from '#server/formats/ignition/findings.ts'
import type { Entry } from './judge.ts'

/** Kind, the message of the real tool, and ours; a message of neither is its own kind, and so always a difference. */
const ROWS: readonly (readonly [kind: string, real: RegExp, ours: RegExp])[] = [
  // Which program is meant at all.
  [
    'unreadable',
    /^(?:error parsing (?:variant|version)|No translator exists|rhcos variant|invalid config version|unsupported config version)/,
    /^(?:variant|version|"[^"]*" is not a stable version|a text is wanted here: 3)/,
  ],
  // Reading the text. Where Go's decoders stop, and at which of several faults, is theirs: such an error has no place.
  [
    'unreadable',
    /^(?:json: |invalid character|unexpected end of JSON|invalid version|yaml: |Error unmarshaling yaml|not a config \(empty\)|config is not valid)/,
    /^(?:(?:the config: )?(?:a text|an integer|true or false|a list|an object) is wanted here|it is |it ends |it has |its aliases|the file is empty|something follows after its end|the text is not ended|a (?:key|value|comma|colon|text|flow)|there is no anchor|only maps can)/,
  ],
  // Ignition
  ['duplicate', /^duplicate entry/, /is here a second time/],
  ['compression', /^invalid compression/, /is not known; write gzip/],
  ['below-link', /path includes link in config/, /which is a link$/],
  ['link-target', /^link target is required/, /^a link needs a target/],
  ['hard-link-directory', /^hard link target is a dir/, /^a hard link cannot lead/],
  ['owner-of-hard-link', /^user\/group ignored/, /^$/],
  [
    'path',
    /^(?:path not specified|path not absolute|path is not fully|disk device is required)/,
    /^(?:a path is wanted|"[^]*" is relative|"[^]*" is not clean)/,
  ],
  ['partition-numbers', /^partition numbers collide/, /has the same number/],
  ['partition-labels', /^cannot use the same partition label/, /has the same label/],
  ['partition-overlap', /^partitions overlap/, /^this partition overlaps/],
  ['overwrite', /^overwrite must be false/, /^there is nothing to overwrite/],
  ['verification', /^source must be specified if ver/, /^there is no source to verify/],
  [
    'format',
    /^(?:invalid filesystem format|format cannot be empty)/,
    /^(?:"[^]*" is not a format|a format is wanted)/,
  ],
  ['label-format', /^filesystem must specify format/, /^a label needs a format/],
  ['label-length', /^filesystem labels cannot be longer/, /^a label of \w+ has/],
  ['luks-label', /^luks device labels/, /^a LUKS label has/],
  ['luks-name', /^device names cannot contain/, /^a LUKS name has no slash/],
  ['key-file', /^invalid key-file source/, /^the key file cannot be fetched/],
  ['clevis-pin', /^missing required custom clevis pin/, /^a pin is wanted/],
  ['clevis-unknown', /^unsupported clevis pin/, /is not a pin that this spec/],
  ['clevis-config', /^missing required custom clevis config/, /^the pin needs a config/],
  ['clevis-others', /^cannot use custom clevis/, /^custom does not go with/],
  ['thumbprint', /^thumbprint is required/, /^a thumbprint is wanted/],
  ['advertisement', /^advertisement is not valid/, /^this is not JSON/],
  ['mode', /^illegal file mode/, /is not a file mode/],
  ['special-bits', /^setuid\/setgid\/sticky/, /^$/],
  ['owner', /^cannot set both id and name/, /^give id or name/],
  ['partition-label', /^partition label(?:s may|.*colon)/, /^a partition label has/],
  ['guid', /^doesn't match the form/, /is not a GUID/],
  ['partitions-overwritten', /^filesystem overwrites/, /^$/],
  ['implicit-wipe', /^device matches disk/, /^$/],
  ['raid-level', /^(?:raid level is required|unrecognized raid level)/, /is not a RAID level/],
  ['raid-spares', /^spares unsupported/, /has no spares/],
  ['raid-devices', /^raid devices required/, /^a RAID needs devices/],
  ['partition-removed', /^shouldExist specified false/, /^a partition to remove/],
  ['partition-mixed', /^shouldExist is false for a partition and/, /^partitions without a number do not/],
  ['partition-unnamed', /^a partition number >= 1/, /^a partition needs a number/],
  ['proxy', /^proxies must be http/, /^a proxy has/],
  ['insecure-proxy', /^insecure plaintext/, /^$/],
  ['path-of-unit', /^path conflicts with systemd/, /^a systemd unit of this config is written/],
  ['cex-clevis', /^cannot use cex with clevis/, /^cex does not go with (?:clevis|tang)/],
  ['cex-key-file', /^cannot use key file with cex/, /^cex does not go with a key file/],
  ['unit-name', /^invalid systemd unit ext/, /does not end like a unit/],
  ['dropin-name', /^invalid systemd drop-in/, /does not end in \.conf/],
  ['unit-text', /^invalid unit content/, /^line \d+ of the unit:/],
  ['no-install-section', /(?:but has no install section|doesn't have Install section)/, /^$/],
  ['source', /^source is required/, /^a source is wanted/],
  [
    'url',
    /^(?:invalid url scheme|unable to parse url|invalid S3)/,
    /^(?:this is not a URL|Ignition of this spec does not fetch|this data: URL|"[^]*" is not a media type|the base64|this is not an ARN|the versionId|a Tang server has)/,
  ],
  ['header', /^unable to parse HTTP header/, /^leave the value out/],
  ['header-name', /^HTTP header name/, /^a header needs a name/],
  ['header-scheme', /^cannot use HTTP headers/, /^headers go with/],
  ['hash', /^malformed hash/, /^write it as sha512/],
  ['hash-size', /^incorrect size/, /^a hash of this function has/],
  ['hash-function', /^unrecognized hash/, /is not a hash function/],
  ['unknown-key', /^unused key/, /^$/],
  // Butane
  ['sources', /^only one of the following can be set: inline/, /^give one of source/],
  ['unit-sources', /^only one of the following can be set: contents/, /^give one of contents/],
  [
    'local',
    /^(?:local file path traverses|local file paths are rel|root of tree must|trees may only|lstat |open |stat |read )/,
    /^(?:there is no .* in the data|.* leads out of|.* is not a directory|.* is a directory of|.* is neither file)/,
  ],
  ['tree-exists', /^matching filesystem node/, /is in the config already$/],
  ['tree-local', /^local is required/, /^local is wanted/],
  ['decimal-mode', /^unreasonable mode/, /^$/],
  ['mount-path', /^path is required if/, /^a mount unit needs a path/],
  ['mount-format', /^format is required if/, /^a mount unit needs a format/],
  ['mount-place', /^path must be under/, /^file systems are mounted below/],
  ['layout', /^layout must be one of/, /is not a layout that/],
  ['mirror-devices', /^mirroring requires/, /^a mirror needs two/],
  ['mirror-without-layout', /^boot_device\.layout should/, /^a mirror needs a layout/],
  ['layout-device', /^device is required for layouts/, /^luks\.device is wanted/],
  ['mirror-s390x', /^mirroring not supported/, /^a mirror is not for/],
  ['layout-device-name', /^device name must start/, /^luks\.device "/],
  ['cex-layout', /^when using cex/, /^cex is for the s390x/],
  ['luks-method', /^no method specified/, /^tang, tpm2 or cex is wanted/],
  ['reused-by-label', /^partitions cannot be reused/, /^$/],
  ['reserved-label', /^incorrect partition number/, /^$/],
  ['root-too-small', /^root should have/, /^$/],
  ['root-constrained', /^root partition cannot/, /^$/],
  ['grub-name', /^field "name" is required/, /^a name is wanted/],
  ['grub-password', /^field "password_hash"/, /^a password hash is wanted/],
  ['forbidden', /(?:is|are) not (?:currently )?supported (?:on|in)/, /^this variant has no use/],
  ['inner-version', /^skipping validation/, /^$/],
  ['context-tree', /^context tree does not match/, /^$/],
  // Ours alone
  ['below-file', /^$/, /is below .*, which is .* of this config$/],
]

/** The kind of a message of the real tool. */
export function kindOfReal({ message, path }: Pick<Entry, 'message' | 'path'>): string {
  const known = ROWS.find(([, real]) => real.test(message))?.[0]
  // Faults of a `data:` URL have the words of its decoder.
  if (
    (path.at(-1) === 'source' || typeof path.at(-1) === 'number') &&
    (known === undefined || known === 'unreadable')
  )
    return 'url'
  if (/^http_?headers$/i.test(String(path.at(-1))) && message === 'unable to parse url')
    return 'header-scheme'
  return known ?? `real: ${message}`
}

/** The kind of a finding of ours; a config inside a config has those of the inner one. */
export function kindOfOurs(finding: PlacedFinding): string {
  if (finding.severity === 'warning') return finding.kind
  if (finding.path.length === 0) return 'unreadable'
  const message = finding.message.replace(/^the config inside, line \d+: /, '')
  return ROWS.find(([, , ours]) => ours.test(message))?.[0] ?? `ours: ${message}`
}
