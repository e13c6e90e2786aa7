//! Unusual files. Each file is uploaded, downloaded unchanged, and cut. The rows of the cut must equal the rows that an
//! independent parser, the oracle, reads.

use encoding_rs::{MACINTOSH, WINDOWS_1252};
use serde_json::{Value, json};

use super::http::upload_call;
use super::{oracle, server};

/// A file and the cut to make from it.
struct Sample {
    bytes: Vec<u8>,
    /// How the oracle reads the file: `encoding` (Python's name) and `delimiter`.
    reading: Value,
    /// The dialect options of the cut; empty if Cutty must detect the dialect.
    options: Value,
    select: Vec<String>,
    filter: Option<(String, String)>,
}

impl Sample {
    fn new(bytes: impl Into<Vec<u8>>, select: &[&str], filter: (&str, &str)) -> Self {
        Self {
            bytes: bytes.into(),
            reading: json!({}),
            options: json!({}),
            select: select.iter().map(|&name| name.to_owned()).collect(),
            filter: Some((filter.0.to_owned(), filter.1.to_owned())),
        }
    }

    /// Uploads and cuts the file. Returns the rows of the cut without the header.
    fn check(self) -> Vec<Vec<String>> {
        let user = server::shared().user();
        let file = user.upload("odd.csv", &self.bytes);
        let id = file["id"].as_str().unwrap();
        assert!(user.download(id) == self.bytes, "the downloaded file has other bytes");

        let mut specification = self.reading;
        specification["select"] = json!(self.select);
        specification["where"] =
            self.filter.iter().map(|(name, operand)| json!([name, "=", operand])).collect();
        let wanted = oracle::cut_rows(&self.bytes, &specification);

        let mut body = self.options;
        body["selectedColumns"] = json!(self.select);
        body["filter"] =
            self.filter.map(|(name, operand)| json!({"column": name, "op": "eq", "value": operand})).into();
        let cut = user.post_json(&format!("/api/files/{id}/cut"), &body).expect(200);
        let found = oracle::rows(&cut.body);
        assert!(found == wanted, "found:\n{found:.2000?}\nwanted:\n{wanted:.2000?}");
        wanted.into_iter().skip(1).collect()
    }
}

const CITIES: &str = "name,city,note\nÅsa,Malmö,“first”\nZoë,Paris,\nRené,Malmö,café – crème\nÖzil,Köln,ß\n";

fn cities() -> Sample {
    Sample::new(CITIES, &["name", "note"], ("city", "Malmö"))
}

#[test]
fn a_quoted_field_may_contain_line_breaks_delimiters_and_quotes() {
    let text = "id,text,kind\n1,\"a\nb\",x\n2,\"c\r\nd, \"\"e\"\"\",y\n3,\"\n\n\",x\n4,\",\",x\n";
    let rows = Sample::new(text, &["text", "id"], ("kind", "x")).check();
    assert_eq!(rows, [["a\nb", "1"], ["\n\n", "3"], [",", "4"]]);
}

#[test]
fn lines_may_end_with_crlf() {
    assert_eq!(Sample::new("a,b\r\n1,x\r\n\r\n2,y\r\n3,x", &["a"], ("b", "x")).check(), [["1"], ["3"]]);
}

