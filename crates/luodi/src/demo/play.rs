//! Plays the plans in the order of time, each step by the right person through the same command as
//! real work, and the jobs that come due between.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;
use jiff::civil::Date;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use vocab::Calendar;

use super::batches::Known;
use super::paper;
use super::plan::{CasePlan, Step, working_days_before};
use super::town::{Town, missing};
use crate::access::Role;
use crate::attachment;
use crate::casework::{self, Completion, Submission};
use crate::form::Values;
use crate::ids::CaseId;
use crate::item;
use crate::refusal::{Error, Refusal, Result};
use crate::web::Upload;

/// Something that is to happen at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    /// The n-th case is submitted.
    Submit(usize),
    /// The n-th case takes its k-th step.
    Step(usize, usize),
    /// A county makes its batch of a quarter: county, and whether it is the earlier quarter.
    Batch(usize, bool),
    /// The batch's list is published.
    Publish(usize, bool),
    /// Somebody objects to a line of the notice.
    Object(usize, bool),
    /// The objection is answered.
    AnswerObjection(usize, bool),
    /// A payment file leaves.
    Pay(usize, bool),
    /// The bank answers.
    Reply(usize, bool),
}

/// The play of one demonstration.
pub(super) struct Play<'a> {
    pub(super) town: &'a Town,
    pub(super) rng: ChaCha20Rng,
    plans: Vec<CasePlan>,
    cases: Vec<Option<CaseId>>,
    pub(super) known: [[Known; 2]; 2],
    queue: BinaryHeap<Reverse<(Timestamp, Act)>>,
    today: Date,
    until: Timestamp,
}

impl<'a> Play<'a> {
    pub(super) fn new(
        town: &'a Town,
        rng: ChaCha20Rng,
        plans: Vec<CasePlan>,
        today: Date,
        until: Timestamp,
    ) -> Self {
        let cases = vec![None; plans.len()];
        let queue = BinaryHeap::new();
        Self {
            town,
            rng,
            plans,
            cases,
            known: Default::default(),
            queue,
            today,
            until,
        }
    }

    /// Plays everything up to the demonstration's today.
    pub(super) fn run(&mut self) -> Result<()> {
        self.schedule();
        while let Some(Reverse((at, act))) = self.queue.pop() {
            if at > self.until {
                break;
            }
            self.town.advance(at)?;
            self.act(at, act)?;
        }
        self.town.advance(self.until)
    }

    fn schedule(&mut self) {
        let submissions: Vec<(usize, Date)> = self
            .plans
            .iter()
            .enumerate()
            .map(|(number, plan)| (number, plan.submitted_on))
            .collect();
        for (number, day) in submissions {
            let day = next_working_day(day);
            self.put(day, Act::Submit(number));
        }
        let Some(latest) = self.plans.iter().map(|plan| plan.quarter).max() else {
            return;
        };
        for county in 0..2 {
            self.put(
                after(latest.previous().last_day(), 46),
                Act::Batch(county, true),
            );
            // On the demonstration's day one county's notice is over and waits for its money, the
            // other's runs.
            let ago = 9 - 5 * county as u32;
            let day = working_days_before(self.today, ago).max(after(latest.last_day(), 5));
            self.put(day, Act::Batch(county, false));
        }
    }

    /// Something happens on a working day, in office hours.
    fn put(&mut self, day: Date, act: Act) {
        let minutes = self.rng.random_range(0..450);
        let time = day
            .at(8, 30, 0, 0)
            .checked_add(jiff::Span::new().minutes(minutes));
        let at =
            time.and_then(|time| jiff::tz::TimeZone::fixed(jiff::tz::offset(8)).to_timestamp(time));
        if let Ok(at) = at {
            self.queue.push(Reverse((at, act)));
        }
    }

    pub(super) fn put_after(&mut self, at: Timestamp, working_days: u32, act: Act) {
        self.put(after(crate::store::day_in_china(at), working_days), act);
    }

