//! Publishing a notice: who may, for how long, what the public sees of each beneficiary.

use jiff::civil::{Date, Time};
use jiff::tz::{TimeZone, offset};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vocab::{Calendar, Phone};

use super::{Channel, END_JOB, NoticeState};
use crate::access::{Actor, Role, Scope, may_see};
use crate::account;
use crate::casework;
use crate::fund::{self, BatchRow, EntryRow, PublishedLine, PublishedList};
use crate::ids::{BatchId, NoticeEntryId, NoticeId};
use crate::item;
use crate::number;
use crate::params;
use crate::party;
use crate::refusal::{Refusal, Refusals, Result};
use crate::store::{Event, Job, Query, StoreError, Tx};

/// The shortest period of a notice in working days after the day of publication.
pub const MIN_WORKING_DAYS: u32 = 5;
/// The longest period in calendar days: a slip of the pen holds nobody's money for months.
const MAX_DAYS: i64 = 60;

/// Roles that publish and end notices.
pub(super) const PUBLISHERS: &[Role] = &[Role::Reviewer, Role::Approver];

/// A notice to be published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The batch whose list is shown.
    pub batch: BatchId,
    /// The version of the batch the page showed.
    pub version: i64,
    /// Title.
    pub title: String,
    /// The legal basis.
    pub basis: String,
    /// Last day.
    pub ends_on: Date,
    /// Where objections go besides the web.
    pub channel: Channel,
}

/// A published notice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published {
    /// Id.
    pub id: NoticeId,
    /// Number of the paper.
    pub number: String,
}

/// The earliest last day of a notice published today.
pub fn earliest_end(today: Date) -> Date {
    Calendar::official()
        .add_working_days(today, MIN_WORKING_DAYS)
        .date
}

/// Publishes the list of a batch: numbers it, masks the names of natural persons, stops the clocks
/// of its cases for the days of the notice and plans its end.
///
/// # Errors
/// Refused where the actor does not publish for this department, the period is too short, a field
/// is missing, or the batch has changed or was published before.
pub fn publish(tx: &Tx<'_>, actor: &Actor, new: &Publication) -> Result<Published> {
    let (batch, entries) = fund::batch_for_notice(tx, new.batch)?;
    may_publish(actor, &scope_of(&batch))?;
    check(new, tx.today(), Refusals::default())?;
    if entries.is_empty() {
        let message = "这个批次没有拟补对象，不能公示。请先在批次中列入已审批的办件。";
        return Err(Refusal::conflict("batch-empty", message).into());
    }
    let number = next_number(tx, &batch)?;
    let id = NoticeId(tx.new_id());
    let lines = entries.iter().map(|entry| {
        Ok(PublishedLine {
            entry: entry.id,
            name: party::masked_name(&entry.party_kind, &entry.party_name),
            summary: summary(tx, actor, entry)?,
        })
    });
    let published = PublishedList {
        notice: id,
        number: number.clone(),
        lines: lines.collect::<Result<_>>()?,
    };
    fund::mark_noticed(tx, actor, new.batch, new.version, &published)?;
    insert(tx, actor, &batch, new, &published)?;
    let mut rows = vec![("notice", id.0)];
    for (position, (entry, line)) in (1i64..).zip(entries.iter().zip(&published.lines)) {
        rows.push((
            "notice_entry",
            insert_entry(tx, id, position, entry, line)?.0,
        ));
        let note = format!("公示 {number}");
        casework::enter_notice(tx, actor, entry.case, &note)?;
        tell(tx, entry, &number, new.ends_on)?;
    }
    tx.enqueue_job(&Job {
        kind: END_JOB,
        key: Some(id.to_string()),
        payload: json!({ "notice": id }),
        due_at: end_of_day(new.ends_on)?,
    })?;
    let detail = json!({ "number": &number, "entries": entries.len(), "ends_on": new.ends_on });
    let (actor, command) = (actor.to_ref(), "notice.publish");
    tx.event(Event {
        actor,
        command,
        subject: ("notice", id.0),
        detail,
        rows,
    });
    Ok(Published { id, number })
}

fn scope_of(batch: &BatchRow) -> Scope {
    Scope {
        region: batch.region,
        department: Some(batch.department),
        party: None,
    }
}

