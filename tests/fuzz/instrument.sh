#!/usr/bin/env bash
# The compiler of our own crates while `.ci/fuzz` builds: with counters of which code runs, and with the checks of a debug build.
# Everything else is compiled as ever, so that nothing but our own crates is built twice.
set -Eeuo pipefail
flags=()
if [[ " $* " == *" --crate-name "* && " $* " != *" --crate-name build_script_build "* ]]; then
    flags=(
        -C passes=sancov-module
        -C llvm-args=-sanitizer-coverage-level=4
        -C llvm-args=-sanitizer-coverage-inline-8bit-counters
        -C llvm-args=-sanitizer-coverage-pc-table
        -C llvm-args=-sanitizer-coverage-trace-compares
        -C debug-assertions
    )
fi
exec "$@" "${flags[@]}"
