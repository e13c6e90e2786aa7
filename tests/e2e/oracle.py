"""The expected result of a cut, computed by Python's csv module, an independent parser.

    oracle.py rows FILE                 the records of a CSV in UTF-8, as a JSON array of arrays
    oracle.py cut FILE SPECIFICATION    the cut of FILE as CSV: UTF-8, comma, LF, quotes only where needed
    oracle.py cut-rows FILE SPECIFICATION    the same cut as a JSON array of arrays

SPECIFICATION is JSON: encoding, delimiter, select (names), where (a list of [name, operator, operand], all of which
must hold; operators: = compares text, > compares numbers).
"""
import csv
import json
import re
import sys

csv.field_size_limit(64 << 20)

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def records(path, encoding="utf-8", delimiter=","):
    """Yields the records. An empty line is not a record."""
    with open(path, encoding=encoding, newline="") as file:
        yield from (record for record in csv.reader(file, delimiter=delimiter) if record)


def greater(cell, operand):
    cell = cell.strip()
    return bool(NUMBER.fullmatch(cell)) and float(cell) > float(operand)


OPERATORS = {"=": lambda cell, operand: cell == operand, ">": greater}


def cut(path, encoding="utf-8", delimiter=",", select=None, where=()):
    rows = records(path, encoding, delimiter)
    header = next(rows)
    columns = [header.index(name) for name in select or header]
    conditions = [(header.index(name), OPERATORS[operator], operand) for name, operator, operand in where]
    yield [header[column] for column in columns]
    for row in rows:
        row += [""] * (len(header) - len(row))
        if all(holds(row[column], operand) for column, holds, operand in conditions):
            yield [row[column] for column in columns]


def main(command, path, specification="{}"):
    if command == "rows":
        json.dump(list(records(path)), sys.stdout)
    elif command == "cut-rows":
        json.dump(list(cut(path, **json.loads(specification))), sys.stdout)
    elif command == "cut":
        sys.stdout.reconfigure(encoding="utf-8", newline="")
        csv.writer(sys.stdout, lineterminator="\n").writerows(cut(path, **json.loads(specification)))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
