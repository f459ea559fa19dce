#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Runs the core's tests and tells how many of its C lines they reach; with -v also which
# lines they do not. Fails if they are less than LEAST percent. Needs gcc's gcov.
set -eu
cd "$(dirname "$0")"

target=$(cargo metadata --no-deps --format-version 1 |
	sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/coverage
rm -rf "$target"/debug/build/dvs-core-*
CARGO_TARGET_DIR="$target" cargo test -q -p dvs-core --features coverage --test core >&2

results=$target/gcov
rm -rf "$results"
mkdir -p "$results"
objects=$(echo "$target"/debug/build/dvs-core-*/out)
ln -s "$PWD"/* "$results"
cd "$results"
gcov --branch-probabilities "$objects"/*.gcda >report
if [ "${1-}" = -v ]; then
	grep -H '#####' -- *.c.gcov || true
fi
# The last line is the sum; below the least share that is asked for, that is a failure.
awk -F"[':% ]+" -v least="${LEAST:-0}" '
	/^File/ { file = $2; sub(/.*guest-driver\/core\//, "", file) }
	/^Lines/ && file ~ /\.c$/ && file !~ /shim/ {
		printf "%6.2f%% of %4d lines  %s\n", $3, $5, file
		reached += $3 * $5 / 100; lines += $5
	}
	END {
		share = lines ? 100 * reached / lines : 0
		printf "%6.2f%% of %4d lines  in all\n", share, lines
		exit share < least
	}' report
