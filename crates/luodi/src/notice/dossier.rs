//! What this domain holds of a party: its lines in public notices. Objections to them are their
//! objectors' data.

use uuid::Uuid;

use crate::dossier::Fate::Written;
use crate::dossier::Kind::{Count, Id, Money, Text};
use crate::dossier::{Erased, Hindrance, Source, column, erase_all, stays};
use crate::ids::{ObjectionId, PartyId};
use crate::params;
use crate::refusal::Result;
use crate::store::{Query, StoreError, Tx};

/// The table of lines. A natural person's name is masked in them from the beginning.
pub const SOURCES: &[Source] = &[Source {
    table: "notice_entry",
    title: "公示中的记录",
    rows: "t.party_id = ?1",
    key: &["id"],
    bound: true,
    columns: &[
        stays("id", "公示项", Id),
        stays("notice_id", "公示", Id),
        stays("position", "序号", Count),
        stays("batch_entry_id", "名单项", Id),
        stays("masked_name", "公示名称", Text),
        column("summary", "摘要", Text, Written),
        stays("amount_fen", "金额（元）", Money),
        stays("case_id", "办件", Id),
        stays("party_id", "主体", Id),
    ],
}];

/// Open objections to a party's lines: they keep it from being erased.
///
/// # Errors
/// A fault of the store.
pub fn hindrances(q: &dyn Query, party: PartyId) -> Result<Vec<Hindrance>> {
    let found = q.rows(
        "SELECT o.id FROM objection o JOIN notice_entry e ON e.id = o.notice_entry_id \
         WHERE e.party_id = ?1 AND o.state IN ('received', 'verifying') ORDER BY o.id LIMIT 100",
        params![party],
        |row| {
            let id: ObjectionId = row.get(0)?;
            Ok::<_, StoreError>(Hindrance {
                what: "对其公示记录的异议还没有答复。".to_owned(),
                until: None,
                href: format!("/objections/{id}"),
            })
        },
    )?;
    Ok(found)
}

/// Takes the party's name out of the summaries of its lines.
///
/// # Errors
/// A fault of the store.
pub fn erase(tx: &Tx<'_>, of: &Erased) -> Result<Vec<(&'static str, Uuid)>> {
    erase_all(tx, of, SOURCES)
}
