# Chooses the disk (with `mirror`, the two disks) to install to. Nothing is read but what comes in, so every case can be tried with text.
#   in:  { "disks": [...] as `inventory` lists them, "choice": /etc/pilotlight/disk.json, "least": bytes,
#          "uefi": whether the firmware is UEFI }
#   out: { "chosen": [names], "error": whether the boot must not go on without a disk, "why": sentence }
# Order: a disk of this machine; then one that may be, whose state cannot be read (only an order has it overwritten); then what is
# empty; then the smallest; then by what the disk is known by, so that two boots of one machine choose alike whatever order the
# kernel found its disks in.

def size: if . >= 1e12 then "\(. / 1e10 | round / 100) TB" else "\(. / 1e8 | round / 10) GB" end;
def known: .byId // .serial // .name;
def shown: "\(.name) (\(.bytes | size) \(.type)"
  + (if .model then ", model \(.model)" else "" end)
  + (if .serial then ", serial \(.serial)" else "" end)
  + (if .removable then ", removable" else "" end)
  + (if .readOnly then ", read-only" else "" end)
  + (if .busy then ", in use" else "" end)
  + (if (.sectorBytes // 512) == 512 then "" else ", sectors of \(.sectorBytes) bytes" end)
  + (if .holds then ", holds \(.holds)" else "" end) + ")";
def glob: "^" + (gsub("(?<c>[.+^$(){}|\\[\\]\\\\])"; "\\\(.c)") | gsub("\\*"; ".*") | gsub("\\?"; ".")) + "$";
# Whether a disk has this machine's state partition.
def mine: .own == "installed" or .own == "unfinished";
def rank: if mine then 0 elif .own == "unreadable" then 1 else 2 end;
# A partition table and no more, as an install leaves it that ended in its first moments. The server knows whether one did.
def begun: .holds != null and (.holds | split(", ") | all(test("^(gpt|PMBR) on ")));

. as $in
| ($in.choice.match // {}) as $match
# As the site file says it.
| ($match | to_entries
    | map(if .key == "byId" then "by-id \(.value)" elif .key == "minSize" then "minSize \(.value | size)" else "\(.key) \(.value)" end)
    | join(", ") | if . == "" then "no selector" else . end) as $asked
| ($in.disks | map(shown) | if length == 0 then "this machine shows no disk" else "there is: " + join("; ") end) as $there
| (if $in.choice.mirror then 2 else 1 end) as $wanted
| ($in.choice.explicit // false) as $explicit
| [ $in.disks[]
    | select((.removable or .readOnly or .busy) | not)
    | select(.bytes >= $in.least)
    | select($in.uefi != false or (.sectorBytes // 512) == 512) # a BIOS starts nothing from other sectors
    | select($match.byId == null or .byId == $match.byId or ((.byIds // []) | index($match.byId) != null))
    | select($match.serial == null or .serial == $match.serial)
    | select($match.model == null or ((.model // "") | test($match.model | glob)))
    | select($match.type == null or .type == $match.type)
    | select($match.minSize == null or .bytes >= $match.minSize)
  ] as $fit
# Without a selector a disk that holds something is never a candidate: no one named it.
| ($fit | map(select($explicit or .holds == null or begun or mine or .own == "other" or .own == "unreadable"))) as $candidates
| ($candidates | sort_by([rank, (if .holds == null then 0 else 1 end), .bytes, known])) as $order
| if ($order | length) < $wanted then
    { chosen: [], error: $explicit,
      why: ((if $in.choice.mirror and ($order | length) == 1 then "a mirror needs two disks, and one fits"
             elif $explicit then "no disk fits (\($asked))"
             else "no disk is free to install to" end)
        + ", of at least \($in.least | size), neither removable, read-only nor in use"
        + (if $in.uefi != false then "" else ", with sectors of 512 bytes (the firmware is a BIOS, or is set to start as one)" end) + "; " + $there) }
  # A selector that two disks of one size fit does not say which: it is not for us to guess. Ours is known already.
  elif $explicit and ($order | length) > $wanted and ($order[$wanted - 1] | mine | not)
    and ($order[$wanted - 1] | rank) == ($order[$wanted] | rank) and $order[$wanted - 1].bytes == $order[$wanted].bytes and ($order[$wanted - 1].holds == null) == ($order[$wanted].holds == null) then
    { chosen: [], error: true,
      why: "\($order | length) disks fit (\($asked)), and \($order[$wanted - 1].name) and \($order[$wanted].name) have the same size: name one with by-id or serial; \($there)" }
  else
    { chosen: [$order[:$wanted][] | .name], error: false, why: ("chose " + ([$order[:$wanted][] | shown] | join(" and "))) }
  end
