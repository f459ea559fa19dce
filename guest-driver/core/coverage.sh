#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Runs the core's tests and tells how many of its C lines and branches they reach.
# With -v also which lines they do not. Needs gcc's gcov.
set -eu
cd "$(dirname "$0")"

target=$(cargo metadata --no-deps --format-version 1 |
	sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/coverage
rm -rf "$target"/debug/build/dvs-core-*
CARGO_TARGET_DIR="$target" cargo test -q -p dvs-core --features coverage

results=$target/gcov
rm -rf "$results"
mkdir -p "$results"
objects=$(echo "$target"/debug/build/dvs-core-*/out)
ln -s "$PWD"/* "$results"
cd "$results"
gcov --branch-probabilities "$objects"/*.gcda |
	awk -F"'" '/^File/ { file = $2 } /^(Lines|Taken)/ && file ~ /\.c$/ && file !~ /shim/ {
		sub(/.*guest-driver\/core\//, "", file); print file ": " $0 }' | sort
if [ "${1-}" = -v ]; then
	grep -H '#####' -- *.c.gcov
fi
