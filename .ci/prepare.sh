# Sets a machine up, and runs named steps. Sourced by ./test, .ci/run and .ci/long, from the root of the clone.
#
# Nothing here asks or waits for a person: no terminal, no standard input. What it installs goes into the cache folder, which a clone
# shares with the next one; only a missing linker or compiler comes from the system's packages, and only for root.

set -Eeuo pipefail
exec < /dev/null

readonly NEXTEST_VERSION=0.9.143 DENY_VERSION=0.20.2 TYPOS_VERSION=1.52.0 MOTO_VERSION=5.2.5

cache="${XDG_CACHE_HOME:-$HOME/.cache}/outflow"
tools="$cache/tools"
export PATH="$tools/bin:$tools/python/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
# Outside the clone, so that a fresh clone does not build every dependency again.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"

# The step that runs now, and since when. Empty between steps.
step_name=""
step_begun=0

# Runs a command as a step: `step NAME COMMAND…`. The first that fails ends the script, and is named.
step() {
    announce "$1"
    "${@:2}"
    printf '==> %s: ok, %s s\n' "$step_name" "$((SECONDS - step_begun))"
    step_name=""
}

# Says that a step begins. For a last step, whose own closing lines shall be the last.
announce() {
    step_name=$1
    step_begun=$SECONDS
    printf '\n==> %s\n' "$step_name"
}

# Called at the end, whatever it is.
name_failed_step() {
    local status=$?
    if [ "$status" -ne 0 ] && [ -n "$step_name" ]; then
        printf '\n==> FAILED: %s, after %s s (exit code %s)\n' "$step_name" "$((SECONDS - step_begun))" "$status" >&2
    fi
}
trap name_failed_step EXIT

has() { command -v "$1" > /dev/null 2>&1; }

# Installs system packages if that is possible here; tells whether it did.
system_packages() {
    [ "$(id -u)" -eq 0 ] && has apt-get || return 1
    DEBIAN_FRONTEND=noninteractive apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "$@"
}

mold_works() { cc -fuse-ld=mold -Wl,--version > /dev/null 2>&1; }

# A C compiler is needed, to link with and for a few dependencies. mold is only faster.
prepare_linker() {
    if ! has cc && ! system_packages gcc libc6-dev; then
        echo "no C compiler (cc): install one, on Debian with: apt-get install gcc libc6-dev" >&2
        return 1
    fi
    if ! mold_works && ! system_packages mold; then
        echo "mold cannot be installed here; linking takes longer without it"
    fi
    if mold_works; then
        # Read through .cargo/config.toml, so that plain cargo builds with the same flags.
        printf '[target.%s]\nrustflags = ["-C", "link-arg=-fuse-ld=mold"]\n' x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu > .cargo/mold.toml
        echo "linking with mold"
    else
        rm -f .cargo/mold.toml
        echo "linking with the system's linker"
    fi
}

# Builds a tool into the cache folder: `install_tool CRATE VERSION`. Unoptimised: that is minutes faster to build, and they have little to do.
install_tool() {
    local build="$cache/tools-build"
    CARGO_TARGET_DIR="$build" cargo install "$1" --version "$2" --locked --debug --root "$tools"
    rm -rf "$build"
}

prepare_nextest() {
    cargo nextest --version > /dev/null 2>&1 || install_tool cargo-nextest "$NEXTEST_VERSION"
    cargo nextest --version | head -n 1
}

prepare_deny() {
    cargo deny --version > /dev/null 2>&1 || install_tool cargo-deny "$DENY_VERSION"
    cargo deny --version
}

# The Python package carries the program itself; where there is no Python to unpack it, it is built.
prepare_typos() {
    if ! has typos; then
        { python3 -m venv "$tools/python" && "$tools/python/bin/pip" install --quiet "typos==$TYPOS_VERSION"; } ||
            install_tool typos-cli "$TYPOS_VERSION"
    fi
    typos --version
}

# The S3 server of the tests. With uv in two seconds, with pip in a minute; once for each version.
prepare_moto() {
    local home="$tools/moto" wanted="moto[server,s3]==$MOTO_VERSION"
    # The tour's receiver is a few lines of Python, too.
    has python3 || system_packages python3 python3-venv
    if [ "$(cat "$home/.version" 2> /dev/null)" != "$MOTO_VERSION" ]; then
        rm -rf "$home"
        if has uv; then
            uv venv --quiet "$home" && uv pip install --quiet --python "$home/bin/python" "$wanted"
        else
            python3 -m venv "$home" || { system_packages python3 python3-venv && python3 -m venv "$home"; }
            "$home/bin/pip" install --quiet --disable-pip-version-check "$wanted"
        fi
        echo "$MOTO_VERSION" > "$home/.version"
    fi
    echo "moto $MOTO_VERSION"
}

# Runs the tests, with these arguments; then says once more what some of them could not try on this machine, and why.
run_tests() {
    local notes status=0
    rm -f "$CARGO_TARGET_DIR"/*/tests-not-tried.txt
    cargo nextest run "$@" || status=$?
    notes=$(cat "$CARGO_TARGET_DIR"/*/tests-not-tried.txt 2> /dev/null | sort -u || true)
    [ -z "$notes" ] || printf '\n==> on this machine:\n%s\n' "$notes"
    return "$status"
}
