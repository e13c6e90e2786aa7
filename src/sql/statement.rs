//! SQL statements as types: one struct for each statement, one field for each parameter.
//!
//! If the SQL text has a parameter `:attempt`, the struct has a field `attempt`. The compiler refuses a parameter
//! without a field and a field without a parameter. The database accepts only numbered parameters (`?1`), so the
//! compiler replaces each name by the position of its field.
//!
//! A colon before a lower-case letter, a digit or `_` always begins a parameter, even inside a quoted SQL string.

// The panics in this file can only happen while the crate is compiled.
#![allow(clippy::panic)]

/// Declares statements. `ALL` lists them for the tests.
///
/// ```text
/// statements! {
///     /// What the statement does.
///     DropKey<'a> { key: &'a StorageKey } = "DELETE FROM gc_queue WHERE r2_key = :key";
/// }
/// let statement = sql::gc::DropKey { key: &key }.statement();
/// ```
macro_rules! statements {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$life:lifetime>)? { $($field:ident: $type:ty),* $(,)? } = $sql:expr;
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            #[allow(missing_docs)]
            pub struct $name $(<$life>)? { $(pub $field: $type),* }

            impl $(<$life>)? $name $(<$life>)? {
                /// The SQL text. The number of a parameter is the position of its field, from 1.
                pub const SQL: &'static str =
                    $crate::sql::statement::numbered_sql!($sql, &[$(stringify!($field)),*]);

                /// Returns the statement with its parameters.
                pub fn statement(self) -> $crate::ports::Statement {
                    $crate::ports::Statement::new(Self::SQL)$(.bind(self.$field))*
                }
            }

            impl $(<$life>)? From<$name $(<$life>)?> for $crate::ports::Statement {
                fn from(typed: $name $(<$life>)?) -> Self {
                    typed.statement()
                }
            }
        )*

        /// Name and SQL text of each statement of this module, except those of `statement_variants!`.
        pub const ALL: &[(&str, &str)] = &[$((stringify!($name), $name::SQL)),*];
    };
}
pub(super) use statements;

/// Declares one statement that has several SQL texts with the same parameters. Each variant of an enum has one text,
/// and a field of the statement selects the variant. `TEXTS` lists the texts for the tests.
///
/// ```text
/// statement_variants! {
///     /// What the statement does.
///     List<'a> { user: &'a UserId, limit: u64 };
///     /// How a list is sorted.
///     order: ListOrder {
///         /// By name, ascending.
///         Name "by name" = "SELECT id FROM files WHERE user_id = :user ORDER BY filename LIMIT :limit";
///     }
/// }
/// let statement = sql::files::List { order: ListOrder::Name, user: &user, limit: 10 }.statement();
/// ```
macro_rules! statement_variants {
    (
        $(#[$doc:meta])*
        $name:ident<$life:lifetime> { $($field:ident: $type:ty),* $(,)? };
        $(#[$enum_doc:meta])*
        $variant_field:ident: $enum:ident {
            $($(#[$variant_doc:meta])* $variant:ident $variant_name:literal = $sql:expr;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[allow(missing_docs)]
        pub struct $name<$life> { pub $variant_field: $enum, $(pub $field: $type),* }

        impl<$life> $name<$life> {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),*];

            /// Returns the statement with its parameters.
            pub fn statement(self) -> $crate::ports::Statement {
                $crate::ports::Statement::new(self.$variant_field.sql())$(.bind(self.$field))*
            }
        }

        impl<$life> From<$name<$life>> for $crate::ports::Statement {
            fn from(typed: $name<$life>) -> Self {
                typed.statement()
            }
        }

        $(#[$enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $enum { $($(#[$variant_doc])* $variant),* }

        impl $enum {
            /// Every variant, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Name and SQL text of the statement for every variant.
            pub const TEXTS: &'static [(&'static str, &'static str)] =
                &[$((concat!(stringify!($name), " ", $variant_name), Self::$variant.sql())),*];

            /// Name of the variant.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $variant_name),*
                }
            }

            /// Returns the SQL text. The number of a parameter is the position of its field, from 1.
            pub const fn sql(self) -> &'static str {
                match self {
                    $(Self::$variant => $crate::sql::statement::numbered_sql!($sql, $name::FIELDS)),*
                }
            }
        }
    };
}
pub(super) use statement_variants;

/// Converts SQL with named parameters to SQL with numbered parameters.
macro_rules! numbered_sql {
    ($sql:expr, $fields:expr) => {{
        const NAMED: &str = $sql;
        const FIELDS: &[&str] = $fields;
        const NUMBERED: [u8; $crate::sql::statement::numbered_len(NAMED, FIELDS)] =
            $crate::sql::statement::numbered(NAMED, FIELDS);
        $crate::sql::statement::text(&NUMBERED)
    }};
}
pub(super) use numbered_sql;

/// Returns the length in bytes of the SQL text after its named parameters have become numbers.
///
/// # Panics
/// At compile time, if a parameter has no field or a field has no parameter.
pub(super) const fn numbered_len(sql: &str, fields: &[&str]) -> usize {
    let sql = sql.as_bytes();
    let (mut at, mut length) = (0, 0);
    let mut used = 0_u128;
    while at < sql.len() {
        match parameter_at(sql, at) {
            0 => {
                at += 1;
                length += 1;
            }
            name_bytes => {
                let number = number_of(sql, at + 1, name_bytes, fields);
                used |= 1 << number;
                length += 1 + digits(number);
                at += 1 + name_bytes;
            }
        }
    }
    let mut field = 1;
    while field <= fields.len() {
        assert!(used & (1 << field) != 0, "a field of a statement has no parameter in its SQL text");
        field += 1;
    }
    length
}

/// Returns the SQL text with numbered parameters. The number of a parameter is the position of the field with its
/// name, from 1.
pub(super) const fn numbered<const LENGTH: usize>(sql: &str, fields: &[&str]) -> [u8; LENGTH] {
    let sql = sql.as_bytes();
    let mut text = [0; LENGTH];
    let (mut at, mut to) = (0, 0);
    while at < sql.len() {
        match parameter_at(sql, at) {
            0 => {
                text[to] = sql[at];
                at += 1;
                to += 1;
            }
            name_bytes => {
                let number = number_of(sql, at + 1, name_bytes, fields);
                text[to] = b'?';
                to += 1;
                if digits(number) == 2 {
                    text[to] = b'0' + (number / 10) as u8;
                    to += 1;
                }
                text[to] = b'0' + (number % 10) as u8;
                to += 1;
                at += 1 + name_bytes;
            }
        }
    }
    text
}

/// Converts bytes to text.
pub(super) const fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("the SQL text is not UTF-8"),
    }
}

