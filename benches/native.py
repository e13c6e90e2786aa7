#!/usr/bin/env python3
"""Makes the files of the benchmark and runs its native part: every engine cuts every file, in turns, on one core.

usage: native.py files MEGABYTES      make and verify the missing files under target/bench/data
       native.py measure RUNS         write target/bench/results/native.jsonl

An engine is a process that has read the file and cuts it on request. So engines can take turns, and none is measured
cold. `rivals` runs our engine and the Rust engines; `peers.py`, in its own environment, runs the others.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "target/bench"
DATA = BENCH / "data"
RESULTS = BENCH / "results/native.jsonl"
RIVALS = BENCH / "rivals/release/rivals"
PEERS = [BENCH / "venv/bin/python", ROOT / "benches/peers.py"]

# Sizes as fractions of the requested size.
MEASURED = {"plain": 1, "quoted": 1, "dense": 1, "wide": 0.25, "long": 0.25}
# Smaller files for the engines in JavaScript, which are slow.
SMALL = {"plain-small": 0.25, "quoted-small": 0.25, "dense-small": 0.25}
ENGINES = ["cutty", "cutty-avx2", "cutty-sse2", "simd-csv", "csv", "csv-core", "polars", "duckdb", "pandas"]
PEER_ENGINES = {"polars", "duckdb", "pandas"}
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}

# All flights that departed from New York City in 2013: keep the long ones, write carrier, tail number and destination.
FLIGHTS = {
    "kind": "flights",
    "rows": 336776,
    "column": 15,
    "minimum": 2475,
    "selected": [9, 11, 13],
    "path": "target/fixtures/flights.csv",
}


def command(*words) -> dict:
    done = subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def facts_path(kind: str) -> Path:
    return DATA / f"{kind}.json"


def make_file(name: str, size: int) -> None:
    facts_file, path, kind = facts_path(name), DATA / f"{name}.csv", name.removesuffix("-small")
    version = int((ROOT / "benches/rivals/src/generate.rs").read_text().split("VERSION: u32 = ")[1].split(";")[0])
    if facts_file.exists() and path.exists():
        facts = json.loads(facts_file.read_text())
        if facts["asked_bytes"] == size and facts["version"] == version and facts["bytes"] == path.stat().st_size:
            print(f"  ok    {name}: {facts['bytes']} bytes, {facts['rows']} rows, SHA-256 {facts['sha256']}")
            return
    facts_file.unlink(missing_ok=True)
    facts = command(RIVALS, "generate", kind, size, path)
    counted = command(*PEERS, "count", path)
    if set(counted.values()) != {facts["rows"]}:
        sys.exit(f"{name}: {facts['rows']} rows were written, but {counted} were counted")
    facts["minimum"] = facts["bound"] * 9 // 10
    facts["path"] = str(path.relative_to(ROOT))
    facts_file.write_text(json.dumps(facts))
    print(
        f"  done  {name}: {facts['bytes']} bytes, {facts['rows']} rows (confirmed by Python's csv and by DuckDB), "
        f"SHA-256 {facts['sha256']}"
    )


class Engine:
    """A process on one core that cuts one file on request."""

    def __init__(self, name: str, facts: dict, core: int):
        job = [facts["column"], facts["minimum"], ",".join(map(str, facts["selected"]))]
        path = ROOT / facts["path"]
        if name in PEER_ENGINES:
            words = [*PEERS, "serve", name, path, *job, BENCH / f"out-{name}.csv"]
        else:
            words = [RIVALS, "serve", name, path, *job]
        self.name = name
        self.process = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ONE_THREAD,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        self.version = self.read_response().get("version")

    def read_response(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended without a response")
        return json.loads(line)

    def cut(self) -> dict:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read_response()

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(runs: int) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    core = max(os.sched_getaffinity(0))
    files = [json.loads(facts_path(kind).read_text()) for kind in MEASURED] + [FLIGHTS]
    versions = {}
    with RESULTS.open("w") as results:

        def record(**fields):
            print(json.dumps({"part": "native", **fields}), file=results, flush=True)

        for facts in files:
            size = (ROOT / facts["path"]).stat().st_size
            engines = [Engine(name, facts, core) for name in ENGINES]
            for engine in engines:
                versions[engine.name] = engine.version or versions.get(engine.name)
                engine.cut()  # warms it up
            for run in range(runs):
                turn = run % len(engines)
                for engine in engines[turn:] + engines[:turn]:
                    outcome = engine.cut()
                    if outcome.get("rows_in", facts["rows"]) != facts["rows"]:
                        sys.exit(f"{engine.name} read {outcome['rows_in']} rows of {facts['rows']}: {facts['path']}")
                    record(file=facts["kind"], task="cut", subject=engine.name, run=run, bytes=size, **outcome)
            for engine in engines:
                engine.end()
            print(f"  done  {facts['kind']}", flush=True)
        known = {name: version for name, version in versions.items() if version}
        record(about={"versions": known, "at": time.time(), "quick": os.environ.get("QUICK") == "1"})


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["files", megabytes]:
            DATA.mkdir(parents=True, exist_ok=True)
            for name, share in (MEASURED | SMALL).items():
                make_file(name, int(int(megabytes) * share * 1_000_000))
        case ["measure", runs]:
            measure(int(runs))
        case _:
            sys.exit(__doc__)
