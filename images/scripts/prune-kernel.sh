#!/bin/bash
# Finishes the kernel of a root whose unwanted modules are gone: modules unpacked (the initrd and the squashfs compress
# better and faster than one file at a time), the index made anew, and only that firmware kept which a module names.
# Run in a mount and PID namespace of its own.
#   prune-kernel.sh ROOT KEEP-PATTERN...
set -euo pipefail
root=$1
shift
release=$(cd "$root/usr/lib/modules" && echo *)
modules=$root/usr/lib/modules/$release
find "$modules" -name '*.ko.xz' -print0 | xargs --null --no-run-if-empty --max-args=64 xz --decompress
find "$modules/kernel" -type d -empty -delete
chroot "$root" depmod "$release"

cd "$root/usr/lib/firmware"
mkdir ../.firmware
# keep FILE...: moves files and what they link to; parts of a name may be patterns, as in what a module names.
keep() {
  local file target
  for file; do
    [ -e "$file" ] || [ -L "$file" ] || continue
    mkdir -p "../.firmware/$(dirname "$file")"
    if [ -L "$file" ]; then
      target=$(readlink --canonicalize "$file")
      target=$(realpath --relative-to=. "$target")
      cp --no-dereference "$file" "../.firmware/$file"
      [ -e "../.firmware/$target" ] || keep "$target"
    elif [ -f "$file" ]; then
      ln --force "$file" "../.firmware/$file"
    fi
  done
}
(cd "$root" && find "usr/lib/modules/$release" -name '*.ko' -printf '/%p\0') |
  xargs --null --max-args=256 chroot "$root" modinfo --field firmware | sort --unique > ../.named
shopt -s nullglob
while read -r name; do
  # A pattern is expanded here; a plain name stays as it is.
  for file in $name $name.xz $name.zst; do keep "$file"; done
done < ../.named
for pattern; do for file in $pattern; do keep "$file"; done; done
for folder in intel-ucode amd-ucode; do [ ! -d "$folder" ] || cp --recursive --link "$folder" ../.firmware/; done
cd ..
rm -r firmware .named
mv .firmware firmware
