//! Switches: parts of the service that an operator can turn off, by a variable or at run time.

use serde::{Deserialize, Serialize};

/// A switch. Its name must not change, because rows contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// FileCache.
    Cache,
    /// Uploads.
    Uploads,
    /// Cuts, counts, estimates and rows.
    Cuts,
    /// Links, and sharing with an account.
    Shares,
    /// While it is on, nothing that users own can be changed.
    ReadOnly,
}

impl Switch {
    /// Every switch.
    pub const ALL: [Self; 5] = [Self::Cache, Self::Uploads, Self::Cuts, Self::Shares, Self::ReadOnly];

    /// Returns the name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Uploads => "uploads",
            Self::Cuts => "cuts",
            Self::Shares => "shares",
            Self::ReadOnly => "read_only",
        }
    }

    /// Returns the name of the variable.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Cache => "CACHE_ENABLED",
            Self::Uploads => "UPLOADS_ENABLED",
            Self::Cuts => "CUTS_ENABLED",
            Self::Shares => "SHARES_ENABLED",
            Self::ReadOnly => "READ_ONLY",
        }
    }

    /// Returns the position without a variable and without an operator.
    pub fn default_position(self) -> bool {
        self != Self::ReadOnly
    }
}

/// The position of every switch: whether it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchPositions([bool; Switch::ALL.len()]);

impl SwitchPositions {
    /// Makes the positions from a function.
    ///
    /// # Errors
    /// The first error of `position`.
    pub fn try_from_fn<E>(mut position: impl FnMut(Switch) -> Result<bool, E>) -> Result<Self, E> {
        let mut positions = Self([false; Switch::ALL.len()]);
        for switch in Switch::ALL {
            positions.set(switch, position(switch)?);
        }
        Ok(positions)
    }

    /// Whether a switch is on.
    pub fn is_on(self, switch: Switch) -> bool {
        self.0[switch as usize]
    }

    /// Sets the position of a switch.
    pub fn set(&mut self, switch: Switch, is_on: bool) {
        self.0[switch as usize] = is_on;
    }
}
