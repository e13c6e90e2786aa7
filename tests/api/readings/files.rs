//! Generated files with known cells, written as programs write them.

/// A small generator of pseudo-random numbers (xorshift), so that every run makes the same files.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// A table as its author means it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Statement,
    Contacts,
    Measurements,
    Orders,
    Names,
    Column,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// Only where a cell needs quotes.
    Minimal,
    /// Every cell.
    All,
    /// Every cell, in single quotes.
    Single,
    /// Every cell, with a blank before each quote.
    Blank,
    /// Where a cell needs quotes; quotes inside are escaped with a backslash.
    Backslash,
}

/// What stands above the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Above {
    Nothing,
    Separator,
    Title,
    TitleAndBlank,
    Comments,
    BlankLines,
    /// No header: the upload declares that it is absent.
    HeaderAbsent,
}

/// How the file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    LineBreak,
    NoLineBreak,
    BlankLines,
    ControlZ,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    Utf8,
    Utf8WithMark,
    Utf16WithMark,
    Utf16,
    Windows1252,
}

/// Stands for a byte that is not UTF-8, until the text is encoded.
const BAD_BYTE: &str = "\u{E000}";

/// One damaged row in the middle of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    None,
    LongRow,
    ShortRow,
    BadByte,
}

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    pub content: Content,
    pub rows: usize,
    pub delimiter: char,
    pub quoting: Quoting,
    pub newline: &'static str,
    pub above: Above,
    pub end: End,
    pub written: Written,
    pub damage: Damage,
}

impl Form {
    /// Returns a form that programs write. Not every combination is one.
    pub fn random(random: &mut Random) -> Self {
        use {Above::*, Content::*};
        let mut form = Self {
            content: random.choose(&[Statement, Contacts, Measurements, Orders, Names, Column]),
            rows: random.choose(&[3, 8, 40, 200]),
            delimiter: random.choose(&[',', ',', ';', ';', '\t', '|']),
            quoting: random.choose(&[
                Quoting::Minimal,
                Quoting::Minimal,
                Quoting::All,
                Quoting::Single,
                Quoting::Blank,
                Quoting::Backslash,
            ]),
            newline: random.choose(&["\n", "\r\n", "\r\n", "\r"]),
            above: random.choose(&[
                Nothing,
                Nothing,
                Nothing,
                Separator,
                Title,
                TitleAndBlank,
                Comments,
                BlankLines,
                HeaderAbsent,
            ]),
            end: random.choose(&[
                End::LineBreak,
                End::LineBreak,
                End::NoLineBreak,
                End::BlankLines,
                End::ControlZ,
            ]),
            written: random.choose(&[
                Written::Utf8,
                Written::Utf8,
                Written::Utf8WithMark,
                Written::Utf16WithMark,
                Written::Utf16,
                Written::Windows1252,
            ]),
            damage: random.choose(&[
                Damage::None,
                Damage::None,
                Damage::None,
                Damage::LongRow,
                Damage::ShortRow,
                Damage::BadByte,
            ]),
        };
        if form.content == Column {
            // In a file with one column, nothing shows where a title ends, and no row can be long or short. Without a
            // header, nothing shows that commas are text.
            form.quoting = Quoting::Minimal;
            form.damage = if form.damage == Damage::BadByte { Damage::BadByte } else { Damage::None };
            if matches!(form.above, Separator | Title | TitleAndBlank | HeaderAbsent) {
                form.above = Nothing;
            }
        }
        if !matches!(form.written, Written::Utf8 | Written::Utf8WithMark) && form.damage == Damage::BadByte {
            form.damage = Damage::None;
        }
        form
    }

