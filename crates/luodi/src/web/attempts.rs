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
fn counted(address: &str) -> String {
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
