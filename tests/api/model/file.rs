//! A file in the model: content, metadata and state.

use std::collections::BTreeSet;

use cutty::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::support::hashing::sha256_hex;
use crate::support::seeds::Rng;

/// The content of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn draw(rng: &mut Rng) -> Self {
        let columns = [&["k", "v"][..], &["k", "v", "w"], &["k"]][rng.below(3)].to_vec();
        let width = columns.len();
        let cell = |rng: &mut Rng| format!("{}", rng.below(5) + 1);
        let rows = (0..rng.below(8)).map(|_| (0..width).map(|_| cell(rng)).collect()).collect();
        Self { columns, rows }
    }

    pub fn text(&self) -> String {
        let line = |cells: Vec<&str>| format!("{}\n", cells.join(","));
        let rows = self.rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
        std::iter::once(line(self.columns.clone())).chain(rows).collect()
    }

    /// Returns a table with `columns` and the rows in which `k` is `value`. If `value` is `None`, the table has all
    /// rows.
    pub fn cut(&self, columns: &[&'static str], value: Option<&str>) -> Self {
        let index = |name: &str| self.columns.iter().position(|column| *column == name).unwrap();
        let places: Vec<_> = columns.iter().map(|name| index(name)).collect();
        let kept = self.rows.iter().filter(|row| value.is_none_or(|value| row[index("k")] == value));
        let rows = kept.map(|row| places.iter().map(|index| row[*index].clone()).collect()).collect();
        Self { columns: columns.to_vec(), rows }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Status {
    Active,
    Archived,
    Deleted,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        }
    }
}

/// A file in the model.
#[derive(Debug, Clone)]
pub struct File {
    pub id: String,
    /// The entity tag of the bytes.
    pub version: String,
    pub name: String,
    pub table: Table,
    pub tags: BTreeSet<String>,
    pub metadata: Value,
    pub expires: Option<Timestamp>,
    pub status: Status,
    pub revision: u64,
    pub created: Timestamp,
    pub trashed: Option<Timestamp>,
    pub parent: Option<String>,
}

impl File {
    pub fn size(&self) -> u64 {
        self.table.text().len() as u64
    }

    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at.instant() <= now.instant())
    }

    pub fn path(&self) -> String {
        format!("/api/files/{}", self.id)
    }

    pub fn system_tag(&self) -> &'static str {
        if self.parent.is_some() { "cut" } else { "uploaded" }
    }

    /// Panics unless `seen` describes this file.
    pub fn assert_is(&self, seen: &Value, operation: &str) {
        let wanted = json!({
            "id": self.id, "etag": self.version, "filename": self.name, "size": self.size(),
            "checksum": sha256_hex(self.table.text().as_bytes()), "userTags": self.tags, "systemTags": [self.system_tag()],
            "metadata": self.metadata, "expiresAt": self.expires, "lifecycleStatus": self.status.name(),
            "revision": self.revision, "createdAt": self.created,
            "source": if self.parent.is_some() { "cut" } else { "upload" },
        });
        for (member, value) in wanted.as_object().unwrap() {
            assert_eq!(&seen[member], value, "{member} after {operation}: {seen}");
        }
    }

    pub fn trash(&mut self, now: Timestamp) {
        self.status = Status::Deleted;
        self.trashed = Some(now);
        self.revision += 1;
    }
}
