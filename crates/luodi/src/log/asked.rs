//! What the reader of the log asks for: the fields of the filter as they were typed, what is wrong
//! with them, and the events they mean.

use jiff::civil::{Date, Time};
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::words;
use crate::access::{Actor, events_where};
use crate::refusal::{Refusal, Refusals};
use crate::store::{EVENT_REGIONS, EventFilter, Query, StoreError, labels_from};
use crate::web::form::Chip;
use crate::{account, article, casework, fund, item, notice, party};

/// Characters of a field at most: the longest title of a paper.
const LONGEST: usize = 120;

/// The filter as typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) person: String,
    pub(super) command: String,
    pub(super) number: String,
    pub(super) page: String,
}

/// The filter as understood.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    commands: Vec<String>,
    person: String,
    number: String,
}

impl Asked {
    /// What is meant. A field that cannot be understood refuses the whole question: a list that
    /// left it out would look like an answer.
    pub(super) fn read(&self) -> Result<Wanted, Refusal> {
        let mut wrong = Refusals::default();
        let from = day(&self.from, ("from", "起始日期"), &mut wrong);
        let to = day(&self.to, ("to", "截止日期"), &mut wrong);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            wrong.add("to", "date-order", "截止日期早于起始日期，请对调。");
        }
        let commands = words::commands_of(self.command.trim());
        if commands.is_empty() && !self.command.trim().is_empty() {
            wrong.add("command", "choice", "没有这种操作，请从列表中重新选择。");
        }
        wrong.in_order(&["from", "to", "person", "command", "number"])?;
        let cut = |text: &str| text.trim().chars().take(LONGEST).collect();
        Ok(Wanted {
            from: from.and_then(begin_of),
            until: to.and_then(|day| day.tomorrow().ok()).and_then(begin_of),
            commands: commands.into_iter().map(str::to_owned).collect(),
            person: cut(&self.person),
            number: cut(&self.number),
        })
    }

    /// The page asked for, from 1.
    pub(super) fn page(&self) -> u32 {
        self.page.parse().unwrap_or(1).clamp(1, 1_000_000)
    }

    /// Whether anything narrows the list.
    pub(super) fn narrows(&self) -> bool {
        [
            &self.from,
            &self.to,
            &self.person,
            &self.command,
            &self.number,
        ]
        .iter()
        .any(|typed| !typed.trim().is_empty())
    }

    /// The query of an address that asks the same of another kind of command.
    fn with(&self, command: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("from", self.from.as_str()),
            ("to", &self.to),
            ("person", &self.person),
            ("command", command),
            ("number", &self.number),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    /// The questions of every day.
    pub(super) fn chips(&self) -> Vec<Chip> {
        let daily = std::iter::once(("", "全部")).chain(words::DAILY.iter().copied());
        daily
            .map(|(command, label)| Chip {
                href: format!("/log?{}", self.with(command)),
                label: label.to_owned(),
                count: None,
                current: self.command.trim() == command,
            })
            .collect()
    }
}

/// The day typed into a field; none where it is empty, or none of the calendar, which is told.
fn day(typed: &str, (field, called): (&str, &str), wrong: &mut Refusals) -> Option<Date> {
    let typed = typed.trim();
    if typed.is_empty() {
        return None;
    }
    match vocab::date::read(typed) {
        Ok(day) => Some(day),
        Err(error) => {
            wrong.add(
                field,
                error.code(),
                format!("{called}：{}", error.message_zh()),
            );
            None
        }
    }
}

/// The first instant of a day in China; none where no instant is that early or late.
fn begin_of(day: Date) -> Option<Timestamp> {
    TimeZone::fixed(offset(8))
        .to_timestamp(day.to_datetime(Time::midnight()))
        .ok()
        .filter(|at| at.checked_sub(SignedDuration::from_hours(1)).is_ok())
}

