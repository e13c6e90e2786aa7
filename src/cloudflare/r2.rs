//! The object store on R2.

use async_trait::async_trait;
use futures_util::future::{Either, select};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{WritableStream, WritableStreamDefaultWriter};
use worker::send::SendFuture;

use super::bytes::{NativeBuffer, NativeStream, PieceReader, Side, append, pieces};
use super::hash::NativeSha256;
use super::js::{FixedLengthStream, R2Bucket, R2Object, R2Objects, R2Upload, error_text, object};
use crate::body::stream::{NativeBody, PIECE_BYTES};
use crate::domain::storage_key::StorageKey;
use crate::error::Problem;
use crate::http::range::ByteRange;
use crate::ports::{
    Fetched, Listing, NewObject, ObjectFacts, ObjectStore, PartBuffer, PieceObserver, PutError, StoreError,
    StoredObject,
};

type StoreResult<T> = Result<T, StoreError>;

/// An R2 bucket.
pub struct R2Store {
    bucket: R2Bucket,
}

impl R2Store {
    /// Wraps a binding.
    pub fn new(bucket: R2Bucket) -> Self {
        Self { bucket }
    }

    async fn put_reader(
        &self,
        new: NewObject,
        mut reader: PieceReader,
        length: u64,
        observer: &mut dyn PieceObserver,
    ) -> Result<StoredObject, PutError> {
        let fixed = FixedLengthStream::new(length as f64);
        let hash = NativeSha256::new();
        let writer = fixed.writable().get_writer().map_err(|error| put_failed(&error))?;
        let put = self.bucket.put(&new.key.to_string(), &fixed.readable(), &put_options(&new));
        let mut put = JsFuture::from(put.map_err(|error| put_failed(&error))?);
        let pumped = match select(Box::pin(pump(&mut reader, &writer, &hash, observer)), &mut put).await {
            Either::Left((pumped, _)) => Ok(pumped),
            Either::Right((outcome, _)) => Err(outcome),
        };
        let pumped = match pumped {
            Ok(pumped) => pumped,
            // The put ended before all bytes were written: the key exists, or the store failed.
            Err(outcome) => {
                return Err(match created(outcome) {
                    Ok(_) => PutError::Store(StoreError::from_message(
                        "the put ended before all bytes were written".to_owned(),
                    )),
                    Err(error) => error,
                });
            }
        };
        if let Err(problem) = pumped {
            // Aborting makes the put fail, so that R2 does not create a shorter object.
            let _ = JsFuture::from(writer.abort()).await;
            return Err(match created(put.await) {
                // R2 already had all bytes when the body broke, so it has stored the object. The sweep
                // `collect_garbage` deletes this object.
                Ok(_) => PutError::Store(StoreError::from_message(
                    "the put succeeded although its body broke".to_owned(),
                )),
                Err(_) => PutError::Body(problem),
            });
        }
        let sha256 = hash.finish().await.map_err(PutError::Body)?;
        let outcome = put.await;
        if new.expected_sha256.is_some_and(|expected| expected != sha256) {
            return Err(PutError::DigestMismatch);
        }
        let facts = created(outcome)?;
        Ok(StoredObject { facts, sha256 })
    }

