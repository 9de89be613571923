# Sourced: what pip is told on this machine (where wheels lie, which index, which certificates),
# uv is told as well. Values that uv has already been given stand.

pip_setting() { # NAME
    local section
    for section in :env: install global; do
        .venv/bin/python -m pip config get "$section.$1" 2>/dev/null && return
    done
    return 0
}

inherit_pip_settings() {
    local value
    if [[ -z "${UV_FIND_LINKS:-}" ]]; then
        value="$(pip_setting find-links | xargs | tr ' ' ',')"
        if [[ -n "$value" ]]; then export UV_FIND_LINKS="$value"; fi
    fi
    if [[ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]]; then
        value="$(pip_setting index-url)"
        if [[ -n "$value" ]]; then export UV_DEFAULT_INDEX="$value"; fi
    fi
    if [[ -z "${SSL_CERT_FILE:-}" ]]; then
        value="$(pip_setting cert)"
        if [[ -n "$value" ]]; then export SSL_CERT_FILE="$value"; fi
    fi
}
