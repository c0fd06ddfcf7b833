#!/usr/bin/env python3
"""Reads what conformance_store made with foreign Delta readers and writes docs/readers.md.

    cargo run --example conformance_store -- DIR
    pip install -r tools/conformance/requirements.txt
    python3 tools/conformance/check_readers.py DIR docs/readers.md [--check]

Each reader reads each table in a process of its own, because a reader may crash. The result is `right` (exactly the rows
that were loaded), `refused` (an error), or `WRONG`, which fails the run unless KNOWN_FAULTS says whose fault it is.
With --check the page is compared instead of written.
"""

import argparse
import csv
import datetime
import json
import math
import pathlib
import subprocess
import sys
from importlib.metadata import version

READERS = ["deltalake", "polars", "chdb"]
PLACES = ["live", "snapshot", "repository"]

# (reader, case) -> issue of that reader. A fault that no longer shows must be taken off: the run fails on it too.
KNOWN_FAULTS: dict[tuple[str, str], str] = {
    # Arrays and maps cannot be NULL there: they come out empty.
    ("chdb", "nested_nulls"): "ClickHouse#52562",
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()

    cases = [case for place in PLACES for case in read_cases(arguments.dir, place)]
    results = {}
    failures = []
    for place, name, _, path in cases:
        expected = arguments.dir / "expected" / f"{place}-{name}.parquet"
        for reader in READERS:
            result, detail = ask(reader, path, expected)
            results[place, name, reader] = result
            print(f"{place:10} {name:18} {reader:10} {result}{': ' + detail if detail else ''}", flush=True)
            known = (reader, name) in KNOWN_FAULTS
            if (result == "WRONG") != known and (result == "WRONG" or place == "live"):
                failures.append(f"{place} {name} {reader}: {result} {detail}")

    page = render(cases, results)
    if arguments.check:
        if not arguments.page.exists() or arguments.page.read_text() != page:
            failures.append(f"{arguments.page} is not up to date: run tools/conformance/run.sh and commit it")
    else:
        arguments.page.write_text(page)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def read_cases(directory: pathlib.Path, place: str) -> list[list[str]]:
    with open(directory / f"cases-{place}.tsv", newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def ask(reader: str, path: str, expected: pathlib.Path) -> tuple[str, str]:
    """Runs one reader on one table; see worker()."""
    if not (pathlib.Path(path) / "_delta_log").is_dir():
        return "none", "no table log is published there"
    process = subprocess.run(
        [sys.executable, str(pathlib.Path(__file__).resolve()), "--worker", reader, path, str(expected.resolve())],
        # chdb reads no files but those below the working directory.
        cwd=pathlib.Path(path).parent,
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = [line for line in process.stdout.splitlines() if line.startswith("{")]
    if process.returncode > 0 or (process.returncode == 0 and not lines):
        # The reader gave rows and comparing them failed: that is a fault of this tool and must not look like an answer.
        raise RuntimeError(f"comparing {reader}'s rows of {path} failed:\n{process.stderr}")
    if process.returncode < 0:
        # A reader that crashes shows no wrong rows, so it counts as a refusal.
        tail = (process.stderr or process.stdout).strip().splitlines()
        return "refused", f"crashed ({process.returncode}) {tail[-1] if tail else ''}"
    answer = json.loads(lines[-1])
    return answer["result"], answer["detail"]


def worker(reader: str, path: str, expected_path: str) -> None:
    import pyarrow.parquet as pq

    expected = pq.read_table(expected_path)
    try:
        found, counted = READ[reader](path)
    except Exception as error:  # Whatever a reader raises is its refusal.
        say("refused", " ".join(f"{type(error).__name__}: {error}".split())[:200])
        return
    detail = difference(expected, found)
    if not detail and counted != expected.num_rows:
        detail = f"count(*) gives {counted}, expected {expected.num_rows}"
    say("WRONG" if detail else "right", detail)


def say(result: str, detail: str) -> None:
    print(json.dumps({"result": result, "detail": detail}))


def read_deltalake(path: str):
    from deltalake import DeltaTable, QueryBuilder

    table = DeltaTable(path)
    rows = QueryBuilder().register("t", table).execute("select * from t").read_all()
    counted = QueryBuilder().register("t", table).execute("select count(*) from t").read_all()
    import pyarrow as pa

    return pa.table(rows), pa.table(counted).column(0)[0].as_py()


def read_polars(path: str):
    import polars

    frame = polars.scan_delta(path)
    return frame.collect().to_arrow(), frame.select(polars.len()).collect().item()


def read_chdb(path: str):
    import chdb
    import pyarrow as pa

    data = chdb.query(f"select * from deltaLakeLocal('{path}')", "ArrowStream").bytes()
    counted = chdb.query(f"select count(*) from deltaLakeLocal('{path}')", "CSV").bytes()
    return pa.ipc.open_stream(data).read_all() if data else None, int(counted)


READ = {"deltalake": read_deltalake, "polars": read_polars, "chdb": read_chdb}


def difference(expected, found) -> str:
    """What differs between two tables, rows in any order; empty if nothing does."""
    if found is None:
        return "" if expected.num_rows == 0 else "no rows"
    if found.column_names != expected.column_names:
        return f"columns {found.column_names}, expected {expected.column_names}"
    if found.num_rows != expected.num_rows:
        return f"{found.num_rows} rows, expected {expected.num_rows}"
    want = sorted(rows_of(expected, expected.schema))
    have = sorted(rows_of(found, expected.schema))
    for one, other in zip(want, have):
        if one != other:
            pairs = zip(expected.column_names, one, other)
            return "; ".join(f"{name} {b!r}, expected {a!r}" for name, a, b in pairs if a != b)[:300]
    return ""


def rows_of(table, schema) -> list[tuple]:
    """Rows as tuples of text, told apart by the type they should have, so that 1 and "1" or NULL and "" differ."""
    import pyarrow as pa

    columns = []
    for field in schema:
        column = table[field.name]
        if pa.types.is_temporal(field.type):
            column = in_integers(column, field.type)
        if pa.types.is_binary(field.type):
            # Some readers call every byte string text, also where it is no UTF-8.
            column = pa.chunked_array([chunk.view(pa.binary()) if chunk.type == pa.string() else chunk for chunk in column.chunks])
        columns.append([canonical(value, field.type) for value in column.to_pylist()])
    return list(zip(*columns))


def in_integers(column, wanted):
    """Dates as days and times as microseconds: Python's own types end at year 1 and 9999 but other readers' do not."""
    import pyarrow as pa

    if pa.types.is_date32(wanted):
        if pa.types.is_integer(column.type):
            return column
        return column.cast(pa.date32()).cast(pa.int32())
    if pa.types.is_integer(column.type):
        return column
    return column.cast(pa.timestamp("us")).cast(pa.int64())


def canonical(value, wanted) -> str:
    import pyarrow as pa

    if value is None:
        return "NULL"
    if pa.types.is_list(wanted):
        return "[" + ", ".join(canonical(element, wanted.value_type) for element in value) + "]"
    if pa.types.is_map(wanted):
        # Polars has no maps: it gives lists of structs.
        pairs = [tuple(entry.values()) if isinstance(entry, dict) else entry for entry in value]
        return "{" + ", ".join(f"{canonical(k, wanted.key_type)}: {canonical(v, wanted.item_type)}" for k, v in pairs) + "}"
    if pa.types.is_struct(wanted):
        return "(" + ", ".join(f"{field.name}={canonical(value[field.name], field.type)}" for field in wanted) + ")"
    if isinstance(value, datetime.datetime) and value.tzinfo:
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if pa.types.is_boolean(wanted):
        return repr(bool(value))
    if pa.types.is_string(wanted) and isinstance(value, bytes):
        value = value.decode()
    if pa.types.is_binary(wanted) and isinstance(value, str):
        value = value.encode()
    if pa.types.is_decimal(wanted):
        return f"{value:.{wanted.scale}f}"
    return repr(value)


def render(cases: list[list[str]], results: dict) -> str:
    lines = [
        "# Who reads a table in place",
        "",
        "Written by `tools/conformance/run.sh`, which `.ci/run` repeats and compares; do not edit. A table directory, a",
        "snapshot's table and a repository's `tables/<lineage>` are Delta tables. *right*: the reader gives exactly the",
        "rows that were loaded. *refused*: it says that it cannot, and gives no rows. *none*: nothing is published there.",
        "",
        "Readers: " + ", ".join(f"{reader} {version(reader)}" for reader in READERS) + ".",
        "",
        "| feature | where | " + " | ".join(READERS) + " |",
        "|---|---|" + "---|" * len(READERS),
    ]
    for place, name, what, _ in sorted(cases, key=lambda case: (case[1], PLACES.index(case[0]))):
        cells = []
        for reader in READERS:
            result = results[place, name, reader]
            issue = KNOWN_FAULTS.get((reader, name))
            cells.append(f"known fault: {issue}" if issue and result == "WRONG" else result)
        lines.append(f"| {what} | {place} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:])
    else:
        sys.exit(main())
