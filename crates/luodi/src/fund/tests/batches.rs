//! Batches and payments, written as pages of a script.

use proptest::prelude::*;

use super::money::{Story, check, rule};
use super::*;
use crate::casework::{Duty, record_duty};
use crate::params;
use crate::store::testing::event;

#[test]
fn from_the_list_to_the_bank() {
    check(
        "case 甲 300.00
         case 乙 200.00
         case 丙 100.00
         batch
         = available 400.00 committed 600.00 batch proposed 甲 committed/proposed
         notice
         = batch noticed committed 600.00
         finalise
         = batch final payable 600.00 乙 payable/paying
         send
         = batch paying in-payment 600.00 payable 0.00
         reply 甲=成功 丙=退回
         = paid 300.00 payable 100.00 in-payment 200.00 甲 paid/paid 丙 payable/paying
         reply 乙=成功
         = paid 500.00 payable 100.00 batch paying
         send -> nothing-to-pay
         account 丙
         send
         reply 丙=成功
         = paid 600.00 available 400.00 batch done 丙 paid/paid",
    );
}

#[test]
fn an_objection_holds_only_its_beneficiary() {
    check(
        "case 甲 300.00
         case 乙 200.00
         case 丙 100.00
         batch
         notice
         hold 乙
         hold 乙
         hold 丙
         release 甲 -> not-held
         finalise
         = payable 300.00 committed 300.00 乙 committed/proposed
         finalise
         finalise-entry 乙 -> entry-not-waiting
         send
         = in-payment 300.00
         hold 甲 -> entry-too-late
         reply 甲=成功
         release 乙
         finalise-entry 乙
         = payable 200.00 乙 payable/paying
         hold 乙
         send -> nothing-to-pay
         remove 丙
         = committed 0.00 available 500.00 丙 removed/removed
         remove 丙 -> entry-too-late
         remove 甲 -> entry-too-late
         release 乙
         send
         reply 乙=成功
         = batch done paid 500.00 in-payment 0.00",
    );
}

#[test]
fn never_more_than_the_budget() {
    check(
        "case 甲 600.00
         case 乙 400.01
         batch -> over-budget
         = available 1000.00 committed 0.00",
    );
    check(
        "case 甲 600.00
         case 乙 400.00
         batch
         = available 0.00 committed 1000.00
         batch -> nothing-waits",
    );
}

#[test]
fn who_leaves_before_the_notice_waits_for_the_next_batch() {
    check(
        "case 甲 300.00
         case 乙 200.00
         batch
         remove 甲
         = available 800.00 committed 200.00 甲 removed/proposed
         notice
         batch
         = available 500.00 committed 500.00 甲 committed/proposed batch proposed",
    );
}

#[test]
fn steps_come_in_their_order() {
    check(
        "case 甲 300.00
         batch
         finalise -> not-noticed
         finalise-entry 甲 -> notice-running
         send -> not-final
         notice
         notice -> changed-meanwhile
         send -> not-final
         finalise
         remove 甲 -> entry-too-late
         send
         send -> nothing-to-pay",
    );
}

#[test]
fn without_an_approved_account_an_entry_waits() {
    check(
        "case 甲 300.00
         case-without-account 乙 200.00
         batch
         notice
         finalise
         send
         = in-payment 300.00 payable 200.00
         send -> nothing-to-pay
         account 乙
         send
         = in-payment 500.00 payable 0.00",
    );
}

#[test]
fn who_is_removed_last_ends_the_batch() {
    check(
        "case 甲 300.00
         batch
         notice
         remove 甲
         = batch done available 1000.00
         finalise",
    );
}

#[test]
fn who_decided_a_case_may_not_pay_it() {
    let mut story = Story::new();
    let case = story.case("甲", yuan("300.00"));
    story.account("甲");
    story.create().unwrap();
    for step in ["notice", "finalise"] {
        story.play(&[step]).unwrap();
    }
    let finance = story.city.finance.clone();
    story
        .city
        .write(move |tx| {
            tx.event(event());
            record_duty(tx, case, &finance, Duty::Decide)
        })
        .unwrap();
    let refusal = refused(story.send());
    assert_eq!(refusal.code, "incompatible-duties");
    assert!(
        refusal
            .message
            .starts_with("办件 330324-2026-000001（甲）："),
        "{}",
        refusal.message
    );
    assert_eq!(story.city.figures(story.line).payable, yuan("300.00"));
}

