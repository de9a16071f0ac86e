//! A county with an item, approved cases that wait for a batch, and a script that plays their way
//! to the bank, one step a line.

use process::{ConditionError, Conditions, Effect, Flow, Input};
use vocab::{BankAccountNumber, BankCode};

use super::*;
use crate::casework;
use crate::fund::outcome::{list_outcomes, sum_outcomes};
use crate::ids::{BatchEntryId, BatchId, CaseId, ItemId, NoticeId, PartyId, PaymentFileId};
use crate::item::{self, Package};
use crate::params;
use crate::party::bank_account::{self, NewBankAccount};

/// Everything is approved and nothing needs a correction.
struct Smooth;

impl Conditions for Smooth {
    fn holds(&mut self, flow: &Flow) -> std::result::Result<bool, ConditionError> {
        let text = flow.condition.as_deref().unwrap_or_default();
        Ok(["\"accept\"", "\"pass\"", "\"approve\""]
            .iter()
            .any(|word| text.contains(word)))
    }
}

/// The process as it stands when the case waits for its batch, and the number of the task.
fn process_before_notice(package: &Package) -> (String, u32) {
    let (mut state, mut inputs) = (process::State::new(), vec![Input::Start]);
    for _ in 0..50 {
        let step = process::step(&package.process, &state, inputs.remove(0), &mut Smooth).unwrap();
        state = step.state;
        for effect in step.effects {
            match effect {
                Effect::CreateTask { activity, node } => {
                    if package.process.at(node).unwrap().id == "notice" {
                        return (serde_json::to_string(&state).unwrap(), activity.0);
                    }
                    inputs.push(Input::Complete { activity });
                }
                Effect::CallService { activity, .. } => {
                    inputs.push(Input::ServiceDone { activity })
                }
                _ => {}
            }
        }
    }
    panic!("the process never came to the notice");
}

/// A budget of 1,000.00 元, an item and its cases, on the way of one batch.
pub(super) struct Story {
    pub(super) city: City,
    pub(super) line: BudgetLineId,
    pub(super) item: ItemId,
    package: std::sync::Arc<Package>,
    pub(super) batch: Option<BatchId>,
    replies: u32,
    cases: std::cell::Cell<u32>,
}

impl Story {
    pub(super) fn new() -> Self {
        let city = City::new();
        let line = city.budget("财建1号", "1000.00");
        let (name, files) = item::seeds()
            .into_iter()
            .find(|(name, _)| name == "pv-subsidy")
            .unwrap();
        let (prepared, findings) = item::prepare(&files);
        let prepared = prepared.unwrap_or_else(|| panic!("{name}: {findings:?}"));
        let (console, department) = (Actor::console("test", region("330300")), city.department);
        let (item, package) = city
            .write(move |tx| {
                let published = item::publish(tx, &console, &prepared)?;
                let item = item::offer(
                    tx,
                    &console,
                    "pv-subsidy",
                    region("330324"),
                    department,
                    None,
                    None,
                )?;
                Ok((item, item::load(tx, &published.hash)?))
            })
            .unwrap();
        Self {
            city,
            line,
            item,
            package,
            batch: None,
            replies: 0,
            cases: Default::default(),
        }
    }

    pub(super) fn handler(&self) -> Actor {
        staff("handler", Role::CaseHandler, Some(self.city.department))
    }

    pub(super) fn reviewer(&self) -> Actor {
        staff("reviewer", Role::Reviewer, Some(self.city.department))
    }

