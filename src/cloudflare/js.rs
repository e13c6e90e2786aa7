//! Bindings to JavaScript types of the runtime. No crate has bindings to these types with all methods that the byte
//! path needs.

use js_sys::{Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{ReadableStream, WritableStream};

#[wasm_bindgen]
extern "C" {
    /// A reader that fills the caller's buffer: the BYOB reader of the Streams standard. The runtime adds the method
    /// `readAtLeast` to this reader.
    #[derive(Debug, Clone)]
    pub type ByobReader;

    #[wasm_bindgen(method, catch, js_name = readAtLeast)]
    pub async fn read_at_least(this: &ByobReader, least: u32, view: &Uint8Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub async fn cancel(this: &ByobReader) -> Result<JsValue, JsValue>;

    /// The result of a read.
    pub type ReadResult;

    #[wasm_bindgen(method, getter)]
    pub fn done(this: &ReadResult) -> bool;

    #[wasm_bindgen(method, getter)]
    pub fn value(this: &ReadResult) -> Option<Uint8Array>;

    /// An identity stream that fails unless exactly the announced number of bytes is written to it.
    #[derive(Debug, Clone)]
    pub type FixedLengthStream;

    #[wasm_bindgen(constructor)]
    pub fn new(length: f64) -> FixedLengthStream;

    #[wasm_bindgen(method, getter)]
    pub fn readable(this: &FixedLengthStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    pub fn writable(this: &FixedLengthStream) -> WritableStream;

    /// An identity stream. A write completes when its bytes have been read.
    #[derive(Debug, Clone)]
    #[wasm_bindgen(js_name = IdentityTransformStream)]
    pub type IdentityStream;

    #[wasm_bindgen(constructor, js_class = "IdentityTransformStream")]
    pub fn new() -> IdentityStream;

    #[wasm_bindgen(method, getter)]
    pub fn readable(this: &IdentityStream) -> ReadableStream;

    #[wasm_bindgen(method, getter)]
    pub fn writable(this: &IdentityStream) -> WritableStream;

    /// A writable stream that hashes its bytes outside wasm.
    #[derive(Debug, Clone)]
    #[wasm_bindgen(extends = WritableStream)]
    pub type DigestStream;

    #[wasm_bindgen(constructor, js_class = "DigestStream", js_namespace = crypto)]
    pub fn new(algorithm: &str) -> DigestStream;

    #[wasm_bindgen(method, getter)]
    pub fn digest(this: &DigestStream) -> js_sys::Promise;

    /// An R2 bucket binding.
    #[derive(Debug, Clone)]
    pub type R2Bucket;

    #[wasm_bindgen(method, catch)]
    pub async fn head(this: &R2Bucket, key: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub async fn get(this: &R2Bucket, key: &str, options: &Object) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn put(
        this: &R2Bucket,
        key: &str,
        value: &JsValue,
        options: &Object,
    ) -> Result<js_sys::Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub async fn delete(this: &R2Bucket, key: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub async fn list(this: &R2Bucket, options: &Object) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createMultipartUpload)]
    pub async fn create_multipart_upload(
        this: &R2Bucket,
        key: &str,
        options: &Object,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = resumeMultipartUpload)]
    pub fn resume_multipart_upload(this: &R2Bucket, key: &str, upload_id: &str) -> Result<R2Upload, JsValue>;

    /// A multipart upload.
    pub type R2Upload;

    #[wasm_bindgen(method, getter, js_name = uploadId)]
    pub fn upload_id(this: &R2Upload) -> String;

    #[wasm_bindgen(method, catch, js_name = uploadPart)]
    pub async fn upload_part(this: &R2Upload, number: u16, value: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub async fn complete(this: &R2Upload, parts: &js_sys::Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub async fn abort(this: &R2Upload) -> Result<JsValue, JsValue>;

    /// Sends a request. Returns a promise of the response.
    #[wasm_bindgen(catch)]
    pub fn fetch(url: &str, init: &Object) -> Result<js_sys::Promise, JsValue>;

    /// A signal that stops a request and the reading of its response.
    pub type AbortSignal;

    /// Returns a signal that stops after `ms` milliseconds.
    #[wasm_bindgen(static_method_of = AbortSignal)]
    pub fn timeout(ms: f64) -> JsValue;

    /// A page of a list of objects.
    pub type R2Objects;

    #[wasm_bindgen(method, getter)]
    pub fn objects(this: &R2Objects) -> js_sys::Array;

    #[wasm_bindgen(method, getter)]
    pub fn truncated(this: &R2Objects) -> bool;

    #[wasm_bindgen(method, getter)]
    pub fn cursor(this: &R2Objects) -> Option<String>;

    /// The synchronous key-value storage of a Durable Object with the SQLite backend.
    #[derive(Debug, Clone)]
    pub type SyncRows;

    #[wasm_bindgen(method, catch)]
    pub fn get(this: &SyncRows, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn put(this: &SyncRows, name: &str, value: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn delete(this: &SyncRows, name: &str) -> Result<bool, JsValue>;

    #[wasm_bindgen(method, catch)]
    pub fn list(this: &SyncRows, options: &Object) -> Result<JsValue, JsValue>;

    /// An R2 object, with or without its bytes.
    pub type R2Object;

    #[wasm_bindgen(method, getter)]
    pub fn key(this: &R2Object) -> String;

    #[wasm_bindgen(method, getter)]
    pub fn size(this: &R2Object) -> f64;

    #[wasm_bindgen(method, getter)]
    pub fn etag(this: &R2Object) -> String;

    #[wasm_bindgen(method, getter)]
    pub fn body(this: &R2Object) -> Option<ReadableStream>;
}

/// Creates a plain JavaScript object. `members` are the names and values of its members.
pub fn object(members: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in members {
        // Setting a member of a fresh plain object cannot fail.
        let _ = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object
}

/// Returns the message of a thrown value.
pub fn error_text(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{error:?}"),
    }
}
