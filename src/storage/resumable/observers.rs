//! What is computed of an upload's bytes as they pass, each byte once and in order: the place for everything that
//! would otherwise cost another read of the whole file.
//!
//! At the end of every part the state is saved beside the part; after a restart it is restored, and the bytes of the
//! part that was not full are shown again.

use encoding_rs::Encoding;
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest, Sha256};

use crate::csv::profile::{Grown, Profile, Profiler, SavedState};
use crate::error::{Problem, Result};

/// The observers.
pub struct Learned {
    hash: Sha256,
    /// Gone when its state could not be carried on: then the background pass learns from the file.
    profiler: Option<Profiler>,
}

impl Learned {
    /// Observers of a file that has not begun, whose records are at most so long.
    pub fn new(max_record_bytes: usize) -> Self {
        Self { hash: Sha256::new(), profiler: Some(Profiler::new(max_record_bytes)) }
    }

    /// Says what encoding the file was declared to be in, before more than the bytes it is judged by have been shown.
    pub fn declare(&mut self, encoding: Option<&'static Encoding>) {
        if let Some(profiler) = &mut self.profiler {
            profiler.declare(encoding);
        }
    }

    /// Shows them the next bytes.
    pub fn observe(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        if let Some(profiler) = &mut self.profiler {
            profiler.push(bytes);
        }
    }

    /// Their state, to go on from: that of the hash, then that of the profiler, if it can be carried, without what had
    /// grown when `saved` was.
    pub fn save(&self, saved: Grown) -> SavedState {
        let profiler = self.profiler.as_ref().and_then(|profiler| profiler.save_behind(saved));
        let profiler = profiler.unwrap_or(SavedState { head: Vec::new(), growth: Vec::new(), grown: saved });
        SavedState { head: [self.hash.serialize().as_slice(), &profiler.head].concat(), ..profiler }
    }

    /// Observers that have seen what those had that saved `head`, and before it everything in `growth`.
    ///
    /// # Errors
    /// It is not what [`Self::save`] makes.
    pub fn restore<G: AsRef<[u8]>>(head: &[u8], growth: &[G]) -> Result<Self> {
        let unusable = || Problem::internal("the saved state of an upload's hash cannot be read");
        let hash_bytes = SerializedState::<Sha256>::default().len();
        let (hash, profiler) = head.split_at_checked(hash_bytes).ok_or_else(unusable)?;
        let hash = hash.try_into().map_err(|_| unusable())?;
        Ok(Self {
            hash: Sha256::deserialize(hash).map_err(|_| unusable())?,
            // Another version of the program may have saved it.
            profiler: Profiler::restore_grown(profiler, growth).ok(),
        })
    }

    /// How much of what only grows there is.
    pub fn grown(&self) -> Grown {
        self.profiler.as_ref().map(Profiler::grown).unwrap_or_default()
    }

    /// The SHA-256 of all bytes shown.
    pub fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// The profile of all bytes shown, once.
    pub fn take_profile(&mut self) -> Option<Profile> {
        self.profiler.take().map(Profiler::finish)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_state_restored_at_any_byte_goes_on_as_if_nothing_had_happened() {
        let text = "a,b\n1,\"x\ny\"\n2,\"\"\"\"\r\n3,z\n".repeat(5);
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, encoding) in [(text.into_bytes(), None), (utf16, Some(encoding_rs::UTF_16BE))] {
            let begun = || {
                let mut learned = Learned::new(1 << 20);
                learned.declare(encoding);
                learned
            };
            let wanted: [u8; 32] = Sha256::digest(&bytes).into();
            let mut at_once = begun();
            at_once.observe(&bytes);
            let profile = at_once.take_profile();
            assert_eq!(profile.as_ref().unwrap().row_count, 19);
            for at in 0..=bytes.len() {
                let mut before = begun();
                before.observe(&bytes[..at]);
                let SavedState { head, growth, .. } = before.save(Grown::default());
                let mut after = Learned::restore(&head, &[growth]).unwrap();
                after.observe(&bytes[at..]);
                assert_eq!(after.sha256(), wanted, "{at}");
                assert_eq!(after.take_profile(), profile, "{at}");
            }
        }
    }

    #[test]
    fn a_damaged_state_is_refused() {
        let state = Learned::new(1 << 20).save(Grown::default()).head;
        for bad in [&[][..], &state[..50], &[255; 105]] {
            assert!(Learned::restore::<&[u8]>(bad, &[]).is_err());
        }
    }
}
