//! The files API against a model of it: what a few hundred lines say it should do, and what the real router does, over
//! long random lives of a few files.
//!
//! The model knows no rows, objects or batches: a list of files, a quota and the time.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use cutty::time::Timestamp;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::{Call, Form, Reply, delete, get, head, patch_json, post, post_json, upload};
use crate::support::hashing::{sha256, sha256_hex};
use crate::support::seeds::{Lots, for_each_seed};
use crate::support::turns::at_once;

/// Seeds that once failed.
const REGRESSIONS: &[u64] = &[];

/// How many lives are lived, and how long they are.
const SEEDS: u64 = 120;
const STEPS: usize = 60;

const QUOTA: u64 = 400;
const MISSING: &str = "018f0000-0000-7000-8000-000000000001";
const NAMES: [&str; 5] = ["a.csv", "B.csv", "data.csv", "Data-two.csv", "zebra.csv"];
const TAGS: [&str; 3] = ["north", "south", "uploaded"];

/// A refusal: status and code.
type Refusal = (u16, &'static str);
const NOT_FOUND: Refusal = (404, "not_found");

/// A file's content.
#[derive(Debug, Clone, PartialEq)]
struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn draw(lots: &mut Lots) -> Self {
        let columns = [&["k", "v"][..], &["k", "v", "w"], &["k"]][lots.below(3)].to_vec();
        let width = columns.len();
        let cell = |lots: &mut Lots| format!("{}", lots.below(5) + 1);
        let rows = (0..lots.below(8)).map(|_| (0..width).map(|_| cell(lots)).collect()).collect();
        Self { columns, rows }
    }

    fn text(&self) -> String {
        let line = |cells: Vec<&str>| format!("{}\n", cells.join(","));
        let rows = self.rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
        std::iter::once(line(self.columns.clone())).chain(rows).collect()
    }

    /// The rows in which `k` is `value`, when given, with these columns.
    fn cut(&self, columns: &[&'static str], value: Option<&str>) -> Self {
        let place = |name: &str| self.columns.iter().position(|column| *column == name).unwrap();
        let places: Vec<_> = columns.iter().map(|name| place(name)).collect();
        let kept = self.rows.iter().filter(|row| value.is_none_or(|value| row[place("k")] == value));
        let rows = kept.map(|row| places.iter().map(|place| row[*place].clone()).collect()).collect();
        Self { columns: columns.to_vec(), rows }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Status {
    Active,
    Archived,
    Deleted,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        }
    }
}

/// A file as the model knows it.
#[derive(Debug, Clone)]
struct File {
    id: String,
    version: String,
    name: String,
    table: Table,
    tags: BTreeSet<String>,
    metadata: Value,
    expires: Option<Timestamp>,
    status: Status,
    revision: u64,
    created: Timestamp,
    trashed: Option<Timestamp>,
    parent: Option<String>,
}

impl File {
    fn size(&self) -> u64 {
        self.table.text().len() as u64
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|at| at.instant() <= now.instant())
    }

    fn path(&self) -> String {
        format!("/api/files/{}", self.id)
    }

    fn system_tag(&self) -> &'static str {
        if self.parent.is_some() { "cut" } else { "uploaded" }
    }

    /// Fails unless `seen` is this file.
    fn assert_is(&self, seen: &Value, what: &str) {
        let wanted = json!({
            "id": self.id, "etag": self.version, "filename": self.name, "size": self.size(),
            "checksum": sha256_hex(self.table.text().as_bytes()), "userTags": self.tags, "systemTags": [self.system_tag()],
            "metadata": self.metadata, "expiresAt": self.expires, "lifecycleStatus": self.status.name(),
            "revision": self.revision, "createdAt": self.created,
            "source": if self.parent.is_some() { "cut" } else { "upload" },
        });
        for (member, value) in wanted.as_object().unwrap() {
            assert_eq!(&seen[member], value, "{member} after {what}: {seen}");
        }
    }
}

/// The service and its model.
struct World {
    app: TestApp,
    owner: String,
    stranger: String,
    lots: Lots,
    files: Vec<File>,
    /// Ids of files that are gone for good.
    gone: Vec<String>,
    keys: usize,
}

