//! The interfaces to the platform, as traits, with one file for each kind of port. The adapters in `cloudflare` and
//! the doubles in `tests/support` implement the traits. Services use only the traits.
//!
//! No port retries a call by itself. Only the caller knows whether it is safe to repeat a call.

mod database;
mod email;
mod hashing;
mod isolate;
mod limits;
mod log;
mod named_objects;
mod objects;
mod queue;
mod scanner;

pub use database::{Database, DatabaseError, Param, Row, Statement, from_row};
pub use email::{Email, EmailError, EmailMessage};
pub use hashing::{Hashing, Sha256Stream};
pub use isolate::{Clock, Isolate, Random};
pub use limits::{Admission, LimitError, PlatformLimits, RateLimit};
pub use log::Log;
pub use named_objects::{NamedObject, NamedObjects, ObjectClass, ObjectStorage};
pub use objects::{
    Fetched, IgnorePieces, Listing, NewObject, ObjectFacts, ObjectStore, PartBuffer, PieceObserver, PutError,
    StoreError, StoredObject,
};
pub use queue::{JobQueue, QueueError};
pub use scanner::{ContentScanner, MAX_ANSWER_BYTES, ScanAnswer, ScanContent, ScanError, ScanRequest};
