//! What the values of a copy of a party's data say to people: states, regions, persons and days in
//! words. The JSON beside the page keeps the codes.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::{Date, DateTime};
use serde_json::{Map, Value};
use uuid::Uuid;
use vocab::{Quarter, RegionCode};

use crate::access::Role;
use crate::account::{self, AccountState};
use crate::casework::{self, Duty};
use crate::dossier::{Column, Kind, Part};
use crate::fund::{self, EntryState, PaymentState};
use crate::log;
use crate::notice;
use crate::party::bank_account::BankAccountState;
use crate::party::{self, PartyKind};
use crate::store::{Query, StoreError};

/// Tables a reader has no use for: they repeat the forms under the program's own keys.
const ONLY_FOR_PROGRAMS: &[&str] = &["case_value", "case_claim"];

/// Ids of the row itself, and of the party the copy is of.
const OF_THE_ROW: &[&str] = &["id", "party_id", "owner_id"];

/// Counts that say yes or no.
const YES_OR_NO: &[&str] = &["demo", "suspended"];

/// Words of codes that no page shows elsewhere: table, column, code, word.
const CODES: &[(&str, &str, &str, &str)] = &[
    ("attachment", "uploaded_by", "system", "系统"),
    ("contact", "channel", "mail", "邮箱"),
    ("contact", "channel", "sms", "手机"),
    ("contact", "state", "ended", "已停用"),
    ("contact", "state", "verified", "已验证"),
    ("contact", "state", "waiting", "待验证"),
    ("data_export", "state", "ended", "已到期"),
    ("data_export", "state", "making", "生成中"),
    ("data_export", "state", "ready", "可下载"),
    ("draft", "state", "given_up", "已放弃"),
    ("draft", "state", "open", "未提交"),
    ("draft", "state", "submitted", "已提交"),
    ("erasure", "state", "erased", "已删除"),
    ("erasure", "state", "refused", "不予删除"),
    ("erasure", "state", "requested", "待确认"),
    ("ledger_entry", "movement", "commit", "列入名单"),
    ("ledger_entry", "movement", "make-payable", "转为应付"),
    ("ledger_entry", "movement", "release", "移出名单"),
    ("ledger_entry", "movement", "return", "退回"),
    ("ledger_entry", "movement", "reverse", "冲销"),
    ("ledger_entry", "movement", "send", "发出支付"),
    ("ledger_entry", "movement", "settle", "支付结清"),
    ("ledger_entry", "movement", "withdraw-payable", "撤回应付"),
    ("task", "role", "batch", "批次"),
    ("task", "state", "cancelled", "已收回"),
    ("task", "state", "done", "已办结"),
    ("task", "state", "open", "办理中"),
];

/// What a row may belong to.
const OWNERS: &[(&str, &str)] = &[
    ("bank_account", "收款账户"),
    ("batch_entry", "名单项"),
    ("case", "办件"),
    ("data_export", "个人信息副本"),
    ("draft", "草稿"),
    ("payment", "拨付"),
    ("task", "办理环节"),
];

/// What ids in a copy stand for.
#[derive(Debug, Default)]
pub(super) struct Words(HashMap<Uuid, String>);

impl Words {
    /// Asks the domains what the ids in these rows stand for.
    ///
    /// # Errors
    /// A fault of the store.
    pub(super) fn ask(q: &dyn Query, parts: &[Part]) -> Result<Self, StoreError> {
        let rows = parts
            .iter()
            .flat_map(|part| part.rows.iter().map(move |row| (part, row)));
        let ids: BTreeSet<Uuid> = rows.flat_map(|(part, row)| ids(part, row)).collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let mut names = HashMap::new();
        let accounts = account::named::called(q, &ids)?;
        names.extend(accounts.into_iter().map(|(id, it)| (id, it.name)));
        let parties = party::named::called(q, &ids)?;
        names.extend(parties.into_iter().map(|(id, it)| (id, it.name)));
        names.extend(account::named::departments_called(q, &ids)?);
        names.extend(casework::named::called(q, &ids)?);
        names.extend(fund::named::batches_called(q, &ids)?);
        names.extend(fund::named::budgets_called(q, &ids)?);
        names.extend(fund::named::files_called(q, &ids)?);
        names.extend(notice::named::called(q, &ids)?);
        Ok(Self(names))
    }