    /// Returns the media type that the upload declares.
    pub fn media_type(&self) -> &'static str {
        match (self.above, self.delimiter) {
            (Above::HeaderAbsent, _) => "text/csv; header=absent",
            (_, '\t') => "text/tab-separated-values",
            _ => "text/csv",
        }
    }

    /// Returns the file and the table that a reader should find in it.
    pub fn write(&self, random: &mut Random) -> (Vec<u8>, Table) {
        let mut table = table(self.content, self.rows, random);
        let damaged_row = table.rows.len() / 2;
        let mut text = self.above();
        if self.above != Above::HeaderAbsent {
            self.write_record(&table.header, &mut text);
        }
        for (position, row) in table.rows.iter().enumerate() {
            let mut row = row.clone();
            if position == damaged_row {
                match self.damage {
                    Damage::LongRow => row.push("more".to_owned()),
                    Damage::ShortRow => drop(row.pop()),
                    Damage::BadByte => row[0].insert_str(0, BAD_BYTE),
                    Damage::None => {}
                }
            }
            self.write_record(&row, &mut text);
        }
        match self.end {
            End::LineBreak => {}
            End::NoLineBreak => text.truncate(text.len() - self.newline.len()),
            End::BlankLines => text.push_str(&self.newline.repeat(3)),
            End::ControlZ => text.push('\u{1a}'),
        }
        if self.damage == Damage::ShortRow
            && let Some(cell) = table.rows[damaged_row].last_mut()
        {
            cell.clear();
        }
        if self.above == Above::HeaderAbsent {
            table.header = (1..=table.header.len()).map(|column| format!("column_{column}")).collect();
        }
        let mut bytes = self.encode(&text);
        if self.damage == Damage::BadByte {
            let mark = memchr::memmem::find(&bytes, BAD_BYTE.as_bytes()).unwrap();
            bytes.splice(mark..mark + BAD_BYTE.len(), [0xFF]);
            table.rows[damaged_row][0].insert(0, char::REPLACEMENT_CHARACTER);
        }
        (bytes, table)
    }

    fn above(&self) -> String {
        let lines: &[&str] = match self.above {
            Above::Nothing | Above::HeaderAbsent => &[],
            Above::Separator => &["sep="],
            Above::Title => &["Report of the year 2024"],
            Above::TitleAndBlank => &["Kontoauszug 2024", "Konto: DE12 5001", ""],
            Above::Comments => &["# made by a program", "# version 2"],
            Above::BlankLines => &["", ""],
        };
        let mut text: String = lines.iter().map(|line| format!("{line}{}", self.newline)).collect();
        if self.above == Above::Separator {
            text.insert(4, self.delimiter);
        }
        text
    }

    fn write_record(&self, cells: &[String], text: &mut String) {
        for (position, cell) in cells.iter().enumerate() {
            if position > 0 {
                text.push(self.delimiter);
            }
            let needs_quotes = cell.contains([self.delimiter, '"', '\r', '\n']);
            match self.quoting {
                // A reader that finds no delimiter in the header must not split the rows.
                Quoting::Minimal if self.content == Content::Column => text.push_str(cell),
                Quoting::Minimal if needs_quotes => push_quoted(cell, '"', "\"\"", text),
                Quoting::Backslash if needs_quotes => push_quoted(cell, '"', "\\\"", text),
                Quoting::Minimal | Quoting::Backslash => text.push_str(cell),
                Quoting::All => push_quoted(cell, '"', "\"\"", text),
                Quoting::Single => push_quoted(cell, '\'', "''", text),
                Quoting::Blank => {
                    if position > 0 {
                        text.push(' ');
                    }
                    push_quoted(cell, '"', "\"\"", text);
                }
            }
        }
        text.push_str(self.newline);
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        let utf16 = |mark: &str| format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        match self.written {
            Written::Utf8 => text.as_bytes().to_vec(),
            Written::Utf8WithMark => format!("\u{FEFF}{text}").into_bytes(),
            Written::Utf16WithMark => utf16("\u{FEFF}"),
            Written::Utf16 => utf16(""),
            Written::Windows1252 => encoding_rs::WINDOWS_1252.encode(text).0.into_owned(),
        }
    }
}

fn push_quoted(cell: &str, quote: char, escaped: &str, text: &mut String) {
    text.push(quote);
    text.push_str(&cell.replace(quote, escaped));
    text.push(quote);
}

const FIRST_NAMES: [&str; 12] =
    ["Anna", "Zoë", "Jürgen", "René", "Sofía", "Tom", "Ida", "Åsa", "Émile", "Paul", "Mia", "Noël"];
const LAST_NAMES: [&str; 10] =
    ["Müller", "O'Neill", "García", "Smith", "Núñez", "Berg", "Lefèvre", "Rossi", "Jansen", "Weiß"];
const CITIES: [&str; 8] = ["Bern", "Zürich", "Paris", "Málaga", "Oslo", "Köln", "Rome", "Lyon"];
const NOTES: [&str; 10] = [
    "",
    "",
    "call back",
    "said \"no\"",
    "a, b and c",
    "left; came back",
    "two\nlines",
    "size 12\" screen",
    "it's fine",
    "50 % off",
];

fn table(content: Content, rows: usize, random: &mut Random) -> Table {
    let header: &[&str] = match content {
        Content::Statement => &["Datum", "Empfänger", "Text", "Betrag", "Währung"],
        Content::Contacts => &["id", "name", "email", "note"],
        Content::Measurements => &["site", "time", "PM10 (µg/m³)", "temp"],
        Content::Orders => &["order_no", "customer", "sku", "quantity", "price", "shipped"],
        Content::Names => &["first name", "last name", "city"],
        Content::Column => &["Name"],
    };
    let row = |number: usize, random: &mut Random| -> Vec<String> {
        let (first, last) = (random.choose(&FIRST_NAMES), random.choose(&LAST_NAMES));
        let cents = random.below(100_000);
        let day = format!("{:02}", 1 + random.below(28));
        match content {
            Content::Statement => vec![
                format!("{day}.02.2024"),
                format!("{first} {last}"),
                random.choose(&["Miete, Mai", "Lohn", "Einkauf; bar", "Übertrag"]).to_owned(),
                format!("-{},{:02}", cents / 100, cents % 100),
                "EUR".to_owned(),
            ],
            Content::Contacts => vec![
                (number + 1).to_string(),
                format!("{first} {last}"),
                format!("user{number}@list.example"),
                random.choose(&NOTES).to_owned(),
            ],
            Content::Measurements => vec![
                random.choose(&CITIES).to_owned(),
                format!("2024-03-{day}T12:00:00Z"),
                format!("{}.{}", cents / 1000, cents % 10),
                random.choose(&["-3.5", "12.0", "", "7.25"]).to_owned(),
            ],
            Content::Orders => vec![
                format!("A-{:05}", number + 1),
                format!("{last}, {first}"),
                format!("{:03}-X", random.below(1000)),
                (1 + random.below(9)).to_string(),
                format!("{}.{:02}", cents / 100, cents % 100),
                random.choose(&["true", "false"]).to_owned(),
            ],
            Content::Names => {
                vec![first.to_owned(), last.to_owned(), random.choose(&CITIES).to_owned()]
            }
            Content::Column => vec![format!("{last}, {first}")],
        }
    };
    let rows = (0..rows).map(|number| row(number, random)).collect();
    Table { header: header.iter().map(|name| (*name).to_owned()).collect(), rows }
}