    async fn list_once(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> StoreResult<R2Objects> {
        let mut members = vec![("prefix", JsValue::from_str(prefix)), ("limit", JsValue::from(limit))];
        members.extend(cursor.map(|cursor| ("cursor", JsValue::from_str(cursor))));
        let page = self.bucket.list(&object(&members)).await.map_err(|error| failed(&error))?;
        Ok(page.unchecked_into())
    }

    fn upload(&self, key: &StorageKey, upload_id: &str) -> StoreResult<R2Upload> {
        self.bucket.resume_multipart_upload(&key.to_string(), upload_id).map_err(|error| failed(&error))
    }
}

/// Stores a part of `length_bytes` bytes. `pump` gets a stream and must write the bytes of the part to it.
async fn stream_part(
    upload: &R2Upload,
    number: u16,
    length_bytes: u64,
    pump: impl AsyncFnOnce(WritableStream) -> Result<(), PutError>,
) -> Result<String, PutError> {
    let fixed = FixedLengthStream::new(length_bytes as f64);
    let readable: JsValue = fixed.readable().into();
    let put = Box::pin(upload.upload_part(number, &readable));
    let pumped = Box::pin(pump(fixed.writable()));
    let part = match select(pumped, put).await {
        Either::Left((Ok(()), put)) => put.await,
        Either::Left((Err(error), put)) => {
            let _ = put.await;
            return Err(error);
        }
        Either::Right((outcome, _)) => outcome,
    };
    Ok(part.map_err(|error| put_failed(&error))?.unchecked_into::<R2Object>().etag())
}

/// Writes a stream to `target`. If nothing was read from the stream and no hash is expected, the runtime pipes the
/// stream to `target`. Otherwise this function writes the stream piece by piece.
async fn pump_part(
    stream: NativeStream,
    target: WritableStream,
    mut expected: Option<ExpectedHash>,
) -> Result<(), PutError> {
    if let Some(untouched) = stream.untouched().filter(|_| expected.is_none()) {
        return JsFuture::from(untouched.pipe_to(&target))
            .await
            .map(drop)
            .map_err(|error| broken_body(&error));
    }
    let mut reader = stream.into_reader().map_err(PutError::Body)?;
    let writer = target.get_writer().map_err(|error| broken_body(&error))?;
    let outcome = pump_pieces(&mut reader, &writer, &mut expected).await;
    if outcome.is_err() {
        // Aborting makes the put fail, so that R2 does not create a shorter part.
        let _ = JsFuture::from(writer.abort()).await;
    }
    outcome
}

async fn pump_pieces(
    reader: &mut PieceReader,
    writer: &WritableStreamDefaultWriter,
    expected: &mut Option<ExpectedHash>,
) -> Result<(), PutError> {
    while let Some(piece) = reader.next().await.map_err(PutError::Body)? {
        if let Some(expected) = expected {
            expected.add(&piece).await?;
        }
        JsFuture::from(writer.write_with_chunk(&piece)).await.map_err(|error| broken_body(&error))?;
        reader.recycle(&piece);
    }
    JsFuture::from(writer.close()).await.map(drop).map_err(|error| broken_body(&error))
}

fn broken_body(error: &JsValue) -> PutError {
    PutError::Body(super::bytes::broken(Side::Client, error))
}

/// Checks the SHA-256 of a part while the part is written. R2 does not check the hash of a part, and may store the part
/// as soon as it has all bytes. The caller therefore writes the last piece only if the hash of all bytes is right.
struct ExpectedHash {
    sha256: [u8; 32],
    hash: Option<NativeSha256>,
    left_bytes: u64,
}

impl ExpectedHash {
    fn of(sha256: [u8; 32], length_bytes: u64) -> Self {
        Self { sha256, hash: Some(NativeSha256::new()), left_bytes: length_bytes }
    }

    /// Adds a piece to the hash. Must be called before the piece is written. At the last piece, returns
    /// [`PutError::DigestMismatch`] if the hash of all bytes is not the expected hash.
    async fn add(&mut self, piece: &Uint8Array) -> Result<(), PutError> {
        let Some(hash) = &self.hash else { return Ok(()) };
        let hashed = hash.write_view(piece).map_err(PutError::Body)?;
        hashed.await.map_err(|error| put_failed(&error))?;
        self.left_bytes = self.left_bytes.saturating_sub(piece.length().into());
        if self.left_bytes > 0 {
            return Ok(());
        }
        let Some(hash) = self.hash.take() else { return Ok(()) };
        let sha256 = hash.finish().await.map_err(PutError::Body)?;
        if sha256 == self.sha256 { Ok(()) } else { Err(PutError::DigestMismatch) }
    }
}

fn native_view(buffer: &dyn PartBuffer) -> StoreResult<Uint8Array> {
    let native = buffer.as_any().downcast_ref::<NativeBuffer>();
    native
        .map(NativeBuffer::view)
        .ok_or_else(|| StoreError::from_message("the buffer is not a buffer of the runtime".to_owned()))
}

/// Reads the body buffer by buffer, and writes each buffer to the put and to the hash. While they read the buffer, the
/// observer gets copies of its bytes in wasm, piece by piece. After that, the reader uses the buffer for the next
/// bytes.
async fn pump(
    reader: &mut PieceReader,
    writer: &WritableStreamDefaultWriter,
    hash: &NativeSha256,
    observer: &mut dyn PieceObserver,
) -> Result<(), Problem> {
    let store_failed = |error: JsValue| Problem::unavailable(error_text(&error));
    let mut copy = Vec::with_capacity(PIECE_BYTES);
    while let Some(read) = reader.next().await? {
        let stored = JsFuture::from(writer.write_with_chunk(&read));
        let hashed = hash.write_view(&read)?;
        for piece in pieces(&read) {
            copy.clear();
            append(&piece, &mut copy);
            observer.observe(&copy);
        }
        hashed.await.map_err(store_failed)?;
        stored.await.map_err(store_failed)?;
        reader.recycle(&read);
    }
    JsFuture::from(writer.close()).await.map_err(|error| super::bytes::broken(Side::Client, &error))?;
    Ok(())
}

#[async_trait]
impl ObjectStore for R2Store {
    async fn head(&self, key: &StorageKey) -> StoreResult<Option<ObjectFacts>> {
        SendFuture::new(async {
            let object = self.bucket.head(&key.to_string()).await.map_err(|error| failed(&error))?;
            Ok((!object.is_null()).then(|| facts(object.unchecked_ref())))
        })
        .await
    }