    /// Whether a table is for people to read.
    pub(super) fn shows(part: &Part) -> bool {
        !ONLY_FOR_PROGRAMS.contains(&part.table)
    }

    /// A value for people; none where it says nothing to them, such as the id of the row itself.
    pub(super) fn of(&self, table: &str, column: &Column, value: &Value) -> Option<String> {
        match column.kind {
            Kind::Id if OF_THE_ROW.contains(&column.name) => None,
            Kind::Id => self.0.get(&id_in(value)?).cloned(),
            Kind::Count if YES_OR_NO.contains(&column.name) => Some(
                if value.as_i64() == Some(0) {
                    "否"
                } else {
                    "是"
                }
                .to_owned(),
            ),
            Kind::Text => {
                let text = value.as_str()?;
                // The digest of a package.
                (!text.starts_with("sha256:")).then(|| word(table, column.name, text))
            }
            _ if column.name == "explanation" => Some(lines(grounds(value).into_iter())),
            _ => Some(plain(value)),
        }
    }
}

fn ids<'a>(part: &'a Part, row: &'a Map<String, Value>) -> impl Iterator<Item = Uuid> + 'a {
    let named = part.columns.iter();
    let named = named.filter(|it| it.kind == Kind::Id && it.name != "id");
    named.filter_map(|column| id_in(row.get(column.name)?))
}

fn id_in(value: &Value) -> Option<Uuid> {
    Uuid::try_parse(value.as_str()?).ok()
}

/// A stored text in words.
fn word(table: &str, column: &str, text: &str) -> String {
    let known = match (table, column) {
        (_, "region_code") => region(text),
        ("party", "kind") | (_, "party_kind") => PartyKind::from_code(text).map(PartyKind::zh),
        ("party", "industry_code") => vocab::industry::find(text).map(|it| it.name),
        ("account", "state") => AccountState::from_code(text).map(AccountState::zh),
        ("bank_account", "state") => BankAccountState::from_code(text).map(BankAccountState::zh),
        ("batch_entry", "state") => EntryState::from_code(text).map(EntryState::zh),
        ("payment", "state") => PaymentState::from_code(text).map(PaymentState::zh),
        ("task", "role") => Role::from_code(text).map(Role::zh),
        ("task", "duty") => Duty::from_code(text).map(Duty::zh),
        (_, "subject_kind") => OWNERS.iter().find(|it| it.0 == text).map(|it| it.1),
        ("casework", "state") => Some(casework::state::words(text)),
        ("casework", "channel") => Some(log::channel(text)),
        ("task", "outcome") => Some(log::outcome(text)),
        ("suspension", "reason") => Some(log::cause(text)),
        ("correction", "kind") => Some(log::correction(text)),
        ("attachment", "slot") => Some(log::slot(text)),
        _ => None,
    };
    let code = |it: &&(&str, &str, &str, &str)| (it.0, it.1, it.2) == (table, column, text);
    let known = known.or_else(|| CODES.iter().find(code).map(|it| it.3));
    known.map_or_else(|| dated(text), str::to_owned)
}

fn region(code: &str) -> Option<&'static str> {
    let code = RegionCode::parse(code).ok()?;
    vocab::region::find(code).map(|region| region.name)
}

/// A day, an instant or a quarter as people write it; another text as it stands.
fn dated(text: &str) -> String {
    let day = |day: Date| format!("{}年{}月{}日", day.year(), day.month(), day.day());
    if text.len() == "2026-11-29".len()
        && let Ok(date) = text.parse::<Date>()
    {
        return day(date);
    }
    if text.contains('T')
        && let Ok(at) = text.parse::<DateTime>()
    {
        return format!("{} {}", day(at.date()), at.strftime("%H:%M"));
    }
    Quarter::parse(text).map_or_else(|_| text.to_owned(), Quarter::zh)
}