#[test]
fn roles_and_departments_are_kept_apart() {
    let mut story = Story::new();
    story.case("甲", yuan("300.00"));
    let (item, line) = (story.item, story.line);
    let mut elsewhere = story.handler();
    elsewhere.region = region("330382");
    for (actor, code) in [
        (story.city.finance.clone(), "role"),
        (elsewhere, "not-found"),
    ] {
        let outcome = story
            .city
            .write(move |tx| create_batch(tx, &actor, item, "2026Q3", line));
        assert_eq!(rule(outcome), code);
    }
    story.create().unwrap();
    let (batch, reviewer) = (story.found(), story.reviewer());
    let outcome = story
        .city
        .write(move |tx| create_payment_file(tx, &reviewer, batch.id, batch.version));
    assert_eq!(rule(outcome), "role");
}

/// A further role lets a person see the lists of another department; it does not let him keep them.
#[test]
fn another_departments_list_is_not_kept() {
    let mut story = Story::new();
    for name in ["甲", "乙"] {
        story.case(name, yuan("300.00"));
        story.account(name);
    }
    story.create().unwrap();
    let (batch, entry) = (story.found(), story.entry("甲"));
    let mut both = staff("both", Role::CaseHandler, None);
    both.roles = [Role::CaseHandler, Role::Approver, Role::Finance]
        .into_iter()
        .collect();
    both.department = Some(crate::ids::DepartmentId(Uuid::from_u128(9)));
    let sees = story.city.read(|q| find_batch(q, &both, batch.id));
    assert_eq!(sees.id, batch.id);
    let (_, page) = story.city.get(&both, &format!("/batches/{}", batch.id));
    assert!(!page.contains("remove_entry") && !page.contains("/notice\">公示"));
    let published = PublishedList {
        notice: crate::ids::NoticeId(Uuid::from_u128(1)),
        number: "永发改公示〔2026〕1号".to_owned(),
        lines: Vec::new(),
    };
    let city = &story.city;
    let actor = both.clone();
    let remove = move |tx: &Tx<'_>| remove_entry(tx, &actor, entry, "共用电表");
    assert_eq!(rule(city.write(remove.clone())), "role");
    let actor = both.clone();
    let notice = move |tx: &Tx<'_>| mark_noticed(tx, &actor, batch.id, batch.version, &published);
    assert_eq!(rule(city.write(notice)), "role");
    story.play(&["notice"]).unwrap();
    let actor = both.clone();
    let end = move |tx: &Tx<'_>| finalise(tx, &actor, batch.id).map(drop);
    assert_eq!(rule(story.city.write(end)), "role");
    story.play(&["hold", "乙"]).unwrap();
    story.play(&["finalise"]).unwrap();
    story.play(&["release", "乙"]).unwrap();
    let (actor, entry) = (both, story.entry("乙"));
    let end = move |tx: &Tx<'_>| finalise_entry(tx, &actor, entry);
    assert_eq!(rule(story.city.write(end)), "role");
}

/// A reply to a file of two lines, 甲 300.00 and 乙 200.00, is refused with this rule and changes
/// nothing; `FILE` stands for the right number.
fn reply_check(text: &str, expected: &[&str]) {
    let mut story = Story::new();
    for step in [
        &["case", "甲", "300.00"][..],
        &["case", "乙", "200.00"],
        &["batch"],
        &["notice"],
        &["finalise"],
        &["send"],
    ] {
        story.play(step).unwrap();
    }
    let file = story.last_file();
    let text = text.replace("FILE", &file.number);
    let refusal = refused(story.take(&file, text.as_bytes()));
    let found: Vec<&str> = refusal.fields.iter().map(|field| &*field.rule).collect();
    assert_eq!(found, expected, "{text}");
    assert_eq!(
        story.city.figures(story.line).in_payment,
        yuan("500.00"),
        "{text}"
    );
    assert_eq!(story.last_file().version, file.version, "{text}");
    story.holds(&text);
}