/// Whom an operation is about: a file of the model, or none that the asker may know of.
struct Target {
    place: Option<usize>,
    path: String,
    token: String,
}

impl World {
    fn of(seed: u64) -> Self {
        let app = TestApp::with(&[("DEFAULT_QUOTA_BYTES", &QUOTA.to_string())]);
        let (owner, stranger) = (app.user("ada"), app.user("bob"));
        Self { app, owner, stranger, lots: Lots::of(seed), files: Vec::new(), gone: Vec::new(), keys: 0 }
    }

    fn used(&self) -> u64 {
        self.files.iter().map(File::size).sum()
    }

    fn step(&mut self) {
        match self.lots.below(23) {
            0..=3 => self.create(),
            4 | 5 => self.list(),
            6..=8 => self.read(),
            9 => self.look(),
            10..=13 => self.patch(),
            14 | 15 => self.delete(),
            16 | 17 => self.restore(),
            18 => self.save(),
            19 => self.page(),
            20 => self.trace(),
            21 => self.pass_time(),
            _ => self.sweep(),
        }
        let quota = self.app.database.rows("SELECT used_bytes, reserved_bytes FROM quotas").pop();
        let quota = quota
            .map_or((json!(0), json!(0)), |row| (row["used_bytes"].clone(), row["reserved_bytes"].clone()));
        assert_eq!(quota, (json!(self.used()), json!(0)), "used and reserved");
    }

    fn target(&mut self) -> Target {
        let token = if self.lots.once_in(12) { self.stranger.clone() } else { self.owner.clone() };
        if self.files.is_empty() || self.lots.once_in(10) {
            let id = self.gone.last().map_or(MISSING, String::as_str);
            return Target { place: None, path: format!("/api/files/{id}"), token };
        }
        let place = self.lots.below(self.files.len());
        let path = self.files[place].path();
        Target { place: Some(place).filter(|_| token == self.owner), path, token }
    }

    /// Sends a request that changes something, now and then under a key and then twice.
    fn change(&mut self, make: impl Fn() -> Call, token: &str, expected: Result<u16, Refusal>) -> Reply {
        self.keys += 1;
        let key = self.lots.once_in(3).then(|| format!("key-{}", self.keys));
        let call = || match &key {
            Some(key) => make().bearer(token).header("idempotency-key", key),
            None => make().bearer(token),
        };
        let reply = self.expect(call(), expected);
        if key.is_some() {
            let again = self.expect(call(), expected);
            assert_eq!(again.header("idempotency-replayed") == "true", expected.is_ok());
            assert!(expected.is_err() || again.body == reply.body, "{again} is not {reply}");
        }
        reply
    }

    fn expect(&self, call: Call, expected: Result<u16, Refusal>) -> Reply {
        let reply = at_once(self.app.send(call));
        let (status, code) = match expected {
            Ok(status) => (status, Value::Null),
            Err((status, code)) => (status, code.into()),
        };
        assert_eq!(reply.status.as_u16(), status, "{reply}");
        assert!(expected.is_ok() || reply.json()["code"] == code, "{reply}");
        reply
    }