/// Returns the length in bytes of the name after a colon at `at`, or 0 if no parameter begins there.
const fn parameter_at(sql: &[u8], at: usize) -> usize {
    if sql[at] != b':' {
        return 0;
    }
    let mut end = at + 1;
    while end < sql.len() && is_in_name(sql[end]) {
        end += 1;
    }
    end - at - 1
}

const fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Returns the position, from 1, of the field that the SQL text names at `from`.
const fn number_of(sql: &[u8], from: usize, name_bytes: usize, fields: &[&str]) -> usize {
    let mut field = 0;
    while field < fields.len() {
        let name = fields[field].as_bytes();
        if name.len() == name_bytes {
            let mut at = 0;
            while at < name_bytes && name[at] == sql[from + at] {
                at += 1;
            }
            if at == name_bytes {
                return field + 1;
            }
        }
        field += 1;
    }
    panic!("a parameter of a statement has no field")
}

/// Returns the number of digits of a number from 1 to 99. The database accepts at most 100 parameters; every statement
/// has far fewer.
const fn digits(number: usize) -> usize {
    assert!(number < 100, "a statement has more than 99 parameters");
    if number < 10 { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::numbered_len;
    use crate::ports::{Param, Statement};

    mod made {
        statements! {
            /// A statement with twelve parameters, some of which occur twice.
            Many<'a> { a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: u64, j: u64, k: u64, key: &'a str } =
                concat!("SELECT :k, :key, :a, strftime('%H:%M:%fZ')", " WHERE :key > :b AND :c+:d+:e+:f+:g+:h+:i+:j");
            /// A statement without parameters.
            None {} = "SELECT 1";
        }

        statement_variants! {
            /// A statement with two texts.
            Two<'a> { name: &'a str, limit: u64 };
            /// Order of the two texts.
            order: Order {
                /// The text in which `:name` is the first parameter.
                NameFirst "name first" = "SELECT :name, :limit";
                /// The text in which `:limit` is the first parameter.
                LimitFirst "limit first" = "SELECT :limit, :name";
            }
        }
    }

    #[test]
    fn each_parameter_name_becomes_the_position_of_its_field() {
        assert_eq!(
            made::Many::SQL,
            "SELECT ?11, ?12, ?1, strftime('%H:%M:%fZ') WHERE ?12 > ?2 AND ?3+?4+?5+?6+?7+?8+?9+?10"
        );
        assert_eq!(made::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Many", "None"]);
    }

    #[test]
    fn fields_are_bound_in_order_of_declaration() {
        let many =
            made::Many { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, j: 10, k: 11, key: "x" };
        let params = Statement::from(many).params;
        let numbers: Vec<_> = (1..=11).map(Param::Integer).collect();
        assert_eq!(params[..11], numbers);
        assert_eq!(params[11], Param::Text("x".to_owned()));
        assert!(made::None {}.statement().params.is_empty());
    }

    #[test]
    fn each_variant_has_its_text_and_all_variants_have_the_same_parameters() {
        use made::{Order, Two};
        assert_eq!(Order::ALL, [Order::NameFirst, Order::LimitFirst]);
        assert_eq!(Order::LimitFirst.name(), "limit first");
        assert_eq!(Order::TEXTS, [("Two name first", "SELECT ?1, ?2"), ("Two limit first", "SELECT ?2, ?1")]);
        for order in Order::ALL.iter().copied() {
            let statement = Statement::from(Two { order, name: "x", limit: 2 });
            assert_eq!(statement.sql, order.sql());
            assert_eq!(statement.params, [Param::Text("x".to_owned()), Param::Integer(2)]);
        }
    }

    #[test]
    #[should_panic = "a parameter of a statement has no field"]
    fn a_parameter_without_a_field_is_refused() {
        numbered_len("SELECT :file, :files", &["file"]);
    }

    #[test]
    #[should_panic = "a field of a statement has no parameter in its SQL text"]
    fn a_field_without_a_parameter_is_refused() {
        numbered_len("SELECT :files", &["files", "file"]);
    }
}
