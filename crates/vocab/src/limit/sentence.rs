//! The plain sentence that says why a limit stands as it does.
//!
//! It lacks English: case pages of the staff are Chinese.

use super::Standing;
use crate::date::near_zh;

impl Standing {
    /// For a page: `承诺 20 个工作日，已用 16 天，补正 3 天不计，11月27日（周五）到期`.
    pub fn sentence_zh(&self) -> String {
        let mut parts = vec![
            format!("承诺 {} 个工作日", self.working_days),
            format!("已用 {} 天", self.used),
        ];
        if !self.left_out.is_empty() {
            let causes: Vec<String> = self
                .left_out
                .iter()
                .map(|(cause, days)| format!("{} {days} 天", cause.zh()))
                .collect();
            parts.push(format!("{}不计", causes.join("、")));
        }
        parts.push(self.outcome_zh());
        let mut sentence = parts.join("，");
        if self.provisional {
            sentence.push_str("（所涉年度放假安排尚未公布，日期为暂定）");
        }
        sentence
    }

    /// Where it leads: the pause, the due day, or the days over.
    fn outcome_zh(&self) -> String {
        match (self.suspended_for, self.due_on) {
            (Some(cause), _) if self.left >= 0 => {
                format!("因{}暂停，剩余 {} 天", cause.zh(), self.left)
            }
            (Some(cause), _) => format!("因{}暂停，已超期 {} 个工作日", cause.zh(), -self.left),
            (None, None) => format!("剩余 {} 天", self.left),
            (None, Some(due)) if due == self.today => "今天 24:00 到期".to_owned(),
            (None, Some(due)) if due > self.today => format!("{}到期", near_zh(due, self.today)),
            (None, Some(due)) if self.left < 0 => {
                format!(
                    "{}到期，已超期 {} 个工作日",
                    near_zh(due, self.today),
                    -self.left
                )
            }
            (None, Some(due)) => format!("{}已到期", near_zh(due, self.today)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Calendar, Cause, Limit, Suspension};
    use jiff::civil::{Date, date};

    fn limit(suspensions: &[(Cause, Date, Option<Date>)]) -> Limit {
        let suspensions = suspensions
            .iter()
            .map(|&(cause, suspended_on, resumed_on)| Suspension {
                cause,
                suspended_on,
                resumed_on,
            })
            .collect();
        Limit {
            suspensions,
            ..Limit::new(date(2026, 10, 27), 20)
        }
    }

    fn check(limit: &Limit, today: Date, sentence: &str) {
        assert_eq!(
            limit.standing(Calendar::official(), today).sentence_zh(),
            sentence
        );
    }

    #[test]
    fn says_why() {
        let corrected = limit(&[(
            Cause::Correction,
            date(2026, 11, 3),
            Some(date(2026, 11, 6)),
        )]);
        check(
            &corrected,
            date(2026, 11, 23),
            "承诺 20 个工作日，已用 16 天，补正 3 天不计，11月27日（周五）到期",
        );
        check(
            &corrected,
            date(2026, 11, 27),
            "承诺 20 个工作日，已用 20 天，补正 3 天不计，今天 24:00 到期",
        );
        check(
            &corrected,
            date(2026, 11, 28),
            "承诺 20 个工作日，已用 20 天，补正 3 天不计，11月27日（周五）已到期",
        );
        check(
            &corrected,
            date(2026, 12, 1),
            "承诺 20 个工作日，已用 22 天，补正 3 天不计，11月27日（周五）到期，已超期 2 个工作日",
        );
    }

    #[test]
    fn says_what_it_waits_for() {
        let noticed = limit(&[
            (
                Cause::Correction,
                date(2026, 11, 3),
                Some(date(2026, 11, 6)),
            ),
            (Cause::Notice, date(2026, 11, 18), None),
        ]);
        check(
            &noticed,
            date(2026, 11, 23),
            "承诺 20 个工作日，已用 13 天，补正 3 天、公示 3 天不计，因公示暂停，剩余 7 天",
        );
        check(
            &limit(&[]),
            date(2026, 10, 27),
            "承诺 20 个工作日，已用 0 天，11月24日（周二）到期",
        );
    }

    #[test]
    fn says_when_the_calendar_is_not_published() {
        check(
            &Limit::new(date(2026, 12, 15), 15),
            date(2026, 12, 18),
            "承诺 15 个工作日，已用 3 天，2027年1月6日（周三）到期（所涉年度放假安排尚未公布，日期为暂定）",
        );
    }
}