#[test]
fn lines_may_end_with_a_lone_cr() {
    assert_eq!(Sample::new("a,b\r1,x\r2,y\r3,x\r", &["a"], ("b", "x")).check(), [["1"], ["3"]]);
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_first_column_name() {
    let mut sample = cities();
    sample.bytes = format!("\u{feff}{CITIES}").into();
    sample.reading = json!({"encoding": "utf-8-sig"});
    assert_eq!(sample.check().len(), 2);
}

#[test]
fn utf_16_with_a_byte_order_mark_is_read_in_both_byte_orders() {
    let marked: Vec<u16> = format!("\u{feff}{CITIES}").encode_utf16().collect();
    for little in [true, false] {
        let unit = |unit: &u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        let mut sample = cities();
        sample.bytes = marked.iter().flat_map(unit).collect();
        sample.reading = json!({"encoding": "utf-16"});
        assert_eq!(sample.check().len(), 2);
    }
}

#[test]
fn windows_1252_is_detected() {
    let mut sample = cities();
    sample.bytes = WINDOWS_1252.encode(CITIES).0.into_owned();
    sample.reading = json!({"encoding": "cp1252"});
    assert_eq!(sample.check()[0], ["Åsa", "“first”"]);
}

#[test]
fn mac_roman_is_read_if_the_request_names_it() {
    let mut sample = cities();
    sample.bytes = MACINTOSH.encode(CITIES).0.into_owned();
    sample.reading = json!({"encoding": "mac_roman"});
    sample.options = json!({"encoding": "macintosh"});
    assert_eq!(sample.check()[0], ["Åsa", "“first”"]);
}

#[test]
fn semicolons_tabs_and_pipes_are_detected_as_delimiters() {
    for delimiter in [";", "\t", "|"] {
        let text = "a,b,c\n1,x,\"p,q\"\n2,y,\n3,x,0.5\n";
        let quoted = text.replace("\"p,q\"", "COMMA").replace(',', delimiter).replace("COMMA", "\"p,q\"");
        let mut sample = Sample::new(quoted, &["c", "a"], ("b", "x"));
        sample.reading = json!({"delimiter": delimiter});
        assert_eq!(sample.check(), [["p,q", "1"], ["0.5", "3"]], "{delimiter:?}");
    }
}

#[test]
fn short_rows_are_padded_and_long_rows_are_truncated() {
    let text = "a,b,c\n1\n2,x\n3,x,y,z,z\n,x\n";
    assert_eq!(Sample::new(text, &["a", "c"], ("b", "x")).check(), [["2", ""], ["3", "y"], ["", ""]]);
    assert_eq!(Sample::new(text, &["a"], ("b", "")).check(), [["1"]]);
}

#[test]
fn a_file_without_bytes_is_refused() {
    let user = server::shared().user();
    let form =
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"e.csv\"\r\n\r\n\r\n--b--\r\n";
    let raw = user.ask(upload_call("empty.csv", b"")).expect(422).json();
    let call = super::http::Call::post("/api/files", form.as_bytes());
    let form = user.ask(call.header("content-type", "multipart/form-data; boundary=b")).expect(422).json();
    assert_eq!((&raw["code"], &form["code"]), (&json!("empty_file"), &json!("empty_file")));
    assert_eq!(user.files(), [""; 0]);
}

#[test]
fn a_header_alone_is_a_file_without_rows() {
    for text in ["a,b\n", "a,b"] {
        assert_eq!(Sample::new(text, &["b"], ("a", "1")).check(), [[""; 1]; 0]);
    }
}

#[test]
fn ten_thousand_columns_are_cut_to_three() {
    let line = |cell: &dyn Fn(usize) -> String| (1..=10_000).map(cell).collect::<Vec<_>>().join(",") + "\n";
    let mut text = line(&|column| format!("column {column}"));
    for row in 0..20 {
        text += &line(&|column| format!("{}", (row * column) % 7));
    }
    let select = ["column 1", "column 10000", "column 5000"];
    assert!(!Sample::new(text, &select, ("column 7777", "0")).check().is_empty());
}

#[test]
fn a_cell_of_a_mebibyte_is_one_cell() {
    let cell = "0123456789, \"\"abc\"\"\r\n".repeat((1 << 20) / 19 + 1);
    let text = format!("id,text,kind\n1,\"{cell}\",x\n2,short,y\n3,\"{cell}\",x\n");
    let rows = Sample::new(text, &["text", "id"], ("kind", "x")).check();
    assert_eq!(rows.len(), 2);
    assert!(rows[1][0].len() >= 1 << 20);
}
