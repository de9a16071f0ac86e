//! Promised and statutory limits: how many working days a case has used, has left, and when it is due.
//!
//! The rule: working days after the day of acceptance count, by the calendar. Days d with
//! `suspended_on < d ≤ resumed_on` are left out, overlapping suspensions being united, so every
//! suspension keeps the remaining working days. An answer to an *incomplete* request starts the count
//! again. It lacks clocks of hours and calendar days.

mod sentence;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::Calendar;

/// Why days are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// 补正: the applicant corrects or completes.
    Correction,
    /// 公示: a public notice runs.
    Notice,
    /// 外部评审: another body examines.
    OutsideReview,
    /// 协商延期: an extension the applicant agreed to.
    AgreedExtension,
    /// 特别程序: a procedure the item excludes from its limit.
    ExcludedProcedure,
}

impl Cause {
    /// Its name on a page.
    pub const fn zh(self) -> &'static str {
        match self {
            Cause::Correction => "补正",
            Cause::Notice => "公示",
            Cause::OutsideReview => "外部评审",
            Cause::AgreedExtension => "协商延期",
            Cause::ExcludedProcedure => "特别程序",
        }
    }
}

/// A stretch of time that does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Suspension {
    /// Why.
    pub cause: Cause,
    /// The day it began; that day itself still counts.
    pub suspended_on: Date,
    /// The day it ended, which is left out; none while it lasts.
    pub resumed_on: Option<Date>,
}

/// A running limit with its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The day of acceptance; counting begins the day after.
    pub accepted_on: Date,
    /// N, the promised number of working days.
    pub working_days: u16,
    /// All suspensions, in any order; they may overlap.
    pub suspensions: Vec<Suspension>,
    /// The day an *incomplete* request was answered: the count starts again after it.
    pub restarted_on: Option<Date>,
}

/// The colour of a limit on a worklist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    /// Due today or over.
    Red,
    /// At most a fifth of the limit left, rounded up.
    Amber,
    /// Time enough.
    Green,
    /// Suspended.
    Grey,
}

impl Light {
    /// Its stable name, for attributes and queries: `red`, `amber`, `green`, `grey`.
    pub const fn code(self) -> &'static str {
        match self {
            Light::Red => "red",
            Light::Amber => "amber",
            Light::Green => "green",
            Light::Grey => "grey",
        }
    }

    /// Its name on a page.
    pub const fn zh(self) -> &'static str {
        match self {
            Light::Red => "红灯",
            Light::Amber => "黄灯",
            Light::Green => "绿灯",
            Light::Grey => "暂停",
        }
    }
}

/// How a limit stands on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The day asked about.
    pub today: Date,
    /// N.
    pub working_days: u16,
    /// Working days used, today included.
    pub used: u32,
    /// Working days left; below zero when over.
    pub left: i64,
    /// The working days left out so far, by cause; a day in several suspensions belongs to the earliest.
    pub left_out: Vec<(Cause, u32)>,
    /// Why it is suspended today; none if it runs.
    pub suspended_for: Option<Cause>,
    /// The last day, due at 24:00; none while suspended.
    pub due_on: Option<Date>,
    /// Whether a day counted here lies in a year whose calendar is not published.
    pub provisional: bool,
    /// Its colour.
    pub light: Light,
}

/// Days after `after` up to and including `up_to`, none if that is not later.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    cause: Cause,
    after: Date,
    up_to: Date,
}

impl Limit {
    /// A limit that was never suspended.
    pub const fn new(accepted_on: Date, working_days: u16) -> Limit {
        Limit {
            accepted_on,
            working_days,
            suspensions: Vec::new(),
            restarted_on: None,
        }
    }

    /// How the limit stands at the end of `today`. Suspensions that begin later are foreseen in the due day.
    pub fn standing(&self, calendar: &Calendar, today: Date) -> Standing {
        let start = self.start();
        let left_out = self.left_out(calendar, today);
        let left_out_days: u32 = left_out.iter().map(|(_, days)| days).sum();
        let used = calendar
            .working_days_between(start, today)
            .saturating_sub(left_out_days);
        let left = i64::from(self.working_days) - i64::from(used);
        let suspended_for = self.suspended_for(today);
        let due = if suspended_for.is_some() {
            None
        } else {
            self.due(calendar)
        };
        let last_counted = due.map_or(today, |due| due.max(today));
        Standing {
            today,
            working_days: self.working_days,
            used,
            left,
            left_out,
            suspended_for,
            due_on: due,
            provisional: calendar.is_provisional_between(start, last_counted),
            light: self.light(suspended_for.is_some(), left),
        }
    }

    fn start(&self) -> Date {
        self.restarted_on
            .map_or(self.accepted_on, |restart| restart.max(self.accepted_on))
    }

    /// The days left out, as stretches that do not overlap, in order; an open end is the end of time.
    fn stretches(&self) -> Vec<Stretch> {
        let mut suspensions = self.suspensions.clone();
        suspensions.sort_by_key(|suspension| (suspension.suspended_on, suspension.cause));
        let mut reached = self.start();
        let mut stretches = Vec::with_capacity(suspensions.len());
        for suspension in suspensions {
            let after = suspension.suspended_on.max(reached);
            let up_to = suspension.resumed_on.unwrap_or(Date::MAX);
            if after < up_to {
                stretches.push(Stretch {
                    cause: suspension.cause,
                    after,
                    up_to,
                });
                reached = up_to;
            }
        }
        stretches
    }

    /// The working days left out up to `today`, by cause.
    fn left_out(&self, calendar: &Calendar, today: Date) -> Vec<(Cause, u32)> {
        let mut by_cause: Vec<(Cause, u32)> = Vec::new();
        for stretch in self.stretches() {
            let days = calendar.working_days_between(stretch.after, stretch.up_to.min(today));
            match by_cause
                .iter_mut()
                .find(|(cause, _)| *cause == stretch.cause)
            {
                Some((_, sum)) => *sum += days,
                None if days > 0 => by_cause.push((stretch.cause, days)),
                None => {}
            }
        }
        by_cause
    }

    /// The day N: between suspensions the calendar runs, within them it does not.
    fn due(&self, calendar: &Calendar) -> Option<Date> {
        let mut from = self.start();
        let mut left = u32::from(self.working_days);
        for stretch in self.stretches() {
            let runs = calendar.working_days_between(from, stretch.after);
            if runs >= left {
                break;
            }
            left -= runs;
            from = stretch.up_to;
        }
        Some(calendar.add_working_days(from, left).date).filter(|due| *due < Date::MAX)
    }

    /// The cause of a suspension that has begun and not ended by the end of `today`, the earliest first.
    fn suspended_for(&self, today: Date) -> Option<Cause> {
        self.suspensions
            .iter()
            .filter(|s| {
                s.suspended_on <= today && s.resumed_on.is_none_or(|resumed| resumed > today)
            })
            .min_by_key(|s| (s.suspended_on, s.cause))
            .map(|s| s.cause)
    }

    fn light(&self, suspended: bool, left: i64) -> Light {
        let amber_from = i64::from(self.working_days.div_ceil(5));
        match left {
            _ if suspended => Light::Grey,
            ..=0 => Light::Red,
            _ if left <= amber_from => Light::Amber,
            _ => Light::Green,
        }
    }
}

#[cfg(test)]
mod tests;
