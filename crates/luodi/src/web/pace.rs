//! How the program's time goes on, whatever the machine's clock says: never back, and by no leap
//! that nobody has confirmed.
//!
//! Pure: what the wall clock and the time since the start say is handed in, in milliseconds.

use jiff::Timestamp;

/// A wall clock further ahead than this is not believed before somebody confirms it.
pub const LEAP_MS: i64 = 3_600_000;
/// A wall clock further behind than this is told to the staff.
const BEHIND_MS: i64 = 300_000;

/// What is odd about the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// It is more than an hour ahead of what is known: what the days between would bring about
    /// waits.
    Ahead {
        /// The time that is known.
        known: Timestamp,
        /// What the machine says.
        says: Timestamp,
    },
    /// It is behind what is recorded already: time goes on from there.
    Behind {
        /// The time that is known.
        known: Timestamp,
        /// What the machine says.
        says: Timestamp,
    },
}

/// What the store knows of time when a program begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// The last time that was known to be right.
    pub confirmed: Option<Timestamp>,
    /// The last time anything was recorded under.
    pub recorded: Option<Timestamp>,
    /// Whether every leap is believed: in a demonstration, which is made for one day and looked at
    /// on another.
    pub believes: bool,
}

/// The program's own time: where it was, and since when it counts from there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    at: i64,
    since: i64,
    /// What was known when the clock was found ahead at the start.
    unsure: Option<i64>,
    believes: bool,
}

impl Pace {
    /// Begins with what the store knows. After a long stop nothing tells a wrong clock from a right
    /// one: what people do is recorded under its time, and what time does waits.
    pub(super) fn begin(known: Known, wall: i64, uptime: i64) -> Self {
        let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let (recorded, confirmed) = (ms(known.recorded), ms(known.confirmed));
        let unsure = confirmed.or(recorded);
        Self {
            at: wall
                .max(recorded.unwrap_or(wall))
                .max(confirmed.unwrap_or(wall)),
            since: uptime,
            unsure: unsure.filter(|at| !known.believes && wall > at.saturating_add(LEAP_MS)),
            believes: known.believes,
        }
    }

    /// The time, and what is odd about the wall clock.
    pub(super) fn read(&mut self, wall: i64, uptime: i64) -> (i64, Option<Odd>) {
        let own = self.own(uptime);
        if wall > own.saturating_add(LEAP_MS) && !self.believes {
            // A running program knows how long it has run, and does not follow.
            return (own, Some(ahead(self.unsure.unwrap_or(own), wall)));
        }
        if wall >= own {
            (self.at, self.since) = (wall, uptime);
        }
        let now = wall.max(own);
        let odd = match self.unsure {
            Some(known) => Some(ahead(known, now)),
            None if now - wall > BEHIND_MS && !self.believes => Some(Odd::Behind {
                known: instant(now),
                says: instant(wall),
            }),
            None => None,
        };
        (now, odd)
    }

    /// Believes a wall clock that somebody has confirmed: one not more than an hour ahead of the
    /// time that was.
    pub(super) fn confirm(&mut self, confirmed: i64, wall: i64, uptime: i64) {
        if wall <= confirmed.saturating_add(LEAP_MS) {
            self.at = self.own(uptime).max(wall);
            self.since = uptime;
            self.unsure = None;
        }
    }

    fn own(&self, uptime: i64) -> i64 {
        self.at.saturating_add(uptime.saturating_sub(self.since))
    }
}

fn ahead(known: i64, says: i64) -> Odd {
    Odd::Ahead {
        known: instant(known),
        says: instant(says),
    }
}

