//! The operations that change files: upload, patch, delete, restore, save.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use cutty::domain::time::Timestamp;
use serde_json::{Value, json};

use super::file::{File, Status, Table};
use super::{NAMES, NOT_FOUND, QUOTA, TAGS, World};
use crate::support::client::{Call, Form, TestResponse, delete, patch_json, post, post_json, upload};
use crate::support::hashing::sha256;

impl World {
    fn draw_tags(&mut self) -> Vec<&'static str> {
        (0..self.rng.below(3)).map(|_| self.rng.one(&TAGS)).collect()
    }

    fn draw_expiry(&mut self) -> Option<Timestamp> {
        let hours = self.rng.one(&[1, 30, 24 * 50]);
        self.rng.once_in(3).then(|| self.app.now().plus(TimeDelta::hours(hours)))
    }

    pub(super) fn create(&mut self) {
        let name = self.rng.one(&NAMES);
        let table = Table::draw(&mut self.rng);
        let text = table.text();
        let tags = self.draw_tags();
        let expires = self.draw_expiry();
        let metadata = if self.rng.once_in(2) { json!({"n": self.keys}) } else { json!({}) };
        let digest = self.rng.below(6);
        let is_form = self.rng.once_in(3);
        let make = || {
            let expiry = expires.map(|at| at.to_string()).unwrap_or_default();
            let call = if is_form {
                let form =
                    Form::default().field("tags", &tags.join(",")).field("metadata", &metadata.to_string());
                let form = form.file(name, text.as_bytes());
                if expiry.is_empty() { form.post() } else { form.field("expiresAt", &expiry).post() }
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
        let response = self.change(make, &owner, expected);
        if expected.is_ok() {
            let made = self.add_file(&response, name, table, None);
            made.tags = tags.into_iter().map(str::to_owned).collect();
            made.metadata = metadata;
            made.expires = expires;
            let made = made.clone();
            made.assert_is(&response.json()["file"], "create");
            assert_eq!(response.header("location"), made.path());
        }
    }

    fn add_file(
        &mut self,
        response: &TestResponse,
        name: &str,
        table: Table,
        parent: Option<String>,
    ) -> &mut File {
        let seen = response.json()["file"].clone();
        let text = |member: &str| seen[member].as_str().unwrap().to_owned();
        let index = self.files.len();
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
        &mut self.files[index]
    }

    pub(super) fn patch(&mut self) {
        let target = self.target();
        let (condition, holds) = self.draw_condition(target.index);
        let name = self.rng.once_in(2).then(|| self.rng.one(&["a.csv", "Renamed.csv", "a/b"]));
        let tags = self.rng.once_in(2).then(|| self.draw_tags());
        let metadata = self.rng.once_in(3).then(|| json!({"p": self.keys}));
        let expiry = self.rng.once_in(3).then(|| self.draw_expiry());
        let archived = self.rng.once_in(3).then(|| self.rng.once_in(2));
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
        let expected = match target.index.map(|index| self.files[index].status) {
            _ if name == Some("a/b") => Err((422, "bad_name")),
            None => Err(NOT_FOUND),
            Some(Status::Deleted) => Err(NOT_FOUND),
            Some(_) if !holds => Err((412, "precondition_failed")),
            Some(_) => Ok(200),
        };
        let make = || conditional(patch_json(&target.path, &body), condition.as_deref());
        let response = self.change(make, &target.token, expected);
        if let (Ok(_), Some(index)) = (expected, target.index) {
            let file = &mut self.files[index];
            // A patch without members changes nothing.
            file.revision += u64::from(body != json!({}));
            file.name = name.map_or(file.name.clone(), str::to_owned);
            file.tags = tags.map_or(file.tags.clone(), |tags| tags.into_iter().map(str::to_owned).collect());
            file.metadata = metadata.unwrap_or(file.metadata.clone());
            file.expires = expiry.unwrap_or(file.expires);
            match archived {
                Some(true) => file.status = Status::Archived,
                Some(false) => file.status = Status::Active,
                None => {}
            }
            file.assert_is(&response.json()["file"], "patch");
        }
    }

    pub(super) fn delete(&mut self) {
        let target = self.target();
        let (condition, holds) = self.draw_condition(target.index);
        let is_permanent = self.rng.once_in(3);
        let path = if is_permanent { format!("{}?permanent=true", target.path) } else { target.path };
        let expected = match target.index {
            None => Err(NOT_FOUND),
            Some(_) if !holds => Err((412, "precondition_failed")),
            Some(_) => Ok(200),
        };
        let response =
            self.change(|| conditional(delete(&path), condition.as_deref()), &target.token, expected);
        if let (Ok(_), Some(index)) = (expected, target.index) {
            if is_permanent {
                assert_eq!(response.json(), json!({"success": true, "permanent": true}));
                self.gone.push(self.files.remove(index).id);
            } else {
                let now = self.app.now();
                let file = &mut self.files[index];
                if file.status != Status::Deleted {
                    file.trash(now);
                }
                file.assert_is(&response.json()["file"], "delete");
            }
        }
    }

    pub(super) fn restore(&mut self) {
        let target = self.target();
        let expected = match target.index.map(|index| self.files[index].status) {
            None => Err(NOT_FOUND),
            Some(Status::Deleted) => Ok(200),
            Some(_) => Err((409, "conflict")),
        };
        let response = self.change(|| post(&format!("{}/restore", target.path)), &target.token, expected);
        if let (Ok(_), Some(index)) = (expected, target.index) {
            let now = self.app.now();
            let file = &mut self.files[index];
            file.expires = file.expires.filter(|_| !file.is_expired(now));
            file.status = Status::Active;
            file.trashed = None;
            file.revision += 1;
            file.assert_is(&response.json()["file"], "restore");
        }
    }

    pub(super) fn save(&mut self) {
        let target = self.target();
        let now = self.app.now();
        let parent = target.index.map(|index| self.files[index].clone());
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
        let response = self.change(make, &target.token, expected);
        if expected.is_ok() {
            let made = self.add_file(&response, "saved.csv", table, Some(parent.id));
            made.clone().assert_is(&response.json()["file"], "save");
        }
    }
}

fn conditional(call: Call, condition: Option<&str>) -> Call {
    match condition {
        Some(condition) => call.header("if-match", condition),
        None => call,
    }
}
