//! SHA-256 with the runtime's `DigestStream`, which is several times as fast as SHA-256 in wasm.

use async_trait::async_trait;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::WritableStreamDefaultWriter;
use worker::send::SendFuture;

use super::js::{DigestStream, error_text};
use crate::error::{Problem, Result};
use crate::ports::{Hashing, Sha256Stream};

/// Starts SHA-256 computations in the runtime.
pub struct NativeHashing;

impl Hashing for NativeHashing {
    fn sha256(&self) -> Box<dyn Sha256Stream> {
        Box::new(NativeSha256::new())
    }
}

/// A SHA-256 computation in the runtime.
pub struct NativeSha256 {
    stream: DigestStream,
    writer: Option<WritableStreamDefaultWriter>,
}

impl NativeSha256 {
    /// Starts a computation.
    pub fn new() -> Self {
        let stream = DigestStream::new("SHA-256");
        let writer = stream.get_writer().ok();
        Self { stream, writer }
    }

    /// Adds bytes in JavaScript memory to the hash. The caller must not change the bytes before the returned future has
    /// completed.
    pub fn write_view(&self, view: &Uint8Array) -> Result<JsFuture> {
        let writer = self.writer.as_ref().ok_or_else(|| Problem::internal("the digest stream is locked"))?;
        Ok(JsFuture::from(writer.write_with_chunk(view)))
    }

    /// Returns the hash of all bytes that were written.
    pub async fn finish(self) -> Result<[u8; 32]> {
        let writer = self.writer.as_ref().ok_or_else(|| Problem::internal("the digest stream is locked"))?;
        JsFuture::from(writer.close()).await.map_err(failed)?;
        let digest = JsFuture::from(self.stream.digest()).await.map_err(failed)?;
        let bytes = Uint8Array::new(digest.unchecked_ref()).to_vec();
        bytes.try_into().map_err(|_| Problem::internal("the SHA-256 does not have 32 bytes"))
    }
}

#[async_trait]
impl Sha256Stream for NativeSha256 {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.write_view(&Uint8Array::from(bytes))?;
        SendFuture::new(written).await.map_err(failed)?;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<[u8; 32]> {
        SendFuture::new((*self).finish()).await
    }
}

fn failed(error: JsValue) -> Problem {
    Problem::internal(format!("digest: {}", error_text(&error)))
}