#[test]
fn a_wrong_reply_changes_nothing() {
    reply_check(
        "文件编号,ZF330324-2026-9999\n1,成功,,2026-11-23",
        &["reply-other-file"],
    );
    reply_check(
        "文件编号,FILE\n1,成功,,2026-11-23\n3,成功,,2026-11-23\n2,成功,,2026-11-24",
        &["reply-unknown-line", "reply-date-out-of-range"],
    );
    reply_check(
        "文件编号,FILE\n1,成功,,2026-11-22",
        &["reply-date-out-of-range"],
    );
    reply_check(
        "文件编号,FILE\n1,成功,,2026-11-23,300.01",
        &["reply-other-amount"],
    );
    reply_check(
        "文件编号,FILE\n1,成功,,2026-11-23\n1,退回,无,2026-11-23",
        &["reply-duplicate-line"],
    );
    reply_check(
        "文件编号,FILE\n1,成功,,2026-02-30\n2,也许,,2026-11-23",
        &["reply-impossible-date", "reply-unknown-result"],
    );
    reply_check(
        "文件编号,FILE\n笔数,2\n总金额（元）,500.01\n1,成功,,2026-11-23\n2,成功,,2026-11-23",
        &["reply-other-total"],
    );
}

/// What its own lines show, and what only the payment file shows, are told in one answer.
#[test]
fn every_fault_of_a_reply_is_told_at_once() {
    reply_check(
        "文件编号,FILE\n笔数,3\n行号,结果,原因,日期,金额\n1,成功,,2026-02-30,300.01\n\
         1,,,2026-11-23\n9,退回,,2026-11-24\n2,成功",
        &[
            "reply-other-count",
            "reply-impossible-date",
            "reply-other-amount",
            "reply-no-result",
            "reply-duplicate-line",
            "reply-no-reason",
            "reply-unknown-line",
            "reply-cells",
        ],
    );
    reply_check(
        "文件编号,OTHER\n1,也许,,2026-11-23",
        &["reply-other-file", "reply-unknown-result"],
    );
}

#[test]
fn a_reply_counts_once_and_may_come_in_parts() {
    let mut story = Story::new();
    for step in [
        &["case", "甲", "300.00"][..],
        &["case", "乙", "200.00"],
        &["batch"],
        &["notice"],
        &["finalise"],
        &["send"],
    ] {
        story.play(step).unwrap();
    }
    let file = story.last_file();
    let first = format!("文件编号,{}\n1,成功,,2026-11-23,300.00\n", file.number);
    let settled = story.take(&file, first.as_bytes()).unwrap();
    assert_eq!(
        settled.message(),
        "回单已登记：成功 1 笔 300.00 元，还有 1 笔待银行回单。"
    );
    let again = story.take(&file, first.as_bytes()).unwrap();
    assert_eq!(
        again.message(),
        "这份回单已于 2026-11-23 09:00 由finance 同志登记，没有重复登记，账目没有变动。"
    );
    // Other bytes, the same words: nothing new, so nothing is kept of it.
    let spaced = format!("{first}\n");
    let again = story.take(&file, spaced.as_bytes()).unwrap();
    assert!(
        again.repeated.as_ref().is_some_and(|before| !before.same),
        "{again:?}"
    );
    assert!(again.message().starts_with("这份回单的每一笔都已登记过"));
    let replies = |id| {
        story
            .city
            .read(|q| crate::fund::payment_queries::replies_of(q, id))
    };
    assert_eq!(replies(file.id).len(), 1);
    assert_eq!(story.last_file().version, file.version + 1);
    assert_eq!(story.city.figures(story.line).paid, yuan("300.00"));
    let whole = format!("{first}2,退回,账号不存在,2026-11-23\n");
    assert_eq!(
        rule(story.take(&file, whole.as_bytes())),
        "changed-meanwhile"
    );
    let now = story.last_file();
    let settled = story.take(&now, whole.as_bytes()).unwrap();
    assert_eq!((settled.paid, settled.returned, settled.waiting), (0, 1, 0));
    let other = format!("文件编号,{}\n1,退回,无,2026-11-23\n", file.number);
    let refusal = refused(story.take(&story.last_file(), other.as_bytes()));
    assert_eq!(refusal.fields[0].rule, "reply-contradiction");
    assert!(
        refusal.fields[0].message.contains("「已付，2026-11-23」"),
        "{refusal:?}"
    );
    assert_eq!(story.last_file().state, FileState::Answered);
    story.holds("after all");
}

