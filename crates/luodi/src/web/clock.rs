//! The only clock of the program. Handlers read it once, through [`super::Visit`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::Date;

use super::pace::{Known, Odd, Pace};

/// The wall clock, or a clock a test or a demonstration sets. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Fixed(Arc<AtomicI64>),
    System(Arc<System>),
}

/// The machine's clock, and the program's own time.
#[derive(Debug)]
struct System {
    start: Instant,
    pace: Mutex<Pace>,
}

impl System {
    /// What the wall clock says and how long the program runs, in milliseconds.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clocks"
    )]
    fn look(&self) -> (i64, i64) {
        let uptime = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        (Timestamp::now().as_millisecond(), uptime)
    }

    fn with<T>(&self, f: impl FnOnce(&mut Pace, i64, i64) -> T) -> T {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: who comes later sees no earlier time.
        let (wall, uptime) = self.look();
        f(&mut pace, wall, uptime)
    }
}

impl Clock {
    /// The wall clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clocks"
    )]
    pub fn system() -> Self {
        let system = System {
            start: Instant::now(),
            pace: Mutex::default(),
        };
        system.with(|pace, wall, uptime| *pace = Pace::begin(Known::default(), wall, uptime));
        Self(Kind::System(Arc::new(system)))
    }

    /// A clock that stands still until it is set.
    pub fn fixed(now: Timestamp) -> Self {
        Self(Kind::Fixed(Arc::new(AtomicI64::new(now.as_millisecond()))))
    }

    /// Moves a fixed clock; the wall clock stays as it is.
    pub fn set(&self, now: Timestamp) {
        if let Kind::Fixed(clock) = &self.0 {
            clock.store(now.as_millisecond(), Ordering::Relaxed);
        }
    }

    /// Begins anew with what the store knows; a fixed clock knows better.
    pub fn begin(&self, known: Known) {
        if let Kind::System(system) = &self.0 {
            system.with(|pace, wall, uptime| *pace = Pace::begin(known, wall, uptime));
        }
    }

    /// Now, to the millisecond.
    pub fn now(&self) -> Timestamp {
        self.look().0
    }

    /// Now, and what is odd about the machine's clock.
    pub fn look(&self) -> (Timestamp, Option<Odd>) {
        let (now, odd) = match &self.0 {
            Kind::Fixed(clock) => (clock.load(Ordering::Relaxed), None),
            Kind::System(system) => system.with(Pace::read),
        };
        let now = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
        (now, odd)
    }

    /// Whether what time brings about waits until somebody confirms the machine's clock.
    pub fn waits(&self) -> bool {
        matches!(self.look().1, Some(Odd::Ahead { .. }))
    }

    /// Somebody confirmed that it was this time.
    pub fn confirm(&self, confirmed: Timestamp) {
        if let Kind::System(system) = &self.0 {
            let confirmed = confirmed.as_millisecond();
            system.with(|pace, wall, uptime| pace.confirm(confirmed, wall, uptime));
        }
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
