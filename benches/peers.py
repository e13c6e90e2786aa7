#!/usr/bin/env python3
"""The reference cut by polars, DuckDB and pandas, each with one thread.

usage: peers.py serve ENGINE FILE COLUMN MINIMUM A,B,C OUT     like `rivals serve`: one cut for each line on standard input
       peers.py count FILE                                     count the rows of a file with Python's csv module and DuckDB

Each library reads the file itself (from the page cache) and writes OUT, as in normal use. It gets the names and types of
the needed columns, so that it need not guess.
"""

import csv
import hashlib
import json
import os
import sys
import time


def header_of(path: str) -> list[str]:
    with open(path, newline="") as file:
        return next(csv.reader(file))


def polars_cut(path, names, column, minimum, selected, out):
    import polars

    frame = polars.scan_csv(path, infer_schema=False, schema_overrides={names[column]: polars.Int64})
    kept = frame.filter(polars.col(names[column]) >= minimum).select([names[at] for at in selected]).collect()
    kept.write_csv(out)
    return kept.height


def duckdb_columns(names, column):
    return {name: "BIGINT" if at == column else "VARCHAR" for at, name in enumerate(names)}


def duckdb_cut(path, names, column, minimum, selected, out):
    import duckdb

    wanted = ", ".join(f'"{names[at]}"' for at in selected)
    with duckdb.connect() as database:
        database.execute("SET threads = 1")
        return database.execute(
            f"""COPY (SELECT {wanted} FROM read_csv('{path}', header = true, auto_detect = false, delim = ',',
                      quote = '"', escape = '"', columns = {duckdb_columns(names, column)})
                WHERE "{names[column]}" >= {minimum}) TO '{out}' (FORMAT csv, HEADER)"""
        ).fetchone()[0]


def pandas_cut(path, names, column, minimum, selected, out):
    import pandas

    wanted = [names[at] for at in selected]
    frame = pandas.read_csv(
        path,
        usecols=[*wanted, names[column]],
        dtype={name: str for name in wanted} | {names[column]: "int64"},
        keep_default_na=False,
    )
    kept = frame.loc[frame[names[column]] >= minimum, wanted]
    kept.to_csv(out, index=False, lineterminator="\n")
    return len(kept)


CUTS = {"polars": polars_cut, "duckdb": duckdb_cut, "pandas": pandas_cut}


def serve(engine, path, column, minimum, selected, out):
    library, cut, names = __import__(engine), CUTS[engine], header_of(path)
    selected = [int(at) for at in selected.split(",")]
    print(json.dumps({"ready": engine, "version": library.__version__}), flush=True)
    for _ in sys.stdin:
        if os.path.exists(out):
            os.remove(out)
        cpu, wall = time.process_time(), time.perf_counter()
        rows = cut(path, names, int(column), int(minimum), selected, out)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        with open(out, "rb") as file:
            written = file.read()
        print(
            json.dumps(
                {
                    "cpu_s": cpu,
                    "wall_s": wall,
                    "rows": rows,
                    "out_bytes": len(written),
                    "sha256": hashlib.sha256(written).hexdigest(),
                }
            ),
            flush=True,
        )


def count(path):
    import duckdb

    with open(path, newline="") as file:
        by_python = sum(1 for _ in csv.reader(file)) - 1
    names = header_of(path)
    columns = {name: "VARCHAR" for name in names}
    by_duckdb = duckdb.execute(
        f"""SELECT count("{names[-1]}") FROM read_csv('{path}', header = true, auto_detect = false, delim = ',',
            quote = '"', escape = '"', columns = {columns})"""
    ).fetchone()[0]
    print(json.dumps({"python_rows": by_python, "duckdb_rows": by_duckdb}))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", *arguments]:
            serve(*arguments)
        case ["count", path]:
            count(path)
        case _:
            sys.exit(__doc__)
