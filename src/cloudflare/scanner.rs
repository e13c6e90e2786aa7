//! The content scanner over HTTP.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::send::SendFuture;

use super::bytes::{NativeStream, Side};
use super::js::{AbortSignal, error_text, fetch, object};
use crate::body::stream::NativeBody;
use crate::config::ScanSettings;
use crate::ports::{ContentScanner, MAX_ANSWER_BYTES, ScanAnswer, ScanContent, ScanError, ScanRequest};

type ScanResult<T> = Result<T, ScanError>;

/// A scanner that gets the bytes in a `POST`.
pub struct HttpScanner {
    url: String,
    /// Value of the header `Authorization`.
    authorization: Option<String>,
}

impl HttpScanner {
    /// Creates a scanner with the address and the token of the settings.
    pub fn new(settings: &ScanSettings) -> Self {
        let token = settings.token.as_ref().map(|token| String::from_utf8_lossy(token.bytes()).into_owned());
        Self { url: settings.url.clone(), authorization: token.map(|token| format!("Bearer {token}")) }
    }

    async fn post(&self, request: ScanRequest, content: ScanContent) -> ScanResult<ScanAnswer> {
        let body: JsValue = match content {
            ScanContent::Probe(bytes) => Uint8Array::from(bytes).into(),
            ScanContent::Object(body) => {
                let stream = body.into_any().downcast::<NativeStream>();
                let stream = stream.map_err(|_| failed("the body is not a stream of the runtime"))?;
                let untouched = stream.untouched().ok_or_else(|| failed("the body was read before"))?;
                untouched.clone().into()
            }
        };
        let mut headers = vec![
            ("content-type", JsValue::from_str("application/octet-stream")),
            ("accept", "application/json".into()),
        ];
        if let Some(sha256) = request.sha256 {
            headers.push(("repr-digest", format!("sha-256=:{}:", STANDARD.encode(sha256)).into()));
        }
        if let Some(authorization) = &self.authorization {
            headers.push(("authorization", authorization.as_str().into()));
        }
        // The runtime announces the length of the body in `Content-Length`, because it knows the length of an object.
        let init = object(&[
            ("method", "POST".into()),
            ("headers", object(&headers).into()),
            ("body", body),
            ("redirect", "manual".into()),
            ("signal", AbortSignal::timeout(request.timeout.num_milliseconds() as f64)),
        ]);
        let response = fetch(&self.url, &init).map_err(|error| thrown(&error))?;
        let response = JsFuture::from(response).await.map_err(|error| thrown(&error))?;
        let response: web_sys::Response = response.unchecked_into();
        let body = match response.body() {
            Some(body) => read_answer(NativeStream::new(body, Side::Store)).await?,
            None => Vec::new(),
        };
        Ok(ScanAnswer { status: response.status(), body })
    }
}

async fn read_answer(stream: NativeStream) -> ScanResult<Vec<u8>> {
    let mut source = Box::new(stream).into_source();
    let mut body = Vec::new();
    loop {
        match source.read(&mut body).await {
            Ok(_) if body.len() > MAX_ANSWER_BYTES => {
                source.cancel().await;
                return Err(failed("the answer is too long"));
            }
            Ok(0) => return Ok(body),
            Ok(_) => {}
            Err(problem) => return Err(ScanError(problem.to_string())),
        }
    }
}

#[async_trait]
impl ContentScanner for HttpScanner {
    async fn scan(&self, request: ScanRequest, content: ScanContent) -> ScanResult<ScanAnswer> {
        SendFuture::new(self.post(request, content)).await
    }
}

fn failed(text: &str) -> ScanError {
    ScanError(text.to_owned())
}

fn thrown(error: &JsValue) -> ScanError {
    ScanError(error_text(error))
}
