#!/usr/bin/env python3
"""Loads Parquet files that other programs wrote, in their codecs, encodings and page versions, and compares the rows.

    cargo build
    pip install -r tools/conformance/requirements.txt
    python3 tools/conformance/check_writers.py target/debug/stele DIR

The files and a store are made in DIR. Every file must be loaded, and its rows be those that pyarrow reads from it.
"""

import datetime
import decimal
import io
import itertools
import pathlib
import random
import subprocess
import sys

import chdb
import duckdb
import fastparquet
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from check_readers import difference

ROWS = 600


def main() -> int:
    stele, directory = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    directory.mkdir(exist_ok=True)
    store = directory / "store"
    run(stele, "init", "--root", store)
    run(stele, "sql", "--root", store, "-c", "CREATE DATABASE d")
    failures = []
    files = [file for writer in (of_pyarrow, of_polars, of_duckdb, of_chdb, of_fastparquet) for file in writer(directory)]
    for number, file in enumerate(files):
        detail = check(stele, store, f"d.t{number}", file)
        if detail:
            failures.append(f"{file.name}: {detail}")
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    print(f"{len(files) - len(failures)} of {len(files)} Parquet files of other programs were loaded right")
    return 1 if failures or not files else 0


def run(*command) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


def check(stele: pathlib.Path, store: pathlib.Path, table: str, file: pathlib.Path) -> str:
    """What is wrong with the table that the file becomes; empty if nothing is."""
    try:
        run(stele, "load", table, file, "--create", "--root", store)
        found = run(stele, "sql", "--root", store, "--format", "arrow", "-c", f"SELECT * FROM {table}")
    except subprocess.CalledProcessError as error:
        return error.stderr.decode().strip().splitlines()[-1]
    return difference(pq.read_table(file), pa.ipc.open_stream(io.BytesIO(found)).read_all())


def rows(nulls: float, seed: int) -> pa.Table:
    """A column of every kind of values, about so many of them NULL."""
    chance = random.Random(seed)
    pick = chance.choice

    def column(data_type: pa.DataType, value) -> pa.Array:
        return pa.array([None if chance.random() < nulls else value(row) for row in range(ROWS)], data_type)

    def numbers(most: int) -> list:
        return [pick([None, chance.randint(0, 9)]) for _ in range(pick([0, 1, 3, most]))]

    return pa.table({
        "tiny": column(pa.int8(), lambda row: row % 100),
        "equal": column(pa.int64(), lambda row: 7),
        "int": column(pa.int32(), lambda row: chance.randint(-(2**20), 2**20)),
        "big": column(pa.int64(), lambda row: chance.randint(-(2**63), 2**63 - 1)),
        "double": column(pa.float64(), lambda row: chance.random()),
        "truth": column(pa.bool_(), lambda row: chance.random() < 0.5),
        "text": column(pa.string(), lambda row: pick(["", "a" * chance.randint(0, 50), f"text {row}"])),
        # Few bytes of the file become very many.
        "long": column(pa.string(), lambda row: "y" * pick([0, 10, 100_000])),
        "day": column(pa.date32(), lambda row: datetime.date(2000, 1, 1) + datetime.timedelta(days=row)),
        "time": column(pa.timestamp("us"), lambda row: datetime.datetime(2000, 1, 1) + datetime.timedelta(microseconds=row**4)),
        "money": column(pa.decimal128(18, 2), lambda row: decimal.Decimal(chance.randint(-(10**15), 10**15)).scaleb(-2)),
        "list": column(pa.list_(pa.int32()), lambda row: numbers(50)),
        "lists": column(pa.list_(pa.list_(pa.string())), lambda row: [[str(row)] * pick([0, 1, 3]) for _ in range(pick([0, 2]))]),
        "pair": column(pa.struct([("a", pa.int32()), ("b", pa.string())]), lambda row: {"a": pick([None, row]), "b": "b"}),
        "map": column(pa.map_(pa.string(), pa.int32()), lambda row: [(str(key), key) for key in range(pick([0, 1, 4]))]),
    })


def of_pyarrow(directory: pathlib.Path):
    encodings = {
        "dictionary": {"use_dictionary": True, "dictionary_pagesize_limit": 2000},
        "plain": {"use_dictionary": False},
        "delta": {"use_dictionary": False, "column_encoding": {
            "int": "DELTA_BINARY_PACKED", "big": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY",
            "long": "DELTA_LENGTH_BYTE_ARRAY", "truth": "RLE",
        }},
        "split": {"use_dictionary": False, "column_encoding": {
            name: "BYTE_STREAM_SPLIT" for name in ("int", "big", "double", "money")
        }},
    }
    codecs = ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]
    for number, (codec, pages, (name, encoding)) in enumerate(itertools.product(codecs, ["1.0", "2.0"], encodings.items())):
        nulls = [0, 0.3, 1][number % 3]
        file = directory / f"pyarrow-{codec}-{pages}-{name}-{nulls}.parquet"
        sizes = {"data_page_size": 4096, "row_group_size": ROWS // 2} if number % 2 else {}
        pq.write_table(rows(nulls, number), file, compression=codec, data_page_version=pages,
                       write_page_index=number % 7 < 3, store_schema=number % 5 == 0, **sizes, **encoding)
        yield file


def of_polars(directory: pathlib.Path):
    for number, codec in enumerate(["uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4"]):
        file = directory / f"polars-{codec}.parquet"
        frame = polars.from_arrow(rows(0.3, number))
        frame.write_parquet(file, compression=codec, row_group_size=ROWS // 3, data_page_size=4096)
        yield file


def of_duckdb(directory: pathlib.Path):
    connection = duckdb.connect().register("written", rows(0.3, 1))
    for codec in ["uncompressed", "snappy", "gzip", "brotli", "zstd", "lz4_raw"]:
        file = directory / f"duckdb-{codec}.parquet"
        connection.execute(f"COPY (SELECT * FROM written) TO '{file}' (FORMAT parquet, CODEC {codec})")
        yield file


def of_chdb(directory: pathlib.Path):
    source = directory / "chdb-source.parquet"
    pq.write_table(rows(0.3, 2).drop_columns(["list", "lists", "pair", "map"]), source)
    for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
        file = directory / f"chdb-{codec}.parquet"
        settings = f"output_format_parquet_compression_method = '{codec}', output_format_parquet_string_as_string = 1"
        chdb.query(f"SELECT * FROM file('{source}', Parquet) INTO OUTFILE '{file}' FORMAT Parquet SETTINGS {settings}")
        yield file


def of_fastparquet(directory: pathlib.Path):
    frame = rows(0.3, 3).select(["equal", "double", "text", "long", "time"]).to_pandas()
    for codec in ["UNCOMPRESSED", "SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4_RAW"]:
        file = directory / f"fastparquet-{codec}.parquet"
        fastparquet.write(str(file), frame, compression=codec, row_group_offsets=ROWS // 3)
        yield file


if __name__ == "__main__":
    sys.exit(main())
