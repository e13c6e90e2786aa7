//! Uploads of a file as a form part (RFC 7578). The file is streamed to R2: at most one R2 part of the file is in
//! memory.
//!
//! The length of the form part is not known in advance, so its bytes are stored through a [`PartWriter`]. The fields
//! `tags`, `metadata` and `expiresAt` may stand before or after the file. The client may send each of these values in a
//! header instead.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::extract::body::UploadBody;
use super::extract::file_headers::{
    announced_digest, checked_filename, default_filename, describe, description_of, header_text, named_by,
    storage_class,
};
use crate::app::App;
use crate::body::stream::{ByteSource, PIECE_BYTES};
use crate::csv::shortened;
use crate::domain::storage_class::StorageClass;
use crate::error::sentence;
use crate::error::{Code, Problem, Result};
use crate::http::boundary::Boundary;
use crate::http::filename::Filename;
use crate::http::form::{Event, FormError, FormPart, FormReader};
use crate::http::sniff::SAMPLE_BYTES;
use crate::memory::budget::Memory;
use crate::memory::leased::LeasedSource;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;
use crate::storage::part_writer::{PartWriter, STREAM_PART_BYTES};
use crate::storage::protocol::{Description, NewFile, Origin};
use crate::storage::upload::check_content;
use crate::storage::upload::{check_length, too_large};

/// Maximum length of a text field of a form, in bytes.
const MAX_FIELD_BYTES: usize = 16 << 10;

/// Maximum number of bytes of a form without its file: the other form parts and the framing.
const FRAMING_BYTES: u64 = 64 << 10;

/// Memory for the upload of a form, or for the upload of a body without a length. In wasm: the pieces and the profile.
/// In JavaScript: the buffer of the reader. The buffer for the file is not included.
pub const FORM: Memory = Memory { wasm: 1536 << 10, js: 1 << 20 };

/// Returns the size of the buffer for the file of a form, in bytes. `body_bytes` is the length of the request body;
/// `None` if the length is unknown.
fn part_bytes(body_bytes: Option<u64>) -> usize {
    let body_bytes = body_bytes.and_then(|bytes| usize::try_from(bytes).ok());
    body_bytes.map_or(STREAM_PART_BYTES, |bytes| bytes.min(STREAM_PART_BYTES))
}

/// The head of a request with a form, and what the form may have.
pub struct FormRequest<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The boundary between the parts.
    pub boundary: &'a Boundary,
    /// Greatest size of the file in bytes.
    pub limit_bytes: u64,
    /// Whether the form may have tags, metadata and an expiry.
    pub takes_description: bool,
}

/// Stores the file of a form: the form part named `file`.
///
/// # Errors
/// `bad_request` if the form is malformed, has no file, or has unknown or repeated fields; and all errors of an upload.
/// After an error, no bytes of the file are kept.
pub async fn store(
    app: &App,
    service: &R2StorageService,
    upload: UploadBody,
    FormRequest { headers, boundary, limit_bytes: limit, takes_description }: FormRequest<'_>,
) -> Result<FileRow> {
    if let Some(length) = upload.length_bytes {
        check_length(Some(length), limit + FRAMING_BYTES).map_err(|problem| match problem.code() {
            Code::TooLarge => too_large(limit),
            _ => problem,
        })?;
    }
    description_of(headers, app.now())?;
    let body = upload.body.ok_or_else(|| {
        Problem::new(Code::EmptyFile, "The request has no body. Send a form with a part named file.")
    })?;
    let memory = FORM + Memory::js(part_bytes(upload.length_bytes));
    // This function holds the lease until the file is stored, because the writer holds the buffer until then.
    let lease = Arc::new(app.lease_memory(memory).await?);
    let source = LeasedSource::new(body.into_source(), lease.clone(), app.clock.clone());
    let mut form = FormUpload {
        app,
        service,
        expected_sha256: announced_digest(headers)?,
        named: named_by(headers)?,
        limit_bytes: limit,
        takes_description,
        fields: Fields::in_headers(headers)?,
        current: CurrentPart::None,
        file: FormFile::NotSeen,
        file_bytes: 0,
        part_bytes: part_bytes(upload.length_bytes),
    };
    match form.read(Box::new(source), boundary).await {
        Ok(()) => form.commit().await,
        Err(problem) => {
            form.discard().await;
            Err(problem)
        }
    }
}

