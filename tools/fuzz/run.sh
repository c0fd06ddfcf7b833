#!/usr/bin/env bash
# Fuzzes the decoders of hostile bytes and the parser of statements: run.sh [seconds for each target, default 60] [target …,
# default all].
# Ends with an error at the first finding, whose input lies in tools/fuzz/artifacts. All targets run at the same time.
# A batch of Arrow may claim a gibibyte, hence the limit of memory.
# Needs `cargo install cargo-fuzz`; the sanitizers are unstable features, which RUSTC_BOOTSTRAP lets a stable compiler use.
set -euo pipefail
cd "$(dirname "$0")"
seconds="${1:-60}"
shift || true
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(log checkpoint manifest catalog envelope blocks segment csv json_lines nested_text arrow_ipc
    parquet deletion_vector sql)
export RUSTC_BOOTSTRAP=1
# Panics of `parquet` that are made errors are many, and a backtrace of each would take most of the time.
export RUST_BACKTRACE=0

cargo run --quiet --release --bin seeds -- corpus
cargo fuzz build --fuzz-dir .
running=()
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target" logs
    cargo fuzz run --fuzz-dir . "$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1100 -print_final_stats=1 \
        >"logs/$target" 2>&1 &
    running+=("$!:$target")
done
failed=0
for one in "${running[@]}"; do
    if wait "${one%%:*}"; then
        echo "${one#*:}: $(grep -h number_of_executed_units "logs/${one#*:}" | tr -s ' ') in $seconds s, nothing found"
    else
        echo "${one#*:}: FOUND, see tools/fuzz/logs/${one#*:}" >&2
        failed=1
    fi
done
exit "$failed"
