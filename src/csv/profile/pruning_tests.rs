//! Tests that a cut and a page of rows have the same result with the profile as without it.
#![allow(clippy::unwrap_used)]

use super::pruning::MAX_RANGES;
use super::*;
use crate::csv::dialect::Delimiter;
use crate::csv::filter::tests::definitions::is_kept;
use crate::csv::filter::tests::{any_condition, values_for};
use crate::csv::filter::{
    Comparison, Condition, Filter, Operator, Predicate, Relation, Span, Spans, ZoneOutcome,
};
use crate::csv::{
    CsvError, CsvOpener, CutCounts, CutPlan, CutProgress, InputOptions, OpeningStatus, PageRequest, RowPage,
    RowPager, StreamingCsvProcessor,
};
use proptest::prelude::*;

const MAX_RECORD_BYTES: usize = 4 << 20;

/// Profiles a file with zones of about `stride_bytes` bytes.
fn profile_of_zones(file: &[u8], stride_bytes: u64) -> Profile {
    Profile::with_bounds(file, RowIndex::with_bounds(1 << 16, stride_bytes), 1 << 16)
}

/// A cut of a file. To open the file, the cut passes the whole first byte range to [`CsvOpener`] as one piece.
struct Cut<'a> {
    file: &'a [u8],
    plan: CutPlan,
    has_header: bool,
    processor: Option<StreamingCsvProcessor>,
    out: Vec<u8>,
}

impl<'a> Cut<'a> {
    fn new(file: &'a [u8], plan: &CutPlan, has_header: bool) -> Self {
        Self { file, plan: plan.clone(), has_header, processor: None, out: Vec::new() }
    }

    fn opened(&self, start: &[u8]) -> OpenedCsv {
        let options = InputOptions {
            header: Some(self.has_header),
            delimiter: Some(Delimiter::COMMA),
            encoding: Some(encoding_rs::UTF_8.into()),
            ..InputOptions::DETECT
        };
        let mut opening = CsvOpener::new(options, MAX_RECORD_BYTES).unwrap();
        match opening.push(start).unwrap() {
            OpeningStatus::Ready(opened) => *opened,
            OpeningStatus::NeedMore => opening.finish().unwrap(),
        }
    }

    /// Reads a byte range. Returns `true` if the cut needs no more bytes.
    fn read(&mut self, from: u64, to: u64, piece_bytes: usize) -> Result<bool, CsvError> {
        let bytes = &self.file[from as usize..to as usize];
        for piece in bytes.chunks(piece_bytes) {
            let mut rest = piece;
            if self.processor.is_none() {
                let opened = self.opened(bytes);
                self.processor = Some(StreamingCsvProcessor::new(opened, self.plan.clone()));
                rest = &[];
            }
            let is_whole = rest.is_empty();
            loop {
                match self.processor.as_mut().unwrap().push(rest, &mut self.out)? {
                    CutProgress::More => break,
                    CutProgress::Full { consumed } => rest = &rest[consumed..],
                    CutProgress::Done => return Ok(true),
                }
            }
            if is_whole {
                break;
            }
        }
        Ok(false)
    }

    fn run(mut self, scan: Option<&ScanPlan>, piece_bytes: usize) -> (Result<Vec<u8>, CsvError>, CutCounts) {
        let result = self.drive(scan, piece_bytes);
        let tally = self.processor.as_ref().unwrap().tally();
        (result.map(|()| self.out), tally)
    }

    fn drive(&mut self, scan: Option<&ScanPlan>, piece_bytes: usize) -> Result<(), CsvError> {
        let size = self.file.len() as u64;
        match scan {
            None => {
                self.read(0, size, piece_bytes)?;
            }
            Some(scan) => {
                for range in &scan.ranges {
                    if range.rows_skipped > 0 {
                        let processor = self.processor.as_mut().unwrap();
                        assert!(processor.skip_to(range.rows_skipped, range.start_byte, range.line));
                    }
                    if self.read(range.start_byte, range.end_byte, piece_bytes)? {
                        break;
                    }
                }
                let processor = self.processor.as_mut().unwrap();
                if processor.tally().rows_out < self.plan.limit.unwrap_or(u64::MAX)
                    && scan.rows_skipped_at_end > 0
                {
                    assert!(processor.skip_to(scan.rows_skipped_at_end, size, 0));
                }
            }
        }
        let processor = self.processor.as_mut().unwrap();
        while let CutProgress::Full { .. } = processor.finish(&mut self.out)? {}
        Ok(())
    }
}

