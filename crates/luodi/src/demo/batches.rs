//! What happens to the batches of the demonstration: list, public notice, an objection, the
//! payment file and the bank's reply.

use jiff::Timestamp;

use super::people;
use super::play::{Act, Play, after};
use super::town::missing;
use crate::access::{Actor, Role};
use crate::account;
use crate::fund::{self, Answer, ReplyLine};
use crate::ids::{BatchId, NoticeId, ObjectionId, PartyId};
use crate::notice::{self, Channel, NewObjection, Objector, Publication, Verdict};
use crate::party::{self, bank_account};
use crate::refusal::Result;
use crate::store::day_in_china;

/// What is known of a batch on its way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    batch: Option<BatchId>,
    notice: Option<NoticeId>,
    objection: Option<ObjectionId>,
    /// Payment files made so far: the second mends what the bank returned.
    files: u32,
}

impl Play<'_> {
    fn known(&mut self, county: usize, earlier: bool) -> Result<&mut Known> {
        let of_county = self
            .known
            .get_mut(county)
            .ok_or_else(|| missing("county"))?;
        of_county
            .get_mut(usize::from(earlier))
            .ok_or_else(|| missing("batch"))
    }

    /// The department lists the approved cases of a quarter.
    pub(super) fn batch(&mut self, at: Timestamp, county: usize, earlier: bool) -> Result<()> {
        let period = self.period(earlier)?;
        let actor = self.town.staff(county, Role::Reviewer, 0)?;
        let (item, line) = (self.town.item(county)?, self.town.budget(county, at)?);
        // Early in a quarter nothing may be approved yet.
        let listed = self
            .town
            .read(|q| fund::unlisted(q, &actor, day_in_china(at)))?;
        if listed.is_none() {
            return Ok(());
        }
        let batch = self.town.command("batch.create", at, move |tx| {
            fund::create_batch(tx, &actor, item, &period, line)
        })?;
        self.known(county, earlier)?.batch = Some(batch);
        self.put_after(at, 1, Act::Publish(county, earlier));
        Ok(())
    }

    pub(super) fn publish(&mut self, at: Timestamp, county: usize, earlier: bool) -> Result<()> {
        let batch = self
            .known(county, earlier)?
            .batch
            .ok_or_else(|| missing("batch"))?;
        let actor = self.town.staff(county, Role::Reviewer, 0)?;
        let found = self
            .town
            .read(|q| Ok(fund::batch_for_notice(q, batch)?.0))?;
        let department = self
            .town
            .read(|q| account::department(q, found.department))?
            .ok_or_else(|| missing("department"))?;
        let publication = Publication {
            batch,
            version: found.version,
            title: format!("{}公示（示范）", found.title),
            basis: "分布式光伏发电扶持办法（2013 年、2016 年，示范）".to_owned(),
            ends_on: after(day_in_china(at), 7),
            channel: Channel {
                address: format!("{}能源科（示范）", department.name),
                phone: format!("0577-8800000{}", county + 1),
                mail: "notice@example.cn".to_owned(),
            },
        };
        let published = self.town.command("notice.publish", at, move |tx| {
            notice::publish(tx, &actor, &publication)
        })?;
        self.known(county, earlier)?.notice = Some(published.id);
        self.put_after(at, 2, Act::Object(county, earlier));
        self.put_after(at, 10, Act::Pay(county, earlier));
        Ok(())
    }

    /// Neighbours object: in one county an organisation with a sealed paper, in the other a person
    /// who does not give a name.
    pub(super) fn object(&mut self, at: Timestamp, county: usize, earlier: bool) -> Result<()> {
        let notice = self
            .known(county, earlier)?
            .notice
            .ok_or_else(|| missing("notice"))?;
        let lines = self.town.read(|q| Ok(notice::queries::lines(q, notice)?))?;
        let Some(line) = lines.get(1).map(|line| line.id) else {
            return Ok(());
        };
        let id = ObjectionId(self.town.new_id(at)?);
        let files = match county {
            0 => vec![self.town.keep_paper(
                at,
                id.0,
                "sealed_document",
                "异议书（盖章，示范）.pdf",
            )?],
            _ => Vec::new(),
        };
        let objector = match county {
            0 => Objector::Organisation {
                name: "示范村股份经济合作社（示范）".to_owned(),
                person: "经办联系人（示范）".to_owned(),
            },
            _ => Objector::Person { name: None },
        };
        let new = NewObjection {
            id,
            notice,
            line,
            objector,
            phone: None,
            statement: "该屋顶与相邻项目共用一块电表，请核实发电量是否重复计算。（示范）"
                .to_owned(),
            files,
        };
        self.town
            .command("objection.receive", at, move |tx| notice::object(tx, &new))?;
        self.known(county, earlier)?.objection = Some(id);
        self.put_after(
            at,
            if earlier { 3 } else { 12 },
            Act::AnswerObjection(county, earlier),
        );
        Ok(())
    }

    /// The first county upholds, the second dismisses.
    pub(super) fn answer_objection(
        &mut self,
        at: Timestamp,
        county: usize,
        earlier: bool,
    ) -> Result<()> {
        let id = self
            .known(county, earlier)?
            .objection
            .ok_or_else(|| missing("objection"))?;
        let actor = self.town.staff(county, Role::Reviewer, 0)?;
        let (verdict, reason) = match county {
            0 => (
                Verdict::Upheld,
                "经核实两个项目共用电表，发电量重复，移出本期名单。（示范）",
            ),
            _ => (
                Verdict::Dismissed,
                "经现场核实各有独立电表，发电量没有重复。（示范）",
            ),
        };
        let first = actor.clone();
        self.town.command("objection.take_up", at, move |tx| {
            notice::take_up(tx, &first, id, 1, "已向电网企业调取抄表记录。")
        })?;
        self.town.command("objection.answer", at, move |tx| {
            notice::answer(tx, &actor, id, 2, verdict, "已现场核实。", reason)
        })?;
        Ok(())
    }

    /// Finance pays what is final; the bank answers two days later.
    pub(super) fn pay(&mut self, at: Timestamp, county: usize, earlier: bool) -> Result<()> {
        let known = self.known(county, earlier)?;
        known.files += 1;
        let batch = known.batch.ok_or_else(|| missing("batch"))?;
        for party in self.town.read(|q| fund::returned_parties(q, batch))? {
            self.another_account(at, county, party)?;
        }
        let actor = self.town.staff(county, Role::Finance, 0)?;
        self.town.command("payment_file.create", at, move |tx| {
            let version = fund::batch_for_notice(tx, batch)?.0.version;
            fund::create_payment_file(tx, &actor, batch, version)
        })?;
        self.put_after(at, 2, Act::Reply(county, earlier));
        Ok(())
    }

    /// A beneficiary whose money came back gives another account at the window, and finance
    /// approves it.
    fn another_account(&mut self, at: Timestamp, county: usize, party: PartyId) -> Result<()> {
        let window = self.town.staff(county, Role::WindowClerk, 0)?;
        let finance = self.town.staff(county, Role::Finance, 1)?;
        let account = people::bank_account(&mut self.rng).ok_or_else(|| missing("bank"))?;
        let holder = self
            .town
            .read(|q| Ok(party::find(q, &window, party)?.name))?;
        let new = bank_account::NewBankAccount {
            holder_name: holder,
            bank_name: account.bank_name.to_owned(),
            number: account.number,
            bank_code: account.bank_code,
            second: Some("银行退回，原账户户名不符（示范）".to_owned()),
        };
        let entering = window.clone();
        let id = self.town.command("bank_account.enter", at, move |tx| {
            bank_account::enter(tx, &entering, party, &new)
        })?;
        self.town.command("bank_account.approve", at, move |tx| {
            bank_account::approve(tx, &finance, id, 1)
        })
    }

    /// The bank pays all but one line of a first file, which it returns; the second pays it.
    pub(super) fn reply(&mut self, at: Timestamp, county: usize, earlier: bool) -> Result<()> {
        let known = *self.known(county, earlier)?;
        let batch = known.batch.ok_or_else(|| missing("batch"))?;
        let actor: Actor = self.town.staff(county, Role::Finance, 0)?;
        let first = known.files == 1;
        let on = day_in_china(at);
        self.town.command("payment_file.reply", at, move |tx| {
            let file = fund::last_file_of(tx, batch)?.ok_or_else(|| missing("payment file"))?;
            let lines = (1..=file.line_count)
                .map(|number| ReplyLine {
                    at: usize::try_from(number).unwrap_or(0) + 1,
                    number: Some(number),
                    answer: Some(match number {
                        2 if first => Answer::Returned("账号与户名不符".to_owned()),
                        _ => Answer::Paid,
                    }),
                    on: Some(on),
                    amount: None,
                })
                .collect();
            let reply = fund::Reply {
                file_number: file.number.clone(),
                lines,
                sha256: format!("demo-{}", file.number),
                ..fund::Reply::default()
            };
            fund::apply_reply(tx, &actor, file.id, file.version, &reply)
        })?;
        if first && earlier {
            self.put_after(at, 4, Act::Pay(county, earlier));
        }
        Ok(())
    }
}
