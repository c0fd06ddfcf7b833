#!/usr/bin/env bash
# Makes a store with every feature and reads it with foreign readers, and loads Parquet files of foreign writers. Arguments go to
# check_readers.py (--check).
# The Python packages lie in a virtual environment outside the clone; STELE_CACHE says where.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache="${STELE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/steledb}"
# A change of the pinned versions makes a new environment.
environment="$cache/conformance-$(cksum <tools/conformance/requirements.txt | cut -d' ' -f1)"
if [[ ! -e "$environment/ready" ]]; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r tools/conformance/requirements.txt
    touch "$environment/ready"
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cargo run --quiet --example conformance_store -- "$work"
"$environment/bin/python" tools/conformance/check_readers.py "$work" docs/readers.md "$@"
cargo build --quiet --bin stele
"$environment/bin/python" tools/conformance/check_writers.py "${CARGO_TARGET_DIR:-target}/debug/stele" "$work/writers"