    /// An approved case that waits for a batch; the rows of other domains as their commands leave
    /// them.
    pub(super) fn case(&self, name: &str, amount: Fen) -> CaseId {
        let (state, activity) = process_before_notice(&self.package);
        self.cases.set(self.cases.get() + 1);
        let number = format!("330324-2026-{:06}", self.cases.get());
        let (name, hash) = (name.to_owned(), self.package.hash.clone());
        let (item, department) = (self.item, self.city.department);
        let made = self.city.write(move |tx| {
            let (party, case, task) = (PartyId(tx.new_id()), CaseId(tx.new_id()), tx.new_id());
            tx.execute(
                "INSERT INTO party (id, kind, name, region_code, demo, version, name_folded) \
                 VALUES (?1, 'enterprise', ?2, '330324', 0, 1, ?2)",
                params![party, &name],
            )?;
            tx.execute(
                "INSERT INTO casework (id, number, item_id, item_hash, region_code, department_id, \
                 party_id, party_kind, party_name, item_name, title, channel, period, state, \
                 process_state, form, form_version, submitted_by, submitted_at, accepted_on, \
                 limit_working_days, suspended, amount_fen, demo, version) \
                 VALUES (?1, ?11, ?3, ?4, '330324', ?5, ?6, 'enterprise', ?2, '光伏', '屋顶光伏 60 kW', \
                 'online', '2026Q3', 'proposed', ?7, '{}', 1, ?8, ?9, '2026-11-02', 20, 0, ?10, 0, 1)",
                params![case, &name, item, &hash, department, party, &state, Uuid::nil(), tx.now(), amount, &number],
            )?;
            tx.execute(
                "INSERT INTO task (id, case_id, activity, node, name, role, duty, state, created_at, version) \
                 VALUES (?1, ?2, ?3, 'notice', '公示', 'batch', '', 'open', ?4, 1)",
                params![task, case, activity, tx.now()],
            )?;
            let rows = vec![("party", party.0), ("casework", case.0), ("task", task)];
            tx.event(crate::store::Event {
                rows,
                ..crate::store::testing::event()
            });
            Ok(case)
        });
        made.unwrap()
    }

    fn party(&self, name: &str) -> PartyId {
        let sql = "SELECT id FROM party WHERE name = ?1";
        self.city
            .read(|q| Ok(q.row(sql, params![name], |row| row.get(0))?))
    }

    /// A new approved account of a party; the one before is ended.
    pub(super) fn account(&self, name: &str) {
        let (party, name) = (self.party(name), name.to_owned());
        let console = Actor::console("test", region("330300"));
        let made = self.city.write(move |tx| {
            let number = 10_000_000 + u64::from(u32::from_be_bytes(tx.random()));
            let new = NewBankAccount {
                holder_name: name.clone(),
                bank_name: "中国农业银行永嘉县支行".into(),
                number: BankAccountNumber::parse(&number.to_string()).unwrap(),
                bank_code: BankCode::parse("103333456789").unwrap(),
                second: None,
            };
            for old in bank_account::approved_of(tx, party)? {
                bank_account::end(tx, &console, old.id, old.version)?;
            }
            let id = bank_account::enter(tx, &console, party, &new)?;
            bank_account::approve(tx, &console, id, 1)
        });
        made.unwrap();
    }

    pub(super) fn entries(&self) -> Vec<EntryRow> {
        let batch = self.batch.expect("a batch");
        self.city
            .read(|q| crate::fund::batch_queries::entries_of(q, batch))
    }

    pub(super) fn entry(&self, name: &str) -> BatchEntryId {
        let mut of_name: Vec<EntryRow> = self
            .entries()
            .into_iter()
            .filter(|entry| entry.party_name == name)
            .collect();
        of_name
            .pop()
            .unwrap_or_else(|| panic!("no entry {name}"))
            .id
    }

    pub(super) fn found(&self) -> BatchRow {
        let batch = self.batch.expect("a batch");
        self.city.read(|q| Ok(batch_for_notice(q, batch)?.0))
    }

    pub(super) fn last_file(&self) -> FileRow {
        let batch = self.batch.expect("a batch");
        self.city
            .read(|q| last_file_of(q, batch))
            .expect("a payment file")
    }

    pub(super) fn create(&mut self) -> Result<()> {
        let (actor, item, line) = (self.handler(), self.item, self.line);
        let made = self
            .city
            .write(move |tx| create_batch(tx, &actor, item, "2026Q3", line))?;
        self.batch = Some(made);
        Ok(())
    }

    pub(super) fn send(&self) -> Result<PaymentFileId> {
        let (finance, batch) = (self.city.finance.clone(), self.found());
        self.city
            .write(move |tx| create_payment_file(tx, &finance, batch.id, batch.version))
    }