fn condition(column: &str, comparison: Comparison) -> Filter {
    Filter::Condition(Condition { column: column.to_owned(), comparison })
}

/// Returns a file whose rows are sorted by `id`, `day` and `name`.
fn sorted_file(rows: usize) -> Vec<u8> {
    let day = |row: usize| {
        chrono::NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(row as u64 / 10)
    };
    let rows = (0..rows).map(|row| format!("{row},{},n{row:06},{}\n", day(row), row % 3));
    std::iter::once("id,day,name,rest\n".to_owned()).chain(rows).collect::<String>().into_bytes()
}

fn plan_for(profile: &Profile, filter: &Filter) -> Option<ScanPlan> {
    profile.scan_plan(&filter.compile(&profile.header()).unwrap())
}

#[test]
fn a_filter_for_few_rows_of_a_sorted_column_reads_few_bytes() {
    let file = sorted_file(40_000);
    let profile = profile_of_zones(&file, 2_048);
    let text = |text: &str| text.to_owned();
    let compares = |relation, operand: &str| Comparison::Compares(relation, operand.to_owned());
    for filter in [
        condition("id", Comparison::Between(text("20000"), text("20400"))),
        condition("id", Comparison::Equals(text("20000"))),
        condition("id", Comparison::In(vec![text("20000"), text("20001"), text("x")])),
        condition("id", compares(Relation::GreaterOrEqual, "39800")),
        condition("day", Comparison::Between(text("2025-06-01"), text("2025-06-30"))),
        condition("day", Comparison::Equals(text("2025-06-01"))),
        condition("day", compares(Relation::Less, "2020-01-05T12:00")),
        condition("name", Comparison::StartsWith(text("N0200"))),
        condition("name", compares(Relation::Less, "n0003")),
        Filter::And(vec![
            condition("name", compares(Relation::Greater, "n0200")),
            Filter::Not(Box::new(condition("id", compares(Relation::Greater, "20400")))),
        ]),
        Filter::Or(vec![
            condition("id", Comparison::Equals(text("1"))),
            condition("id", Comparison::Equals(text("39999"))),
        ]),
    ] {
        let scan = plan_for(&profile, &filter).unwrap();
        let share = scan.bytes_scanned as f64 / file.len() as f64;
        assert!(share < 0.03, "{filter:?} reads {share} of the bytes");
        assert_eq!(scan.bytes_scanned + scan.bytes_skipped, file.len() as u64);
    }
    for filter in [
        condition("rest", Comparison::Equals(text("1"))),
        condition("name", Comparison::Contains(text("n0200"))),
        condition("id", Comparison::EndsWith(text("7"))),
        Filter::Not(Box::new(condition("id", Comparison::Equals(text("7"))))),
    ] {
        assert_eq!(plan_for(&profile, &filter), None, "{filter:?}");
    }
}

#[test]
fn a_filter_with_not_skips_zones_that_have_only_the_excluded_value() {
    let file = ["x,y\n".to_owned(), "same,\n".repeat(500), "other,7\n".repeat(500)].concat();
    let profile = profile_of_zones(file.as_bytes(), 512);
    let unequal = Filter::Not(Box::new(condition("x", Comparison::Equals("same".to_owned()))));
    assert!(plan_for(&profile, &unequal).unwrap().rows_skipped > 300);
    let filled = Filter::Not(Box::new(condition("y", Comparison::IsEmpty)));
    assert!(plan_for(&profile, &filled).unwrap().rows_skipped > 300);
    assert!(plan_for(&profile, &condition("y", Comparison::IsEmpty)).unwrap().rows_skipped > 300);
}

#[test]
fn a_cut_of_scattered_rows_reads_at_most_256_ranges() {
    let runs = (0..700).map(|run| ["hit,\n", "miss,\n"][run % 2].repeat(if run == 101 { 90 } else { 30 }));
    let file = std::iter::once("x,y\n".to_owned()).chain(runs).collect::<String>().into_bytes();
    let profile = profile_of_zones(&file, 32);
    let filter = condition("x", Comparison::Equals("hit".to_owned()));
    let scan = plan_for(&profile, &filter).unwrap();
    assert_eq!(scan.ranges.len(), MAX_RANGES);
    assert!(scan.ranges.iter().any(|range| range.rows_skipped > 60), "the longest gap must be skipped");
    assert_eq!(scan.bytes_scanned + scan.bytes_skipped, file.len() as u64);
    let plan = CutPlan { columns: vec![0], predicate: Some(bound(&filter, &profile)), ..CutPlan::default() };
    let (with, tally) = Cut::new(&file, &plan, true).run(Some(&scan), 1_000);
    assert_eq!(with, Cut::new(&file, &plan, true).run(None, 1_000).0);
    assert_eq!((tally.rows_in, tally.rows_out), (profile.row_count, 350 * 30));
}