fn instant(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = LEAP_MS;
    const DAY: i64 = 24 * HOUR;
    /// Any instant.
    const THEN: i64 = 1_790_000_000_000;

    fn known(at: i64) -> Known {
        Known {
            confirmed: Some(instant(at)),
            recorded: Some(instant(at)),
            believes: false,
        }
    }

    #[test]
    fn a_clock_that_goes_is_followed() {
        let mut pace = Pace::begin(known(THEN), THEN + HOUR, 0);
        for (wall, uptime) in [
            (0, 0),
            (10, 9),
            (900, 800),
            (HOUR, HOUR - 200),
            (2 * HOUR + 5, HOUR + 9),
        ] {
            assert_eq!(
                pace.read(THEN + HOUR + wall, uptime),
                (THEN + HOUR + wall, None)
            );
        }
    }

    #[test]
    fn time_never_goes_back_and_never_stands_still() {
        let mut pace = Pace::begin(known(THEN), THEN, 0);
        for (wall, uptime, now) in [
            (0, 0, 0),
            (-50, 10, 10),
            (-2_000, 500, 500),
            (499, 600, 600),
            (700, 700, 700),
        ] {
            assert_eq!(pace.read(THEN + wall, uptime), (THEN + now, None), "{wall}");
        }
        let (now, odd) = pace.read(THEN - 3 * DAY, 1_700);
        assert_eq!(now, THEN + 1_700);
        let behind = Odd::Behind {
            known: instant(now),
            says: instant(THEN - 3 * DAY),
        };
        assert_eq!(odd, Some(behind));
        // Years later as after days, and right again once the clock is.
        assert_eq!(pace.read(THEN - 3_000 * DAY, 90_000).0, THEN + 90_000);
        assert_eq!(pace.read(THEN + 90_500, 90_400), (THEN + 90_500, None));
    }

    #[test]
    fn a_start_with_a_clock_behind_goes_on_from_what_is_recorded() {
        let mut pace = Pace::begin(known(THEN), THEN - DAY, 7);
        let (now, odd) = pace.read(THEN - DAY, 7);
        assert_eq!(now, THEN);
        assert!(matches!(odd, Some(Odd::Behind { .. })));
    }

    #[test]
    fn a_leap_while_it_runs_is_not_followed_until_confirmed() {
        let mut pace = Pace::begin(known(THEN), THEN, 0);
        let leap = THEN + 400 * DAY;
        assert_eq!(
            pace.read(leap, 1_000),
            (THEN + 1_000, Some(ahead(THEN + 1_000, leap)))
        );
        // Somebody confirmed another time: no.
        pace.confirm(leap - 2 * HOUR, leap + 500, 1_500);
        assert_eq!(pace.read(leap + 1_000, 2_000).0, THEN + 2_000);
        pace.confirm(leap, leap + 1_500, 2_500);
        assert_eq!(pace.read(leap + 2_000, 3_000), (leap + 2_000, None));
    }

    #[test]
    fn a_leap_that_is_taken_back_leaves_no_trace() {
        let mut pace = Pace::begin(known(THEN), THEN, 0);
        assert!(pace.read(THEN + 9 * DAY, 10).1.is_some());
        assert_eq!(pace.read(THEN + 20, 20), (THEN + 20, None));
    }

    #[test]
    fn after_a_long_stop_people_go_on_and_time_waits() {
        let start = THEN + HOUR + 1;
        let mut pace = Pace::begin(known(THEN), start, 0);
        assert_eq!(
            pace.read(start + 5, 5),
            (start + 5, Some(ahead(THEN, start + 5)))
        );
        pace.confirm(start, start + 10, 10);
        assert_eq!(pace.read(start + 20, 20), (start + 20, None));
        // An hour is none.
        assert_eq!(Pace::begin(known(THEN), THEN + HOUR, 0).unsure, None);
        assert_eq!(Pace::begin(Known::default(), THEN, 0).unsure, None);
    }

    #[test]
    fn what_was_recorded_without_confirmation_confirms_nothing() {
        let begun = Known {
            recorded: Some(instant(THEN + 2 * DAY)),
            ..known(THEN)
        };
        let mut pace = Pace::begin(begun, THEN + 2 * DAY + 1, 0);
        assert!(pace.read(THEN + 2 * DAY + 1, 0).1.is_some());
    }

    #[test]
    fn a_demonstration_believes_everything() {
        let begun = Known {
            believes: true,
            ..known(THEN)
        };
        let mut pace = Pace::begin(begun, THEN + DAY, 0);
        assert_eq!(pace.read(THEN + DAY, 0), (THEN + DAY, None));
        assert_eq!(pace.read(THEN + 9 * DAY, 1), (THEN + 9 * DAY, None));
        assert_eq!(pace.read(THEN, 2), (THEN + 9 * DAY + 1, None));
    }
}
