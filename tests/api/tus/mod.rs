//! Resumable uploads with the tus protocol. A client may split, interrupt, repeat or abandon requests. The result is
//! either the complete file or no file.

mod concurrent;
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
    /// Creates an upload and returns its path.
    pub async fn begin(&self, length: usize) -> String {
        self.begin_by(create(length)).await
    }

    pub async fn offset(&self, path: &str) -> usize {
        let response = self.send(tus(head(path))).await.expect(200);
        assert_eq!(response.header("cache-control"), "no-store");
        response.header("upload-offset").parse().unwrap()
    }

    /// Asserts that Ada has exactly one file, that the file has these bytes, and that neither a key in `gc_queue` nor
    /// an open multipart upload is left. Returns the metadata of the file.
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
