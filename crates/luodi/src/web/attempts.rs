//! How often one address may try something that strangers may do, such as logging in or objecting:
//! a token bucket per purpose and address, in memory.
//!
//! Deliberately lacks accounts: a whole office sits behind one address, so the budgets are generous
//! and what guards one account is counted there.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::proxy::neighbourhood;
use crate::refusal::Refusal;

/// The budget of one purpose.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Names the purpose; budgets of different purposes are apart.
    pub purpose: &'static str,
    /// Tries at once.
    pub burst: u32,
    /// Tries that come back each minute.
    pub per_minute: u32,
}

/// The budgets used at present.
#[derive(Debug, Default)]
pub struct Attempts {
    buckets: Mutex<HashMap<(&'static str, String), Bucket>>,
    told: Mutex<HashMap<String, Timestamp>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

/// Looks of one account at personal values in plain.
const LOOKS: Rate = Rate {
    purpose: "look",
    burst: 60,
    per_minute: 1,
};

/// Budgets remembered at once; past it the full ones are forgotten, then all.
const REMEMBERED: usize = 20_000;

impl Attempts {
    /// Takes one try from the budget of an address; false where it is used up.
    pub fn admit(&self, rate: Rate, address: &str, now: Timestamp) -> bool {
        self.change(rate, address, now, |tokens| {
            let admitted = *tokens >= 1.0;
            if admitted {
                *tokens -= 1.0;
            }
            admitted
        })
    }

    /// Seconds until an address has a try again; 0 where it has one.
    pub fn seconds_left(&self, rate: Rate, address: &str, now: Timestamp) -> u32 {
        self.change(rate, address, now, |tokens| {
            let missing = (1.0 - *tokens).max(0.0);
            let seconds = missing * 60.0 / f64::from(rate.per_minute);
            // What a fraction of a token cannot say exactly is no further second.
            let seconds = (seconds - 0.001).ceil();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and 60 by the lines above"
            )]
            let seconds = seconds.min(3_600.0) as u32;
            seconds
        })
    }

    /// Gives one try back: it was none of a guesser.
    pub fn give_back(&self, rate: Rate, address: &str, now: Timestamp) {
        self.change(rate, address, now, |tokens| {
            *tokens = (*tokens + 1.0).min(f64::from(rate.burst))
        });
    }

    /// What counts tries of one name from one address.
    pub fn pair(&self, name: &str, address: &str) -> String {
        let name: String = name.chars().take(64).collect();
        format!("{name}@{}", counted(address))
    }

    /// Takes one look at personal values in plain, of those an account has.
    ///
    /// # Errors
    /// Refused where it has none left.
    pub fn admit_look(&self, account: &str, now: Timestamp) -> Result<(), Refusal> {
        if self.admit(LOOKS, account, now) {
            return Ok(());
        }
        let wait_seconds = self.seconds_left(LOOKS, account, now);
        let message = format!(
            "您查看个人信息原文的次数太多（每小时约 {} 次），请 {wait_seconds} 秒后再试。确需批量使用的，请让登记窗口或所在部门负责人导出名单，导出会记入日志。",
            LOOKS.burst
        );
        Err(Refusal {
            wait_seconds,
            ..Refusal::too_many("look-rate", message)
        })
    }

    /// Whether something happens the first time in a span, for what is told once and not each time.
    pub fn is_first(&self, what: &str, now: Timestamp, within: SignedDuration) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |at: &Timestamp| now.duration_since(*at) < within;
        if told.get(what).is_some_and(recent) {
            return false;
        }
        if told.len() >= REMEMBERED {
            told.retain(|_, at| recent(at));
            if told.len() >= REMEMBERED {
                told.clear();
            }
        }
        told.insert(what.to_owned(), now);
        true
    }

    /// What was to happen did not: the next time is the first again.
    pub fn was_not(&self, what: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(what);
    }

    /// Makes a budget full again: who tried has shown who he is.
    pub fn forget(&self, rate: Rate, address: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.remove(&(rate.purpose, counted(address)));
    }

    fn change<T>(
        &self,
        rate: Rate,
        address: &str,
        now: Timestamp,
        change: impl FnOnce(&mut f64) -> T,
    ) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED {
            // A bucket untouched for a day is full again at any rate worth having.
            buckets.retain(|_, bucket| now.duration_since(bucket.at).as_hours() < 24);
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let full = Bucket {
            tokens: f64::from(rate.burst),
            at: now,
        };
        let bucket = buckets
            .entry((rate.purpose, counted(address)))
            .or_insert(full);
        let minutes = now.duration_since(bucket.at).as_secs_f64().max(0.0) / 60.0;
        bucket.tokens =
            (bucket.tokens + minutes * f64::from(rate.per_minute)).min(f64::from(rate.burst));
        bucket.at = now;
        change(&mut bucket.tokens)
    }
}

