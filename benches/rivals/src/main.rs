//! `rivals generate KIND BYTES FILE`: writes a benchmark file and prints its facts as JSON.
//!
//! `rivals serve ENGINE FILE COLUMN MINIMUM A,B,C`: reads the file into memory. Then it runs the cut once for each line
//! on standard input. After each run, it prints the cost of this run. The cut keeps the rows whose value in `COLUMN` is
//! at least `MINIMUM`, and writes the columns `A`, `B` and `C`. The measured time does not include hashing the output.

mod generate;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufWriter, Write};
use std::time::Instant;

use rivals::{Job, cut};
use rustix::time::ClockId;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use generate::{KINDS, VERSION, generate, hex};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["generate", kind, bytes, path] => write_file(kind, bytes.parse()?, path),
        ["serve", engine, path, column, minimum, selected] => {
            let mut columns = selected.split(',').map(str::parse::<usize>);
            let mut next = || columns.next().ok_or("name three columns")?.map_err(Box::<dyn Error>::from);
            let selected = [next()?, next()?, next()?];
            serve(engine, path, &Job { column: column.parse()?, minimum: minimum.parse()?, selected })
        }
        _ => Err("usage: rivals generate KIND BYTES FILE | serve ENGINE FILE COLUMN MINIMUM A,B,C".into()),
    }
}

fn write_file(name: &str, bytes: u64, path: &str) -> Result<(), Box<dyn Error>> {
    let kind =
        KINDS.iter().find(|kind| kind.name == name).ok_or("no kind of benchmark file has this name")?;
    let mut out = BufWriter::new(File::create(path)?);
    let facts = generate(kind, bytes, &mut out)?;
    out.flush()?;
    let facts = json!({
        "kind": name, "version": VERSION, "asked_bytes": bytes, "bytes": facts.bytes, "rows": facts.rows,
        "sha256": facts.sha256, "column": kind.filter, "bound": kind.bound, "selected": kind.selected,
    });
    print_line(&facts)
}

fn serve(engine: &str, path: &str, job: &Job) -> Result<(), Box<dyn Error>> {
    let file = std::fs::read(path)?;
    let mut out = Vec::with_capacity(file.len() / 4);
    print_line(&json!({"ready": engine}))?;
    for line in std::io::stdin().lock().lines() {
        line?;
        out.clear();
        let (before, started) = (cpu_seconds(), Instant::now());
        let rows = cut(engine, file.as_slice(), job, &mut out)?;
        let (wall_s, cpu_s) = (started.elapsed().as_secs_f64(), cpu_seconds() - before);
        print_line(&json!({
            "cpu_s": cpu_s, "wall_s": wall_s, "rows_in": rows.read, "rows": rows.written,
            "out_bytes": out.len(), "sha256": hex(&Sha256::digest(&out)),
        }))?;
    }
    Ok(())
}

/// Returns the CPU time of this thread in seconds. The process has no other thread.
fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn print_line(value: &Value) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}
