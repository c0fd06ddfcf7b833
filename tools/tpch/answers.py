#!/usr/bin/env python3
"""Answers of DuckDB to the 22 queries of TPC-H, for tests/integration/tpch.

    cargo run --example tpch_queries -- export DIR 0.01
    tools/tpch/answers.py DIR tests/integration/tpch/answers
"""
import pathlib
import sys

import duckdb

TABLES = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"]
QUERIES = pathlib.Path(__file__).resolve().parents[2] / "tests/integration/tpch"


def connect(directory, kind="TABLE"):
    """A connection that has the exported tables, in its own form or as views of the files."""
    connection = duckdb.connect()
    for table in TABLES:
        path = (pathlib.Path(directory) / f"{table}.parquet").as_posix()
        connection.execute(f"CREATE {kind} {table} AS SELECT * FROM read_parquet('{path}')")
    return connection


def rows(connection, number):
    """The rows of a query as lines, columns by tabs."""
    sql = (QUERIES / f"q{number:02}.sql").read_text()
    found = connection.execute(sql).fetchall()
    return ["\t".join("" if value is None else str(value) for value in row) for row in found]


def main():
    source, target = sys.argv[1:]
    connection = connect(source)
    for number in range(1, 23):
        lines = rows(connection, number)
        text = "".join(f"{line}\n" for line in lines)
        (pathlib.Path(target) / f"q{number:02}.tsv").write_text(text)
        print(f"q{number:02}: {len(lines)} rows")


if __name__ == "__main__":
    main()
