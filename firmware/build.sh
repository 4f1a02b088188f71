#!/usr/bin/env bash
# Builds the image of a board, or its program where it has Linux, and puts it at firmware/build/BOARD.elf.
#
#   firmware/build.sh BOARD             BOARD is a folder of boards/, for example qemu-m4
#   firmware/build.sh all               every board
#   firmware/build.sh BOARD kernels     the image or program that runs layers by themselves, as BOARD-kernels.elf
#
# DEFMT_LOG (default: info) sets how much an image logs.
set -euo pipefail
cd "$(dirname "$0")/.."

board=${1:-}
if [ "$board" = all ]; then
    for description in boards/*/board.toml; do
        firmware/build.sh "$(basename "$(dirname "$description")")"
    done
    exit
fi
description=boards/$board/board.toml
if [ -z "$board" ] || [ ! -f "$description" ]; then
    echo "usage: firmware/build.sh BOARD, where BOARD is \`all\` or one of:" $(dirname boards/*/board.toml | xargs -n1 basename) >&2
    exit 2
fi

# The value of a top-level key of board.toml: KEY = "VALUE".
key() { sed -n "/^\[/q; s/^$1 *= *\"\(.*\)\".*/\1/p" "$description"; }
target=$(key target)
core=$(key core)
# A microcontroller has little flash and its kernels are assembly; under Linux the compiler's speed is the kernels'.
case $target in
    *-linux-*) binary=linux${2:+-$2} profile=release ;;
    *) binary=${2:-board} profile=image ;;
esac
image=$board${2:+-$2}

# A folder of its own: the host's build and this one would otherwise wait for each other's lock.
build_dir=${CARGO_TARGET_DIR:-target}/firmware
TARGET_CPU=$core .ci/cross-cargo "$target" build \
    --package fude-firmware --bin "$binary" --features "$board" --profile "$profile" --target-dir "$build_dir"

mkdir -p firmware/build
# Renamed into place, so that nobody finds half an image.
cp "$build_dir/$target/$profile/$binary" "firmware/build/$image.elf.part"
mv "firmware/build/$image.elf.part" "firmware/build/$image.elf"
echo "built firmware/build/$image.elf"
