#!/usr/bin/env python3
"""One piece of work of one query engine, in a process of its own; prints seconds and answer as JSON.

    engine.py ENGINE WORK SOURCE [NATIVE] [--scale SCALE]

ENGINE is duckdb, chdb or datafusion. WORK is `load-parquet` or `load-csv` of file SOURCE into NATIVE, durably; or
`scan-sum`, `scan-q1`, `lookup` or `open` of the Parquet files of glob SOURCE, or, with SOURCE `native`, of what was loaded
into NATIVE. Starting the engine is part of the time of `open` only. What reads is done once before it is measured.
"""

import argparse
import glob
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable

SUM = "SELECT sum(l_extendedprice) FROM {table}"
Q1 = """SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice),
 sum(l_extendedprice * (1 - l_discount)), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)),
 avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*)
 FROM {table} WHERE l_shipdate <= {day} GROUP BY l_returnflag, l_linestatus"""
LOOKUP = "SELECT * FROM {table} WHERE l_orderkey = {key}"
LOOKUPS = 20
# At scale 1.
ORDERS = 1_500_000
# Of a CSV file, so that no engine guesses; DuckDB's spelling.
COLUMNS = {
    "l_orderkey": "BIGINT", "l_partkey": "BIGINT", "l_suppkey": "BIGINT", "l_linenumber": "INTEGER",
    "l_quantity": "DECIMAL(15,2)", "l_extendedprice": "DECIMAL(15,2)", "l_discount": "DECIMAL(15,2)",
    "l_tax": "DECIMAL(15,2)", "l_returnflag": "VARCHAR", "l_linestatus": "VARCHAR", "l_shipdate": "DATE",
    "l_commitdate": "DATE", "l_receiptdate": "DATE", "l_shipinstruct": "VARCHAR", "l_shipmode": "VARCHAR",
    "l_comment": "VARCHAR",
}


def sync(path: pathlib.Path) -> None:
    """Makes a file, or every file and directory below a directory, durable."""
    paths = [path] if path.is_file() else [path, *path.rglob("*")]
    for entry in paths:
        handle = os.open(entry, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


class DuckDb:
    """A database file; DuckDB syncs it at the checkpoint."""

    def __init__(self, native: str | None) -> None:
        import duckdb

        self.connection = duckdb.connect(native or ":memory:")

    def load(self, work: str, source: str) -> None:
        if work == "load-parquet":
            rows = f"'{source}'"
        else:
            types = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
            rows = f"read_csv('{source}', header = true, columns = {{{types}}})"
        self.connection.execute(f"CREATE TABLE lineitem AS SELECT * FROM {rows}")
        self.connection.execute("CHECKPOINT")
        self.connection.close()

    def table(self, source: str) -> str:
        return "lineitem" if source == "native" else f"read_parquet('{source}')"

    def query(self, text: str, **values: object) -> list[tuple]:
        return self.connection.execute(text.format(day="DATE '1998-09-02'", **values)).fetchall()

    def close(self) -> None:
        self.connection.close()


class ChDb:
    """A MergeTree sorted and partitioned as the store's table is, synced after every part."""

    def __init__(self, native: str | None) -> None:
        from chdb import session

        self.session = session.Session(native) if native else session.Session()

    def load(self, work: str, source: str) -> None:
        kinds = {"BIGINT": "Int64", "INTEGER": "Int32", "DECIMAL(15,2)": "Decimal(15,2)", "VARCHAR": "String",
                 "DATE": "Date32"}
        columns = ", ".join(f"{name} {kinds[kind]}" for name, kind in COLUMNS.items())
        self.session.query("CREATE DATABASE tpch")
        self.session.query(
            f"CREATE TABLE tpch.lineitem ({columns}) ENGINE = MergeTree PARTITION BY toYYYYMM(l_shipdate) "
            "ORDER BY (l_orderkey, l_linenumber) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
        )
        form = "Parquet" if work == "load-parquet" else "CSVWithNames"
        self.session.query(f"INSERT INTO tpch.lineitem SELECT * FROM file('{source}', {form}, '{columns}')")

    def table(self, source: str) -> str:
        return "tpch.lineitem" if source == "native" else f"file('{source}', Parquet)"

    def query(self, text: str, **values: object) -> list[tuple]:
        result = self.session.query(text.format(day="toDate32('1998-09-02')", **values), "JSONCompact")
        return [tuple(row) for row in json.loads(str(result))["data"]]

    def close(self) -> None:
        self.session.close()


class DataFusion:
    """It has no format of its own: loading rewrites the rows as Parquet, unsorted."""

    def __init__(self, native: str | None) -> None:
        from datafusion import SessionConfig, SessionContext

        # The files lie in a directory for each partition.
        config = SessionConfig().set("datafusion.execution.listing_table_ignore_subdirectory", "false")
        self.context = SessionContext(config)
        self.native = native

    def load(self, work: str, source: str) -> None:
        if work == "load-parquet":
            self.context.register_parquet("source", source)
        else:
            import pyarrow

            kinds = {"BIGINT": pyarrow.int64(), "INTEGER": pyarrow.int32(), "DECIMAL(15,2)": pyarrow.decimal128(15, 2),
                     "VARCHAR": pyarrow.string(), "DATE": pyarrow.date32()}
            schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
            self.context.register_csv("source", source, schema=schema, has_header=True)
        self.context.sql(f"COPY source TO '{self.native}' STORED AS PARQUET").collect()
        sync(pathlib.Path(self.native))

    def table(self, source: str) -> str:
        self.context.register_parquet("lineitem", self.native if source == "native" else source.split("*", 1)[0])
        return "lineitem"

    def query(self, text: str, **values: object) -> list[tuple]:
        batches = self.context.sql(text.format(day="DATE '1998-09-02'", **values)).collect()
        return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]

    def close(self) -> None:
        del self.context