    fn draw_tags(&mut self) -> Vec<&'static str> {
        (0..self.lots.below(3)).map(|_| self.lots.one(&TAGS)).collect()
    }

    fn draw_expiry(&mut self) -> Option<Timestamp> {
        let hours = self.lots.one(&[1, 30, 24 * 50]);
        self.lots.once_in(3).then(|| self.app.now().plus(TimeDelta::hours(hours)))
    }

    /// An `If-Match`, if any, and whether it holds for the file.
    fn draw_condition(&mut self, place: Option<usize>) -> (Option<String>, bool) {
        let file = place.map(|place| &self.files[place]);
        let current = file.map_or("\"r1\"".to_owned(), |file| format!("\"r{}\"", file.revision));
        let version = file.map_or("\"x\"".to_owned(), |file| format!("\"{}\"", file.version));
        match self.lots.below(8) {
            0 => (Some(current), true),
            1 => (Some(version), true),
            2 => (Some("*".to_owned()), true),
            3 => (Some("\"r999\"".to_owned()), false),
            _ => (None, true),
        }
    }

    fn create(&mut self) {
        let name = self.lots.one(&NAMES);
        let table = Table::draw(&mut self.lots);
        let text = table.text();
        let tags = self.draw_tags();
        let expires = self.draw_expiry();
        let metadata = if self.lots.once_in(2) { json!({"n": self.keys}) } else { json!({}) };
        let digest = self.lots.below(6);
        let is_form = self.lots.once_in(3);
        let make = || {
            let expiry = expires.map(|at| at.to_string()).unwrap_or_default();
            let call = if is_form {
                let form =
                    Form::default().field("tags", &tags.join(",")).field("metadata", &metadata.to_string());
                form.file(name, text.as_bytes()).field("expiresAt", &expiry).post()
            } else {
                let call = upload(name, text.clone()).header("x-file-tags", tags.join(","));
                let call = call.header("x-file-metadata", &metadata);
                if expiry.is_empty() { call } else { call.header("x-file-expires", expiry) }
            };
            match digest {
                0 => call.header("repr-digest", cutty::http::digest::render(&sha256(text.as_bytes()))),
                1 => call.header("repr-digest", cutty::http::digest::render(&[7; 32])),
                _ => call,
            }
        };
        let expected = match digest {
            _ if self.used() + text.len() as u64 > QUOTA => Err((507, "quota_exceeded")),
            1 => Err((422, "digest_mismatch")),
            _ => Ok(201),
        };
        let owner = self.owner.clone();
        let reply = self.change(make, &owner, expected);
        if expected.is_ok() {
            let made = self.born(&reply, name, table, None);
            made.tags = tags.into_iter().map(str::to_owned).collect();
            made.metadata = metadata;
            made.expires = expires;
            let made = made.clone();
            made.assert_is(&reply.json()["file"], "create");
            assert_eq!(reply.header("location"), made.path());
        }
    }

    fn born(&mut self, reply: &Reply, name: &str, table: Table, parent: Option<String>) -> &mut File {
        let seen = reply.json()["file"].clone();
        let text = |member: &str| seen[member].as_str().unwrap().to_owned();
        let place = self.files.len();
        self.files.push(File {
            id: text("id"),
            version: text("etag"),
            name: name.to_owned(),
            table,
            tags: BTreeSet::new(),
            metadata: json!({}),
            expires: None,
            status: Status::Active,
            revision: 1,
            created: self.app.now(),
            trashed: None,
            parent,
        });
        &mut self.files[place]
    }

    fn list(&mut self) {
        let status = self.lots.one(&[Status::Active, Status::Active, Status::Archived, Status::Deleted]);
        let tag = self.lots.once_in(3).then(|| self.lots.one(&["north", "uploaded", "cut"]));
        let part = self.lots.once_in(3).then(|| self.lots.one(&["a", "DATA", ".csv"]));
        let sort = self.lots.one(&["createdAt", "filename", "size"]);
        let is_descending = self.lots.once_in(2);
        let (limit, by_offset) = (1 + self.lots.below(4), self.lots.once_in(2));

        let now = self.app.now();
        let mut wanted: Vec<&File> = self.files.iter().filter(|file| file.status == status).collect();
        wanted.retain(|file| status == Status::Deleted || !file.is_expired(now));
        wanted.retain(|file| tag.is_none_or(|tag| file.tags.contains(tag) || file.system_tag() == tag));
        let has_part = |file: &File, part: &str| file.name.to_lowercase().contains(&part.to_lowercase());
        wanted.retain(|file| part.is_none_or(|part| has_part(file, part)));
        match sort {
            "createdAt" => wanted.sort_by_key(|file| (file.created.to_string(), &file.id)),
            "filename" => wanted.sort_by_key(|file| (file.name.clone(), &file.id)),
            _ => wanted.sort_by(|a, b| (a.size(), &a.id).cmp(&(b.size(), &b.id))),
        }
        if is_descending {
            wanted.reverse();
        }

        let sign = if is_descending { "-" } else { "" };
        let option = |name: &str, value: Option<&str>| {
            value.map(|value| format!("&{name}={value}")).unwrap_or_default()
        };
        let (tag, part) = (option("tag", tag), option("q", part));
        let query = format!("/api/files?status={}&sort={sign}{sort}&limit={limit}{tag}{part}", status.name());
        let (mut place, mut seen) = (String::new(), Vec::new());
        loop {
            let page = self.expect(get(&format!("{query}{place}")).bearer(&self.owner), Ok(200)).json();
            let files = page["files"].as_array().unwrap();
            assert_eq!(page["total"], wanted.len(), "{query}");
            assert!(files.len() <= limit, "{query}");
            seen.extend(files.iter().cloned());
            assert_eq!(page["hasMore"], seen.len() < wanted.len(), "{query}{place}");
            match page["nextCursor"].as_str() {
                None => break,
                Some(_) if by_offset => place = format!("&offset={}", seen.len()),
                Some(cursor) => place = format!("&cursor={cursor}"),
            }
        }
        assert_eq!(seen.len(), wanted.len(), "{query}");
        for (file, seen) in wanted.iter().zip(&seen) {
            file.assert_is(seen, &query);
        }
    }

    /// The bytes: whole, a range, or only whether they have changed; or a cut of them.
    fn read(&mut self) {
        let target = self.target();
        let now = self.app.now();
        let file = target.place.map(|place| self.files[place].clone());
        let file = file.filter(|file| file.status != Status::Deleted && !file.is_expired(now));
        let Some(file) = file else {
            let call = self.lots.one(&["", "/rows", "/columns", "/cut"]);
            drop(self.expect(get(&format!("{}{call}", target.path)).bearer(&target.token), Err(NOT_FOUND)));
            return;
        };
        let text = file.table.text();
        let tag = format!("\"{}\"", file.version);
        let call = || get(&target.path).bearer(&target.token);
        match self.lots.below(5) {
            0 => {
                let reply = self.expect(call(), Ok(200));
                assert_eq!((reply.text(), reply.header("etag")), (text.as_str(), tag.as_str()));
            }
            1 => {
                let (start, end) = (self.lots.below(text.len() + 3), self.lots.below(text.len() + 3));
                let call = call().header("range", format!("bytes={start}-{}", start + end));
                if start < text.len() {
                    let reply = self.expect(call, Ok(206));
                    assert_eq!(reply.text(), &text[start..(start + end + 1).min(text.len())]);
                } else {
                    self.expect(call, Err((416, "bad_range")));
                }
            }
            2 => drop(self.expect(call().header("if-none-match", &tag), Ok(304))),
            3 => {
                let reply = self.expect(head(&target.path).bearer(&target.token), Ok(200));
                assert_eq!(reply.header("content-length"), text.len().to_string());
            }
            _ => {
                let (columns, value, query) = self.draw_cut(&file.table);
                let reply =
                    self.expect(get(&format!("{}/cut?{query}", target.path)).bearer(&target.token), Ok(200));
                assert_eq!(reply.text(), file.table.cut(&columns, value.as_deref()).text(), "{query}");
            }
        }
    }

    /// Columns, a value for `k`, and both as a query.
    fn draw_cut(&mut self, table: &Table) -> (Vec<&'static str>, Option<String>, String) {
        let mut columns = table.columns.clone();
        if self.lots.once_in(2) {
            columns.reverse();
        }
        columns.truncate(1 + self.lots.below(columns.len()));
        let may_filter = table.columns.contains(&"k") && self.lots.once_in(2);
        let value = may_filter.then(|| format!("{}", self.lots.below(5) + 1));
        let filter = value.as_ref().map(|value| format!("&k__eq={value}")).unwrap_or_default();
        let query = format!("columns={}{filter}", columns.join(","));
        (columns, value, query)
    }

    fn look(&mut self) {
        let target = self.target();
        let expected = target.place.map(|_| 200).ok_or(NOT_FOUND);
        let reply = self.expect(get(&format!("{}/metadata", target.path)).bearer(&target.token), expected);
        if let Some(place) = target.place {
            self.files[place].assert_is(&reply.json()["file"], "metadata");
            assert_eq!(reply.header("etag"), format!("\"r{}\"", self.files[place].revision));
        }
    }

    fn patch(&mut self) {
        let target = self.target();
        let (condition, holds) = self.draw_condition(target.place);
        let name = self.lots.once_in(2).then(|| self.lots.one(&["a.csv", "Renamed.csv", "a/b"]));
        let tags = self.lots.once_in(2).then(|| self.draw_tags());
        let metadata = self.lots.once_in(3).then(|| json!({"p": self.keys}));
        let expiry = self.lots.once_in(3).then(|| self.draw_expiry());
        let archived = self.lots.once_in(3).then(|| self.lots.once_in(2));
        let mut body = json!({});
        let members = [
            ("filename", name.map(Value::from)),
            ("tags", tags.clone().map(Value::from)),
            ("metadata", metadata.clone()),
            ("expiresAt", expiry.map(|at| json!(at))),
            ("archived", archived.map(Value::from)),
        ];
        for (member, value) in members {
            if let Some(value) = value {
                body[member] = value;
            }
        }
        let expected = match target.place.map(|place| self.files[place].status) {
            _ if name == Some("a/b") => Err((422, "bad_name")),
            None => Err(NOT_FOUND),
            Some(_) if !holds => Err((412, "precondition_failed")),
            Some(Status::Deleted) => Err(NOT_FOUND),
            Some(_) => Ok(200),
        };
        let make = || conditional(patch_json(&target.path, &body), condition.as_deref());
        let reply = self.change(make, &target.token, expected);
        if let (Ok(_), Some(place)) = (expected, target.place) {
            let file = &mut self.files[place];
            file.revision += 1;
            file.name = name.map_or(file.name.clone(), str::to_owned);
            file.tags = tags.map_or(file.tags.clone(), |tags| tags.into_iter().map(str::to_owned).collect());
            file.metadata = metadata.unwrap_or(file.metadata.clone());
            file.expires = expiry.unwrap_or(file.expires);
            match archived {
                Some(true) => file.status = Status::Archived,
                Some(false) => file.status = Status::Active,
                None => {}
            }
            file.assert_is(&reply.json()["file"], "patch");
        }
    }

    fn delete(&mut self) {
        let target = self.target();
        let (condition, holds) = self.draw_condition(target.place);
        let is_permanent = self.lots.once_in(3);
        let path = if is_permanent { format!("{}?permanent=true", target.path) } else { target.path };
        let expected = match target.place {
            None => Err(NOT_FOUND),
            Some(_) if !holds => Err((412, "precondition_failed")),
            Some(_) => Ok(200),
        };
        let reply = self.change(|| conditional(delete(&path), condition.as_deref()), &target.token, expected);
        if let (Ok(_), Some(place)) = (expected, target.place) {
            if is_permanent || self.files[place].status == Status::Deleted {
                assert_eq!(reply.json(), json!({"success": true, "permanent": true}));
                self.gone.push(self.files.remove(place).id);
            } else {
                let now = self.app.now();
                let file = &mut self.files[place];
                file.trash(now);
                file.assert_is(&reply.json()["file"], "delete");
            }
        }
    }

    fn restore(&mut self) {
        let target = self.target();
        let expected = match target.place.map(|place| self.files[place].status) {
            None => Err(NOT_FOUND),
            Some(Status::Deleted) => Ok(200),
            Some(_) => Err((409, "conflict")),
        };
        let reply = self.change(|| post(&format!("{}/restore", target.path)), &target.token, expected);
        if let (Ok(_), Some(place)) = (expected, target.place) {
            let now = self.app.now();
            let file = &mut self.files[place];
            file.expires = file.expires.filter(|_| !file.is_expired(now));
            file.status = Status::Active;
            file.trashed = None;
            file.revision += 1;
            file.assert_is(&reply.json()["file"], "restore");
        }
    }

    fn save(&mut self) {
        let target = self.target();
        let now = self.app.now();
        let parent = target.place.map(|place| self.files[place].clone());
        let parent = parent.filter(|file| file.status != Status::Deleted && !file.is_expired(now));
        let Some(parent) = parent else {
            let make = || post_json(&format!("{}/save", target.path), &json!({}));
            drop(self.change(make, &target.token, Err(NOT_FOUND)));
            return;
        };
        let (columns, value, _) = self.draw_cut(&parent.table);
        let table = parent.table.cut(&columns, value.as_deref());
        let filters = value.map_or(json!({}), |value| json!({"k": format!("= {value}")}));
        let body = json!({"selectedColumns": columns, "whereFilters": filters, "filename": "saved.csv"});
        let fits = self.used() + table.text().len() as u64 <= QUOTA;
        let expected = if fits { Ok(201) } else { Err((507, "quota_exceeded")) };
        let make = || post_json(&format!("{}/save", target.path), &body);
        let reply = self.change(make, &target.token, expected);
        if expected.is_ok() {
            let made = self.born(&reply, "saved.csv", table, Some(parent.id));
            made.clone().assert_is(&reply.json()["file"], "save");
        }
    }

    /// A page of rows, and the columns.
    fn page(&mut self) {
        let now = self.app.now();
        let readable: Vec<File> =
            self.files.iter().filter(|file| file.status != Status::Deleted).cloned().collect();
        let readable: Vec<File> = readable.into_iter().filter(|file| !file.is_expired(now)).collect();
        if readable.is_empty() {
            return;
        }
        let file = self.lots.one(&readable);
        let (offset, limit) = (self.lots.below(9), 1 + self.lots.below(5));
        let path = format!("{}/rows?offset={offset}&limit={limit}", file.path());
        let page = self.expect(get(&path).bearer(&self.owner), Ok(200)).json();
        let rows: Vec<_> = file.table.rows.iter().skip(offset).take(limit).collect();
        assert_eq!(page["columns"], json!(file.table.columns), "{path}");
        assert_eq!((&page["rows"], &page["total"]), (&json!(rows), &json!(file.table.rows.len())), "{path}");
        assert_eq!(page["hasMore"], offset + rows.len() < file.table.rows.len(), "{path}");
        let fields = self.expect(get(&format!("{}/fields", file.path())).bearer(&self.owner), Ok(200)).json();
        assert_eq!(fields["fields"], json!(file.table.columns));
    }

    /// Where a file came from and what was made of it.
    fn trace(&mut self) {
        let target = self.target();
        let expected = target.place.map(|_| 200).ok_or(NOT_FOUND);
        let reply = self.expect(get(&format!("{}/lineage", target.path)).bearer(&target.token), expected);
        let Some(place) = target.place else { return };
        let file = &self.files[place];
        let ids = |relatives: &Value| -> Vec<String> {
            let relatives = relatives.as_array().unwrap();
            relatives.iter().map(|relative| relative["fileId"].as_str().unwrap().to_owned()).collect()
        };
        let seen = reply.json();
        assert_eq!(ids(&seen["parents"]), file.parent.iter().cloned().collect::<Vec<_>>());
        let children = self.files.iter().filter(|child| child.parent.as_ref() == Some(&file.id));
        let wanted: BTreeSet<_> = children.map(|child| child.id.clone()).collect();
        assert_eq!(ids(&seen["children"]).into_iter().collect::<BTreeSet<_>>(), wanted);
    }

    fn pass_time(&mut self) {
        let hours = self.lots.one(&[0, 1, 7, 31, 24 * 10, 24 * 31]);
        self.app.advance(TimeDelta::hours(hours) + TimeDelta::milliseconds(1));
    }

    fn sweep(&mut self) {
        let now = self.app.now();
        assert_eq!(at_once(self.app.sweep(now)).unwrap().failed, 0);
        for file in
            self.files.iter_mut().filter(|file| file.status != Status::Deleted && file.is_expired(now))
        {
            file.trash(now);
        }
        let oldest = now.plus(-TimeDelta::days(30)).instant();
        let is_over = |file: &File| file.trashed.is_some_and(|at| at.instant() <= oldest);
        self.gone.extend(self.files.iter().filter(|file| is_over(file)).map(|file| file.id.clone()));
        self.files.retain(|file| !is_over(file));
        self.app.assert_sound();
    }
}

impl File {
    fn trash(&mut self, now: Timestamp) {
        self.status = Status::Deleted;
        self.trashed = Some(now);
        self.revision += 1;
    }
}

fn conditional(call: Call, condition: Option<&str>) -> Call {
    match condition {
        Some(condition) => call.header("if-match", condition),
        None => call,
    }
}

#[test]
fn the_service_does_what_its_model_does() {
    for_each_seed("MODEL_SEED", REGRESSIONS, SEEDS, |seed| {
        let mut world = World::of(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.app.assert_sound();
    });
}
