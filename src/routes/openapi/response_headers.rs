//! The headers of responses in the description. The API tests check that each response has only headers that are
//! described here, apart from headers that every response has for browsers and caches.

use serde_json::{Value, json};

/// A response: the path, the method in lower case and the status.
struct DescribedResponse<'a> {
    path: &'a str,
    method: &'a str,
    status: &'a str,
}

impl DescribedResponse<'_> {
    fn is_success(&self) -> bool {
        self.status.starts_with('2')
    }

    /// Whether the operation is a download with a ticket, which returns the bytes of a file or the result of a cut.
    fn has_ticket(&self) -> bool {
        self.path == "/api/downloads/{ticket}"
    }

    /// Whether the operation returns the bytes of a file.
    fn is_download(&self) -> bool {
        let has_bytes = ["/api/files/{id}", "/api/shared/{token}"].contains(&self.path);
        self.has_ticket() || has_bytes && ["get", "head"].contains(&self.method)
    }

    /// Whether the operation returns the result of a cut.
    fn is_cut(&self) -> bool {
        let is_sent = ["/cut", "/process", "/run"].iter().any(|end| self.path.ends_with(end));
        self.has_ticket() || is_sent
    }

    /// Whether the operation lists the usage of users, as JSON or CSV.
    fn is_usage_list(&self) -> bool {
        self.path == "/api/admin/usage"
    }

    /// Whether the operation begins, continues or ends a session.
    fn is_session(&self) -> bool {
        let actions = ["register", "login", "refresh", "logout"];
        self.path.strip_prefix("/api/auth/").is_some_and(|action| actions.contains(&action))
    }

    fn is_tus(&self) -> bool {
        self.path.starts_with("/api/uploads") || self.path.starts_with("/api/shared/{token}/uploads")
    }

    /// Whether the response describes the state of a tus upload.
    fn is_tus_state(&self) -> bool {
        self.is_tus() && self.is_success() && ["head", "post", "patch"].contains(&self.method)
    }

    /// Whether the operation may meet a rate limit with a bucket.
    fn is_limited(&self) -> bool {
        let is_shared = self.path.starts_with("/api/shared/") && self.method != "options";
        let scans = ["/save", "/count", "/rows"].iter().any(|end| self.path.ends_with(end));
        let uploads = match self.path {
            "/api/files" | "/api/files/upload" | "/api/files/multipart" | "/api/uploads" => {
                self.method == "post"
            }
            "/api/files/multipart/{id}/parts/{number}" => self.method == "put",
            "/api/uploads/{id}" => self.method == "patch",
            "/api/auth/register" | "/api/files/{id}/share" => self.method == "post",
            _ => false,
        };
        self.is_cut() || is_shared || scans || uploads
    }

    /// Whether the response has the metadata of a file, or the status 304 in its place.
    fn is_metadata(&self) -> bool {
        let changed = match self.path {
            "/api/files/{id}" => ["patch", "delete"].contains(&self.method),
            "/api/files/{id}/restore" => self.method == "post",
            "/api/files/{id}/metadata" => true,
            _ => false,
        };
        changed && (self.is_success() || self.status == "304")
    }

    /// Whether the response creates a file at once.
    fn is_new_file(&self) -> bool {
        let paths = ["/api/files", "/api/files/upload", "/api/files/multipart/{id}/complete"];
        self.status == "201" && paths.contains(&self.path)
    }
}

