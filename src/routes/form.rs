//! A file that comes as a part of a form (RFC 7578): streamed, never whole in memory.
//!
//! The part's length is not announced, so its bytes go through a [`PartWriter`]; tags, metadata and expiry may come
//! before or after it.

use http::HeaderMap;

use super::extract::body::UploadBody;
use super::extract::file_headers::{announced_digest, default_filename, describe, given_name};
use crate::app::App;
use crate::body::stream::{ByteSource, PIECE_BYTES};
use crate::csv::shortened;
use crate::error::sentence;
use crate::error::{Code, Problem, Result};
use crate::http::boundary::Boundary;
use crate::http::filename::Filename;
use crate::http::form::{Event, FormError, FormPart, FormReader};
use crate::http::sniff::SAMPLE_BYTES;
use crate::storage::R2StorageService;
use crate::storage::file::FileRow;
use crate::storage::part_writer::PartWriter;
use crate::storage::protocol::{Description, NewFile, Origin};
use crate::storage::upload::check_content;
use crate::storage::upload::{check_length, too_large};

/// The longest text field of a form, in bytes.
const MAX_FIELD_BYTES: usize = 16 << 10;

/// What the rest of a form may add to its file, in bytes.
const FRAMING_BYTES: u64 = 64 << 10;

/// Stores the part named `file` of a form.
///
/// # Errors
/// Those of an upload, or a form that cannot be read. Nothing of the file stays.
pub async fn store(
    app: &App,
    service: &R2StorageService,
    headers: &HeaderMap,
    upload: UploadBody,
    boundary: &Boundary,
) -> Result<FileRow> {
    let limit = app.config.max_file_size_bytes;
    check_length(upload.length_bytes, limit + FRAMING_BYTES).map_err(|problem| match problem.code() {
        Code::TooLarge => too_large(limit),
        _ => problem,
    })?;
    let body = upload.body.ok_or_else(|| Problem::new(Code::EmptyFile, "The request has no body."))?;
    let mut form = FormUpload {
        app,
        service,
        expected_sha256: announced_digest(headers)?,
        fields: Fields::default(),
        current: Current::None,
        file: File::NotSeen,
        file_bytes: 0,
    };
    match form.read(body.into_source(), boundary).await {
        Ok(()) => form.commit().await,
        Err(problem) => {
            form.discard().await;
            Err(problem)
        }
    }
}

/// The text fields that a form may have, each once.
const FIELDS: [&str; 3] = ["tags", "metadata", "expiresAt"];

#[derive(Default)]
struct Fields {
    /// Those that have come.
    seen: Vec<&'static str>,
    tags: Option<String>,
    metadata: Option<String>,
    expires_at: Option<String>,
}

impl Fields {
    /// Lets a field come, if it is one and has not come before.
    fn admit(&mut self, name: &str) -> Result<&'static str> {
        let Some(known) = FIELDS.into_iter().find(|known| *known == name) else {
            let name = shortened(name);
            let detail = format!(
                "There is no field {name:?}. A form has a part named file, and may have {}.",
                FIELDS.join(", ")
            );
            return Err(Problem::new(Code::BadRequest, detail).with("field", name));
        };
        if self.seen.contains(&known) {
            let detail = format!("The form has the field {known} more than once. Give it once.");
            return Err(Problem::new(Code::BadRequest, detail).with("field", known));
        }
        self.seen.push(known);
        Ok(known)
    }
}

