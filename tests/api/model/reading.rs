//! The operations that only read: list, download, cut, metadata, rows, lineage.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::file::{File, Status};
use super::{NOT_FOUND, World};
use crate::support::client::{get, head};

impl World {
    pub(super) fn list(&mut self) {
        let status = self.rng.one(&[Status::Active, Status::Active, Status::Archived, Status::Deleted]);
        let tag = self.rng.once_in(3).then(|| self.rng.one(&["north", "uploaded", "cut"]));
        let part = self.rng.once_in(3).then(|| self.rng.one(&["a", "DATA", ".csv"]));
        let sort = self.rng.one(&["createdAt", "filename", "size"]);
        let is_descending = self.rng.once_in(2);
        let (limit, by_offset) = (1 + self.rng.below(4), self.rng.once_in(2));

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
        let (mut index, mut seen) = (String::new(), Vec::new());
        loop {
            let page = self.expect(get(&format!("{query}{index}")).bearer(&self.owner), Ok(200)).json();
            let files = page["files"].as_array().unwrap();
            assert_eq!(page["total"], wanted.len(), "{query}");
            assert!(files.len() <= limit, "{query}");
            seen.extend(files.iter().cloned());
            assert_eq!(page["hasMore"], seen.len() < wanted.len(), "{query}{index}");
            match page["nextCursor"].as_str() {
                None => break,
                Some(_) if by_offset => index = format!("&offset={}", seen.len()),
                Some(cursor) => index = format!("&cursor={cursor}"),
            }
        }
        assert_eq!(seen.len(), wanted.len(), "{query}");
        for (file, seen) in wanted.iter().zip(&seen) {
            file.assert_is(seen, &query);
        }
    }

    /// Downloads the whole file or a range, sends a conditional request or a `HEAD` request, or cuts the file.
    pub(super) fn read(&mut self) {
        let target = self.target();
        let now = self.app.now();
        let file = target.index.map(|index| self.files[index].clone());
        let file = file.filter(|file| file.status != Status::Deleted && !file.is_expired(now));
        let Some(file) = file else {
            let call = self.rng.one(&["", "/rows", "/columns", "/cut"]);
            drop(self.expect(get(&format!("{}{call}", target.path)).bearer(&target.token), Err(NOT_FOUND)));
            return;
        };
        let text = file.table.text();
        let tag = format!("\"{}\"", file.version);
        let call = || get(&target.path).bearer(&target.token);
        match self.rng.below(5) {
            0 => {
                let response = self.expect(call(), Ok(200));
                assert_eq!((response.text(), response.header("etag")), (text.as_str(), tag.as_str()));
            }
            1 => {
                let (start, end) = (self.rng.below(text.len() + 3), self.rng.below(text.len() + 3));
                let call = call().header("range", format!("bytes={start}-{}", start + end));
                if start < text.len() {
                    let response = self.expect(call, Ok(206));
                    assert_eq!(response.text(), &text[start..(start + end + 1).min(text.len())]);
                } else {
                    self.expect(call, Err((416, "bad_range")));
                }
            }
            2 => drop(self.expect(call().header("if-none-match", &tag), Ok(304))),
            3 => {
                let response = self.expect(head(&target.path).bearer(&target.token), Ok(200));
                assert_eq!(response.header("content-length"), text.len().to_string());
            }
            _ => {
                let (columns, value, query) = self.draw_cut(&file.table);
                let response =
                    self.expect(get(&format!("{}/cut?{query}", target.path)).bearer(&target.token), Ok(200));
                assert_eq!(response.text(), file.table.cut(&columns, value.as_deref()).text(), "{query}");
            }
        }
    }

    pub(super) fn look(&mut self) {
        let target = self.target();
        let expected = target.index.map(|_| 200).ok_or(NOT_FOUND);
        let response = self.expect(get(&format!("{}/metadata", target.path)).bearer(&target.token), expected);
        if let Some(index) = target.index {
            self.files[index].assert_is(&response.json()["file"], "metadata");
            assert!(response.header("etag").starts_with(&format!("\"r{}.", self.files[index].revision)));
        }
    }

    /// Reads a page of rows, and the names of the columns.
    pub(super) fn page(&mut self) {
        let now = self.app.now();
        let readable: Vec<File> =
            self.files.iter().filter(|file| file.status != Status::Deleted).cloned().collect();
        let readable: Vec<File> = readable.into_iter().filter(|file| !file.is_expired(now)).collect();
        if readable.is_empty() {
            return;
        }
        let file = self.rng.one(&readable);
        let (offset, limit) = (self.rng.below(9), 1 + self.rng.below(5));
        let path = format!("{}/rows?offset={offset}&limit={limit}", file.path());
        let page = self.expect(get(&path).bearer(&self.owner), Ok(200)).json();
        let rows: Vec<_> = file.table.rows.iter().skip(offset).take(limit).collect();
        assert_eq!(page["columns"], json!(file.table.columns), "{path}");
        assert_eq!((&page["rows"], &page["total"]), (&json!(rows), &json!(file.table.rows.len())), "{path}");
        assert_eq!(page["hasMore"], offset + rows.len() < file.table.rows.len(), "{path}");
        let fields = self.expect(get(&format!("{}/fields", file.path())).bearer(&self.owner), Ok(200)).json();
        assert_eq!(fields["fields"], json!(file.table.columns));
    }

    /// Reads the lineage of a file: its parents and its children.
    pub(super) fn trace(&mut self) {
        let target = self.target();
        let expected = target.index.map(|_| 200).ok_or(NOT_FOUND);
        let response = self.expect(get(&format!("{}/lineage", target.path)).bearer(&target.token), expected);
        let Some(index) = target.index else { return };
        let file = &self.files[index];
        let ids = |relatives: &Value| -> Vec<String> {
            let relatives = relatives.as_array().unwrap();
            relatives.iter().map(|relative| relative["fileId"].as_str().unwrap().to_owned()).collect()
        };
        let seen = response.json();
        assert_eq!(ids(&seen["parents"]), file.parent.iter().cloned().collect::<Vec<_>>());
        let children = self.files.iter().filter(|child| child.parent.as_ref() == Some(&file.id));
        let wanted: BTreeSet<_> = children.map(|child| child.id.clone()).collect();
        assert_eq!(ids(&seen["children"]).into_iter().collect::<BTreeSet<_>>(), wanted);
    }
}