/// The name of a header, what it means, its schema, and the responses that may have it.
type HeaderRule = (&'static str, &'static str, fn() -> Value, fn(&DescribedResponse<'_>) -> bool);

fn text() -> Value {
    json!({"type": "string"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

static HEADERS: [HeaderRule; 38] = [
    ("X-Request-Id", "Id of the request, which is also in the log", text, |_| true),
    ("Retry-After", "Seconds after which the client should send the request again", count, |response| {
        ["409", "429", "503"].contains(&response.status)
    }),
    ("RateLimit", "What is left of each limit (draft-ietf-httpapi-ratelimit-headers)", text, |response| {
        response.is_limited()
    }),
    ("RateLimit-Policy", "The limits that the request has met", text, |response| response.is_limited()),
    ("X-RateLimit-Limit", "The limit of which the least is left", count, |response| response.is_limited()),
    ("X-RateLimit-Remaining", "What is left of this limit", count, |response| response.is_limited()),
    ("X-RateLimit-Reset", "Seconds after which this limit is whole again", count, |response| {
        response.is_limited()
    }),
    ("WWW-Authenticate", "The scheme of the credentials (RFC 6750)", text, |response| {
        response.status == "401"
    }),
    (
        "Idempotency-Replayed",
        "`true` if an earlier request with the same Idempotency-Key has had the effect",
        text,
        { |response| response.is_success() && !["get", "head", "options"].contains(&response.method) },
    ),
    (
        "ETag",
        "Entity tag of the bytes, of the result, of the metadata, or of a stored part",
        text,
        |response| {
            let is_part = response.path.ends_with("/parts/{number}") && response.status == "200";
            let is_read = response.is_download() && ["200", "206", "304"].contains(&response.status);
            let is_result = response.is_cut()
                && ["get", "head"].contains(&response.method)
                && ["200", "304"].contains(&response.status);
            is_part || is_read || is_result || response.is_metadata() || response.is_new_file()
        },
    ),
    ("Last-Modified", "Time of the last change of the file (HTTP-date)", text, |response| {
        response.is_metadata() || response.is_download() && ["200", "206", "304"].contains(&response.status)
    }),
    (
        "Location",
        "Address of the new file, upload, download or share, or where the download of a share goes on",
        text,
        |response| {
            let leads_on = ["302", "303"].contains(&response.status);
            leads_on || response.status == "201" && response.path != "/api/shared/{token}"
        },
    ),
    ("Set-Cookie", "The refresh token of a session in a cookie", text, |response| {
        response.is_session() && response.is_success()
    }),
    ("Accept-Ranges", "`bytes`", text, |response| {
        response.is_download() && ["200", "206", "304"].contains(&response.status)
    }),
    ("Content-Range", "The range of the bytes in the body (RFC 9110 §14.4)", text, |response| {
        response.is_download() && ["206", "416"].contains(&response.status)
    }),
    ("Content-Disposition", "The filename (RFC 6266)", text, |response| {
        let is_bytes = response.is_download() && ["200", "206", "304"].contains(&response.status);
        is_bytes
            || (response.is_cut() || response.is_usage_list() || response.path == "/api/admin/audit")
                && response.status == "200"
    }),
    ("Repr-Digest", "SHA-256 of the whole file (RFC 9530), if it is known", text, |response| {
        response.is_download() && ["200", "206", "304"].contains(&response.status)
    }),
    ("Content-Digest", "SHA-256 of the body (RFC 9530), if it is known", text, |response| {
        response.is_download() && ["200", "206"].contains(&response.status)
    }),
    ("Content-Encoding", "`gzip` if the client accepts it and the result is compressed", text, |response| {
        response.is_cut() && response.status == "200"
    }),
    ("X-Cache", "`HIT` or `MISS`: whether the response came from a cache", text, |response| {
        response.is_success()
    }),
    ("X-Cut-Id", "Id of the receipt of the cut", text, |response| {
        response.is_cut() && response.status == "200"
    }),
    ("Link", "Address of the receipt, with `rel=\"describedby\"`", text, |response| {
        response.is_cut() && response.status == "200"
    }),
    ("Link", "Address of the next page, with `rel=\"next\"`; absent on the last page", text, |response| {
        response.is_usage_list() && response.status == "200"
    }),
    ("X-Bytes-Scanned", "Bytes of the file that the cut reads", count, |response| {
        response.is_cut() && response.status == "200"
    }),
    ("X-Bytes-Skipped", "Bytes of the file that the cut need not read", count, |response| {
        response.is_cut() && response.status == "200"
    }),
    (
        "X-Cutty-Notice",
        "Facts about the reading of the file, as `name=value` pairs with semicolons between them",
        text,
        {
            |response| {
                let reads_csv = ["/rows", "/save"].iter().any(|end| response.path.ends_with(end));
                (response.is_cut() || reads_csv) && response.is_success()
            }
        },
    ),
    ("Content-Location", "Address of the file that the upload became", text, |response| {
        response.is_tus_state()
    }),
    ("X-File-ID", "Id of the file that the upload became", text, |response| response.is_tus_state()),
    ("Tus-Resumable", "Version of the protocol: `1.0.0`", text, |response| response.is_tus()),
    ("Tus-Version", "The supported versions of the protocol", text, |response| {
        response.is_tus() && (response.method == "options" || response.status == "412")
    }),
    ("Tus-Extension", "The supported extensions of the protocol", text, |response| {
        response.is_tus() && response.method == "options"
    }),
    ("Tus-Max-Size", "Maximum length of an upload, in bytes", count, |response| {
        response.is_tus() && response.method == "options"
    }),
    ("Tus-Checksum-Algorithm", "The supported algorithms of Upload-Checksum", text, |response| {
        response.is_tus() && response.method == "options"
    }),
    ("Upload-Offset", "Bytes that the service has stored", count, |response| response.is_tus_state()),
    ("Upload-Expires", "When the upload expires (HTTP-date)", text, |response| response.is_tus_state()),
    ("Upload-Defer-Length", "`1` if the length of the upload is not known yet", text, |response| {
        response.is_tus_state() && response.method == "head"
    }),
    ("Upload-Length", "Length of the upload in bytes, if it is known", count, |response| {
        response.is_tus_state() && response.method == "head"
    }),
    ("Upload-Metadata", "The metadata of the upload, as the client sent it", text, |response| {
        response.is_tus_state() && response.method == "head"
    }),
];

/// Adds the headers that the response may have to its description.
pub(super) fn complete(response: &mut Value, path: &str, method: &str, status: &str) {
    let described = DescribedResponse { path, method, status };
    for (name, text, schema, has) in &HEADERS {
        if has(&described) && response["headers"][name].is_null() {
            response["headers"][name] = json!({"description": text, "schema": schema()});
        }
    }
}