/// Each item is a text field that a form may have at most once, and the header that may have its value instead.
const FIELDS: [(&str, &str); 4] = [
    ("tags", "x-file-tags"),
    ("metadata", "x-file-metadata"),
    ("expiresAt", "x-file-expires"),
    (STORAGE_CLASS, "x-file-storage-class"),
];

/// The field with the storage class. It must come before the file, because R2 needs the class before the bytes.
const STORAGE_CLASS: &str = "storageClass";

/// Fields that browsers and common upload libraries may add to a form. The first three repeat facts about the form part
/// `file`, so Cutty ignores their values.
const ADDED_FIELDS: [&str; 4] = ["name", "type", "relativePath", CHARSET];

/// The field in which a browser puts the encoding of the form (HTML §4.10.21.5).
const CHARSET: &str = "_charset_";

/// Filenames that clients send if a file has no name. Browsers send `blob` for a `Blob`, and curl sends `-` for the
/// standard input.
const PLACEHOLDERS: [&str; 3] = ["", "blob", "-"];

#[derive(Default)]
struct Fields {
    /// Fields whose form part has started.
    seen: Vec<&'static str>,
    tags: Option<String>,
    metadata: Option<String>,
    expires_at: Option<String>,
    storage_class: Option<String>,
}

impl Fields {
    /// Reads the values that the headers have.
    fn in_headers(headers: &HeaderMap) -> Result<Self> {
        let mut fields = Self::default();
        for (name, header) in FIELDS {
            let value = header_text(headers, HeaderName::from_static(header))?;
            if let (Some(slot), Some(value)) = (fields.slot(name), value) {
                *slot = Some(value.to_owned());
            }
        }
        Ok(fields)
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        match name {
            "tags" => Some(&mut self.tags),
            "metadata" => Some(&mut self.metadata),
            "expiresAt" => Some(&mut self.expires_at),
            STORAGE_CLASS => Some(&mut self.storage_class),
            _ => None,
        }
    }

    /// Checks that a field is known and was not sent before, and returns its name.
    fn admit(&mut self, name: &str) -> Result<&'static str> {
        let names = FIELDS.map(|(name, _)| name);
        let Some(known) = names.into_iter().chain(ADDED_FIELDS).find(|known| *known == name) else {
            let name = shortened(name);
            let detail = format!(
                "There is no field {name:?}. A form has a part named file, and optional fields {}.",
                names.join(", ")
            );
            return Err(Problem::new(Code::BadRequest, detail).with("field", name));
        };
        if self.seen.contains(&known) {
            let detail = format!("The form has the field {known} more than once. Send it once.");
            return Err(Problem::new(Code::BadRequest, detail).with("field", known));
        }
        if self.slot(known).is_some_and(|slot| slot.is_some()) {
            let detail = format!("The request has {known} in a header and in the form. Send it once.");
            return Err(Problem::new(Code::BadRequest, detail).with("field", known));
        }
        self.seen.push(known);
        Ok(known)
    }

    fn keep(&mut self, name: &str, text: String) -> Result<()> {
        if let Some(slot) = self.slot(name) {
            *slot = Some(text);
            return Ok(());
        }
        let is_utf8 = ["", "utf-8", "utf8"].iter().any(|label| text.eq_ignore_ascii_case(label));
        if name == CHARSET && !is_utf8 {
            let detail = "The field _charset_ must be UTF-8. Encode the form as UTF-8.";
            return Err(Problem::new(Code::BadRequest, detail).with("field", CHARSET));
        }
        Ok(())
    }
}