#[test]
fn a_profile_does_not_suit_a_cut_with_another_delimiter_another_encoding_or_a_lower_record_limit() {
    let file = sorted_file(100);
    let profile = profile_of_zones(&file, 512);
    let opened = |options: InputOptions, max_record_bytes: usize| {
        let mut opening = CsvOpener::new(options, max_record_bytes).unwrap();
        let _ = opening.push(&file).unwrap();
        opening.finish().unwrap()
    };
    let options = InputOptions::default();
    assert!(profile.suits(&opened(options.clone(), MAX_RECORD_BYTES)));
    assert!(
        !profile.suits(&opened(InputOptions { header: Some(false), ..options.clone() }, MAX_RECORD_BYTES))
    );
    assert!(!profile.suits(&opened(
        InputOptions { delimiter: Some(Delimiter::of(b';')), ..options.clone() },
        MAX_RECORD_BYTES
    )));
    assert!(!profile.suits(&opened(options.clone(), 20)));
    let latin = InputOptions { encoding: Some(encoding_rs::WINDOWS_1252.into()), ..options };
    assert!(!profile.suits(&opened(latin, MAX_RECORD_BYTES)));
}

#[test]
fn skipping_within_a_record_is_refused() {
    let mut cut = Cut::new(b"a,b\n1,2\n3,", &CutPlan { columns: vec![0], ..CutPlan::default() }, true);
    cut.read(0, 10, 100).unwrap();
    assert!(!cut.processor.as_mut().unwrap().skip_to(1, 20, 3));
}

/// Reads a page. Begins at the last entry of the row index that is at or before the first row of the page. Returns
/// `None` if the file does not have the first row of the page.
fn page_by_index(file: &[u8], profile: &Profile, request: &PageRequest) -> Option<RowPage> {
    let start = profile.locate_row(request.offset)?;
    assert!(start.row <= request.offset);
    let mut pager = RowPager::at(profile, start, start.row, request.clone(), MAX_RECORD_BYTES).unwrap();
    if pager.push(&file[start.byte as usize..]).unwrap() {
        return Some(pager.into_page());
    }
    pager.finish().ok()
}

fn page_by_reading(file: &[u8], request: &PageRequest) -> RowPage {
    let cut = Cut::new(file, &CutPlan::default(), true);
    let mut pager = RowPager::new(cut.opened(file), request.clone());
    pager.push(&[]).unwrap();
    pager.finish().unwrap()
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0..40_i32).prop_map(|number| number.to_string()),
        1 => "[+-]?[0-9]{1,3}[.][0-9]{0,2}",
        1 => "[0-9]{15,25}",
        1 => "[1-9]e[0-9]{1,3}",
        1 => "0[0-9]{1,2}",
        2 => "202[0-3]-0[1-9]-[0-2][1-9]",
        1 => "202[0-3]-0[1-9]-[0-2][1-9][T ][01][0-9]:[0-5][0-9](:30(.[0-9]{1,9})?)?(Z|[+-]02:00)?",
        2 => "[a-dA-DK]{0,3}",
        1 => "[a-c]{7,12}",
        1 => prop_oneof![
            Just("\u{212A}el".to_owned()), Just("k".to_owned()), Just("\u{17F}".to_owned()), Just("Éa".to_owned()),
            Just(" 7".to_owned()), Just("7 ".to_owned()), Just("\0".to_owned()), Just("a\0".to_owned()),
            Just("true".to_owned()), Just(" ".to_owned()),
        ],
        3 => Just(String::new()),
    ]
}

