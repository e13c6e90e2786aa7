"""What a cut must yield, by Python's csv module: another parser, written by other people.

    oracle.py rows FILE                 the records of a CSV in UTF-8, as a JSON array of arrays
    oracle.py cut FILE SPECIFICATION    the cut of FILE as CSV: UTF-8, comma, LF, quotes only where needed
    oracle.py cut-rows FILE SPECIFICATION    the same as a JSON array of arrays

SPECIFICATION is JSON: encoding, delimiter, select (names), where ([name, operator, operand] each, all must hold;
operators: = and > of numbers).
"""
import csv
import json
import re
import sys

csv.field_size_limit(64 << 20)

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def records(path, encoding="utf-8", delimiter=","):
    """Lines without any byte are no records."""
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
    tests = [(header.index(name), OPERATORS[operator], operand) for name, operator, operand in where]
    yield [header[column] for column in columns]
    for row in rows:
        row += [""] * (len(header) - len(row))
        if all(holds(row[column], operand) for column, holds, operand in tests):
            yield [row[column] for column in columns]


def main(what, path, specification="{}"):
    if what == "rows":
        json.dump(list(records(path)), sys.stdout)
    elif what == "cut-rows":
        json.dump(list(cut(path, **json.loads(specification))), sys.stdout)
    elif what == "cut":
        sys.stdout.reconfigure(encoding="utf-8", newline="")
        csv.writer(sys.stdout, lineterminator="\n").writerows(cut(path, **json.loads(specification)))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
