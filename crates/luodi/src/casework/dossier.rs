//! What this domain holds of a party: its cases and all that belongs to them, column by column.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::dossier::Fate::{Name, NoBytes, Unsealed, Written};
use crate::dossier::Kind::{Count, Document, Figure, Id, Inner, Moment, Money, Sealed, Text};
use crate::dossier::{Erased, Hindrance, Part, Source, column, erase_all, read_all, stays};
use crate::form::{FieldKind, Form};
use crate::ids::{CaseId, PartyId};
use crate::item;
use crate::params;
use crate::refusal::Result;
use crate::store::{Query, StoreError, Tx};

/// Rows that belong to a case of the party.
const OF_ITS_CASES: &str = "t.case_id IN (SELECT c.id FROM casework c WHERE c.party_id = ?1)";

/// The tables of casework.
pub const SOURCES: &[Source] = &[
    Source {
        table: "casework",
        title: "办件",
        rows: "t.party_id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "办件", Id),
            stays("number", "办件号", Text),
            stays("item_id", "事项", Id),
            stays("item_hash", "事项版本", Text),
            stays("region_code", "行政区划", Text),
            stays("department_id", "部门", Id),
            stays("party_id", "主体", Id),
            stays("party_kind", "主体类型", Text),
            column("party_name", "申请人", Text, Name),
            stays("item_name", "事项名称", Text),
            column("title", "标题", Text, Written),
            stays("channel", "申报渠道", Text),
            stays("period", "期间", Text),
            stays("state", "状态", Text),
            stays("process_state", "", Inner),
            column("form", "申报表", Document, Unsealed),
            stays("form_version", "申报表版本", Count),
            stays("bank_account_id", "收款账户", Id),
            stays("submitted_by", "提交人", Id),
            stays("submitted_at", "提交时间", Moment),
            stays("accepted_on", "受理日期", Text),
            stays("restarted_on", "重新起算日期", Text),
            stays("limit_working_days", "承诺工作日", Count),
            stays("due_on", "到期日", Text),
            stays("suspended", "暂停计时", Count),
            stays("amount_fen", "金额（元）", Money),
            column("explanation", "测算依据", Document, Unsealed),
            stays("ended_at", "办结时间", Moment),
            stays("demo", "示范数据", Count),
            stays("version", "版本", Count),
        ],
    },
    Source {
        table: "case_value",
        title: "办件的可比数据",
        rows: OF_ITS_CASES,
        key: &["case_id", "name"],
        bound: false,
        columns: &[
            stays("case_id", "办件", Id),
            stays("name", "名目", Text),
            column("text_value", "文字", Text, Written),
            stays("number_value", "数值", Figure),
        ],
    },
    Source {
        table: "case_claim",
        title: "不得重复申报的标的",
        rows: OF_ITS_CASES,
        key: &["item_code", "claim_key"],
        bound: false,
        columns: &[
            stays("item_code", "事项代码", Text),
            stays("claim_key", "标的", Text),
            stays("case_id", "办件", Id),
            stays("released_at", "释放时间", Moment),
        ],
    },
    Source {
        table: "task",
        title: "办理环节",
        rows: OF_ITS_CASES,
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "环节", Id),
            stays("case_id", "办件", Id),
            stays("activity", "", Inner),
            stays("node", "", Inner),
            stays("name", "环节名称", Text),
            stays("role", "岗位", Text),
            stays("duty", "职责", Text),
            stays("state", "状态", Text),
            stays("assignee_id", "承办人", Id),
            stays("stand_in_for_id", "代谁办理", Id),
            stays("created_at", "开始时间", Moment),
            stays("completed_at", "完成时间", Moment),
            stays("completed_by", "办理人", Id),
            column("completed_by_label", "办理人姓名", Text, Written),
            stays("outcome", "结论", Text),
            column("reason", "说明", Text, Written),
            column("data", "环节表单", Document, Unsealed),
            stays("version", "版本", Count),
        ],
    },
    Source {
        table: "suspension",
        title: "暂停计时",
        rows: OF_ITS_CASES,
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "暂停", Id),
            stays("case_id", "办件", Id),
            stays("reason", "事由", Text),
            stays("suspended_on", "暂停日期", Text),
            stays("resumed_on", "恢复日期", Text),
            column("note", "说明", Text, Written),
        ],
    },
    Source {
        table: "correction",
        title: "补正",
        rows: OF_ITS_CASES,
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "补正", Id),
            stays("case_id", "办件", Id),
            stays("kind", "类型", Text),
            column("asked", "要求", Text, Written),
            stays("asked_by", "提出人", Id),
            stays("asked_at", "提出时间", Moment),
            column("answer", "答复", Text, Written),
            stays("answered_at", "答复时间", Moment),
            column("form_before", "补正前的申报表", Document, Unsealed),
        ],
    },
    Source {
        table: "inspection",
        title: "现场核查",
        rows: OF_ITS_CASES,
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "核查", Id),
            stays("case_id", "办件", Id),
            stays("inspected_on", "核查日期", Text),
            stays("officer_id", "核查人", Id),
            stays("second_officer_id", "同行核查人", Id),
            column("finding", "核查情况", Text, Written),
            column("data", "核查表单", Document, Unsealed),
        ],
    },
    Source {
        table: "draft",
        title: "草稿",
        rows: "t.party_id = ?1",
        key: &["id"],
        bound: true,
        columns: &[
            stays("id", "草稿", Id),
            stays("account_id", "账号", Id),
            stays("item_id", "事项", Id),
            stays("party_id", "主体", Id),
            column("body_sealed", "内容", Sealed, NoBytes),
            stays("state", "状态", Text),
            stays("case_id", "办件", Id),
            stays("updated_at", "保存时间", Moment),
            stays("version", "版本", Count),
        ],
    },
];