/// Generates files with sequences of equal rows, so that zones differ. Some rows are malformed.
fn file() -> impl Strategy<Value = String> {
    let quoted = |cell: &str| {
        let needs = cell.contains([',', '"', '\n', '\r']);
        if needs { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
    };
    let row = (proptest::collection::vec(cell(), 3), 0..12_u8, 1..12_usize);
    proptest::collection::vec(row, 1..20).prop_map(move |runs| {
        let mut file = "a,b,c\n".to_owned();
        for (cells, defect, times) in runs {
            let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
            for _ in 0..times {
                file += &cells.join(",");
                file += if defect == 1 { "\r\n\r\n" } else { "\n" };
            }
            file += match defect {
                2 => "1,2\n",
                3 => "1,2,3,4\n",
                4 => "1,x\"y,3\n",
                5 => "\"1\n2\",\"a\"\"b\",\"\"\n",
                _ => "",
            };
        }
        file
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = any_condition("[abc]", cell());
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Filter::Or),
            inner.prop_map(Filter::complement),
        ]
    })
}

fn bound(filter: &Filter, profile: &Profile) -> Predicate {
    filter.compile(&profile.header()).unwrap()
}

/// Compares a cut that skips zones with the same cut of the whole file. Does nothing if no zone can be skipped.
fn check_pruning(
    file: &[u8],
    profile: &Profile,
    plan: &CutPlan,
    has_header: bool,
    piece_bytes: usize,
) -> Result<(), TestCaseError> {
    let Some(scan) = plan.predicate.as_ref().and_then(|predicate| profile.scan_plan(predicate)) else {
        return Ok(());
    };
    let without = Cut::new(file, plan, has_header).run(None, piece_bytes);
    let with = Cut::new(file, plan, has_header).run(Some(&scan), piece_bytes);
    prop_assert_eq!(&with.0, &without.0);
    prop_assert!(with.1.bytes_scanned <= without.1.bytes_scanned);
    // A cut does not compare the cells of skipped rows, so it may count fewer cells that cannot be compared.
    prop_assert!(with.1.not_comparable <= without.1.not_comparable);
    let ignoring_scanned =
        |tally: CutCounts| CutCounts { bytes_in: 0, bytes_scanned: 0, not_comparable: 0, ..tally };
    prop_assert_eq!(ignoring_scanned(with.1), ignoring_scanned(without.1));
    if plan.limit.is_none() && with.0.is_ok() {
        prop_assert_eq!(with.1.bytes_in, without.1.bytes_in);
        prop_assert_eq!(with.1.bytes_scanned, scan.bytes_scanned);
    }
    Ok(())
}

/// Returns a tuple for each operator for which `values` are valid. The items are: (1) the operator; (2) the values that
/// the operator uses; (3) a filter with one condition, which compares `column` with these values.
fn every_condition(column: &str, values: &[String]) -> Vec<(Operator, Vec<String>, Filter)> {
    let condition = |&operator: &Operator| {
        let values = values_for(operator, values);
        let filter = Filter::condition(column, operator, values.clone()).ok()?;
        Some((operator, values, filter))
    };
    Operator::ALL.iter().filter_map(condition).collect()
}

/// The span of a column in the only zone of a file.
struct OneZone(Option<Span>);

impl Spans for OneZone {
    fn span(&self, _column: usize) -> Option<Span> {
        self.0
    }
}

