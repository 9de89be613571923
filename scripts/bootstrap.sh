#!/usr/bin/env bash
# Makes `.venv` from requirements.lock, installs the project into it and fetches the model assets.
# Quick when nothing changed; an interrupted run is recovered by the next one.
#
#   scripts/bootstrap.sh [ASSET...]     fetch these optional assets too (for example smollm2)
#   PYTHON=/path/to/python3.11          use this interpreter
#   PILOTHOUSE_SKIP_ASSETS=1            install only
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly venv=.venv
readonly stamp="$venv/.pilothouse-installed"
readonly marker="$venv/.pilothouse-installing"

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    printf 'setup: error: %s\n' "$*" >&2
    exit 1
}

is_311() { "$1" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.11 python3 python; do
        if [[ -n "$candidate" ]] && command -v "$candidate" >/dev/null && is_311 "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 was not found. Install it (python3.11 on the PATH), or name it: PYTHON=/path/to/python3.11 make setup"
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

# shellcheck source=scripts/uv_settings.sh
source scripts/uv_settings.sh

make_venv() {
    if [[ -e "$marker" ]]; then
        say "the last installation was interrupted, starting afresh"
        rm -rf "$venv"
    elif [[ -e "$stamp" && "$(sed -n 2p "$stamp")" != "$PWD" ]]; then
        say "this folder was moved, starting $venv afresh"
        rm -rf "$venv"
    elif [[ -d "$venv" ]] && ! { is_311 "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
        say "$venv is unusable, starting afresh"
        rm -rf "$venv"
    fi
    if [[ ! -d "$venv" ]]; then
        local python
        python="$(find_python)"
        say "creating $venv with $python"
        "$python" -m venv "$venv" ||
            die "$python cannot create virtual environments (Debian: install python3.11-venv)"
    fi
}

install_packages() {
    local uv_pin
    uv_pin="$(grep -E '^uv==' requirements.lock)" || die "requirements.lock pins no uv"
    make_venv
    : >"$marker"
    inherit_pip_settings
    if [[ "$("$venv/bin/uv" --version 2>/dev/null | cut -d ' ' -f 2)" != "${uv_pin#uv==}" ]]; then
        say "installing ${uv_pin/==/ }"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$uv_pin"
    fi
    local -a uv=("$venv/bin/uv" pip install --python "$venv/bin/python" --quiet)
    say "installing $(grep -c '==' requirements.lock) locked packages"
    "${uv[@]}" -r requirements.lock
    "${uv[@]}" --no-deps --no-build-isolation --editable .
    printf '%s\n' "$1" "$PWD" >"$stamp"
    rm -f "$marker"
}

# One setup at a time: the lock is on an open file and ends with this process.
exec 9<pyproject.toml
if command -v flock >/dev/null; then flock 9; fi

wanted="$(cat requirements.lock pyproject.toml | sha256)"
if [[ -e "$marker" || ! -x "$venv/bin/python" || "$(cat "$stamp" 2>/dev/null)" != "$wanted"$'\n'"$PWD" ]]; then
    install_packages "$wanted"
    say "installed"
fi
exec 9<&-

if [[ -z "${PILOTHOUSE_SKIP_ASSETS:-}" ]]; then
    "$venv/bin/python" -m tools.kernel.assets fetch
    if (($#)); then "$venv/bin/python" -m tools.kernel.assets fetch "$@"; fi
fi
