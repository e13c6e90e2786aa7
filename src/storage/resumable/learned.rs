//! What is computed of an upload's bytes as they pass, each byte once and in order: the place for everything that
//! would otherwise cost another read of the whole file.
//!
//! At the end of every part the state is saved beside the part; after a restart it is restored, and the bytes of the
//! part that was not full are shown again.

use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};

use crate::error::{Problem, Result};

/// The observers.
#[derive(Default, Clone)]
pub struct Learned {
    hash: Sha256,
}

impl Learned {
    /// Shows them the next bytes.
    pub fn observe(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// Their state, to go on from.
    pub fn save(&self) -> Vec<u8> {
        self.hash.serialize().to_vec()
    }

    /// Observers that have seen what those had that saved `state`.
    ///
    /// # Errors
    /// It is not what [`Self::save`] makes.
    pub fn restore(state: &[u8]) -> Result<Self> {
        let unusable = || Problem::internal("the saved state of an upload's hash cannot be read");
        let state = state.try_into().map_err(|_| unusable())?;
        Ok(Self { hash: Sha256::deserialize(state).map_err(|_| unusable())? })
    }

    /// The SHA-256 of all bytes shown.
    pub fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_state_restored_at_any_byte_goes_on_as_if_nothing_had_happened() {
        let bytes: Vec<u8> = (0..200).collect();
        let wanted: [u8; 32] = Sha256::digest(&bytes).into();
        for at in 0..=bytes.len() {
            let mut before = Learned::default();
            before.observe(&bytes[..at]);
            let mut after = Learned::restore(&before.save()).unwrap();
            after.observe(&bytes[at..]);
            assert_eq!(after.sha256(), wanted, "{at}");
        }
    }

    #[test]
    fn a_damaged_state_is_refused() {
        let state = Learned::default().save();
        for bad in [&[][..], &state[1..], &[255; 105]] {
            assert!(Learned::restore(bad).is_err());
        }
    }
}