#[test]
fn the_file_is_sealed_and_its_opening_logged() {
    let mut story = Story::new();
    for step in [
        &["case", "甲", "300.00"][..],
        &["batch"],
        &["notice"],
        &["finalise"],
        &["send"],
    ] {
        story.play(step).unwrap();
    }
    let (file, finance, reviewer) = (
        story.last_file(),
        story.city.finance.clone(),
        story.reviewer(),
    );
    let id = file.id;
    let (_, body) = story
        .city
        .write(move |tx| open_payment_file(tx, &finance, id))
        .unwrap();
    let text = String::from_utf8(body).unwrap();
    assert!(
        text.contains(&file.number) && text.contains(&file.sha256) && text.contains("300.00"),
        "{text}"
    );
    assert_eq!(
        rule(
            story
                .city
                .write(move |tx| open_payment_file(tx, &reviewer, id).map(drop))
        ),
        "role"
    );
    let sealed: Vec<u8> = story.city.read(|q| {
        Ok(q.row(
            "SELECT body_sealed FROM payment_file WHERE id = ?1",
            params![id],
            |row| row.get(0),
        )?)
    });
    assert!(!String::from_utf8_lossy(&sealed).contains("300.00"));
    let logged: i64 = story.city.read(|q| {
        let sql = "SELECT COUNT(*) FROM audit_event WHERE command = 'payment.download' AND subject_id = ?1";
        Ok(q.row(sql, params![id], |row| row.get(0))?)
    });
    assert_eq!(logged, 1);
}

#[test]
fn every_change_writes_its_event_and_stamps_its_rows() {
    let mut story = Story::new();
    for step in [
        &["case", "甲", "300.00"][..],
        &["case", "乙", "200.00"],
        &["batch"],
        &["notice"],
        &["hold", "乙"],
        &["finalise"],
        &["send"],
        &["reply", "甲=成功"],
        &["remove", "乙"],
    ] {
        story.play(step).unwrap();
    }
    for table in [
        "ledger_entry",
        "batch",
        "batch_entry",
        "payment_file",
        "payment",
        "bank_reply",
        "budget_line",
    ] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE last_event IS NULL");
        let bare: i64 = story
            .city
            .read(|q| Ok(q.row(&sql, params![], |row| row.get(0))?));
        assert_eq!(bare, 0, "{table}");
    }
}

#[test]
fn what_other_domains_see_of_the_money() {
    let mut story = Story::new();
    for step in [
        &["case", "甲", "300.00"][..],
        &["batch"],
        &["notice"],
        &["finalise"],
        &["send"],
        &["reply", "甲=退回"],
        &["account", "甲"],
        &["send"],
        &["reply", "甲=成功"],
    ] {
        story.play(step).unwrap();
    }
    let entry = story.entries().remove(0);
    let money = story.city.read(|q| of_case(q, entry.case)).unwrap();
    let payments: Vec<(&str, Option<&str>)> = money
        .payments
        .iter()
        .map(|payment| (payment.state_words, payment.reason.as_deref()))
        .collect();
    assert_eq!(payments, [("退回", Some("账号不存在")), ("已付", None)]);
    assert_eq!(
        (money.state_words.as_str(), money.amount),
        ("已付", yuan("300.00"))
    );
    assert_eq!(
        story
            .city
            .read(|q| received_by(q, &story.city.finance, entry.party)),
        (1, yuan("300.00"))
    );
    let paid = story.city.read(|q| paid_in_year(q, region("330300"), 2026));
    assert_eq!((paid.count, paid.amount), (1, yuan("300.00")));
    assert_eq!(
        story
            .city
            .read(|q| paid_in_year(q, region("330382"), 2026))
            .count,
        0
    );
}

