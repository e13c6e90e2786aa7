//! The engines in wasm. As in the product, the host copies input pieces of 256 KiB into the module's memory and copies
//! output pieces out of the module's memory.
//!
//! `cut(engine, column, minimum, a, b, c)` runs one cut that writes the columns `a`, `b` and `c`. `engine` is an index
//! in `ENGINES`. The function returns the number of rows written, or -1 after an error. During the cut, it calls two
//! functions of the host. `read(at, most) -> count` copies at most `most` bytes of input to the address `at`.
//! `write(at, count)` takes `count` bytes of output from the address `at`. After the cut, `rows_read()` returns the
//! number of rows read.

use std::cell::Cell;
use std::io::{BufRead, Read, Result, Write};

use super::{Job, cut as run};

const PIECE_BYTES: usize = 256 << 10;
const ENGINES: [&str; 4] = ["cutty", "simd-csv", "csv", "csv-core"];

#[link(wasm_import_module = "host")]
unsafe extern "C" {
    fn read(at: *mut u8, most: usize) -> usize;
    fn write(at: *const u8, count: usize);
}

thread_local! {
    static ROWS_READ: Cell<u64> = const { Cell::new(0) };
    /// The buffer for pieces of the input. As in the product, all cuts use the same buffer.
    static PIECE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads the input from the host, piece by piece.
struct FromHost {
    piece: Vec<u8>,
    start: usize,
    end: usize,
}

impl BufRead for FromHost {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            // SAFETY: the host writes at most as many bytes as the buffer has.
            self.end = unsafe { read(self.piece.as_mut_ptr(), self.piece.len()) }.min(self.piece.len());
        }
        Ok(&self.piece[self.start..self.end])
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
    }
}

impl Read for FromHost {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

struct ToHost;

impl Write for ToHost {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        // SAFETY: the host reads only these bytes, and reads none of them after `write` has returned.
        unsafe { write(bytes.as_ptr(), bytes.len()) };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[unsafe(no_mangle)]
extern "C" fn cut(engine: usize, column: usize, minimum: i32, a: usize, b: usize, c: usize) -> i32 {
    let Some(engine) = ENGINES.get(engine) else { return -1 };
    let job = Job { column, minimum: minimum.into(), selected: [a, b, c] };
    let mut piece = PIECE.take();
    piece.resize(PIECE_BYTES, 0);
    let mut input = FromHost { piece, start: 0, end: 0 };
    let outcome = run(engine, &mut input, &job, &mut ToHost);
    PIECE.set(input.piece);
    match outcome {
        Ok(rows) => {
            ROWS_READ.set(rows.read);
            i32::try_from(rows.written).unwrap_or(-1)
        }
        Err(_) => -1,
    }
}

#[unsafe(no_mangle)]
extern "C" fn rows_read() -> i32 {
    i32::try_from(ROWS_READ.get()).unwrap_or(-1)
}