    async fn get(
        &self,
        key: &StorageKey,
        range: Option<ByteRange>,
        only_if_etag: Option<&str>,
    ) -> StoreResult<Fetched> {
        SendFuture::new(async {
            let options = object(&[]);
            let set = |name: &str, value: &JsValue| {
                let _ = js_sys::Reflect::set(&options, &name.into(), value);
            };
            if let Some(range) = range {
                let members = [
                    ("offset", (range.start() as f64).into()),
                    ("length", (range.len_bytes() as f64).into()),
                ];
                set("range", &object(&members));
            }
            if let Some(etag) = only_if_etag {
                set("onlyIf", &object(&[("etagMatches", etag.into())]));
            }
            let object = self.bucket.get(&key.to_string(), &options).await.map_err(|error| failed(&error))?;
            if object.is_null() {
                return Ok(Fetched::Missing);
            }
            let object: R2Object = object.unchecked_into();
            Ok(match object.body() {
                Some(body) => {
                    let body: Box<dyn NativeBody> = Box::new(NativeStream::new(body, Side::Store));
                    Fetched::Found(facts(&object), body)
                }
                None => Fetched::Different,
            })
        })
        .await
    }

    async fn put_stream(
        &self,
        new: NewObject,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        observer: &mut dyn PieceObserver,
    ) -> Result<StoredObject, PutError> {
        let foreign = || PutError::Body(Problem::internal("the body is not a stream of the runtime"));
        let stream = body.into_any().downcast::<NativeStream>().map_err(|_| foreign())?;
        let reader = stream.into_reader().map_err(PutError::Body)?;
        SendFuture::new(self.put_reader(new, reader, length_bytes, observer)).await
    }

    async fn put_bytes(&self, new: NewObject, bytes: &[u8]) -> Result<ObjectFacts, PutError> {
        SendFuture::new(async {
            let value = Uint8Array::from(bytes);
            let put = self.bucket.put(&new.key.to_string(), &value, &put_options(&new));
            created(JsFuture::from(put.map_err(|error| put_failed(&error))?).await)
        })
        .await
    }

    async fn replace_bytes(&self, new: NewObject, bytes: &[u8]) -> StoreResult<ObjectFacts> {
        SendFuture::new(async {
            let (value, options) = (Uint8Array::from(bytes), object(&metadata_options(&new)));
            let put = self.bucket.put(&new.key.to_string(), &value, &options);
            let stored = JsFuture::from(put.map_err(|error| failed(&error))?).await;
            Ok(facts(stored.map_err(|error| failed(&error))?.unchecked_ref()))
        })
        .await
    }

    fn part_buffer(&self, length_bytes: usize) -> Box<dyn PartBuffer> {
        Box::new(NativeBuffer::new(length_bytes))
    }

    async fn put_buffer(&self, new: NewObject, buffer: &dyn PartBuffer) -> Result<ObjectFacts, PutError> {
        SendFuture::new(async {
            let value = native_view(buffer).map_err(PutError::Store)?;
            let put = self.bucket.put(&new.key.to_string(), &value, &put_options(&new));
            created(JsFuture::from(put.map_err(|error| put_failed(&error))?).await)
        })
        .await
    }

    async fn create_multipart(&self, new: &NewObject) -> StoreResult<String> {
        SendFuture::new(async {
            let options = object(&metadata_options(new));
            let upload = self.bucket.create_multipart_upload(&new.key.to_string(), &options).await;
            Ok(upload.map_err(|error| failed(&error))?.unchecked_into::<R2Upload>().upload_id())
        })
        .await
    }

    async fn put_part_buffer(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        buffer: &dyn PartBuffer,
    ) -> StoreResult<String> {
        SendFuture::new(async {
            let view = native_view(buffer)?;
            let upload = self.upload(key, upload_id)?;
            let part = upload.upload_part(number, &view).await.map_err(|error| failed(&error))?;
            Ok(part.unchecked_into::<R2Object>().etag())
        })
        .await
    }

