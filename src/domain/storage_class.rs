//! The storage class of a file: how R2 keeps its bytes, and what R2 charges for them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A storage class of R2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum StorageClass {
    /// For files that are read often. The default.
    #[default]
    Standard,
    /// For files that are read less than about once a month: R2 charges less for storing bytes, more for reading them,
    /// and at least 30 days for each object.
    InfrequentAccess,
}

impl StorageClass {
    /// Every class.
    pub const ALL: [Self; 2] = [Self::Standard, Self::InfrequentAccess];

    /// Returns the name of the class in requests, in rows and in R2.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::InfrequentAccess => "InfrequentAccess",
        }
    }

    /// Returns the class with this name; `None` if there is no such class.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }

    /// Whether this is the default class.
    pub fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_names_of_the_classes_are_parsed() {
        for class in StorageClass::ALL {
            assert_eq!(StorageClass::parse(class.name()), Some(class));
        }
        for other in ["", "standard", "STANDARD", " Standard", "GLACIER", "Archive"] {
            assert_eq!(StorageClass::parse(other), None, "{other}");
        }
    }
}