    /// The bank's reply to the last file: `NAME=成功`, `NAME=退回`.
    pub(super) fn reply(&mut self, answers: &[&str]) -> Result<Settled> {
        let file = self.last_file();
        let lines = self
            .city
            .read(|q| crate::fund::payment_queries::payments_of(q, file.id));
        self.replies += 1;
        let mut text = format!("文件编号,{},{}\n行号,结果,原因,日期\n", file.number, "");
        for answer in answers {
            let (name, result) = answer.split_once('=').unwrap();
            let line = lines.iter().find(|line| line.party_name == name).unwrap();
            let reason = if result == "退回" {
                "账号不存在"
            } else {
                ""
            };
            text.push_str(&format!(
                "{},{result},{reason},2026-11-23\n",
                line.line_number
            ));
        }
        text.push_str(&"\n".repeat(self.replies as usize));
        self.take(&file, text.as_bytes())
    }

    pub(super) fn take(&self, file: &FileRow, bytes: &[u8]) -> Result<Settled> {
        let (finance, id, version) = (self.city.finance.clone(), file.id, file.version);
        let reply = read_reply(bytes)?;
        self.city
            .write(move |tx| apply_reply(tx, &finance, id, version, &reply))
    }

    /// Plays one step; what it refuses is given.
    pub(super) fn play(&mut self, words: &[&str]) -> Result<()> {
        let (reviewer, system) = (self.reviewer(), Actor::system(region("330324")));
        match words {
            ["case", name, amount] => {
                self.case(name, yuan(amount));
                self.account(name);
                Ok(())
            }
            ["case-without-account", name, amount] => {
                self.case(name, yuan(amount));
                Ok(())
            }
            ["account", name] => {
                self.account(name);
                Ok(())
            }
            ["batch"] => self.create(),
            ["notice"] => {
                let batch = self.found();
                let published = PublishedList {
                    notice: NoticeId(uuid::Uuid::from_u128(1)),
                    number: "永发改公示〔2026〕1号".to_owned(),
                    lines: Vec::new(),
                };
                self.city.write(move |tx| {
                    mark_noticed(tx, &reviewer, batch.id, batch.version, &published)
                })
            }
            ["hold", name] => {
                let entry = self.entry(name);
                self.city
                    .write(move |tx| hold_entry(tx, &system, entry, "收到异议，正在核实"))
            }
            ["release", name] => {
                let entry = self.entry(name);
                self.city
                    .write(move |tx| release_hold(tx, &reviewer, entry))
            }
            ["remove", name] => {
                let entry = self.entry(name);
                self.city
                    .write(move |tx| remove_entry(tx, &reviewer, entry, "异议成立：共用电表"))
            }
            ["finalise"] => {
                let batch = self.found().id;
                self.city
                    .write(move |tx| finalise(tx, &system, batch).map(drop))
            }
            ["finalise-entry", name] => {
                let entry = self.entry(name);
                self.city
                    .write(move |tx| finalise_entry(tx, &reviewer, entry))
            }
            ["send"] => self.send().map(drop),
            ["reply", answers @ ..] => self.reply(answers).map(drop),
            other => panic!("no step {other:?}"),
        }
    }

    /// Each place of the line, the state of an entry, of its case or of the batch, as the page says.
    fn expect(&self, words: &[&str], context: &str) {
        for pair in words.chunks(2) {
            let [what, expected] = pair else {
                panic!("{context}")
            };
            let found = match *what {
                "batch" => self.found().state.code().to_owned(),
                name if name.is_ascii() => {
                    let kind = ledger::AccountKind::from_code(name).unwrap();
                    let each = self.city.figures(self.line).each();
                    let (_, fen) = each.into_iter().find(|(found, _)| *found == kind).unwrap();
                    fen.yuan_plain()
                }
                name => {
                    let mut entries = self
                        .entries()
                        .into_iter()
                        .filter(|it| it.party_name == name);
                    let entry = entries.next().unwrap();
                    let case = self
                        .city
                        .read(|q| casework::find_case(q, &self.city.finance, entry.case));
                    format!("{}/{}", entry.state.code(), case.state)
                }
            };
            assert_eq!(found, *expected, "{context}: {what}");
        }
    }

