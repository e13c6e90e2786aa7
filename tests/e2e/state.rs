//! The state on disk: the rows of D1 and the objects of R2, as the local runtime stores them in SQLite.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};

/// Copies of the two SQLite databases: the rows of D1, and the list of the objects in R2.
pub struct State {
    rows: Connection,
    objects: Connection,
}

/// A user's quota, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Quota {
    pub used: i64,
    pub reserved: i64,
}

impl State {
    pub fn copy(state: &Path, copy: &Path) -> Self {
        let rows = database_in(&state.join("v3/d1/miniflare-D1DatabaseObject"), copy);
        let objects = database_in(&state.join("v3/r2/miniflare-R2BucketObject"), copy);
        Self { rows, objects }
    }

    /// Returns the quota of a user. A user who never stored a file has no row in `quotas`; for this user, both numbers
    /// are 0.
    pub fn quota(&self, user: &str) -> Quota {
        let sum = |column| format!("SELECT coalesce(sum({column}), 0) FROM quotas WHERE user_id = '{user}'");
        Quota { used: one(&self.rows, &sum("used_bytes")), reserved: one(&self.rows, &sum("reserved_bytes")) }
    }

    /// Returns a text for each quota that differs from the total of the user's files. The text names the user and has
    /// the used bytes and the reserved bytes of the quota.
    pub fn wrong_quotas(&self) -> Vec<String> {
        let sql = format!(
            "SELECT user_id || ': ' || used_bytes || ' used, ' || reserved_bytes || ' reserved' FROM quotas WHERE
                used_bytes <> (SELECT coalesce(sum(file_size), 0) FROM files
                    WHERE user_id = quotas.user_id AND {KEPT})
                OR reserved_bytes <> (SELECT coalesce(sum(file_size), 0) FROM files
                    WHERE user_id = quotas.user_id AND lifecycle_status = 'pending')"
        );
        let mut statement = self.rows.prepare(&sql).unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Returns the number of rows that exist only while a file is being stored or deleted: pending and dead files, and
    /// keys in `gc_queue`.
    pub fn unfinished(&self) -> i64 {
        one(
            &self.rows,
            "SELECT (SELECT count(*) FROM files WHERE lifecycle_status IN ('pending', 'dead'))
                + (SELECT count(*) FROM gc_queue)",
        )
    }

    /// Returns the number of receipts with status `running`.
    pub fn running_cuts(&self) -> i64 {
        one(&self.rows, "SELECT count(*) FROM cuts WHERE status = 'running'")
    }

    /// Returns the key and the size of each object of a kept file: the object with the bytes of the file, and the
    /// sidecar.
    pub fn referenced_objects(&self) -> BTreeMap<String, i64> {
        let profile = "'uploads/user-' || user_id || '/metadata/' || id || '-' || attempt || '.profile'";
        let sql = format!(
            "SELECT r2_key, file_size FROM files WHERE {KEPT}
             UNION ALL SELECT {profile}, profile_bytes FROM files WHERE {KEPT} AND profile_bytes IS NOT NULL"
        );
        sizes(&self.rows, &sql)
    }

    /// Returns the key and the size of each stored object, without those of the audit log.
    pub fn objects(&self) -> BTreeMap<String, i64> {
        sizes(&self.objects, "SELECT key, size FROM _mf_objects WHERE key NOT LIKE 'audit/%'")
    }

    /// Returns the name of the blob with the bytes of a file. The file must have been stored by one put.
    pub fn blob_of(&self, file: &str) -> String {
        let key: String =
            self.rows.query_row("SELECT r2_key FROM files WHERE id = ?1", [file], |row| row.get(0)).unwrap();
        self.objects
            .query_row("SELECT blob_id FROM _mf_objects WHERE key = ?1", [key], |row| row.get(0))
            .unwrap()
    }

    /// Returns the number of downloads of a file in the audit log.
    pub fn logged_reads(&self, file: &str) -> i64 {
        let sql = "SELECT count(*) FROM file_access_logs WHERE action = 'download' AND file_id = ?1";
        self.rows.query_row(sql, [file], |row| row.get(0)).unwrap()
    }

    /// Returns the number of reserved bytes of all users.
    pub fn reserved(&self) -> i64 {
        one(&self.rows, "SELECT coalesce(sum(reserved_bytes), 0) FROM quotas")
    }

    /// Returns the number of stored parts that belong to no object.
    pub fn loose_parts(&self) -> i64 {
        one(&self.objects, "SELECT count(*) FROM _mf_multipart_parts WHERE object_key IS NULL")
    }
}

const KEPT: &str = "lifecycle_status IN ('active', 'archived', 'deleted')";

fn one(database: &Connection, sql: &str) -> i64 {
    database.query_row(sql, (), |row| row.get(0)).unwrap()
}

fn sizes(database: &Connection, sql: &str) -> BTreeMap<String, i64> {
    let mut statement = database.prepare(sql).unwrap();
    let pair = |row: &Row| Ok((row.get(0)?, row.get(1)?));
    statement.query_map((), pair).unwrap().map(Result::unwrap).collect()
}

/// Copies the only database in `folder` and its write-ahead log to the folder `copy`, and opens the copy. The runtime
/// keeps the original open.
fn database_in(folder: &Path, copy: &Path) -> Connection {
    fs::create_dir_all(copy).unwrap();
    let database = find_database(folder).file_name().unwrap().to_str().unwrap().to_owned();
    for late in [database.clone(), format!("{database}-wal")] {
        let _ = fs::remove_file(copy.join(&late));
        if folder.join(&late).exists() {
            fs::copy(folder.join(&late), copy.join(&late)).unwrap();
        }
    }
    Connection::open(copy.join(database)).unwrap()
}

/// Returns the path of the only database in `folder`.
pub fn find_database(folder: &Path) -> PathBuf {
    let files = || fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let databases: Vec<_> =
        files().filter(|path| name(path).ends_with(".sqlite") && name(path) != "metadata.sqlite").collect();
    let [database] = databases.as_slice() else {
        panic!("expected one database in {folder:?}: {databases:?}")
    };
    database.clone()
}
