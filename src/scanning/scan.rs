//! Scans stored objects, and probes the scanner.

use std::sync::Arc;

use chrono::TimeDelta;

use super::answer::{ScanOutcome, parse};
use crate::app::App;
use crate::config::{ScanFailure, ScanSettings};
use crate::domain::log::LogLine;
use crate::domain::scan::{ScanMark, ScanVerdict};
use crate::domain::storage_key::StorageKey;
use crate::error::{Code, Problem, Result};
use crate::ports::{ContentScanner, Fetched, ObjectFacts, ScanContent, ScanRequest};

/// The least speed of a scan, in bytes per second: for each 10 MB, a scan may take a second longer.
const LEAST_SPEED: u64 = 10_000_000;

/// Time after which a client should repeat an upload that failed because of the scanner, in seconds.
const RETRY_AFTER_S: u32 = 30;

/// Maximum duration of a probe. A health check must not wait for as long as a scan.
const PROBE_TIMEOUT: TimeDelta = TimeDelta::seconds(5);

/// The bytes of a probe: a CSV file without malware.
const PROBE: &[u8] = b"cutty,probe\n1,2\n";

impl App {
    fn scanner(&self) -> Option<(&ScanSettings, &Arc<dyn ContentScanner>)> {
        self.config.scanning.as_ref().zip(self.scanner.as_ref())
    }

    /// Returns the mark of a file that is not scanned, because it has only bytes of files that Cutty keeps. `None` if no
    /// scanner is set.
    pub fn mark_derived(&self) -> Option<ScanMark> {
        let now = self.now();
        self.scanner().map(|_| ScanMark { verdict: ScanVerdict::Derived, at: now })
    }

    /// Scans a stored object. Returns `None` if no scanner is set. If the scan fails and `SCAN_FAILURE` is `accept`,
    /// returns [`ScanVerdict::Unscanned`].
    ///
    /// # Errors
    /// - `infected`: the scanner found something.
    /// - `unavailable`: the scan failed and `SCAN_FAILURE` is `refuse`; or the object cannot be read.
    pub async fn scan_object(
        &self,
        key: &StorageKey,
        facts: &ObjectFacts,
        sha256: Option<[u8; 32]>,
    ) -> Result<Option<ScanMark>> {
        let Some((settings, scanner)) = self.scanner() else { return Ok(None) };
        let body = match self.objects.get(key, None, Some(&facts.etag)).await? {
            Fetched::Found(found, body) if found.size == facts.size => body,
            _ => return Err(Problem::unavailable(format!("{key} is not the object that was stored"))),
        };
        let allowance_s = i64::try_from(facts.size / LEAST_SPEED).unwrap_or_default();
        let timeout = TimeDelta::seconds(i64::from(settings.timeout_s).saturating_add(allowance_s));
        let request = ScanRequest { size_bytes: facts.size, sha256, timeout };
        let answer = scanner.scan(request, ScanContent::Object(body)).await;
        let outcome = answer.map_err(|error| error.to_string()).and_then(|answer| parse(&answer));
        let now = self.now();
        self.scanner_check.note(now, outcome.is_ok());
        match outcome {
            Ok(ScanOutcome::Clean) => Ok(Some(ScanMark { verdict: ScanVerdict::Clean, at: now })),
            Ok(ScanOutcome::Infected(signature)) => {
                self.write_log(
                    LogLine::warn("the content scanner refused an upload")
                        .with_text("key", key)
                        .with("signature", signature.as_str()),
                );
                Err(infected(&signature))
            }
            Err(cause) => {
                self.write_log(LogLine::error("a scan failed").with_text("key", key).caused_by(&cause));
                match settings.failure {
                    ScanFailure::Accept => Ok(Some(ScanMark { verdict: ScanVerdict::Unscanned, at: now })),
                    ScanFailure::Refuse => Err(Problem::new(
                        Code::Unavailable,
                        "The content scanner does not work, so the file is not stored. Try again later.",
                    )
                    .retry_after(RETRY_AFTER_S)
                    .caused_by(cause)),
                }
            }
        }
    }

    /// Returns whether the scanner works; `None` if no scanner is set. Uses the outcome of the last scan of this
    /// isolate if it is less than 30 s old. Otherwise scans a few bytes.
    pub async fn scanner_works(&self) -> Option<bool> {
        let (_, scanner) = self.scanner()?;
        if let Some(works) = self.scanner_check.begin(self.now()) {
            return Some(works);
        }
        let request = ScanRequest { size_bytes: PROBE.len() as u64, sha256: None, timeout: PROBE_TIMEOUT };
        let answer = scanner.scan(request, ScanContent::Probe(PROBE)).await;
        let outcome = answer.map_err(|error| error.to_string()).and_then(|answer| parse(&answer));
        let outcome = match outcome {
            Ok(ScanOutcome::Clean) => Ok(()),
            Ok(ScanOutcome::Infected(_)) => Err("the scanner calls a harmless file infected".to_owned()),
            Err(cause) => Err(cause),
        };
        self.scanner_check.note(self.now(), outcome.is_ok());
        if let Err(cause) = &outcome {
            self.write_log(LogLine::error("the content scanner does not work").caused_by(cause));
        }
        Some(outcome.is_ok())
    }
}

/// Returns the problem for bytes in which the scanner found something. `signature` is the name that the scanner gave;
/// it may be empty.
pub fn infected(signature: &str) -> Problem {
    let detail = "The content scanner found harmful content, so the file is not stored. Remove the content from the file.";
    match signature {
        "" => Problem::new(Code::Infected, detail),
        name => Problem::new(Code::Infected, detail).with("signature", name),
    }
}
