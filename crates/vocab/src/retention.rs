//! How long records have to stay with the personal data in them.
//!
//! It lacks what stays for ever because it names nobody, such as postings. Source and date of the
//! table: `data/README.md`.

use std::sync::LazyLock;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::region::table_lines;

static TABLE: LazyLock<Vec<Retention>> = LazyLock::new(|| {
    let lines = table_lines(include_str!("../data/retention.csv"));
    let mut rules: Vec<Retention> = lines.filter_map(Retention::read).collect();
    rules.sort_by_key(|rule| rule.from);
    rules
});

/// For how long, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// First day of settlement it holds for.
    from: Date,
    /// Years, counted from the day of settlement.
    pub years: i16,
    /// The rule, in Chinese.
    pub basis: &'static str,
}

impl Retention {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.splitn(3, ',');
        Some(Self {
            from: fields.next()?.parse().ok()?,
            years: fields.next()?.parse().ok()?,
            basis: fields.next()?,
        })
    }

    /// The last day on which a record settled on a day has to be there.
    pub fn until(&self, settled: Date) -> Option<Date> {
        settled.checked_add(self.years.years()).ok()
    }
}

/// The rule for a subsidy paid on a day; none for days before the table begins.
///
/// ```
/// let day = jiff::civil::date(2016, 2, 29);
/// let rule = vocab::retention::paid_subsidy(day).unwrap();
/// assert_eq!(rule.until(day), Some(jiff::civil::date(2026, 2, 28)));
/// assert_eq!(vocab::retention::paid_subsidy(jiff::civil::date(2015, 12, 31)), None);
/// ```
pub fn paid_subsidy(settled: Date) -> Option<&'static Retention> {
    TABLE.iter().rfind(|rule| rule.from <= settled)
}
