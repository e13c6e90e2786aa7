#!/usr/bin/env python3
"""Writes benches/RESULTS.md from target/bench/results/*.jsonl, which have one JSON line for each measurement.

A ratio is the median of the ratios of measurements from the same turn. It is refused if the outputs of the two sides
differ. Exits with 1 if a ratio that a bar needs was refused.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "target/bench/results"
PARTS = ["native", "wasm", "product", "memory", "download"]
MIB = 1 << 20


# --- Measurements ----------------------------------------------------------------------------------------------------


class Part:
    """The measurements of one part, by (file, task, subject)."""

    def __init__(self, name: str):
        path = RESULTS / f"{name}.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self.about = {}
        self.lines = defaultdict(list)
        for line in lines:
            if "about" in line:
                self.about |= line["about"]
            else:
                self.lines[line.get("file"), line["task"], line["subject"]].append(line)

    def of(self, file, task, subject="cutty"):
        return self.lines.get((file, task, subject), [])

    def subjects(self, file, task):
        return [subject for (of, does, subject) in self.lines if (of, does) == (file, task)]

    def files(self, task):
        return list(dict.fromkeys(file for (file, does, _) in self.lines if does == task))


class Refused(Exception):
    """There is no ratio, because the outputs of the two sides differ."""


def outputs(lines) -> set:
    return {line["sha256"] for line in lines if "sha256" in line}


def agree(one, other) -> bool:
    """Whether all known outputs have the same bytes, and all known row counts are equal."""
    rows = {line["rows"] for line in [*one, *other] if "rows" in line}
    return len(outputs(one) | outputs(other)) <= 1 and len(rows) <= 1


def per_byte(line, field):
    return line[field] / line["bytes"]


def ratio(over, under, field="cpu_s"):
    """(median, lower and upper quartile) of the ratios in the turns that have both sides; None if there is no such turn."""
    if not agree(over, under):
        raise Refused
    by_run = {line["run"]: per_byte(line, field) for line in under}
    pairs = [per_byte(line, field) / by_run[line["run"]] for line in over if line["run"] in by_run]
    return spread(pairs) if pairs else None


def spread(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return median(values), lower, upper


def cpu_per_gb(lines):
    return spread([per_byte(line, "cpu_s") * 1e9 for line in lines])


# --- The bars -------------------------------------------------------------------------------------------------------


class Bar:
    """A target. `found` is (median, lower, upper), or None if it was refused or not measured."""

    def __init__(self, part, what, sign, bound, measure, unit=""):
        self.part, self.what, self.sign, self.bound, self.unit = part, what, sign, bound, unit
        self.refused = False
        try:
            self.found = measure()
        except Refused:
            self.found, self.refused = None, True

    @property
    def is_met(self):
        if self.found is None:
            return None
        return self.found[0] >= self.bound if self.sign == "≥" else self.found[0] <= self.bound

    def row(self):
        bar = f"{self.sign} {self.bound:g}{self.unit}"
        if self.refused:
            return [self.part, self.what, bar, "refused: the outputs differ", "no"]
        if self.found is None:
            return [self.part, self.what, bar, "not offered", "no"]
        middle, lower, upper = self.found
        found = f"**{shown(middle)}{self.unit}**"
        if lower != upper:
            found += f" ({shown(lower)} to {shown(upper)})"
        return [self.part, self.what, bar, found, "yes" if self.is_met else self.distance(middle)]

    def distance(self, value):
        if value == 0 or self.bound == 0:
            return "**no**"
        missing = self.bound / value - 1 if self.sign == "≥" else value / self.bound - 1
        return f"**no**, by {missing:.0%}"


def shown(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


def native_bars(part):
    for rival, bound in [("simd-csv", 2.5), ("csv", 6), ("polars", 5), ("duckdb", 10), ("pandas", 10)]:
        for file in ["plain", "quoted", "dense"]:
            yield Bar(
                "native",
                f"{rival} ÷ ours, {file}",
                "≥",
                bound,
                lambda: ratio(part.of(file, "cut", rival), part.of(file, "cut")),
            )


def wasm_bars(part):
    def against(rival, file):
        return lambda: ratio(part.of(file, "cut", rival), part.of(file, "cut"))

    for file, bound in [("plain", 0.8), ("quoted", 0.6), ("dense", 0.6)]:
        yield Bar("wasm", f"ours natively (SSE2) ÷ ours, {file}", "≥", bound, against("cutty natively (SSE2)", file))
    for file in ["plain", "quoted", "dense"]:
        yield Bar("wasm", f"simd-csv in wasm ÷ ours, {file}", "≥", 6, against("simd-csv", file))
    yield Bar("wasm", "csv-core in wasm ÷ ours, plain", "≥", 7, against("csv-core", "plain"))


def product_bars(part):
    cut, drain = part.of("plain", "cut"), part.of("plain", "drain", "bare")
    download = part.of("plain", "download")
    yield Bar("product", "CPU: cut ÷ bare drain, plain", "≤", 2.5, lambda: ratio(cut, drain))
    yield Bar("product", "CPU-s/GB of the cut, plain (about)", "≤", 1.0, lambda: cpu_per_gb(cut) if cut else None)
    for task, name in [("cut", "10 %"), ("cut of 1 %", "1 %")]:
        lines = part.of("plain", task)
        yield Bar(
            "product", f"time: cut of {name} ÷ download, plain", "≤", 1, lambda: ratio(lines, download, "wall_s")
        )
    for rival, bound in [("splitter", 25), ("papaparse", 12)]:
        yield Bar(
            "product",
            f"CPU: {rival} ÷ cut, plain",
            "≥",
            bound,
            lambda: ratio(part.of("plain", "cut", rival), cut),
        )
    dense = part.of("dense", "cut")
    yield Bar(
        "product",
        "cut of dense, per CPU second",
        "≥",
        0.4,
        lambda: spread([line["bytes"] / line["cpu_s"] / 1e9 for line in dense]) if dense else None,
        " GB",
    )
    upload, put = part.of("plain", "upload"), part.of("plain", "upload", "bare")
    yield Bar("product", "time: upload ÷ bare put", "≤", 1.25, lambda: ratio(upload, put, "wall_s"))
    yield Bar("product", "CPU-s/GB: upload − bare put", "≤", 2.5, lambda: difference(upload, put))
    sorted_range = [line for line in part.of("plain", "cut of a sorted range") if "scanned_bytes" in line]
    yield Bar(
        "product",
        "bytes read for 1 % of a sorted column",
        "≤",
        3,
        lambda: spread([100 * line["scanned_bytes"] / line["bytes"] for line in sorted_range])
        if sorted_range
        else None,
        " %",
    )
    sidecar = part.of("plain", "sidecar")
    yield Bar(
        "product",
        "kept beside a file of 20 columns",
        "≤",
        0.1,
        lambda: spread([100 * line["held"] / line["bytes"] for line in sidecar]) if sidecar else None,
        " %",
    )


def difference(over, under):
    by_run = {line["run"]: line for line in under}
    pairs = [
        (line["cpu_s"] - by_run[line["run"]]["cpu_s"]) / line["bytes"] * 1e9 for line in over if line["run"] in by_run
    ]
    return spread(pairs) if pairs else None


def memory_bars(part):
    upload, put = part.of(None, "upload"), part.of(None, "upload", "bare")
    cuts = {line["bytes"]: line["grown"] for line in part.of(None, "cut")}
    wasm = part.of(None, "wasm memory")
    after = {line["bytes"]: line["held"] for line in wasm if "bytes" in line}
    during = {line["cuts"]: line["held"] for line in wasm if "cuts" in line}

    def one(value):
        return None if value is None else (value / MIB,) * 3

    def least(lines):
        return min(line["grown"] for line in lines)

    def per_cut():
        return (during[32] - during[1]) / 31 if 32 in during else None

    largest = size(max(cuts)) if cuts else "1 GiB"
    yield Bar("memory", f"upload of {largest} − bare put", "≤", 64,
              lambda: one(least(upload) - least(put) if upload and put else None), " MiB")  # fmt: skip
    yield Bar("memory", f"cut of {largest} − idle", "≤", 64, lambda: one(cuts[max(cuts)] if cuts else None), " MiB")
    yield Bar("memory", f"wasm memory: cut of {largest} − cut of 10 MiB", "≤", 0,
              lambda: one(after[max(after)] - after[min(after)] if after else None), " MiB")  # fmt: skip
    yield Bar("memory", "wasm memory per streamed cut", "≤", 2, lambda: one(per_cut()), " MiB")
    yield Bar("memory", "wasm memory of 32 cuts at once", "≤", 96, lambda: one(during.get(32)), " MiB")


def download_bars(part):
    yield Bar(
        "download",
        "time: download ÷ bare Worker with the same pipe",
        "≤",
        1.1,
        lambda: ratio(part.of(None, "download"), part.of(None, "download", "bare"), "wall_s"),
    )


# --- The tables -----------------------------------------------------------------------------------------------------


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def size(count):
    for unit, step in [("GiB", 1 << 30), ("MiB", MIB)]:
        if count >= step and count % step < step / 100:
            return f"{count / step:.0f} {unit}"
    return f"{count / 1e6:.0f} MB"


def ratio_cell(over, under, field="cpu_s"):
    try:
        found = ratio(over, under, field)
    except Refused:
        return "refused: the outputs differ"
    return shown(found[0]) if found else ""


def cut_table(part):
    rows = []
    for file in part.files("cut"):
        ours = part.of(file, "cut")
        for subject in part.subjects(file, "cut"):
            lines = part.of(file, "cut", subject)
            middle, lower, upper = cpu_per_gb(lines)
            rows.append(
                [
                    file,
                    subject,
                    len(lines),
                    f"{1 / middle:.2f}",
                    f"{middle:.2f} ({lower:.2f} to {upper:.2f})",
                    "" if subject == "cutty" else ratio_cell(lines, ours),
                    " ".join(sorted(digest[:8] for digest in outputs(lines))),
                ]
            )
    return table(["file", "engine", "runs", "GB per CPU-s", "CPU-s/GB (quartiles)", "÷ ours", "SHA-256"], rows)


def file_table():
    rows = []
    for path in sorted((ROOT / "target/bench/data").glob("*.json")):
        facts = json.loads(path.read_text())
        per_row = facts["bytes"] / facts["rows"]
        rows.append([path.stem, facts["bytes"], facts["rows"], f"{per_row:.0f}", facts["sha256"]])
    return table(["file", "bytes", "rows", "bytes a row", "SHA-256"], rows)


def product_table(part):
    rows = []
    for (file, task, subject), lines in part.lines.items():
        if task == "sidecar":
            continue
        download, drain = part.of(file, "download"), part.of(file, "drain", "bare")
        base = part.of(file, "upload", "bare") if task == "upload" else download
        middle, lower, upper = cpu_per_gb(lines)
        wall, wall_lower, wall_upper = spread([1000 * line["wall_s"] for line in lines])
        rows.append(
            [
                file,
                task,
                subject,
                len(lines),
                f"{wall:.0f} ms ({wall_lower:.0f} to {wall_upper:.0f})",
                f"{1000 * median(line['cpu_s'] for line in lines):.0f} ms",
                f"{middle:.2f} ({lower:.2f} to {upper:.2f})",
                ratio_cell(lines, base, "wall_s"),
                "" if task == "upload" else ratio_cell(lines, drain),
                skipped(lines),
            ]
        )
    head = ["file", "what", "by", "runs", "time (quartiles)", "CPU", "CPU-s/GB (quartiles)"]
    return table([*head, "time ÷ download (÷ bare put)", "CPU ÷ drain", "bytes skipped"], rows)


def skipped(lines):
    shares = [line["skipped_bytes"] / line["bytes"] for line in lines if "skipped_bytes" in line]
    return f"{median(shares):.1%}" if shares else ""


def memory_table(part):
    rows = []
    for (_, task, subject), lines in part.lines.items():
        for line in lines:
            what = f"cuts at once: {line['cuts']}" if "cuts" in line else size(line["bytes"])
            held = line["held"] if "held" in line else line["grown"]
            kind = "wasm memory, most" if "held" in line else "more than idle"
            rows.append([task, subject, what, kind, f"{held / MIB:.1f} MiB"])
    return table(["what", "by", "of", "", "held"], rows)


def download_table(part):
    rows = []
    for subject in part.subjects(None, "download"):
        lines = part.of(None, "download", subject)
        middle, lower, upper = spread([1000 * line["wall_s"] for line in lines])
        rows.append([subject, size(lines[0]["bytes"]), len(lines), f"{middle:.0f} ms ({lower:.0f} to {upper:.0f})"])
    return table(["by", "of", "runs", "time (quartiles)"], rows)


# --- The page -------------------------------------------------------------------------------------------------------


def output_of(*words):
    try:
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    except OSError:
        return "?"
    return done.stdout.strip() or "?"


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ")[1]
    return platform.machine()


def crate_versions():
    lock = (ROOT / "benches/rivals/Cargo.lock").read_text()
    found = {}
    for block in lock.split("[[package]]"):
        fields = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        name = fields.get("name", "").strip('"')
        if name in ("csv", "csv-core", "simd-csv"):
            found[name] = fields["version"].strip('"')
    return found


def npm_versions():
    kept = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    rivals = json.loads((ROOT / "benches/worker/package.json").read_text())["dependencies"]
    workerd = json.loads((ROOT / "node_modules/workerd/package.json").read_text())["version"]
    return {"wrangler": kept["wrangler"], "workerd": workerd, **rivals}


def about(parts):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    versions = crate_versions() | parts["native"].about.get("versions", {}) | npm_versions()
    commit = output_of("git", "rev-parse", "--short", "HEAD")
    changed = " with changes" if output_of("git", "status", "--porcelain", "--", "src") != "?" else ""
    measured = [
        f"{name} {time.strftime('%Y-%m-%d %H:%M', time.gmtime(part.about['at']))}"
        for name, part in parts.items()
        if "at" in part.about
    ]
    facts = [
        f"- {os.cpu_count()} cores of {processor()}, {memory:.0f} GiB, Linux {platform.release()}",
        f"- measured (UTC): {', '.join(measured)}; commit {commit}{changed}",
        f"- {output_of('rustc', '--version')}, Python {platform.python_version()}",
        "- " + ", ".join(f"{name} {version}" for name, version in versions.items()),
    ]
    quick = [name for name, part in parts.items() if part.about.get("quick")]
    if quick:
        facts.append(f"- **`QUICK=1`: small files, few runs; not to be quoted** ({', '.join(quick)})")
    return "\n".join(facts) + "\n"


BARS = {
    "native": native_bars,
    "wasm": wasm_bars,
    "product": product_bars,
    "memory": memory_bars,
    "download": download_bars,
}
TABLES = {
    "native": ("Natively, one thread", cut_table),
    "wasm": ("In workerd, the file in memory", cut_table),
    "product": ("The product under `wrangler dev`", product_table),
    "memory": ("Memory", memory_table),
    "download": ("Downloads", download_table),
}


def measured_once(path):
    """The section of figures that people entered by hand. It is kept as it is."""
    heading = "## Measured once\n"
    _, _, section = path.read_text().partition(heading)
    return heading + section


def main():
    parts = {name: Part(name) for name in PARTS}
    bars = [bar for name, part in parts.items() for bar in BARS[name](part) if part.lines]
    page = [
        "# Benchmark results\n",
        "Written by `benches/run`; [README.md](README.md) says what is measured and how to read it.\n",
        about(parts),
        "## Bars\n",
        table(["part", "what", "bar", "found (quartiles)", "met"], [bar.row() for bar in bars]),
    ]
    for name, (title, render) in TABLES.items():
        page.append(f"## {title}\n")
        page.append(render(parts[name]) if parts[name].lines else "Not measured.\n")
    page += ["## Files\n", "The rows were counted by Python's csv module and by DuckDB too.\n", file_table()]
    path = ROOT / "benches/RESULTS.md"
    page.append(measured_once(path))
    path.write_text("\n".join(page))

    missed = [f"{bar.part}: {bar.what}" for bar in bars if not bar.is_met]
    print(f"benches/RESULTS.md: {len(bars) - len(missed)} of {len(bars)} bars met")
    for line in missed:
        print(f"  missed  {line}")
    refused = [bar for bar in bars if bar.refused]
    absent = [name for name, part in parts.items() if not part.lines]
    if absent:
        print(f"  not measured: {', '.join(absent)}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
