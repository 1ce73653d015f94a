#!/usr/bin/env python3
"""pandas and DuckDB read from `sweep collect -o FILE.parquet` what is in the CSV of the same sweep.

    test_read_back.py PROGRAM      (built with the feature `parquet`)
"""

import csv
import pathlib
import subprocess
import sys
import tempfile

import duckdb
import pandas

# `static` takes no lock and makes no get: its figures of them are not known.
PLAN = """
[base]
workload = 'teardown'
memory = '1MiB'
tds = 1
vcpus = 2
[cross]
strategy = ['static', 'global', 'striped:64']
seed = { from = 1, count = 5 }
"""


def sweep(program, top):
    plan = top / "plan.toml"
    plan.write_text(PLAN)
    subprocess.run([program, "sweep", plan, "-o", top / "sweep", "--quiet"], check=True)
    for form in ("csv", "parquet"):
        collect = [program, "sweep", "collect", top / "sweep", "-o", top / f"runs.{form}"]
        subprocess.run(collect, check=True, capture_output=True)
    return top / "runs.csv", top / "runs.parquet"


def same(cell, value):
    """Whether a cell of CSV and a value of a typed column say the same."""
    if cell == "" or value is None or value is pandas.NA:
        return cell == "" and (value is None or value is pandas.NA or value == "")
    if isinstance(value, str):
        return cell == value
    return (float(cell) if isinstance(value, float) else int(cell)) == value


def check(reader, rows, names, table):
    assert names == list(rows[0]), f"{reader}: {names}"
    assert len(table) == len(rows), f"{reader}: {len(table)} rows of {len(rows)}"
    for row, values in zip(rows, table):
        for (name, cell), value in zip(row.items(), values):
            assert same(cell, value), f"{reader}: {name} is {value!r}, in CSV {cell!r}"


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as top:
        csv_path, parquet_path = sweep(program, pathlib.Path(top))
        with open(csv_path, newline="") as file:
            rows = list(csv.DictReader(file))
        assert any(row["pamt_get_count"] == "" for row in rows), "no cell is unknown: weak test"
        frame = pandas.read_parquet(parquet_path, dtype_backend="numpy_nullable")
        check("pandas", rows, list(frame.columns), list(frame.itertuples(index=False, name=None)))
        found = duckdb.sql(f"SELECT * FROM '{parquet_path}'")
        check("DuckDB", rows, found.columns, found.fetchall())
        types = dict(zip(found.columns, map(str, found.types)))
        expected = {"strategy": "VARCHAR", "seed": "UBIGINT", "throughput_per_second": "DOUBLE"}
        assert expected.items() <= types.items(), types
    print(f"equal: {len(rows)} rows of {len(rows[0])} columns by pandas and by DuckDB")


if __name__ == "__main__":
    main()