impl Wanted {
    /// The filter of the store: persons and numbers are asked of the domains that know them.
    pub(super) fn filter(&self, q: &dyn Query, actor: &Actor) -> Result<EventFilter, StoreError> {
        let mut values = Vec::new();
        let (by, about) = EVENT_REGIONS;
        let visible = events_where(actor, by, about, &mut values);
        let mut filter = EventFilter::new(visible, values);
        (filter.from, filter.until) = (self.from, self.until);
        filter.commands = self.commands.clone();
        if !self.person.is_empty() {
            filter.by = Some(who(q, &self.person)?);
        }
        if !self.number.is_empty() {
            let tables = words::TABLES.iter().map(|(table, _)| *table).collect();
            filter.subjects = Some((tables, numbered(q, &self.number)?));
        }
        Ok(filter)
    }
}

/// The names the log has of a person, and the accounts: by log-in name, by the name of staff, by an
/// enterprise it acts for. A name that no account has finds what was tried under it.
fn who(q: &dyn Query, text: &str) -> Result<(Vec<String>, Vec<Uuid>), StoreError> {
    let enterprises = party::named::known_as(q, text)?;
    let known = account::named::known_as(q, text, &enterprises)?;
    let (mut ids, mut labels): (Vec<Uuid>, Vec<String>) = known.into_iter().unzip();
    labels.push(text.to_owned());
    labels.extend(words::actor_named(text).map(str::to_owned));
    if matches!(text, "console" | "控制台") {
        labels.extend(labels_from(q, "console:")?);
    }
    ids.push(account::unknown_login(q, text));
    Ok((labels, ids))
}

/// The ids of what bears a number, a name or an id.
fn numbered(q: &dyn Query, text: &str) -> Result<Vec<Uuid>, StoreError> {
    let paper = bracketed(text);
    let parties = party::named::known_as(q, text)?;
    let mut found = casework::named::known_as(q, text)?;
    for number in std::iter::once(text).chain((paper != text).then_some(paper.as_str())) {
        found.extend(notice::named::known_as(q, number)?);
        found.extend(fund::named::known_as(q, number)?);
    }
    found.extend(item::named::known_as(q, text)?);
    found.extend(article::named::known_as(q, text)?);
    found.extend(account::named::departments_known_as(q, text)?);
    found.extend(party::named::bank_accounts_of(q, &parties)?);
    found.extend(
        account::named::known_as(q, text, &parties)?
            .into_iter()
            .map(|(id, _)| id),
    );
    found.extend(parties);
    found.extend(Uuid::try_parse(text));
    Ok(found)
}

/// The number of a paper with the brackets it is printed with, whichever were typed.
fn bracketed(number: &str) -> String {
    number
        .chars()
        .map(|c| match c {
            '[' | '(' | '（' | '【' | '［' => '〔',
            ']' | ')' | '）' | '】' | '］' => '〕',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(from: &str, to: &str) -> Asked {
        Asked {
            from: from.into(),
            to: to.into(),
            ..Asked::default()
        }
    }

    #[test]
    fn a_period_is_whole_days_in_china() {
        let wanted = asked("2026-11-23", "2026-11-24").read().unwrap();
        let instant = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(wanted.from, instant("2026-11-22T16:00:00Z"));
        assert_eq!(wanted.until, instant("2026-11-24T16:00:00Z"));
        assert!(asked("", "9999-12-31").read().is_err());
    }

    #[test]
    fn a_day_that_is_none_is_told_with_its_field() {
        let rules = |from: &str, to: &str| -> Vec<(String, String)> {
            let refusal = asked(from, to).read().unwrap_err();
            let fields = refusal.fields.into_iter();
            fields.map(|it| (it.field, it.rule.into_owned())).collect()
        };
        let pair = |field: &str, rule: &str| (field.to_owned(), rule.to_owned());
        assert_eq!(rules("2026-02-30", ""), [pair("from", "date-impossible")]);
        assert_eq!(
            rules("x", "11-23"),
            [pair("from", "date"), pair("to", "date")]
        );
        assert_eq!(
            rules("2026-11-24", "2026-11-23"),
            [pair("to", "date-order")]
        );
        let unknown = Asked {
            command: "case.dance".into(),
            ..Asked::default()
        };
        assert_eq!(unknown.read().unwrap_err().fields[0].field, "command");
    }

    #[test]
    fn numbers_are_found_with_the_brackets_at_hand() {
        assert_eq!(bracketed("永发改公示[2026]1号"), "永发改公示〔2026〕1号");
        assert_eq!(bracketed("永发改公示（2026）1号"), "永发改公示〔2026〕1号");
    }
}
