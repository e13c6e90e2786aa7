//! Downloads. The service reads the row first, then the object. It sends the bytes only if the object has the size and
//! the etag that are in the row.

use std::sync::Arc;

use async_trait::async_trait;

use crate::audit::action::Action;
use crate::body::outgoing::{BodySegment, DeferredBody, NativeResponse, ResponseBody};
use crate::body::stream::NativeBody;
use crate::domain::storage_key::StorageKey;
use crate::error::{Code, Problem, Result};
use crate::http::range::{self, ByteRange};
use crate::ports::ObjectStore;
use crate::storage::R2StorageService;
use crate::storage::file::{FileRow, expect_found};

impl R2StorageService {
    /// Opens the whole file, or one range of its bytes. Does not compare the bytes with their digests. So code that
    /// reads the bytes in wasm must open a [`VerifiedSource`](crate::cuts::verified::VerifiedSource) instead.
    ///
    /// # Errors
    /// - `integrity_error`: the object is missing or has another size or etag, or the file is marked as damaged.
    /// - `unavailable`: R2 cannot be reached.
    pub async fn open(&self, file: &FileRow, range: Option<ByteRange>) -> Result<Box<dyn NativeBody>> {
        let fetched = self.app.objects.get(&file.key(), range, Some(file.stored_etag()?)).await?;
        expect_found(fetched, &file.r2_key, file.file_size)
    }

    /// Builds the response body for the whole file or one range of it. When the transfer ends, the service records the
    /// read in the audit log.
    ///
    /// # Errors
    /// The errors of [`Self::open`].
    pub async fn send(&self, file: &FileRow, range: Option<ByteRange>) -> Result<ResponseBody> {
        let body = self.open(file, range).await?;
        let length = range.map_or(file.file_size, ByteRange::len_bytes);
        Ok(self.native_response(file, vec![BodySegment::Open(body)], length))
    }

    /// Builds the response body for several ranges, with the framing between them (RFC 9110 §14.6). Opens only the
    /// first range. The transfer opens each later range when it has sent all bytes before that range.
    ///
    /// # Errors
    /// The errors of [`Self::open`], for the first range.
    pub async fn send_segments(
        &self,
        file: &FileRow,
        parts: Vec<range::RangesSegment>,
        length_bytes: u64,
    ) -> Result<ResponseBody> {
        let etag = file.stored_etag()?.to_owned();
        let segment = |part| match part {
            range::RangesSegment::Framing(text) => BodySegment::Bytes(text.into()),
            range::RangesSegment::Bytes(range) => BodySegment::Later(Box::new(ObjectRange {
                objects: self.app.objects.clone(),
                key: file.key(),
                etag: etag.clone(),
                size_bytes: file.file_size,
                range,
            })),
        };
        let mut segments: Vec<_> = parts.into_iter().map(segment).collect();
        open_first(&mut segments).await?;
        Ok(self.native_response(file, segments, length_bytes))
    }

    fn native_response(&self, file: &FileRow, segments: Vec<BodySegment>, length_bytes: u64) -> ResponseBody {
        let service = self.clone();
        let file_id = file.id;
        let started = self.app.now();
        let on_transfer_end = Box::new(move |complete: bool| {
            let recorded = async move {
                let read = service.entry(Action::Download).on(file_id).since(started);
                let read = match complete {
                    true => read.moving(length_bytes),
                    false => read
                        .failed(&Problem::new(Code::Unavailable, "The transfer ended before its last byte.")),
                };
                service.app.audit().record_read(read).await;
            };
            Box::pin(recorded) as futures_core::future::BoxFuture<'static, ()>
        });
        ResponseBody::Native(NativeResponse { segments, length_bytes, on_transfer_end })
    }
}

/// Opens the first range before the response head is sent, so that the client gets a problem if the object is missing.
async fn open_first(segments: &mut [BodySegment]) -> Result<()> {
    let Some(slot) = segments.iter_mut().find(|segment| matches!(segment, BodySegment::Later(_))) else {
        return Ok(());
    };
    if let BodySegment::Later(later) = std::mem::replace(slot, BodySegment::Bytes(bytes::Bytes::new())) {
        *slot = BodySegment::Open(later.open().await?);
    }
    Ok(())
}

/// A byte range of an object. The transfer opens the range when it has sent all earlier segments of the response.
pub struct ObjectRange {
    /// The store that holds the object.
    pub objects: Arc<dyn ObjectStore>,
    /// The object's key.
    pub key: StorageKey,
    /// The etag that the object must have.
    pub etag: String,
    /// Length of the whole object, in bytes.
    pub size_bytes: u64,
    /// The byte range.
    pub range: ByteRange,
}

#[async_trait]
impl DeferredBody for ObjectRange {
    async fn open(self: Box<Self>) -> Result<Box<dyn NativeBody>> {
        let fetched = self.objects.get(&self.key, Some(self.range), Some(&self.etag)).await?;
        expect_found(fetched, &self.key.to_string(), self.size_bytes)
    }
}