    fn act(&mut self, at: Timestamp, act: Act) -> Result<()> {
        match act {
            Act::Submit(number) => self.submit(at, number),
            Act::Step(number, step) => self.step(at, number, step),
            Act::Batch(county, earlier) => self.batch(at, county, earlier),
            Act::Publish(county, earlier) => self.publish(at, county, earlier),
            Act::Object(county, earlier) => self.object(at, county, earlier),
            Act::AnswerObjection(county, earlier) => self.answer_objection(at, county, earlier),
            Act::Pay(county, earlier) => self.pay(at, county, earlier),
            Act::Reply(county, earlier) => self.reply(at, county, earlier),
        }
    }

    /// The quarter a batch is for.
    pub(super) fn period(&self, earlier: bool) -> Result<String> {
        let latest = self
            .plans
            .iter()
            .map(|plan| plan.quarter)
            .max()
            .ok_or_else(|| missing("plan"))?;
        Ok(if earlier { latest.previous() } else { latest }.to_string())
    }

    fn plan(&self, number: usize) -> Result<CasePlan> {
        self.plans
            .get(number)
            .cloned()
            .ok_or_else(|| missing("plan"))
    }

    fn submit(&mut self, at: Timestamp, number: usize) -> Result<()> {
        let plan = self.plan(number)?;
        let applicant = self
            .town
            .applicant(plan.county, plan.enterprise, plan.turn)?;
        let (actor, channel) = match &applicant.account {
            Some(account) => (account.clone(), "online"),
            None => (
                self.town.staff(plan.county, Role::WindowClerk, 0)?,
                "window",
            ),
        };
        let values = self.values(&plan, number, &applicant)?;
        let submission = Submission {
            item: self.town.item(plan.county)?,
            party: applicant.party,
            channel,
            values,
            bank_account: applicant.bank_account,
            draft: None,
            seen: None,
        };
        let papers = papers(&plan, number);
        let kept = papers
            .into_iter()
            .map(|(slot, upload)| {
                let owner = applicant.party.0;
                attachment::keep(self.town.store(), at, owner, slot, &upload, &[])
            })
            .collect::<Result<Vec<_>>>()?;
        let done = self.town.command("case.submit", at, move |tx| {
            casework::submit_with(tx, &actor, &submission, &kept)
        })?;
        if let Some(case) = self.cases.get_mut(number) {
            *case = Some(done.case);
        }
        if let Some((days, _)) = plan.steps.first() {
            self.put_after(at, *days, Act::Step(number, 0));
        }
        Ok(())
    }

    /// The form as the applicant fills it in.
    fn values(
        &mut self,
        plan: &CasePlan,
        number: usize,
        applicant: &super::town::Applicant,
    ) -> Result<Values> {
        let county = super::people::COUNTIES
            .get(plan.county)
            .copied()
            .ok_or_else(|| missing("county"))?;
        let connected = if plan.old_basis {
            format!(
                "2015-{:02}-{:02}",
                self.rng.random_range(3..12),
                self.rng.random_range(1..28)
            )
        } else {
            format!(
                "2019-{:02}-{:02}",
                self.rng.random_range(1..12),
                self.rng.random_range(1..28)
            )
        };
        let typed = self.typed(plan, number, applicant, county, connected);
        let posted: Vec<(String, String)> = typed
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let slots = [
            "filing_notice",
            "grid_acceptance",
            "meter_reading",
            "licence",
            "identity_card",
        ];
        let package = self.town.package()?;
        package
            .form
            .read(&posted, &slots, self.today)
            .map_err(|errors| Refusal::fields(errors).into())
    }

