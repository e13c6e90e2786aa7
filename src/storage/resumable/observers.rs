//! Computes the hash and the profile of an upload while its bytes pass. Otherwise Cutty would have to read the whole
//! file again. The observers must get each byte exactly once, in the order of the file.
//!
//! At the end of every part, the session saves the state of the observers. After a restart, the session restores this
//! state. The restored state does not count the bytes after the last full part, so the session then passes these bytes
//! to the observers.

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};

use crate::csv::InputOptions;
use crate::csv::profile::{AppendOnlyCounts, Profile, Profiler, SavedState};
use crate::error::{Problem, Result};
use crate::storage::profiling::memory::ProfilerMemory;

/// Hash and profiler of an upload.
pub struct UploadObservers {
    hash: Sha256,
    /// `None` if its state could not be restored, if the isolate had no memory for it, or if the profile was taken. In
    /// the first two cases, the background pass computes the profile.
    profiler: Option<Profiler>,
}

impl UploadObservers {
    /// Creates observers that have got no bytes yet. A record may be at most `max_record_bytes` long.
    pub fn new(max_record_bytes: usize) -> Self {
        Self { hash: Sha256::new(), profiler: Some(Profiler::new(max_record_bytes)) }
    }

    /// Sets the options for reading the file. The call has an effect only before the first
    /// [`SAMPLE_BYTES`](crate::csv::SAMPLE_BYTES) have been observed.
    pub fn declare(&mut self, options: InputOptions) {
        if let Some(profiler) = &mut self.profiler {
            profiler.declare(options);
        }
    }

    /// Observes the next bytes.
    pub fn observe(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        if let Some(profiler) = &mut self.profiler {
            profiler.push(bytes);
        }
    }

    /// Drops the profiler if `memory` cannot lease as much memory as the profiler needs.
    pub fn fit_into(&mut self, memory: &mut ProfilerMemory) {
        self.profiler.take_if(|profiler| !memory.admits(profiler.memory_bytes()));
    }

    /// Returns the state of the hash, followed by the state of the profiler if the state of the profiler can be saved.
    /// `saved` counts the entries of the append-only state that are saved already. The result leaves out these entries.
    pub fn save(&self, saved: AppendOnlyCounts) -> SavedState {
        let profiler = self.profiler.as_ref().and_then(|profiler| profiler.save_since(saved));
        let profiler = profiler.unwrap_or(SavedState { head: Vec::new(), growth: Vec::new(), grown: saved });
        SavedState { head: [self.hash.serialize().as_slice(), &profiler.head].concat(), ..profiler }
    }

    /// Restores observers from the last saved `head` and from all saved append-only state (`growth`).
    ///
    /// # Errors
    /// `internal` if `head` has no valid state of the hash.
    pub fn restore<G: AsRef<[u8]>>(head: &[u8], growth: &[G]) -> Result<Self> {
        let malformed = || Problem::internal("the saved hash state of an upload is malformed");
        let hash_bytes = SerializedState::<Sha256>::default().len();
        let (hash, profiler) = head.split_at_checked(hash_bytes).ok_or_else(malformed)?;
        let hash = hash.try_into().map_err(|_| malformed())?;
        Ok(Self {
            hash: Sha256::deserialize(hash).map_err(|_| malformed())?,
            // Another version of the program may have saved the profiler's state.
            profiler: Profiler::restore_appended(profiler, growth).ok(),
        })
    }

    /// Returns how many entries of each kind the append-only state has.
    pub fn grown(&self) -> AppendOnlyCounts {
        self.profiler.as_ref().map(Profiler::grown).unwrap_or_default()
    }

    /// Returns the SHA-256 of all observed bytes.
    pub fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Returns the profile of all observed bytes. Returns `None` if the profile was taken before, or if it
    /// could not be computed.
    pub fn take_profile(&mut self) -> Option<Profile> {
        self.profiler.take().map(Profiler::finish)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn saving_and_restoring_the_state_at_any_byte_changes_neither_the_hash_nor_the_profile() {
        let text = "a,b\n1,\"x\ny\"\n2,\"\"\"\"\r\n3,z\n".repeat(5);
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, encoding) in [(text.into_bytes(), None), (utf16, Some(encoding_rs::UTF_16BE.into()))] {
            let new_observers = || {
                let mut observers = UploadObservers::new(1 << 20);
                observers.declare(InputOptions { encoding, ..InputOptions::DETECT });
                observers
            };
            let wanted: [u8; 32] = Sha256::digest(&bytes).into();
            let mut in_one_piece = new_observers();
            in_one_piece.observe(&bytes);
            let profile = in_one_piece.take_profile();
            assert_eq!(profile.as_ref().unwrap().row_count, 19);
            for at in 0..=bytes.len() {
                let mut before = new_observers();
                before.observe(&bytes[..at]);
                let SavedState { head, growth, .. } = before.save(AppendOnlyCounts::default());
                let mut after = UploadObservers::restore(&head, &[growth]).unwrap();
                after.observe(&bytes[at..]);
                assert_eq!(after.sha256(), wanted, "{at}");
                assert_eq!(after.take_profile(), profile, "{at}");
            }
        }
    }

    #[test]
    fn a_damaged_state_is_refused() {
        let state = UploadObservers::new(1 << 20).save(AppendOnlyCounts::default()).head;
        for bad in [&[][..], &state[..50], &[255; 105]] {
            assert!(UploadObservers::restore::<&[u8]>(bad, &[]).is_err());
        }
    }
}