    async fn put_part_stream(
        &self,
        key: &StorageKey,
        upload_id: &str,
        number: u16,
        body: Box<dyn NativeBody>,
        length_bytes: u64,
        expected_sha256: Option<[u8; 32]>,
    ) -> Result<String, PutError> {
        let foreign = || PutError::Body(Problem::internal("the body is not a stream of the runtime"));
        let stream = body.into_any().downcast::<NativeStream>().map_err(|_| foreign())?;
        let upload = self.upload(key, upload_id).map_err(PutError::Store)?;
        let expected = expected_sha256.map(|sha256| ExpectedHash::of(sha256, length_bytes));
        let pump = async |target| pump_part(*stream, target, expected).await;
        SendFuture::new(stream_part(&upload, number, length_bytes, pump)).await
    }

    async fn complete_multipart(
        &self,
        key: &StorageKey,
        upload_id: &str,
        part_etags: &[String],
    ) -> StoreResult<ObjectFacts> {
        SendFuture::new(async {
            let part = |(index, etag): (usize, &String)| {
                JsValue::from(object(&[("partNumber", ((index + 1) as f64).into()), ("etag", etag.into())]))
            };
            let parts: Array = part_etags.iter().enumerate().map(part).collect();
            let object =
                self.upload(key, upload_id)?.complete(&parts).await.map_err(|error| failed(&error))?;
            Ok(facts(object.unchecked_ref()))
        })
        .await
    }

    async fn abort_multipart(&self, key: &StorageKey, upload_id: &str) -> StoreResult<()> {
        SendFuture::new(async {
            match self.upload(key, upload_id)?.abort().await {
                Ok(_) => Ok(()),
                Err(error) if is_unknown_upload(&error) => Ok(()),
                Err(error) => Err(failed(&error)),
            }
        })
        .await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> StoreResult<Listing> {
        SendFuture::new(async {
            let mut listing = Listing { objects: Vec::new(), cursor: cursor.map(str::to_owned) };
            // A page with fewer objects than requested is not always the last page. Only `truncated` shows whether more
            // objects follow.
            loop {
                let wanted = limit.saturating_sub(listing.objects.len() as u32);
                let page = self.list_once(prefix, listing.cursor.as_deref(), wanted).await?;
                let found = page.objects();
                listing.objects.extend(found.iter().map(|found| {
                    let found: R2Object = found.unchecked_into();
                    (found.key(), facts(&found))
                }));
                listing.cursor = page.cursor().filter(|_| page.truncated());
                if listing.cursor.is_none() || listing.objects.len() >= limit as usize {
                    return Ok(listing);
                }
            }
        })
        .await
    }

    async fn delete(&self, key: &StorageKey) -> StoreResult<()> {
        SendFuture::new(async {
            self.bucket.delete(&key.to_string()).await.map_err(|error| failed(&error))?;
            Ok(())
        })
        .await
    }
}

/// Whether the error is R2's error 10024: the upload was completed or aborted before.
fn is_unknown_upload(error: &JsValue) -> bool {
    let text = error_text(error);
    text.contains("(10024)") || text.contains("does not exist")
}

fn metadata_options(new: &NewObject) -> Vec<(&'static str, JsValue)> {
    let http = object(&[
        ("contentType", new.content_type.into()),
        ("contentDisposition", "attachment".into()),
        ("cacheControl", "private, no-cache".into()),
    ]);
    let labels: Vec<_> = new.labels.iter().map(|(name, value)| (*name, JsValue::from_str(value))).collect();
    vec![
        ("httpMetadata", http.into()),
        ("customMetadata", object(&labels).into()),
        // Always named, because a bucket may have another default class. The local R2 of wrangler ignores it.
        ("storageClass", new.storage_class.name().into()),
    ]
}

/// Options of a put that never replaces an object. If `new` has an expected SHA-256, R2 refuses bytes with another
/// SHA-256.
fn put_options(new: &NewObject) -> js_sys::Object {
    let mut members = metadata_options(new);
    members.push(("onlyIf", object(&[("etagDoesNotMatch", "*".into())]).into()));
    if let Some(sha256) = new.expected_sha256 {
        members.push(("sha256", hex::encode(sha256).into()));
    }
    object(&members)
}

fn created(outcome: Result<JsValue, JsValue>) -> Result<ObjectFacts, PutError> {
    match outcome {
        Ok(object) if object.is_null() => Err(PutError::Exists),
        Ok(object) => Ok(facts(object.unchecked_ref())),
        Err(error) => Err(put_failed(&error)),
    }
}

fn facts(object: &R2Object) -> ObjectFacts {
    ObjectFacts { size: object.size() as u64, etag: object.etag() }
}

fn put_failed(error: &JsValue) -> PutError {
    PutError::Store(failed(error))
}

fn failed(error: &JsValue) -> StoreError {
    StoreError::from_message(error_text(error))
}