    /// What stands in each field.
    fn typed(
        &self,
        plan: &CasePlan,
        number: usize,
        applicant: &super::town::Applicant,
        county: super::people::County,
        connected: String,
    ) -> [(&'static str, String); 12] {
        let kw = decimal(plan.filed_kw_hundredths, 2);
        let kwh = decimal(plan.generated_kwh_tenths, 1);
        [
            (
                "applicant_kind",
                if plan.enterprise {
                    "enterprise"
                } else {
                    "person"
                }
                .to_owned(),
            ),
            ("contact_name", applicant.contact.clone()),
            ("contact_phone", applicant.phone.clone()),
            (
                "project_name",
                format!("{kw} 千瓦屋顶光伏（示范 {number:02}）"),
            ),
            (
                "filing_number",
                format!("1508-{}-04-01-{:06}", county.region, 100_000 + number),
            ),
            ("filed_kw", kw),
            ("grid_connected_on", connected),
            (
                "site_address",
                format!("{}示范街道屋顶 {} 号", county.full, number + 1),
            ),
            ("quarter", plan.quarter.to_string()),
            (
                "meter_no",
                format!("33{:010}", 4_000_000 + plan.county * 1_000 + number),
            ),
            ("generated_kwh", kwh),
            ("declaration", "true".to_owned()),
        ]
    }

    fn step(&mut self, at: Timestamp, number: usize, step: usize) -> Result<()> {
        let plan = self.plan(number)?;
        let case = self
            .cases
            .get(number)
            .copied()
            .flatten()
            .ok_or_else(|| missing("case"))?;
        let Some((_, what)) = plan.steps.get(step).cloned() else {
            return Ok(());
        };
        self.take(at, &plan, number, case, &what)?;
        if let Some((days, _)) = plan.steps.get(step + 1) {
            self.put_after(at, *days, Act::Step(number, step + 1));
        }
        Ok(())
    }

    fn take(
        &mut self,
        at: Timestamp,
        plan: &CasePlan,
        number: usize,
        case: CaseId,
        what: &Step,
    ) -> Result<()> {
        match what {
            Step::Answer => self.answer(at, plan, case),
            Step::Withdraw(reason) => {
                let applicant = self
                    .town
                    .applicant(plan.county, plan.enterprise, plan.turn)?;
                let actor = self.town.for_party(&applicant);
                let reason = (*reason).to_owned();
                self.town.command("case.withdraw", at, move |tx| {
                    let version = casework::find_case(tx, &actor, case)?.version;
                    casework::withdraw(tx, &actor, case, version, &reason)
                })?;
                Ok(())
            }
            other => self.complete(at, plan, number, case, other),
        }
    }

    fn complete(
        &mut self,
        at: Timestamp,
        plan: &CasePlan,
        number: usize,
        case: CaseId,
        what: &Step,
    ) -> Result<()> {
        let (outcome, reason, correction, role) = match what {
            Step::Accept => ("accept", "", "", Role::WindowClerk),
            Step::Refuse(reason) => ("refuse", *reason, "", Role::WindowClerk),
            Step::AskCorrection(kind, reason) => ("correct", *reason, *kind, Role::CaseHandler),
            Step::Pass => (
                "pass",
                "材料齐全，数据与抄表单一致。",
                "",
                Role::CaseHandler,
            ),
            Step::Reject(reason) => ("reject", *reason, "", Role::CaseHandler),
            Step::Inspect(_) => ("pass", "", "", Role::CaseHandler),
            Step::Approve => ("approve", "同意。", "", Role::Approver),
            Step::Return(reason) => ("return", *reason, "", Role::Approver),
            Step::Answer | Step::Withdraw(_) => return Err(missing("step")),
        };
        let open = self.town.read(move |q| casework::open_task(q, case))?;
        // What the item's procedure asks decides who acts: a correction can be asked by the window.
        let role = Role::from_code(&open.role).unwrap_or(role);
        let actor = self.town.staff(plan.county, role, number % 2)?;
        let second = self
            .town
            .staff(plan.county, Role::CaseHandler, number % 2 + 1)?;
        let mut values = Values::default();
        if let Step::Inspect(per_cent) = what {
            let measured = decimal(plan.filed_kw_hundredths * i64::from(*per_cent) / 100, 2);
            values.set("inspected_on", crate::store::day_in_china(at).to_string());
            values.set("measured_kw", measured);
            let findings = if *per_cent > 100 {
                "现场组件多于备案数量，实测容量超过备案容量，已拍照留存（示范）。"
            } else {
                "组件、逆变器和并网柜与备案材料一致，现场拍照留存（示范）。"
            };
            values.set("findings", findings);
        }
        let completion = Completion {
            case,
            task: open.id,
            version: open.version,
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
            correction: correction.to_owned(),
            values,
            second_officer: matches!(what, Step::Inspect(_)).then(|| second.account_id()),
        };
        self.town.command("case.complete_task", at, move |tx| {
            casework::complete_task(tx, &actor, &completion)
        })?;
        Ok(())
    }

    fn answer(&mut self, at: Timestamp, plan: &CasePlan, case: CaseId) -> Result<()> {
        let applicant = self
            .town
            .applicant(plan.county, plan.enterprise, plan.turn)?;
        let actor = self.town.for_party(&applicant);
        let keep = |slot: &str, name: &str| {
            let mut kept = self.town.keep_paper(at, applicant.party.0, slot, name)?;
            kept.single = true;
            Ok::<_, Error>(kept)
        };
        let filing = keep("filing_notice", "更正后的备案通知书（示范）.pdf")?;
        let reading = keep("meter_reading", "更正后的抄表单（示范）.pdf")?;
        self.town.command("case.answer_correction", at, move |tx| {
            let open = casework::open_task(tx, case)?;
            let row = casework::find_case(tx, &actor, case)?;
            let package = item::load(tx, &row.item_hash)?;
            let mut values = package
                .form
                .open(&row.form.read()?, &|sealed| tx.open(row.party.0, sealed))?;
            // A filing that was corrected says what was measured.
            let of_filing = package
                .task(&open.node)
                .is_some_and(|spec| spec.asks.is_some());
            if of_filing {
                let measured = casework::entered(tx, case, "measured_kw")?.unwrap_or_default();
                values.set("filed_kw", measured);
            }
            let paper = if of_filing { &filing } else { &reading };
            let waiting = attachment::Subject::Task(open.id);
            attachment::add(tx, &actor.name, waiting, paper)?;
            casework::answer_correction(
                tx,
                &actor,
                open.id,
                open.version,
                &values,
                "已按告知内容补正。",
            )
        })?;
        Ok(())
    }
}

/// The papers of an application.
fn papers(plan: &CasePlan, number: usize) -> Vec<(&'static str, Upload)> {
    let identity = if plan.enterprise {
        ("licence", "营业执照")
    } else {
        ("identity_card", "身份证")
    };
    [
        ("filing_notice", "备案通知书"),
        ("grid_acceptance", "并网验收单"),
        ("meter_reading", "抄表单"),
        identity,
    ]
    .into_iter()
    .map(|(slot, name)| {
        let bytes = paper::pdf(&format!("DEMONSTRATION {slot} {number:04}"));
        let file_name = format!("{name}-{number:02}（示范）.pdf");
        (
            slot,
            Upload {
                field: slot.to_owned(),
                file_name,
                bytes: bytes.into(),
            },
        )
    })
    .collect()
}

/// Hundredths or tenths as a decimal text without trailing zeros lost: 41250, 2 → 412.50.
fn decimal(value: i64, places: u32) -> String {
    let unit = 10_i64.pow(places);
    format!(
        "{}.{:0width$}",
        value / unit,
        value % unit,
        width = places as usize
    )
}

/// The day itself if it is a working day, else the next one.
fn next_working_day(day: Date) -> Date {
    let calendar = Calendar::official();
    if calendar.is_working_day(day).0 {
        day
    } else {
        after(day, 1)
    }
}

pub(super) fn after(day: Date, working_days: u32) -> Date {
    Calendar::official()
        .add_working_days(day, working_days)
        .date
}
