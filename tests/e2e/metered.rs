//! A server that runs one test at a time, so that the counters of its isolate show only the work of that test. The
//! server stores a large file.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::http::{Call, Client};
use super::samples::Orders;
use super::server::{Entry, Server};

/// Size of the large file, in bytes: more than twice the memory of an isolate (128 MiB).
const LARGE_BYTES: usize = 300_000_000;

const LARGE_SEED: u64 = 8;

/// A server that accepts a file of [`LARGE_BYTES`] bytes in one request.
pub struct Metered {
    server: Server,
    /// The owner of the large file.
    pub user: Client,
    /// The large file.
    pub large: Large,
}

/// A stored file of [`Orders`].
pub struct Large {
    pub id: String,
    pub size_bytes: u64,
    pub rows: u64,
    /// The number of rows with an amount over 900.
    pub over_900: u64,
}

impl Large {
    /// Returns `rows` rows of the file, one line for each row. The first returned row has the number `first`. Rows are
    /// counted from 0.
    pub fn lines(&self, first: u64, rows: usize) -> Vec<String> {
        let mut orders = Orders::after(LARGE_SEED, first);
        let mut csv = Vec::new();
        for _ in 0..rows {
            orders.write_row(&mut csv);
        }
        String::from_utf8(csv).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Metered {
    fn start() -> Self {
        let server = Server::start(Entry::Product, &[("MAX_FILE_SIZE", "400000000")]);
        let user = server.user();
        let (bytes, over_900) = Orders::file(LARGE_SEED, LARGE_BYTES, 900);
        let id = user.upload("large.csv", &bytes)["id"].as_str().unwrap().to_owned();
        let rows = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64 - 1;
        let large = Large { id, size_bytes: bytes.len() as u64, rows, over_900 };
        Self { server, user, large }
    }
}

impl Deref for Metered {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Exclusive use of the server, until this value is dropped.
pub struct Turn(MutexGuard<'static, Option<Metered>>);

impl Deref for Turn {
    type Target = Metered;

    fn deref(&self) -> &Metered {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.show_log_on_failure();
    }
}

/// Waits until no other test uses the metered server. The first call starts the server.
pub fn metered() -> Turn {
    static METERED: Mutex<Option<Metered>> = Mutex::new(None);
    let mut metered = METERED.lock().unwrap_or_else(PoisonError::into_inner);
    metered.get_or_insert_with(Metered::start);
    Turn(metered)
}

/// The counters of an isolate.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Number of file bytes that were copied into wasm.
    pub bytes_into_wasm: u64,
    /// The size of wasm's memory, in bytes. The size never shrinks.
    pub memory_bytes: u64,
}

impl Server {
    pub fn usage(&self) -> Usage {
        let response = self.operator().ask(Call::get("/api/admin/isolate")).expect(200).json();
        let number = |name: &str| response[name].as_u64().unwrap();
        Usage { bytes_into_wasm: number("bytesIntoWasm"), memory_bytes: number("memoryBytes") }
    }

    /// Returns the number of file bytes that entered wasm during `work`.
    pub fn bytes_into_wasm_during(&self, work: impl FnOnce()) -> u64 {
        let before = self.usage().bytes_into_wasm;
        work();
        self.usage().bytes_into_wasm - before
    }
}