/// A step of a random story.
#[derive(Clone, Debug)]
enum Step {
    On(&'static str, usize),
    All(&'static str),
    Reply(Vec<(usize, bool)>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop::sample::select(vec!["hold", "release", "remove", "finalise-entry", "account"]), 0usize..5)
            .prop_map(|(word, at)| Step::On(word, at)),
        5 => prop::sample::select(vec!["batch", "notice", "finalise", "send"]).prop_map(Step::All),
        3 => proptest::collection::vec((0usize..5, any::<bool>()), 1..4).prop_map(Step::Reply),
    ]
}

const NAMES: [&str; 5] = ["甲", "乙", "丙", "丁", "戊"];

/// Plays one random step; refused or not, the book must hold.
fn play(story: &mut Story, step: &Step) -> Result<()> {
    match step {
        Step::On("account", at) => story.play(&["account", NAMES[*at]]),
        Step::On(word, at) => {
            let listed = story.entries();
            let Some(entry) = listed.get(at % listed.len().max(1)) else {
                return Ok(());
            };
            let name = entry.party_name.clone();
            story.play(&[word, &name])
        }
        Step::All(word) => story.play(&[word]),
        Step::Reply(answers) => {
            let batch = story.batch.unwrap();
            let Some(file) = story.city.read(|q| last_file_of(q, batch)) else {
                return Ok(());
            };
            let lines = story
                .city
                .read(|q| crate::fund::payment_queries::payments_of(q, file.id));
            let mut said: std::collections::BTreeMap<&str, &str> = Default::default();
            for (at, paid) in answers {
                let line = &lines[at % lines.len()];
                said.insert(&line.party_name, if *paid { "成功" } else { "退回" });
            }
            let said: Vec<String> = said
                .iter()
                .map(|(name, result)| format!("{name}={result}"))
                .collect();
            let said: Vec<&str> = said.iter().map(String::as_str).collect();
            story.play(&[&["reply"], said.as_slice()].concat())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_book_is_whole(
        amounts in proptest::collection::vec(1i64..30_000, 5),
        steps in proptest::collection::vec(step(), 1..30),
    ) {
        let mut story = Story::new();
        for (name, amount) in NAMES.iter().zip(amounts) {
            story.case(name, Fen(amount));
            if *name != "戊" {
                story.account(name);
            }
        }
        if story.create().is_err() {
            return Ok(());
        }
        for step in &steps {
            if let Err(Error::Store(fault)) = play(&mut story, step) {
                panic!("{step:?}: {fault}");
            }
            story.holds(&format!("{step:?}"));
            let figures = story.city.figures(story.line);
            let placed = figures.each()[1..].iter().fold(Fen::ZERO, |sum, (_, fen)| sum + *fen);
            prop_assert_eq!(figures.budget, placed);
        }
    }
}

/// Changes a row of a batch that is partly paid behind the program's back; gives what is found.
fn damaged(sql: &'static str) -> Vec<&'static str> {
    let mut story = Story::new();
    for step in [
        &["case", "甲", "300.00"][..],
        &["case", "乙", "200.00"],
        &["batch"],
        &["notice"],
        &["finalise"],
        &["send"],
        &["reply", "甲=成功"],
    ] {
        story.play(step).unwrap();
    }
    story
        .city
        .write(move |tx| Ok(tx.execute(sql, params![])?))
        .unwrap();
    let verified = story.city.verify();
    assert!(!verified.ok, "{sql}");
    verified
        .findings
        .iter()
        .map(|finding| finding.code)
        .collect()
}

#[test]
fn a_damaged_batch_is_found() {
    for (sql, codes) in [
        (
            "UPDATE batch_entry SET amount_fen = 30001 WHERE position = 1",
            vec!["batch-entry-differs", "payment-differs"],
        ),
        (
            "UPDATE batch_entry SET state = 'payable' WHERE position = 1",
            vec!["batch-entry-differs", "payment-differs"],
        ),
        (
            "UPDATE batch_entry SET state = 'removed' WHERE position = 2",
            vec!["batch-entry-differs", "payment-differs"],
        ),
        (
            "UPDATE payment SET state = 'returned' WHERE line_number = 1",
            vec!["payment-differs", "reply-differs"],
        ),
        (
            "UPDATE bank_reply SET paid_fen = paid_fen + 1",
            vec!["reply-differs"],
        ),
        (
            "UPDATE ledger_entry SET subject_id = budget_line_id WHERE movement = 'commit'",
            vec![
                "entry-of-nobody",
                "entry-of-nobody",
                "batch-entry-differs",
                "batch-entry-differs",
            ],
        ),
        (
            "UPDATE ledger_entry SET subject_kind = 'budget_line', subject_id = budget_line_id \
             WHERE movement = 'settle'",
            vec!["entry-of-nobody", "batch-entry-differs"],
        ),
        (
            "UPDATE payment_file SET total_fen = 50001",
            vec!["payment-file-differs"],
        ),
    ] {
        assert_eq!(damaged(sql), codes, "{sql}");
    }
}