/// The form part that is being read.
enum CurrentPart {
    None,
    /// A text field: its name and the bytes read so far.
    Field(&'static str, Vec<u8>),
    File,
}

/// State of the file of the form.
enum FormFile {
    NotSeen,
    /// The first bytes of the file are collected in `sample`. When `sample` has [`SAMPLE_BYTES`] bytes, or when the
    /// file ends, the type of the file is detected.
    Sampling {
        filename: Filename,
        declared: Option<String>,
        sample: Vec<u8>,
    },
    Writing(Box<PartWriter>),
    Done(Box<PartWriter>),
}

struct FormUpload<'a> {
    app: &'a App,
    service: &'a R2StorageService,
    expected_sha256: Option<[u8; 32]>,
    /// The filename in `X-File-Name`.
    named: Option<Filename>,
    /// Greatest size of the file in bytes.
    limit_bytes: u64,
    /// Whether the form may have tags, metadata and an expiry.
    takes_description: bool,
    fields: Fields,
    current: CurrentPart,
    file: FormFile,
    /// Bytes of the file received so far.
    file_bytes: u64,
    /// Size of the buffer for the file, in bytes.
    part_bytes: usize,
}

impl FormUpload<'_> {
    /// Checks that a field may be sent, and returns its name.
    fn admit(&mut self, name: &str) -> Result<&'static str> {
        if !self.takes_description && FIELDS.iter().any(|(known, _)| *known == name) {
            let detail = format!("A link takes no {name}. Send the form without this field.");
            return Err(Problem::new(Code::BadRequest, detail).with("field", name));
        }
        self.fields.admit(name)
    }

    async fn read(&mut self, mut source: Box<dyn ByteSource>, boundary: &Boundary) -> Result<()> {
        let mut reader = FormReader::new(boundary);
        let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
        let mut content_bytes = 0;
        while source.read(&mut piece).await? > 0 {
            let mut input = piece.as_slice();
            loop {
                match reader.read_event(&mut input).map_err(bad_form)? {
                    Event::NeedInput => break,
                    Event::PartStart(part) => self.start_part(part)?,
                    Event::Data(bytes) => {
                        content_bytes += bytes.len() as u64;
                        if content_bytes > self.limit_bytes + FRAMING_BYTES {
                            return Err(too_large(self.limit_bytes));
                        }
                        self.accept(bytes).await?;
                    }
                    Event::PartEnd => self.end_part().await?,
                    Event::End => break,
                }
            }
            piece.clear();
        }
        reader.finish().map_err(bad_form)
    }

    fn start_part(&mut self, part: FormPart) -> Result<()> {
        self.current = match part.name.as_str() {
            "file" if matches!(self.file, FormFile::NotSeen) => {
                self.storage_class()?;
                let filename = self.filename(part.filename.as_deref())?;
                self.file = FormFile::Sampling { filename, declared: part.content_type, sample: Vec::new() };
                CurrentPart::File
            }
            "file" => {
                let detail = "The form has more than one part named file. Send one file in each request.";
                return Err(Problem::new(Code::BadRequest, detail));
            }
            STORAGE_CLASS if !matches!(self.file, FormFile::NotSeen) => {
                let detail = "The field storageClass must come before the part named file.";
                return Err(Problem::new(Code::BadRequest, detail).with("field", STORAGE_CLASS));
            }
            name => CurrentPart::Field(self.admit(name)?, Vec::new()),
        };
        Ok(())
    }

    /// Returns the storage class that a field or a header names.
    fn storage_class(&self) -> Result<StorageClass> {
        storage_class(self.fields.storage_class.as_deref())
    }

    /// Returns the name of the file. `in_part` is the filename of its form part.
    fn filename(&self, in_part: Option<&str>) -> Result<Filename> {
        let is_placeholder = in_part.is_none_or(|name| PLACEHOLDERS.contains(&name));
        match (&self.named, in_part) {
            (Some(named), _) if is_placeholder => Ok(named.clone()),
            (None, None) => default_filename(),
            (named, in_part) => {
                let name = checked_filename(Filename::from_client_path(in_part.unwrap_or_default()))?;
                if named.as_ref().is_some_and(|named| *named != name) {
                    let detail =
                        "X-File-Name and the filename of the part named file differ. Send one of them.";
                    return Err(Problem::new(Code::BadRequest, detail).with("header", "x-file-name"));
                }
                Ok(name)
            }
        }
    }

    async fn accept(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.current {
            CurrentPart::None => Ok(()),
            CurrentPart::Field(name, text) if text.len() + bytes.len() > MAX_FIELD_BYTES => {
                let detail =
                    format!("The field {name:?} is longer than {MAX_FIELD_BYTES} bytes. Shorten it.");
                Err(Problem::new(Code::TooLarge, detail))
            }
            CurrentPart::Field(_, text) => {
                text.extend_from_slice(bytes);
                Ok(())
            }
            CurrentPart::File => self.accept_file_bytes(bytes).await,
        }
    }

    async fn accept_file_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.file_bytes += bytes.len() as u64;
        if self.file_bytes > self.limit_bytes {
            return Err(too_large(self.limit_bytes));
        }
        match &mut self.file {
            FormFile::Sampling { sample, .. } => {
                sample.extend_from_slice(bytes);
                if sample.len() >= SAMPLE_BYTES {
                    self.begin_file().await?;
                }
                Ok(())
            }
            FormFile::Writing(writer) => writer.write(bytes).await,
            FormFile::NotSeen | FormFile::Done(_) => Ok(()),
        }
    }

    /// Detects the type of the file from its first bytes and begins to store it.
    async fn begin_file(&mut self) -> Result<()> {
        let FormFile::Sampling { filename, declared, sample } =
            std::mem::replace(&mut self.file, FormFile::NotSeen)
        else {
            return Ok(());
        };
        if sample.is_empty() {
            let detail = "The file of the form is empty. Send a file with at least a header.";
            return Err(Problem::new(Code::EmptyFile, detail));
        }
        let detected = check_content(
            self.app,
            declared.as_deref(),
            &filename,
            &sample[..sample.len().min(SAMPLE_BYTES)],
        )?;
        let new = NewFile {
            content_type: detected.content_type,
            encoding: detected.encoding,
            dialect: detected.dialect(),
            filename: filename.as_str().to_owned(),
            description: Description { storage_class: self.storage_class()?, ..Description::default() },
            expected_sha256: self.expected_sha256,
            origin: Origin::Upload,
        };
        let mut writer = Box::new(self.service.begin_streamed_file(new, self.part_bytes).await?);
        let written = writer.write(&sample).await;
        self.file = FormFile::Writing(writer);
        written
    }

    async fn end_part(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.current, CurrentPart::None) {
            CurrentPart::None => {}
            CurrentPart::Field(name, text) => self.keep_field(name, text)?,
            CurrentPart::File => {
                if matches!(self.file, FormFile::Sampling { .. }) {
                    self.begin_file().await?;
                }
                if let FormFile::Writing(writer) = std::mem::replace(&mut self.file, FormFile::NotSeen) {
                    self.file = FormFile::Done(writer);
                }
            }
        }
        Ok(())
    }

    fn keep_field(&mut self, name: &str, text: Vec<u8>) -> Result<()> {
        let not_utf8 = |_| {
            Problem::new(Code::BadMetadata, format!("The field {name:?} is not UTF-8. Encode it as UTF-8."))
        };
        self.fields.keep(name, String::from_utf8(text).map_err(not_utf8)?)
    }

    async fn commit(mut self) -> Result<FileRow> {
        let parsed = describe(
            self.fields.tags.as_deref(),
            self.fields.metadata.as_deref(),
            self.fields.expires_at.as_deref(),
            self.app.now(),
        );
        let parsed = parsed
            .and_then(|description| Ok(Description { storage_class: self.storage_class()?, ..description }));
        let description = match parsed {
            Ok(description) => description,
            Err(problem) => {
                self.discard().await;
                return Err(problem);
            }
        };
        let FormFile::Done(mut writer) = std::mem::replace(&mut self.file, FormFile::NotSeen) else {
            let detail = "The form has no part named file. Send the file in a part with this name.";
            return Err(Problem::new(Code::BadRequest, detail));
        };
        if let Err(problem) = writer.attempt_mut().describe(description) {
            writer.discard().await;
            return Err(problem);
        }
        let (attempt, stored) = writer.finish().await?;
        attempt.commit(&stored).await
    }

    async fn discard(self) {
        if let FormFile::Writing(writer) | FormFile::Done(writer) = self.file {
            writer.discard().await;
        }
    }
}

fn bad_form(error: FormError) -> Problem {
    Problem::new(Code::BadRequest, sentence(&error))
}
