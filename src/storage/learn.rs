//! Learning what can only be known of a file by reading all of it: for now its SHA-256.
//!
//! Most ways in hash the bytes as they pass. Parts that a script puts in any order cannot be: such a file is committed
//! without a checksum, says so (`verified: false`), and is read once in the background.

use serde::Deserialize;

use crate::app::App;
use crate::error::{Problem, Result};
use crate::ids::{AttemptId, FileId};
use crate::ports::{Fetched, PIECE_BYTES, Statement, from_row};
use crate::sql;
use crate::storage::key::StorageKey;

#[derive(Debug, Deserialize)]
struct Unverified {
    r2_key: String,
    file_size: u64,
    etag: String,
}

impl App {
    /// Reads a file and stores its SHA-256; one that is gone or verified already is left as it is.
    ///
    /// # Errors
    /// A store failed, or the bytes are not the ones the row tells of: to be done again.
    pub async fn learn_file(&self, file: FileId, attempt: AttemptId) -> Result<()> {
        let (file, attempt) = (file.to_string(), attempt.to_string());
        let find = Statement::new(sql::files::UNVERIFIED).bind(file.as_str()).bind(attempt.as_str());
        let Some(row) = self.database.query(find).await?.pop() else { return Ok(()) };
        let sha256 = self.hash_object(&from_row(row)?).await?;
        let verify = Statement::new(sql::files::VERIFY).bind(file).bind(attempt).bind(hex::encode(sha256));
        self.database.query(verify).await?;
        Ok(())
    }

    async fn hash_object(&self, object: &Unverified) -> Result<[u8; 32]> {
        let key = StorageKey::Known(object.r2_key.clone());
        let Fetched::Found(_, body) = self.objects.get(&key, None, Some(&object.etag)).await? else {
            return Err(Problem::internal(format!("{key} is missing or another")));
        };
        let mut source = body.into_source();
        let mut hash = self.hashing.sha256();
        let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
        let mut read_bytes = 0;
        while source.read(&mut piece).await? > 0 {
            read_bytes += piece.len() as u64;
            hash.write(&piece).await?;
            piece.clear();
        }
        if read_bytes != object.file_size {
            return Err(Problem::internal(format!("{key} has {read_bytes} bytes of {}", object.file_size)));
        }
        hash.finish().await
    }
}