/// The part being read.
enum Current {
    None,
    /// A text field of this name, so far.
    Field(&'static str, Vec<u8>),
    File,
}

/// The file of the form.
enum File {
    NotSeen,
    /// Its first bytes, until there are enough to judge it by.
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
    fields: Fields,
    current: Current,
    file: File,
    /// Bytes of the file so far.
    file_bytes: u64,
}

impl FormUpload<'_> {
    async fn read(&mut self, mut source: Box<dyn ByteSource>, boundary: &Boundary) -> Result<()> {
        let mut reader = FormReader::new(boundary);
        let mut piece = Vec::with_capacity(2 * PIECE_BYTES);
        let mut written = 0;
        while source.read(&mut piece).await? > 0 {
            let mut input = piece.as_slice();
            loop {
                match reader.read_event(&mut input).map_err(bad_form)? {
                    Event::NeedInput => break,
                    Event::PartStart(part) => self.start_part(part)?,
                    Event::Data(bytes) => {
                        written += bytes.len() as u64;
                        if written > self.app.config.max_file_size_bytes + FRAMING_BYTES {
                            return Err(too_large(self.app.config.max_file_size_bytes));
                        }
                        self.take(bytes).await?;
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
            "file" if matches!(self.file, File::NotSeen) => {
                let filename = match part.filename.as_deref() {
                    Some(name) => given_name(Filename::from_client_path(name))?,
                    None => default_filename()?,
                };
                self.file = File::Sampling { filename, declared: part.content_type, sample: Vec::new() };
                Current::File
            }
            "file" => {
                let detail = "The form has more than one part named file. Send one file a request.";
                return Err(Problem::new(Code::BadRequest, detail));
            }
            name => Current::Field(self.fields.admit(name)?, Vec::new()),
        };
        Ok(())
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.current {
            Current::None => Ok(()),
            Current::Field(name, text) if text.len() + bytes.len() > MAX_FIELD_BYTES => {
                let detail = format!("The form's field {name:?} is longer than {MAX_FIELD_BYTES} bytes.");
                Err(Problem::new(Code::TooLarge, detail))
            }
            Current::Field(_, text) => {
                text.extend_from_slice(bytes);
                Ok(())
            }
            Current::File => self.take_file(bytes).await,
        }
    }

    async fn take_file(&mut self, bytes: &[u8]) -> Result<()> {
        self.file_bytes += bytes.len() as u64;
        if self.file_bytes > self.app.config.max_file_size_bytes {
            return Err(too_large(self.app.config.max_file_size_bytes));
        }
        match &mut self.file {
            File::Sampling { sample, .. } => {
                sample.extend_from_slice(bytes);
                if sample.len() >= SAMPLE_BYTES {
                    self.begin_file().await?;
                }
                Ok(())
            }
            File::Writing(writer) => writer.write(bytes).await,
            File::NotSeen | File::Done(_) => Ok(()),
        }
    }

    /// Judges the file by its first bytes and begins to store it.
    async fn begin_file(&mut self) -> Result<()> {
        let File::Sampling { filename, declared, sample } = std::mem::replace(&mut self.file, File::NotSeen)
        else {
            return Ok(());
        };
        if sample.is_empty() {
            let detail = "The form's file has no bytes. Send one with at least a header line.";
            return Err(Problem::new(Code::EmptyFile, detail));
        }
        let judged = check_content(
            self.app,
            declared.as_deref(),
            &filename,
            &sample[..sample.len().min(SAMPLE_BYTES)],
        )?;
        let new = NewFile {
            content_type: judged.content_type,
            encoding: judged.encoding,
            filename: filename.as_str().to_owned(),
            description: Description::default(),
            expected_sha256: self.expected_sha256,
            origin: Origin::Upload,
        };
        let mut writer = Box::new(self.service.begin_form_file(new).await?);
        let written = writer.write(&sample).await;
        self.file = File::Writing(writer);
        written
    }

    async fn end_part(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.current, Current::None) {
            Current::None => {}
            Current::Field(name, text) => self.keep_field(name, text)?,
            Current::File => {
                if matches!(self.file, File::Sampling { .. }) {
                    self.begin_file().await?;
                }
                if let File::Writing(writer) = std::mem::replace(&mut self.file, File::NotSeen) {
                    self.file = File::Done(writer);
                }
            }
        }
        Ok(())
    }

    fn keep_field(&mut self, name: &str, text: Vec<u8>) -> Result<()> {
        let slot = match name {
            "tags" => &mut self.fields.tags,
            "metadata" => &mut self.fields.metadata,
            _ => &mut self.fields.expires_at,
        };
        let not_utf8 =
            |_| Problem::new(Code::BadMetadata, format!("The form's field {name:?} is not UTF-8."));
        *slot = Some(String::from_utf8(text).map_err(not_utf8)?).filter(|text| !text.is_empty());
        Ok(())
    }

    async fn commit(mut self) -> Result<FileRow> {
        let described = describe(
            self.fields.tags.as_deref(),
            self.fields.metadata.as_deref(),
            self.fields.expires_at.as_deref(),
            self.app.now(),
        );
        let description = match described {
            Ok(description) => description,
            Err(problem) => {
                self.discard().await;
                return Err(problem);
            }
        };
        let File::Done(mut writer) = std::mem::replace(&mut self.file, File::NotSeen) else {
            let detail = "The form has no part named file.";
            return Err(Problem::new(Code::BadRequest, detail));
        };
        writer.attempt_mut().describe(description);
        let (attempt, stored) = writer.finish().await?;
        attempt.commit(&stored).await
    }

    async fn discard(self) {
        if let File::Writing(writer) | File::Done(writer) = self.file {
            writer.discard().await;
        }
    }
}

fn bad_form(error: FormError) -> Problem {
    Problem::new(Code::BadRequest, sentence(&error))
}