/// A value for people; what is inside a document, one line each.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "是" } else { "否" }.to_owned(),
        Value::String(text) => dated(text),
        Value::Object(map) => match (map.get("名称"), map.get("文字").or(map.get("值"))) {
            (Some(Value::String(name)), Some(value)) => format!("{name}：{}", plain(value)),
            _ => lines(map.iter().map(|(key, value)| match value {
                Value::Object(inner) if inner.contains_key("名称") => plain(value),
                _ => format!("{key}：{}", plain(value)),
            })),
        },
        Value::Array(items) => lines(items.iter().map(plain)),
        other @ Value::Number(_) => other.to_string(),
    }
}

/// What an amount rests on, of all that is kept of its reckoning.
fn grounds(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => match map.get("annotations") {
            Some(said) => vec![plain(said).replace('\n', "：")],
            None => map.values().flat_map(grounds).collect(),
        },
        Value::Array(items) => items.iter().flat_map(grounds).collect(),
        _ => Vec::new(),
    }
}

fn lines(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dossier::stays;

    #[track_caller]
    fn check(table: &str, column: &'static str, kind: Kind, value: Value, wanted: Option<&str>) {
        let known = Words(HashMap::from([(Uuid::from_u128(7), "陈立人".to_owned())]));
        let said = known.of(table, &stays(column, "", kind), &value);
        assert_eq!(said.as_deref(), wanted, "{table}.{column} {value}");
    }

    #[test]
    fn codes_ids_and_times_are_told_in_words() {
        check("party", "kind", Kind::Text, json!("person"), Some("自然人"));
        check(
            "bank_account",
            "state",
            Kind::Text,
            json!("approved"),
            Some("已核准"),
        );
        check(
            "account",
            "region_code",
            Kind::Text,
            json!("330324"),
            Some("永嘉县"),
        );
        check("task", "state", Kind::Text, json!("done"), Some("已办结"));
        check("party", "name", Kind::Text, json!("王小明"), Some("王小明"));
        check(
            "casework",
            "item_hash",
            Kind::Text,
            json!("sha256:98"),
            None,
        );
        let by = Uuid::from_u128(7).simple().to_string();
        check(
            "bank_account",
            "entered_by",
            Kind::Id,
            json!(by),
            Some("陈立人"),
        );
        let unknown = Uuid::from_u128(8).simple().to_string();
        check("bank_account", "entered_by", Kind::Id, json!(unknown), None);
        check("bank_account", "id", Kind::Id, json!(by), None);
        let at = json!("2026-11-29T18:32:45.802");
        check(
            "message",
            "sent_at",
            Kind::Moment,
            at,
            Some("2026年11月29日 18:32"),
        );
        check(
            "casework",
            "due_on",
            Kind::Text,
            json!("2026-12-01"),
            Some("2026年12月1日"),
        );
        check("casework", "suspended", Kind::Count, json!(0), Some("否"));
        check("casework", "version", Kind::Count, json!(3), Some("3"));
        let rule = json!({ "index": 1, "annotations": [["依据", "第二条：自然人项目"]] });
        let reckoned = json!({ "amount_fen": 100, "steps": [{ "matched_rules": [rule] }] });
        let wanted = Some("依据：第二条：自然人项目");
        check("casework", "explanation", Kind::Document, reckoned, wanted);
        let form = json!({ "kind": { "名称": "类型", "值": "person", "文字": "个人" } });
        check("casework", "form", Kind::Document, form, Some("类型：个人"));
        let form = json!({ "quarter": { "名称": "季度", "值": "2026Q3" } });
        let quarter = Quarter::parse("2026Q3").unwrap().zh();
        let wanted = format!("季度：{quarter}");
        check("casework", "form", Kind::Document, form, Some(&wanted));
    }
}