/// Refuses who is not reviewer or approver of the department.
///
/// # Errors
/// Refused as not found outside the actor's scope, and without the role.
pub(super) fn may_publish(actor: &Actor, scope: &Scope) -> Result<()> {
    if !may_see(actor, scope) {
        return Err(
            Refusal::not_found("没有这个批次，或者您无权查看。请从批次列表重新进入。").into(),
        );
    }
    if actor.roles.any(PUBLISHERS) && actor.department == scope.department {
        return Ok(());
    }
    let message = "公示由本部门的审核人或审批人办理，您的账号没有这个岗位。";
    Err(Refusal::forbidden("notice-role", message).into())
}

/// The fields of the form, in its order.
const FORM: &[&str] = &["title", "ends_on", "basis", "address", "phone", "mail"];

/// Every rule of a notice's form, besides what is known to be wrong.
///
/// # Errors
/// Refused with all fields that break a rule.
pub(super) fn check(new: &Publication, today: Date, mut wrong: Refusals) -> Result<(), Refusal> {
    let mut refuse = |field: &str, rule: &'static str, message: String| {
        wrong.add(field, rule, message);
    };
    let texts = [
        ("title", &new.title, 100, "标题"),
        ("basis", &new.basis, 1_000, "公示依据"),
        ("address", &new.channel.address, 100, "受理地址"),
    ];
    for (field, text, most, name) in texts {
        match text.trim().chars().count() {
            0..2 => refuse(field, "required", format!("请填写{name}。")),
            long if long > most => refuse(
                field,
                "max-length",
                format!("{name}不超过 {most} 字，请精简。"),
            ),
            _ => {}
        }
    }
    if let Err(error) = Phone::parse(&new.channel.phone) {
        refuse("phone", error.code(), format!("{}。", error.message_zh()));
    }
    let mail = new.channel.mail.trim();
    if !mail.is_empty()
        && (mail.len() > 100 || mail.split('@').filter(|part| !part.is_empty()).count() != 2)
    {
        refuse(
            "mail",
            "mail",
            "邮箱格式不对，例如 fgj@example.cn。没有可以不填。".to_owned(),
        );
    }
    let earliest = earliest_end(today);
    if new.ends_on < earliest {
        let message =
            format!("公示期不少于 {MIN_WORKING_DAYS} 个工作日，截止日期最早为 {earliest}。");
        refuse("ends_on", "notice-period", message);
    } else if today
        .checked_add(MAX_DAYS.days())
        .is_ok_and(|latest| new.ends_on > latest)
    {
        refuse(
            "ends_on",
            "notice-period-long",
            format!("公示期不超过 {MAX_DAYS} 天，请核对截止日期。"),
        );
    }
    wrong.in_order(FORM)
}

/// 永发改公示〔2026〕3号: no gaps within the department's word and year. A word that was another
/// department's goes on where that one stopped.
fn next_number(tx: &Tx<'_>, batch: &BatchRow) -> Result<String> {
    let missing = || StoreError::NotFound(format!("department {}", batch.department));
    let department = account::department(tx, batch.department)?.ok_or_else(missing)?;
    let year = tx.today().year();
    let word = &department.paper_word;
    loop {
        let next = number::next(tx, &format!("notice {word} {year}"))?;
        let paper = format!("{word}公示〔{year}〕{next}号");
        // Numbers given before the series went by the word are passed over.
        let sql = "SELECT 1 FROM notice WHERE number = ?1";
        let taken: Option<i64> = tx.row_opt(sql, params![&paper], |row| row.get(0))?;
        if taken.is_none() {
            return Ok(paper);
        }
    }
}

/// The last number of each word and year.
///
/// # Errors
/// A fault of the store.
pub fn numbers(q: &dyn Query) -> Result<number::Last, StoreError> {
    number::borne(q, "SELECT number FROM notice", |paper| {
        let (word, rest) = paper.split_once("公示〔")?;
        let (year, rest) = rest.split_once('〕')?;
        let number = rest.strip_suffix('号')?.parse().ok()?;
        Some((format!("notice {word} {year}"), number))
    })
}

