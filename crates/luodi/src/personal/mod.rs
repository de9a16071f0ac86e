//! All that is held of one party: a copy of it for the party (查阅、复制), and its erasure (删除).
//!
//! Owns the tables `data_export` and `erasure`. What is held, and what becomes of it, each domain
//! says itself (`dossier`); this one asks them all. It lacks the data of objectors, who are no
//! parties: an objection has a key of its own.

mod archive;
mod erase;
mod export;
mod pages;

#[cfg(test)]
mod tests;
mod words;

pub use erase::{Erasure, decide_erasure, hindrances, request_erasure, waiting};
pub use export::{Export, export_to, find_number_or_id, request_export, work_expire, work_export};

use uuid::Uuid;

use crate::dossier::Fate::Written;
use crate::dossier::Kind::{Count, Id, Moment, Text};
use crate::dossier::{Erased, Part, Source, column, erase_all, read_all, stays};
use crate::ids::PartyId;
use crate::refusal::Result;
use crate::store::{Query, Tx};
use crate::web::Route;
use crate::{account, attachment, casework, fund, notice, party};

/// The tables of this domain.
const SOURCES: &[Source] = &[
    Source {
        table: "data_export",
        title: "个人信息副本",
        rows: "t.party_id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "副本", Id),
            stays("party_id", "主体", Id),
            stays("region_code", "行政区划", Text),
            column("reason", "事由", Text, Written),
            stays("state", "状态", Text),
            stays("requested_by", "申请人", Id),
            stays("requested_at", "申请时间", Moment),
            stays("ready_at", "生成时间", Moment),
            stays("expires_at", "保留至", Moment),
            stays("version", "版本", Count),
        ],
    },
    Source {
        table: "erasure",
        title: "删除申请",
        rows: "t.party_id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "删除申请", Id),
            stays("party_id", "主体", Id),
            stays("region_code", "行政区划", Text),
            column("reason", "事由", Text, Written),
            stays("state", "状态", Text),
            stays("requested_by", "申请人", Id),
            stays("requested_at", "申请时间", Moment),
            stays("decided_by", "决定人", Id),
            stays("decided_at", "决定时间", Moment),
            column("decision", "决定说明", Text, Written),
            stays("version", "版本", Count),
        ],
    },
];

/// Every table that is about a party, of all domains.
#[must_use]
pub fn sources() -> Vec<Source> {
    [
        party::dossier::SOURCES,
        account::dossier::SOURCES,
        casework::dossier::SOURCES,
        fund::dossier::SOURCES,
        notice::dossier::SOURCES,
        attachment::dossier::SOURCES,
        SOURCES,
    ]
    .concat()
}

/// All that is held of a party, opened. Tables of which nothing is given are left out.
///
/// # Errors
/// A fault of the store.
pub fn dossier(q: &dyn Query, party: PartyId) -> Result<Vec<Part>> {
    let mut parts = read_all(q, party, party::dossier::SOURCES)?;
    parts.extend(read_all(q, party, account::dossier::SOURCES)?);
    parts.extend(casework::dossier::dossier(q, party)?);
    parts.extend(read_all(q, party, fund::dossier::SOURCES)?);
    parts.extend(read_all(q, party, notice::dossier::SOURCES)?);
    parts.extend(read_all(q, party, attachment::dossier::SOURCES)?);
    parts.extend(read_all(q, party, SOURCES)?);
    parts.retain(|part| !part.columns.is_empty());
    Ok(parts)
}

/// Takes the personal data of a party out of all domains; gives the bound rows that changed. The
/// party itself comes last: its key is destroyed there.
fn erase_everywhere(tx: &Tx<'_>, of: &Erased) -> Result<Vec<(&'static str, Uuid)>> {
    let mut rows = account::dossier::erase(tx, of)?;
    rows.extend(casework::dossier::erase(tx, of)?);
    rows.extend(fund::dossier::erase(tx, of)?);
    rows.extend(notice::dossier::erase(tx, of)?);
    rows.extend(attachment::dossier::erase(tx, of)?);
    rows.extend(erase_all(tx, of, SOURCES)?);
    rows.extend(party::dossier::erase(tx, of)?);
    Ok(rows)
}

/// The routes of this domain.
pub fn routes() -> Vec<Route> {
    pages::routes()
}
