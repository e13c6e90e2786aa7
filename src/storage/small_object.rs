//! Reads small objects as a whole, such as the marks of a count.

use crate::app::App;
use crate::domain::storage_key::StorageKey;
use crate::error::{Problem, Result};
use crate::ports::Fetched;

impl App {
    /// Returns the bytes of an object; `None` if there is no such object.
    ///
    /// # Errors
    /// `unavailable` if the store cannot be reached; `internal` if the object has more than `max_bytes`.
    pub async fn read_small_object(&self, key: &StorageKey, max_bytes: u64) -> Result<Option<Vec<u8>>> {
        let Fetched::Found(facts, body) = self.objects.get(key, None, None).await? else { return Ok(None) };
        let mut source = body.into_source();
        if facts.size > max_bytes {
            source.cancel().await;
            return Err(Problem::internal(format!("{key} has {} bytes, more than {max_bytes}", facts.size)));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(facts.size).unwrap_or_default());
        while source.read(&mut bytes).await? > 0 {}
        Ok(Some(bytes))
    }
}