/// Generates the cells of a zone and the values of a filter. Cells and values are chosen from the same few texts. So a
/// cell and a value are often equal, or equal except for case.
fn cells_and_values() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let picks = |sizes| proptest::collection::vec((any::<proptest::sample::Index>(), any::<bool>()), sizes);
    (proptest::collection::vec(cell(), 1..4), picks(1..6), picks(2..5)).prop_map(|(pool, cells, values)| {
        let text = |(index, upper): (proptest::sample::Index, bool)| {
            let text = index.get(&pool);
            if upper { text.to_uppercase() } else { text.clone() }
        };
        (cells.into_iter().map(text).collect(), values.into_iter().map(text).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_outcome_for_a_zone_holds_for_each_of_its_cells((cells, values) in cells_and_values()) {
        let rows = cells.iter().map(|cell| format!("{cell},\n"));
        let file = std::iter::once("a,b\n".to_owned()).chain(rows).collect::<String>();
        let profile = Profile::with_bounds(file.as_bytes(), RowIndex::with_bounds(2, 1 << 16), 60);
        let maps = profile.zones.as_ref().unwrap();
        prop_assert_eq!(maps.len(), 1);
        for (operator, values, filter) in every_condition("a", &values) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let mut kept = cells.iter().map(|cell| is_kept(operator, &values, cell.as_bytes()));
            let holds = match bound(&filter, &profile).zone_predicate().outcome(&OneZone(maps.span(0, 0))) {
                ZoneOutcome::Never => !kept.any(|is_kept| is_kept),
                ZoneOutcome::Always => kept.all(|is_kept| is_kept),
                ZoneOutcome::Maybe => true,
            };
            prop_assert!(holds, "{:?} {:?} {:?}", operator, values, cells);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn pruning_does_not_change_the_result_of_any_operator(
        file in file(), column in "[abc]", values in proptest::collection::vec(cell(), 2..5), stride in 5..8_u32,
    ) {
        let file = file.as_bytes();
        let profile = Profile::with_bounds(file, RowIndex::with_bounds(40, 1 << stride), 120);
        for (_, _, filter) in every_condition(&column, &values) {
            for filter in [filter.clone(), filter.complement()] {
                let plan = CutPlan { columns: vec![0, 1, 2], predicate: Some(bound(&filter, &profile)), ..CutPlan::default() };
                check_pruning(file, &profile, &plan, true, 1_000)?;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn pruning_changes_neither_output_nor_counts(
        file in file(), filter in filter(), stride in 5..8_u32, max_entries in 2..40_usize, max_cells in 3..60_usize,
        piece_bytes in 1..200_usize, limit in proptest::option::of(0..30_u64), offset in 0..3_u64,
        strict in any::<bool>(), has_header in any::<bool>(),
    ) {
        let file = file.as_bytes();
        let index = RowIndex::with_bounds(2 * max_entries, 1 << stride);
        let profile = Profile::with_bounds(file, index, max_cells);
        let predicate = bound(&filter, &profile);
        let plan = CutPlan {
            columns: vec![0, 1, 2], predicate: Some(predicate), limit, offset, strict, ..CutPlan::default()
        };
        check_pruning(file, &profile, &plan, has_header, piece_bytes)?;
    }

    #[test]
    fn using_the_index_does_not_change_the_rows_of_a_page(
        file in file(), stride in 5..8_u32, max_entries in 2..40_usize, offset in 0..250_u64, limit in 0..20_usize,
    ) {
        check_page_by_index(file.as_bytes(), stride, max_entries, offset, limit);
    }
}

fn check_page_by_index(file: &[u8], stride: u32, max_entries: usize, offset: u64, limit: usize) {
    let profile = Profile::with_bounds(file, RowIndex::with_bounds(2 * max_entries, 1 << stride), 60);
    let request = PageRequest { columns: vec![2, 0], predicate: None, offset, limit, max_bytes: 1 << 20 };
    let read = page_by_reading(file, &request);
    assert_eq!(profile.row_count, read.total);
    match page_by_index(file, &profile, &request) {
        Some(page) => assert_eq!(page.rows, read.rows),
        None => assert!(offset >= read.total),
    }
}

/// Regression test: an index of at most four entries, and a page with the limit 0.
#[test]
fn a_page_of_no_rows_is_read_with_an_index_of_four_entries() {
    let rows = [
        ("a,b,c\n", 1),
        ("2020-01-01,2020-01-01 00:00:30Z,\r\n", 1),
        ("\r\n", 1),
        ("2020-01-01,2020-01-01 00:00:30Z,\r\n", 1),
        ("\r\n", 1),
        ("2020-01-01,2020-01-01 00:00:30Z,\r\n", 1),
        ("\r\n", 1),
        ("2020-01-01,2020-01-01 00:00:30Z,\r\n", 1),
        ("\r\n", 1),
        ("2020-01-01,2020-01-01 00:00:30Z,\r\n", 1),
        ("\r\n", 1),
        ("aKK,000.,\n", 4),
        ("1,2,3,4\n", 1),
        ("aaaaaaaaaaaa,10,\n", 11),
        ("aaaaaaaaa,00000000000000000000000,1e000\n", 8),
        ("1,2\n", 1),
        ("1e00,2020-01-01,00\n", 8),
        ("1,2\n", 1),
        (",00.,\0\n", 4),
        ("0,2020-01-01,KaK\n", 4),
        ("1,2\n", 1),
        ("ſ,0,aK\n", 9),
        ("10,,\n", 2),
        ("\"1\n", 1),
        ("2\",\"a\"\"b\",\"\"\n", 1),
    ];
    let file: String = rows.into_iter().map(|(row, times)| row.repeat(times)).collect();
    check_page_by_index(file.as_bytes(), 5, 2, 0, 0);
}