fn insert(
    tx: &Tx<'_>,
    actor: &Actor,
    batch: &BatchRow,
    new: &Publication,
    published: &PublishedList,
) -> Result<()> {
    let channel = json!(Channel {
        address: new.channel.address.trim().to_owned(),
        phone: new.channel.phone.trim().to_owned(),
        mail: new.channel.mail.trim().to_owned(),
    });
    tx.execute(
        "INSERT INTO notice (id, number, batch_id, region_code, department_id, title, basis, channel, \
         starts_on, ends_on, state, published_by, published_at, demo, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 1)",
        params![
            published.notice,
            &published.number,
            new.batch,
            batch.region,
            batch.department,
            new.title.trim(),
            new.basis.trim(),
            channel,
            tx.today(),
            new.ends_on,
            NoticeState::Open.code(),
            actor.account_id(),
            tx.now(),
            batch.demo
        ],
    )?;
    Ok(())
}

fn insert_entry(
    tx: &Tx<'_>,
    notice: NoticeId,
    position: i64,
    entry: &EntryRow,
    line: &PublishedLine,
) -> Result<NoticeEntryId> {
    let id = NoticeEntryId(tx.new_id());
    tx.execute(
        "INSERT INTO notice_entry (id, notice_id, position, batch_entry_id, case_id, party_id, \
         masked_name, summary, amount_fen) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            id,
            notice,
            position,
            entry.id,
            entry.case,
            entry.party,
            &line.name,
            &line.summary,
            entry.amount
        ],
    )?;
    Ok(id)
}

/// What the item publishes of a case (its `notice_summary`), none of it personal: 备案容量 8 kW，…;
/// the case's title where the item names nothing.
pub(super) fn summary(q: &dyn Query, actor: &Actor, entry: &EntryRow) -> Result<String> {
    let case = casework::find_case(q, actor, entry.case)?;
    let package = item::load(q, &case.item_hash)?;
    let rows = package.notice_summary(&package.form.unsealed(&case.form.read()?));
    let told = rows.iter().filter(|row| !row.text.is_empty());
    let told: Vec<String> = told
        .map(|row| match row.unit.as_str() {
            "" => format!("{} {}", row.label, row.text),
            unit => format!("{} {} {unit}", row.label, row.text),
        })
        .collect();
    Ok(if told.is_empty() {
        entry.title.clone()
    } else {
        told.join("，")
    })
}

fn tell(tx: &Tx<'_>, entry: &EntryRow, number: &str, ends_on: Date) -> Result<()> {
    let title = format!("已列入公示：{}", entry.title);
    let body = format!(
        "您申报的项目已列入拟补名单公示（{number}），公示到 {ends_on} 为止。公示期间不计入办理时限。"
    );
    party::notify(tx, entry.party, Some(entry.case), &title, &body)
}

/// 24:00 of a day in China.
fn end_of_day(day: Date) -> Result<Timestamp> {
    let beyond = |error: jiff::Error| StoreError::Value(format!("end of {day}: {error}"));
    let next = day
        .tomorrow()
        .map_err(beyond)?
        .to_datetime(Time::midnight());
    Ok(TimeZone::fixed(offset(8))
        .to_timestamp(next)
        .map_err(beyond)?)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn only_enterprises_are_named_in_full() {
        for (kind, name, shown) in [
            (
                "enterprise",
                "永嘉阳光新能源有限公司",
                "永嘉阳光新能源有限公司",
            ),
            ("person", "王小明", "王*明"),
            ("person", "欧阳修", "欧阳*"),
            ("", "王明", "王*"),
        ] {
            assert_eq!(party::masked_name(kind, name), shown);
        }
    }

    #[test]
    fn a_notice_runs_five_working_days() {
        // Monday to Monday; over the National Day of 2026 it takes until 12 October.
        assert_eq!(earliest_end(date(2026, 11, 23)), date(2026, 11, 30));
        let autumn = earliest_end(date(2026, 9, 29));
        assert_eq!(
            Calendar::official().working_days_between(date(2026, 9, 29), autumn),
            5
        );
        assert!(autumn > date(2026, 10, 7));
    }

    #[test]
    fn a_period_ends_at_midnight_in_china() {
        let end = end_of_day(date(2026, 11, 30)).unwrap();
        assert_eq!(end.to_string(), "2026-11-30T16:00:00Z");
    }
}
