#!/usr/bin/env python3
"""Cuts testdata/flights.parquet out of data/flights-3m.parquet of the npm package vega-datasets 3.2.1.

    npm pack vega-datasets@3.2.1 && tar xzf vega-datasets-3.2.1.tgz
    pip install pyarrow==26.0.1
    python3 tools/make_flights_sample.py package/data/flights-3m.parquet testdata/flights.parquet

Every 12th row, so that all dates, all columns and nearly all airports stay: 250,000 rows.
"""

import hashlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

STEP = 12


def main(source: str, target: str) -> None:
    with open(source, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if digest != "dbeb920c90f59b6ccaff823dcc3d08f25a97fa1ce128d93f40be4e931f5900b0":
        sys.exit(f"{source}: SHA-256 is {digest}, not that of vega-datasets 3.2.1")
    table = pq.read_table(source)
    sample = table.take(pa.array(range(0, table.num_rows, STEP)))
    schema = pa.schema(
        [
            ("date", pa.timestamp("us")),
            ("delay", pa.int64()),
            ("distance", pa.int64()),
            ("origin", pa.string()),
            ("destination", pa.string()),
        ]
    )
    pq.write_table(sample.cast(schema), target, compression="zstd", compression_level=12, row_group_size=65536)
    print(f"{target}: {sample.num_rows} rows")


if __name__ == "__main__":
    main(*sys.argv[1:])
