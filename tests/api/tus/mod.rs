//! Resumable uploads by tus: whatever is cut, broken off, sent twice or forgotten, the file that comes of it is the one
//! that was sent, or there is none.

mod at_once;
mod ending;
mod faults;
mod protocol;
mod receiving;
mod storing;

use serde_json::{Value, json};

use crate::support::client::head;
use crate::support::hashing::sha256_hex;
use crate::support::tus::{create, tus};
use crate::support::uploader::Uploader;

impl Uploader<'_> {
    /// Begins an upload and returns its path.
    pub async fn begin(&self, length: usize) -> String {
        self.begin_by(create(length)).await
    }

    pub async fn offset(&self, path: &str) -> usize {
        let reply = self.send(tus(head(path))).await.expect(200);
        assert_eq!(reply.header("cache-control"), "no-store");
        reply.header("upload-offset").parse().unwrap()
    }

    /// Asks that there is one file, of these bytes, and nothing that does not belong to it.
    pub async fn assert_only_file_is(&self, bytes: &[u8]) -> Value {
        let files = self.files().await;
        let [file] = files.as_slice() else { panic!("{files:?}") };
        assert_eq!(file["checksum"], sha256_hex(bytes));
        assert_eq!((&file["size"], &file["verified"]), (&json!(bytes.len()), &json!(true)));
        self.assert_file_is(&file["id"], bytes).await;
        self.app.assert_consistent();
        assert_eq!(self.app.database.row_counts()["gc_queue"], 0);
        assert_eq!(self.app.objects.open_uploads(), []);
        file.clone()
    }
}