/// What counts as one address; text that is none counts as it is.
pub fn counted(address: &str) -> String {
    address
        .parse::<IpAddr>()
        .map_or_else(|_| address.to_owned(), neighbourhood)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        purpose: "test",
        burst: 3,
        per_minute: 2,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_budget_is_used_up_and_comes_back() {
        let attempts = Attempts::default();
        let tries: Vec<bool> = [0, 0, 1, 1, 30, 31, 600, 600, 600, 600]
            .map(|s| attempts.admit(RATE, "10.0.0.1", at(s)))
            .into();
        assert_eq!(
            tries,
            [
                true, true, true, false, true, false, true, true, true, false
            ]
        );
    }

    #[test]
    fn looks_at_personal_values_are_counted() {
        let attempts = Attempts::default();
        let looks = (0..1_000).filter(|_| attempts.admit_look("officer", at(0)).is_ok());
        assert_eq!(looks.count(), 60);
        let refusal = attempts.admit_look("officer", at(0)).unwrap_err();
        assert_eq!((refusal.code, refusal.wait_seconds), ("look-rate", 60));
        assert!(attempts.admit_look("colleague", at(0)).is_ok());
        assert!(attempts.admit_look("officer", at(60)).is_ok());
    }

    #[test]
    fn who_waits_is_told_how_long() {
        let attempts = Attempts::default();
        let left = |seconds| attempts.seconds_left(RATE, "10.0.0.1", at(seconds));
        assert_eq!(left(0), 0);
        (0..3).for_each(|_| assert!(attempts.admit(RATE, "10.0.0.1", at(0))));
        assert_eq!([0, 10, 29, 30].map(left), [30, 20, 1, 0]);
    }

    #[test]
    fn budgets_of_others_are_untouched() {
        let attempts = Attempts::default();
        let other = Rate {
            purpose: "other",
            ..RATE
        };
        let admitted = (0..9)
            .filter(|_| attempts.admit(RATE, "2001:db8::1", at(0)))
            .count();
        assert_eq!(admitted, 3);
        assert!(
            !attempts.admit(RATE, "2001:db8::ffff", at(0)),
            "the same /64"
        );
        assert!(attempts.admit(RATE, "2001:db8:0:1::1", at(0)));
        assert!(attempts.admit(RATE, "10.0.0.1", at(0)));
        assert!(attempts.admit(other, "2001:db8::1", at(0)));
    }

    #[test]
    fn the_first_time_in_a_span_is_told() {
        let attempts = Attempts::default();
        let half_hour = SignedDuration::from_mins(30);
        let first = |what: &str, seconds| attempts.is_first(what, at(seconds), half_hour);
        assert!(first("a", 0) && !first("a", 1_799) && first("b", 1_799));
        assert!(first("a", 1_800) && !first("a", 1_801));
    }

    #[test]
    fn what_is_given_back_is_at_most_the_burst() {
        let attempts = Attempts::default();
        (0..9).for_each(|_| attempts.give_back(RATE, "a", at(0)));
        let admitted = (0..9).filter(|_| attempts.admit(RATE, "a", at(0))).count();
        assert_eq!(admitted, 3);
    }

    #[test]
    fn what_did_not_happen_is_told_again() {
        let attempts = Attempts::default();
        let within = SignedDuration::from_mins(30);
        assert!(attempts.is_first("look", at(0), within));
        assert!(!attempts.is_first("look", at(1), within));
        attempts.was_not("look");
        assert!(attempts.is_first("look", at(2), within));
    }
}
