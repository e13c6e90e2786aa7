//! What Cutty needs from the platform, as traits: the adapters in `cloudflare` and the fakes of the tests implement
//! them, and services know nothing else of either. A file a kind of port.
//!
//! No port retries on its own: whoever calls knows whether doing a thing twice is safe.

mod database;
mod hashing;
mod isolate;
mod limits;
mod log;
mod named_objects;
mod objects;
mod queue;

pub use database::{Database, DatabaseError, Param, Row, Statement, from_row};
pub use hashing::{Hashing, Sha256Stream};
pub use isolate::{Clock, Isolate, Random};
pub use limits::{Admission, LimitError, RateLimit, RateLimiter};
pub use log::Log;
pub use named_objects::{NamedObject, NamedObjects, ObjectClass, ObjectStorage};
pub use objects::{
    Fetched, Listing, NewObject, ObjectFacts, ObjectStore, PartBuffer, PieceObserver, PutError, StoreError,
    StoredObject,
};
pub use queue::{JobQueue, QueueError};
