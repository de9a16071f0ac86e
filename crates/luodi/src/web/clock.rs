//! The only clock of the program. Handlers read it once, through [`super::Visit`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;

/// The wall clock, or a clock a test or a demonstration sets.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The wall clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until it is set.
    pub fn fixed(now: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.as_millisecond()))))
    }

    /// Moves a fixed clock; the wall clock stays as it is.
    pub fn set(&self, now: Timestamp) {
        if let Some(clock) = &self.0 {
            clock.store(now.as_millisecond(), Ordering::Relaxed);
        }
    }

    /// Now, to the millisecond.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn now(&self) -> Timestamp {
        let now = match &self.0 {
            Some(clock) => Timestamp::from_millisecond(clock.load(Ordering::Relaxed)),
            None => Timestamp::from_millisecond(Timestamp::now().as_millisecond()),
        };
        now.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Today's civil date in Asia/Shanghai.
    pub fn today(&self) -> Date {
        crate::store::day_in_china(self.now())
    }
}

/// Date and time of day of an instant in Asia/Shanghai.
pub fn civil(instant: Timestamp) -> jiff::civil::DateTime {
    jiff::tz::TimeZone::fixed(jiff::tz::offset(8)).to_datetime(instant)
}
