#!/usr/bin/env bash
# Resolves pyproject.toml (with every extra) under constraints.txt into requirements.lock.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ! -x .venv/bin/uv ]]; then
    PILOTHOUSE_SKIP_ASSETS=1 scripts/bootstrap.sh
fi
# shellcheck source=scripts/uv_settings.sh
source scripts/uv_settings.sh
inherit_pip_settings

resolved="$(mktemp)"
trap 'rm -f "$resolved"' EXIT
# What is locked stays, unless it no longer fits; torch is chosen anew, among the builds at hand.
grep -v '^torch==' requirements.lock >"$resolved"
.venv/bin/uv pip compile pyproject.toml --all-extras -c constraints.txt \
    --python .venv/bin/python --no-annotate --no-header --no-emit-find-links --no-emit-index-url \
    --quiet "$@" -o "$resolved"
# A CPU build of torch satisfies the plain version: the lock names no build.
sed -E 's/^(torch==[0-9.]+)\+.*/\1/' "$resolved" >requirements.lock