    /// Whatever happened, the book is whole and the batch agrees with it.
    pub(super) fn holds(&self, context: &str) {
        let verified = self.city.verify();
        assert!(verified.ok, "{context}: {:?}", verified.findings);
        self.outcomes_hold(context);
        if let Some(batch) = self.batch {
            let booked = self
                .city
                .read(|q| crate::fund::batch_queries::booked(q, batch));
            let sums = crate::fund::batch_queries::sums(&self.entries());
            assert!(
                crate::fund::batch_queries::agrees(&sums, &booked),
                "{context}: {sums:?} {booked:?}"
            );
        }
    }
}

impl Story {
    /// The outcomes of the list of payment files are what the ledger has, and their rows add up.
    fn outcomes_hold(&self, context: &str) {
        let (finance, all) = (&self.city.finance, FileFilter::default());
        let sums = self.city.read(|q| sum_outcomes(q, finance, &all));
        let figures = self.city.figures(self.line).each();
        for (kind, booked) in &figures[2..] {
            let of = sums.iter().filter(|(it, _)| it.account() == *kind);
            let shown = of.fold(Fen::ZERO, |sum, (_, of)| sum + of.amount);
            assert_eq!(shown, *booked, "{context}: {kind:?}");
        }
        for (outcome, sum) in sums {
            let list = |q: &dyn Query| list_outcomes(q, finance, &all, Some(outcome), 100, 0);
            let rows = self.city.read(list);
            let amount = rows.iter().fold(Fen::ZERO, |sum, row| sum + row.amount);
            let found = (rows.len() as u64, amount);
            assert_eq!(found, (sum.count, sum.amount), "{context}: {outcome:?}");
            assert!(rows.iter().all(|row| row.outcome == outcome), "{context}");
        }
    }
}

/// Plays a page: a line is a step, after `=` what must be; `->` names the refusal (of a field: its
/// rule).
pub(super) fn check(page: &str) {
    let mut story = Story::new();
    for (number, text) in (1..).zip(page.lines()) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let context = format!("line {number}: {text}");
        match words.as_slice() {
            ["=", expected @ ..] => story.expect(expected, &context),
            [step @ .., "->", code] => assert_eq!(rule(story.play(step)), *code, "{context}"),
            step => story
                .play(step)
                .unwrap_or_else(|error| panic!("{context}: {error}")),
        }
        story.holds(&context);
    }
}

/// The rule of the first field refused, else the code.
pub(super) fn rule<T: std::fmt::Debug>(outcome: Result<T>) -> String {
    let refusal = refused(outcome);
    refusal
        .fields
        .first()
        .map_or(refusal.code.to_owned(), |field| {
            field.rule.clone().into_owned()
        })
}

/// Everybody takes 300.00 of 1,000.00 away after looking at the line, on two servers where the
/// engine has several: three can, whatever the order.
#[test]
fn a_budget_is_never_cut_below_what_is_free() {
    let city = City::new();
    let line = city.budget("财建1号", "1000.00");
    let options = city.store.options();
    let second = if options.database.is_some() {
        Store::open(city.store.dir(), &options).unwrap()
    } else {
        Store::clone(&city.store)
    };
    let cut = |store: &Store| {
        let finance = city.finance.clone();
        store.write_blocking(Command::new("test", start()), move |tx| {
            let version = find_budget(&**tx, &finance, line)?.version;
            adjust_budget(
                tx,
                &finance,
                line,
                version,
                yuan("-300.00"),
                "调减一次（测试）",
            )
        })
    };
    let cuts: Vec<Result<()>> = std::thread::scope(|scope| {
        let cut = &cut;
        let callers: Vec<_> = (0..8)
            .map(|caller| {
                let store = if caller % 2 == 0 {
                    &*city.store
                } else {
                    &second
                };
                scope.spawn(move || cut(store))
            })
            .collect();
        callers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(cuts.iter().filter(|cut| cut.is_ok()).count(), 3, "{cuts:?}");
    assert_eq!(city.figures(line).available, yuan("100.00"));
    assert!(city.verify().is_ok());
    second.shutdown();
}
