#!/usr/bin/env python3
"""Runs TPC-H on a store and in DuckDB over the same rows: compares the answers, or with --time the medians, also beside
DataFusion with its defaults; both of them read the Parquet files.

    tools/tpch/compare.py DIR --scale 1 [--time 5] [--queries 1,3,6] [--binary target/release/examples/tpch_queries]

DIR gets the store and the Parquet files when it does not have them.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import time

from answers import QUERIES, connect, rows


def is_same(found, expected):
    """Texts are equal, numbers as far as averages of decimals are."""
    found, expected = found.split("\t"), expected.split("\t")
    if len(found) != len(expected):
        return False
    for one, other in zip(found, expected):
        try:
            if abs(float(one) - float(other)) > 1e-4 * max(1.0, abs(float(other))):
                return False
        except ValueError:
            if one != other:
                return False
    return True


def compare(arguments, store, connection, numbers):
    """Prints where the answers differ, and gives how many do."""
    command = [arguments.binary, "run", store, ",".join(map(str, numbers))]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {}
    for line in output.splitlines():
        if line.startswith("-- q"):
            current = found.setdefault(int(line[4:]), [])
        else:
            current.append(line)
    wrong = 0
    for number in numbers:
        ours, theirs = found[number], rows(connection, number)
        same = len(ours) == len(theirs) and all(is_same(a, b) for a, b in zip(ours, theirs))
        wrong += not same
        print(f"q{number:02}: {'same' if same else 'DIFFERENT'}, {len(ours)} and {len(theirs)} rows")
    return wrong


def measure(arguments, store, exported, connection, numbers):
    """Prints the medians of all three."""
    command = [arguments.binary, "time", store, exported, ",".join(map(str, numbers)), str(arguments.time)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    totals = [0.0, 0.0, 0.0]
    for line in output.splitlines():
        found = json.loads(line)
        sql = (QUERIES / f"q{found['query']:02}.sql").read_text()
        times = []
        for _ in range(arguments.time + 1):
            begin = time.perf_counter()
            connection.execute(sql).fetchall()
            times.append(time.perf_counter() - begin)
        medians = [found["stele"], found["datafusion"], statistics.median(times[1:])]
        totals = [total + median for total, median in zip(totals, medians)]
        report(f"q{found['query']:02}", medians)
    report("all", totals)


def report(name, times):
    stele, datafusion, duck = times
    print(f"{name}: {stele:.3f} s, DataFusion {datafusion:.3f} s ({stele / datafusion:.2f}x), "
          f"DuckDB {duck:.3f} s ({stele / duck:.2f}x)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--scale", default="1")
    parser.add_argument("--time", type=int, default=0, metavar="RUNS")
    parser.add_argument("--queries", default=",".join(map(str, range(1, 23))))
    parser.add_argument("--binary", default="target/release/examples/tpch_queries")
    arguments = parser.parse_args()
    directory = pathlib.Path(arguments.directory)
    store, exported = str(directory / "store"), str(directory / "parquet")
    directory.mkdir(parents=True, exist_ok=True)
    if not pathlib.Path(store).exists():
        subprocess.run([arguments.binary, "load", store, arguments.scale], check=True)
    if not pathlib.Path(exported).exists():
        subprocess.run([arguments.binary, "export-store", store, exported], check=True)
    connection = connect(exported, "VIEW" if arguments.time else "TABLE")
    numbers = [int(number) for number in arguments.queries.split(",")]
    if arguments.time > 1:
        measure(arguments, store, exported, connection, numbers)
        return
    raise SystemExit(1 if compare(arguments, store, connection, numbers) else 0)


if __name__ == "__main__":
    main()