ENGINES = {"duckdb": DuckDb, "chdb": ChDb, "datafusion": DataFusion}


def order_keys(scale: float) -> list[int]:
    """Keys of orders that there are, spread over all of them: those that `stele bench` looks up."""
    orders = max(int(ORDERS * scale), 1)
    chosen = [n * 0x9E37_79B9_7F4A_7C15 % 2**64 % orders for n in range(1, LOOKUPS + 1)]
    # TPC-H uses the first 8 of each 32 keys.
    return [order // 8 * 32 + order % 8 + 1 for order in chosen]


def reading(arguments: argparse.Namespace) -> Callable[[], float]:
    """What is done and measured; it gives one number that tells whether the answer is right."""
    keys = order_keys(arguments.scale)
    start = ENGINES[arguments.engine]
    if arguments.work == "open":

        def open_and_look() -> float:
            engine = start(arguments.native)
            rows = engine.query(LOOKUP, table=engine.table(arguments.source), key=keys[0])
            engine.close()
            return len(rows)

        return open_and_look
    engine = start(arguments.native)
    table = engine.table(arguments.source)
    return {
        "scan-sum": lambda: float(engine.query(SUM, table=table)[0][0]),
        # What was charged in all groups.
        "scan-q1": lambda: float(sum(float(row[5]) for row in engine.query(Q1, table=table))),
        "lookup": lambda: sum(len(engine.query(LOOKUP, table=table, key=key)) for key in keys),
    }[arguments.work]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("work", choices=["load-parquet", "load-csv", "scan-sum", "scan-q1", "lookup", "open"])
    parser.add_argument("source")
    parser.add_argument("native", nargs="?")
    parser.add_argument("--scale", type=float, default=1.0, help="of the rows, for the keys of orders")
    arguments = parser.parse_args()
    if arguments.work.startswith("load"):
        engine = ENGINES[arguments.engine](arguments.native)
        begun = time.perf_counter()
        engine.load(arguments.work, arguments.source)
        print(json.dumps({"seconds": time.perf_counter() - begun}))
        return
    if arguments.source != "native" and not glob.glob(arguments.source, recursive=True):
        raise SystemExit(f"{arguments.source}: there is no such file")
    work = reading(arguments)
    work()
    begun, cpu = time.perf_counter(), time.process_time()
    answer = work()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "answer": answer}))


if __name__ == "__main__":
    main()