/// What this domain holds of a party; the fields of application forms under their names.
///
/// # Errors
/// A fault of the store.
pub fn dossier(q: &dyn Query, party: PartyId) -> Result<Vec<Part>> {
    let mut parts = read_all(q, party, SOURCES)?;
    for part in parts.iter_mut().filter(|part| part.table == "casework") {
        for row in &mut part.rows {
            let hash = row.get("item_hash").and_then(Value::as_str);
            let package = item::load(q, hash.unwrap_or_default())?;
            if let Some(form) = row.get_mut("form") {
                *form = labelled(&package.form, form);
            }
        }
    }
    Ok(parts)
}

/// The values of a form with what their fields are called.
fn labelled(form: &Form, values: &Value) -> Value {
    let fields = values.as_object().into_iter().flatten();
    let named = fields.map(|(key, value)| {
        let field = form.field(key);
        let label = field.map_or("", |field| field.label.as_str());
        let chosen = field.filter(|field| matches!(field.kind, FieldKind::Choice { .. }));
        let named = match (chosen, value.as_str()) {
            (Some(field), Some(code)) => {
                json!({ "名称": label, "值": value, "文字": field.option_label(code) })
            }
            _ => json!({ "名称": label, "值": value }),
        };
        (key.clone(), named)
    });
    Value::Object(named.collect::<Map<String, Value>>())
}

/// The cases of a party that have not ended: it cannot be erased while one runs.
///
/// # Errors
/// A fault of the store.
pub fn hindrances(q: &dyn Query, party: PartyId) -> Result<Vec<Hindrance>> {
    let found = q.rows(
        "SELECT id, number, title FROM casework WHERE party_id = ?1 AND ended_at IS NULL \
         ORDER BY number LIMIT 100",
        params![party],
        |row| {
            let (id, number, title): (CaseId, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok::<_, StoreError>(Hindrance {
                what: format!("办件 {number}（{title}）还在办理，办结或撤回后才能删除。"),
                until: None,
                href: format!("/cases/{id}"),
            })
        },
    )?;
    Ok(found)
}

/// Takes the personal data of a party out of its cases, and gives up its drafts.
///
/// # Errors
/// A fault of the store.
pub fn erase(tx: &Tx<'_>, of: &Erased) -> Result<Vec<(&'static str, Uuid)>> {
    let rows = erase_all(tx, of, SOURCES)?;
    tx.execute(
        "UPDATE draft SET state = 'given_up', version = version + 1 \
         WHERE party_id = ?1 AND state = 'open'",
        params![of.party],
    )?;
    Ok(rows)
}
