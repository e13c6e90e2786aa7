//! A content scanner that knows one pattern: the EICAR test file.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cutty::body::stream::NativeBody;
use cutty::ports::{ContentScanner, MAX_ANSWER_BYTES, ScanAnswer, ScanContent, ScanError, ScanRequest};

use super::body::TestBody;
use super::faults::{Call, Faults, Port};
use super::hashing::sha256;

/// Returns the EICAR test pattern. It is assembled here from pieces, so that no file of the repository contains it.
pub fn eicar() -> String {
    ["X5O!P%@AP[4", "\\PZX54(P^)7CC)7}", "$EICAR-STANDARD", "-ANTIVIRUS-TEST-", "FILE!", "$H+H*"].concat()
}

/// Returns a CSV file that contains the EICAR pattern, at least `length` bytes long.
pub fn infected_csv(length: usize) -> Vec<u8> {
    let mut csv = b"id,text\n".to_vec();
    while csv.len() + 80 < length {
        csv.extend_from_slice(b"1,harmless\n");
    }
    csv.extend_from_slice(format!("2,{}\n", eicar()).as_bytes());
    csv
}

/// How a scanner behaves.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// It reads the bytes and tells the truth.
    Honest,
    /// It is too slow.
    Slow,
    /// It closes the connection.
    Broken,
    /// It answers with this status and this body, whatever the bytes are.
    Lying(u16, Vec<u8>),
}

pub struct TestScanner {
    behaviour: Mutex<Behaviour>,
    /// Number of bytes of each scan, and whether the scanner got their SHA-256.
    scans: Mutex<Vec<(u64, bool)>>,
    faults: Faults,
}

impl TestScanner {
    pub fn new(faults: Faults) -> Arc<Self> {
        Arc::new(Self { behaviour: Mutex::new(Behaviour::Honest), scans: Mutex::default(), faults })
    }

    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// Returns the scans so far: the number of bytes, and whether the scanner got their SHA-256.
    pub fn scans(&self) -> Vec<(u64, bool)> {
        self.scans.lock().unwrap().clone()
    }

    async fn answer(&self, request: ScanRequest, content: ScanContent) -> Result<ScanAnswer, ScanError> {
        let mut bytes = Vec::new();
        match content {
            ScanContent::Probe(probe) => bytes.extend_from_slice(probe),
            ScanContent::Object(body) => {
                let body: Box<TestBody> = body.into_any().downcast().unwrap();
                let mut source = body.into_source();
                while source.read(&mut bytes).await.map_err(|problem| ScanError(problem.to_string()))? > 0 {}
            }
        }
        assert_eq!(bytes.len() as u64, request.size_bytes, "the announced length is wrong");
        assert!(request.sha256.is_none_or(|announced| announced == sha256(&bytes)), "the digest is wrong");
        assert!(request.timeout.num_seconds() >= 1);
        self.scans.lock().unwrap().push((request.size_bytes, request.sha256.is_some()));
        let (status, body) = match self.behaviour.lock().unwrap().clone() {
            Behaviour::Honest => {
                let pattern = eicar();
                let is_infected = bytes.windows(pattern.len()).any(|window| window == pattern.as_bytes());
                let body = match is_infected {
                    true => r#"{"verdict":"infected","signature":"Eicar-Test-Signature"}"#,
                    false => r#"{"verdict":"clean"}"#,
                };
                (200, body.as_bytes().to_vec())
            }
            Behaviour::Slow => return Err(ScanError("The operation was aborted due to timeout".to_owned())),
            Behaviour::Broken => return Err(ScanError("Network connection lost.".to_owned())),
            Behaviour::Lying(status, body) => (status, body),
        };
        // The port promises that no answer is longer.
        match body.len() <= MAX_ANSWER_BYTES {
            true => Ok(ScanAnswer { status, body }),
            false => Err(ScanError("the answer is too long".to_owned())),
        }
    }
}

#[async_trait]
impl ContentScanner for TestScanner {
    async fn scan(&self, request: ScanRequest, content: ScanContent) -> Result<ScanAnswer, ScanError> {
        let subject = format!("{} bytes", request.size_bytes);
        let call = Call { port: Port::Scanner, method: "scan", subject, statements: 1 };
        self.faults.call(call, ScanError, self.answer(request, content)).await
    }
}
