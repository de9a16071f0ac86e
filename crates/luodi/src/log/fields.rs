//! What an event's further facts say, in words: the one table of the fields' names and of what their
//! values are. A field without a word is shown as it stands.
//!
//! Names of natural persons are masked, and so are long numbers in a text somebody typed.

use serde_json::{Map, Value};
use uuid::Uuid;
use vocab::{Fen, RegionCode};

use super::names::{Name, Names, Noun};
use super::words;
use crate::access::Role;
use crate::account::{self, AccountState};
use crate::article;
use crate::casework;
use crate::gateway::Channel;
use crate::notice::ObjectionState;
use crate::party::{PartyKind, masked_name};
use crate::store::Written;

/// What the values of a field are.
#[derive(Clone, Copy)]
enum As {
    /// Shown as they stand.
    Plain,
    /// A text somebody typed.
    Typed,
    /// The name of a party: masked where it is a natural person's.
    PartyName,
    /// Money in fen.
    Money,
    /// A count, with what is counted.
    Count(&'static str),
    /// A day.
    Day,
    /// An instant.
    Moment,
    /// A digest, of which the beginning is enough to compare by eye.
    Digest,
    /// A code with a word.
    Word(fn(&str) -> &str),
    /// A region's code.
    Region,
    /// An id, shown as what it stands for is called.
    Of(Noun),
}

use As::{Count, Day, Digest, Moment, Money, Of, PartyName, Plain, Region, Typed, Word};

/// Fields by the command they belong to (a whole command, a noun with its dot, or any), their key,
/// their name, and what their values are. The first that fits counts.
const FIELDS: &[(&str, &str, &str, As)] = &[
    ("account.grant", "after", "更改后", Word(role)),
    ("account.grant", "before", "更改前", Word(role)),
    ("account.", "kind", "请假类别", Word(account::kind_zh)),
    ("account.", "issuer", "统一身份平台", Plain),
    ("account.set_state", "state", "状态", Word(account_state)),
    ("article.", "before", "原状态", Word(article_state)),
    ("article.", "created", "新增", Count("篇")),
    ("article.", "state", "状态", Word(article_state)),
    ("article.", "unchanged", "未变", Count("篇")),
    ("batch.", "entry", "名单项", Of(Noun::BatchEntry)),
    ("batch.clear_renaming", "after", "更名后", PartyName),
    ("batch.clear_renaming", "before", "更名前", PartyName),
    ("batch.create", "line", "预算指标", Of(Noun::BudgetLine)),
    (
        "case.ask_correction",
        "kind",
        "补正类型",
        Word(words::correction),
    ),
    ("case.complete_task", "task", "环节", Word(words::task)),
    ("case.release_task", "task", "环节", Word(words::task)),
    ("case.take_task", "task", "环节", Word(words::task)),
    ("case.inspect", "second", "同行核查人", Plain),
    ("case.submit", "item", "事项版本", Digest),
    ("clock.confirm", "known", "已知的时间", Moment),
    ("clock.confirm", "says", "服务器时钟", Moment),
    ("department.", "name", "名称", Plain),
    ("keys.", "before", "原主密钥序号", Plain),
    ("keys.", "master", "主密钥序号", Plain),
    ("keys.", "retired", "停用的主密钥", Plain),
    ("keys.", "rows", "重新计算", Count("条")),
    ("keys.", "wrapped", "重新封装数据密钥", Count("个")),
    ("list.export", "list", "名单", Plain),
    ("list.export", "rows", "导出", Count("条")),
    ("log.accept", "events", "现有事件", Count("个")),
    ("log.accept", "remembered", "原先记得", Count("个")),
    ("log.rebind", "rows", "重新绑定", Count("行")),
    ("log.rebind", "schema", "结构版本", Plain),
    ("objection.answer", "state", "结论", Word(objection_state)),
    (
        "objection.submit",
        "entry",
        "异议事项",
        Of(Noun::NoticeEntry),
    ),
    ("objection.submit", "kind", "异议人", Word(words::objector)),
    ("party.", "after", "更改后", PartyName),
    ("party.", "before", "更改前", PartyName),
    ("party.look_up", "found", "找到的主体", Of(Noun::Party)),
    ("party.register", "kind", "主体类型", Word(party_kind)),
    ("payment.create_file", "lines", "笔数", Count("笔")),
    ("payment.settle", "paid", "已付", Count("笔")),
    ("payment.settle", "returned", "退回", Count("笔")),
    ("session.open", "through", "登录方式", Word(words::through)),
    ("session.", "why", "原因", Word(words::refused)),
    ("", "activity", "流程节点序号", Plain),
    ("", "address", "来源地址", Plain),
    ("", "after", "更改后", Plain),
    ("", "amount_fen", "金额", Money),
    ("", "anonymous", "匿名", Plain),
    ("", "at", "时间", Moment),
    ("", "attachment", "材料", Of(Noun::Attachment)),
    ("", "batch", "批次", Of(Noun::Batch)),
    ("", "before", "更改前", Plain),
    ("", "case", "办件编号", Plain),
    ("", "cause", "事由", Word(words::cause)),
    ("", "channel", "申报渠道", Word(words::channel)),
    ("", "classes", "查看内容", Word(words::personal)),
    ("", "closes_on", "截止日期", Day),
    ("", "code", "代码", Plain),
    ("", "demo", "示范城市", Plain),
    ("", "department", "部门", Of(Noun::Department)),
    ("", "difference_fen", "调整金额", Money),
    ("", "document", "指标文号", Plain),
    ("", "draft", "草稿", Of(Noun::Draft)),
    ("", "ends_on", "公示截止", Day),
    ("", "entries", "名单项数", Count("项")),
    ("", "failures", "连续输错", Count("次")),
    ("", "first_day", "起始日期", Day),
    ("", "last_day", "结束日期", Day),
    ("", "stand_in", "代理人", Of(Noun::Account)),
    ("", "stand_in_for", "代谁办理", Of(Noun::Account)),
    ("", "files", "附件", Count("份")),
    ("", "finalised", "转入待拨付", Count("项")),
    ("", "hash", "版本摘要", Digest),
    ("", "held", "暂缓", Count("项")),
    ("", "kind", "类型", Plain),
    ("", "login", "登录名", Plain),
    ("", "messages", "消息", Count("条")),
    ("", "seen", "核对的证件", Typed),
    ("", "sent", "已发送", Plain),
    ("", "sessions", "退出的登录", Count("处")),
    ("", "way", "方式", Word(contact_way)),
    ("", "name", "名称", Plain),
    ("", "notice", "公示", Of(Noun::Notice)),
    ("", "number", "编号", Plain),
    ("", "offers", "开办地区", Count("个")),
    ("", "on", "日期", Day),
    ("", "opens_on", "开放日期", Day),
    ("", "outcome", "结果", Word(words::outcome)),
    ("", "paid_fen", "已付金额", Money),
    ("", "paper_word", "机关代字", Plain),
    ("", "papers", "补正材料", Count("份")),
    ("", "party", "主体", Of(Noun::Party)),
    ("", "personal", "更改的个人信息", Word(words::personal)),
    ("", "policy_hash", "政策摘要", Digest),
    ("personal.", "until", "保留至", Moment),
    ("", "reason", "事由", Typed),
    ("bank_account.enter", "second", "另立账户的理由", Typed),
    ("objection.hand_over", "to", "转交给", Of(Noun::Account)),
    ("", "region", "区域", Region),
    ("", "renamed", "更名", Plain),
    ("", "returned_fen", "退回金额", Money),
    ("", "roles", "角色", Word(role)),
    ("", "sha256", "文件摘要", Digest),
    ("", "state", "状态", Word(casework::state::words)),
    ("", "title", "标题", Plain),
    ("", "title_before", "原标题", Plain),
    ("", "total_fen", "合计金额", Money),
];

fn role(code: &str) -> &str {
    Role::from_code(code).map_or(code, |known| known.zh())
}

fn contact_way(code: &str) -> &str {
    Channel::from_code(code).map_or(code, |known| known.zh())
}

fn account_state(code: &str) -> &str {
    AccountState::from_code(code).map_or(code, |known| known.zh())
}

fn article_state(code: &str) -> &str {
    article::State::from_code(code).map_or(code, |known| known.zh())
}

fn objection_state(code: &str) -> &str {
    ObjectionState::from_code(code).map_or(code, |known| known.zh())
}

fn party_kind(code: &str) -> &str {
    PartyKind::from_code(code).map_or(code, |known| known.zh())
}

fn find(command: &str, key: &str) -> Option<(&'static str, As)> {
    FIELDS
        .iter()
        .filter(|(_, known, ..)| *known == key)
        .find(|(of, ..)| {
            *of == command || (of.ends_with('.') && command.starts_with(of)) || of.is_empty()
        })
        .map(|(_, _, label, shown)| (*label, *shown))
}

/// One fact: what it is called, and its value for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fact {
    /// The key as the event has it; those of a group are joined by dots.
    pub(super) key: String,
    /// What it is called.
    pub(super) label: String,
    /// The value for people.
    pub(super) text: String,
    /// The unit; may be empty.
    pub(super) unit: &'static str,
    /// The plain number behind a figure, for `<data value>`; empty for others.
    pub(super) figure: String,
    /// The value is a day.
    pub(super) day: bool,
}

impl Fact {
    /// In one line, for a table that leaves as a file.
    pub(super) fn line(&self) -> String {
        let unit = if self.unit.is_empty() { "" } else { " " };
        format!("{}：{}{unit}{}", self.label, self.text, self.unit)
    }
}

/// The facts of an event as its JSON holds them; an object even where it is damaged.
pub(super) fn facts_of(event: &Written) -> Map<String, Value> {
    match serde_json::from_str(&event.detail) {
        Ok(Value::Object(facts)) => facts,
        Ok(other) => Map::from_iter([("detail".to_owned(), other)]),
        Err(_) => Map::from_iter([("detail".to_owned(), event.detail.as_str().into())]),
    }
}

fn id_in(value: &Value) -> Option<Uuid> {
    value.as_str().and_then(|text| Uuid::try_parse(text).ok())
}

/// The ids among the facts of an event, with what they stand for.
pub(super) fn ids(event: &Written) -> Vec<(Noun, Uuid)> {
    let facts = facts_of(event);
    // What was before and after a change is told as a group of facts.
    let groups = facts.values().filter_map(Value::as_object).flatten();
    facts
        .iter()
        .chain(groups)
        .filter_map(|(key, value)| match find(&event.command, key)?.1 {
            Of(noun) => Some((noun, id_in(value)?)),
            _ => None,
        })
        .collect()
}

/// How the values of one event are told.
struct Teller<'a> {
    command: &'a str,
    names: &'a Names,
    /// The party of the event is a natural person, or that is not known.
    person: bool,
}

impl<'a> Teller<'a> {
    fn new(event: &'a Written, names: &'a Names) -> Self {
        let subject = Noun::of_table(&event.subject_table).map(|noun| (noun, event.subject_id));
        let known = |(noun, id)| names.of(noun, id).and_then(|name: &Name| name.person);
        let person = subject.into_iter().chain(ids(event)).find_map(known);
        Self {
            command: &event.command,
            names,
            person: person.unwrap_or(true),
        }
    }

    fn name(&self, text: &str) -> String {
        if self.person {
            masked_name(PartyKind::Person.code(), text)
        } else {
            text.to_owned()
        }
    }

    fn tell(&self, path: &str, label: &str, (key, value): (&str, &Value), out: &mut Vec<Fact>) {
        let (word, shown) = find(self.command, key).unwrap_or((key, Plain));
        let joined = |before: &str, after: &str, by: &str| match before {
            "" => after.to_owned(),
            before => format!("{before}{by}{after}"),
        };
        let (path, label) = (joined(path, key, "."), joined(label, word, " · "));
        if let Value::Object(inner) = value {
            for (key, value) in inner {
                self.tell(&path, &label, (key, value), out);
            }
            return;
        }
        if value.is_null() {
            return;
        }
        let mut fact = Fact {
            key: path,
            label,
            ..Fact::default()
        };
        self.fill(&mut fact, shown, value);
        out.push(fact);
    }

    fn fill(&self, fact: &mut Fact, shown: As, value: &Value) {
        match (shown, value.as_i64()) {
            (Money, Some(fen)) => {
                fact.figure = fen.to_string();
                fact.text = Fen(fen).to_string();
                fact.unit = "元";
            }
            (Count(unit), Some(count)) => {
                fact.figure = count.to_string();
                fact.text = count.to_string();
                fact.unit = unit;
            }
            _ => {
                fact.day = matches!(shown, Day);
                fact.text = self.text(shown, value);
            }
        }
    }

    fn text(&self, shown: As, value: &Value) -> String {
        let text = match value {
            Value::Array(all) => {
                let all: Vec<String> = all.iter().map(|one| self.text(shown, one)).collect();
                return if all.is_empty() {
                    "无".to_owned()
                } else {
                    all.join("、")
                };
            }
            Value::Bool(yes) => return if *yes { "是" } else { "否" }.to_owned(),
            Value::String(text) => text.as_str(),
            other => return other.to_string(),
        };
        match shown {
            Typed => vocab::mask_numbers(text),
            PartyName => self.name(text),
            Word(word) => word(text).to_owned(),
            Region => region(text),
            Moment => moment(text),
            Digest => digest(text),
            Of(noun) => {
                let name = id_in(value).and_then(|id| self.names.of(noun, id));
                name.map_or_else(|| text.to_owned(), |name| name.text.clone())
            }
            Plain | Money | Count(_) | Day => text.to_owned(),
        }
    }

    /// The record as it stands, but for what is personal.
    fn covered(&self, value: &Value, key: &str) -> Value {
        match value {
            Value::Object(inner) => inner
                .iter()
                .map(|(key, value)| (key.clone(), self.covered(value, key)))
                .collect(),
            Value::Array(all) => all.iter().map(|one| self.covered(one, key)).collect(),
            Value::String(text) => match find(self.command, key) {
                Some((_, PartyName)) => self.name(text).into(),
                Some((_, Typed)) => vocab::mask_numbers(text).into(),
                _ => value.clone(),
            },
            other => other.clone(),
        }
    }
}

/// Keys told first, in this order; the others follow by their keys, figures last.
const FIRST: &[&str] = &[
    "why", "number", "task", "outcome", "state", "kind", "name", "title",
];

/// The facts of an event in words, and the record as it stands.
pub(super) fn told(event: &Written, names: &Names) -> (Vec<Fact>, String) {
    let teller = Teller::new(event, names);
    let facts = facts_of(event);
    let mut out = Vec::new();
    for (key, value) in &facts {
        teller.tell("", "", (key, value), &mut out);
    }
    let place = |fact: &Fact| {
        FIRST
            .iter()
            .position(|key| *key == fact.key)
            .unwrap_or(FIRST.len())
    };
    out.sort_by_key(|fact| (place(fact), !fact.figure.is_empty()));
    let record = teller.covered(&Value::Object(facts), "").to_string();
    (out, record)
}

fn region(code: &str) -> String {
    let known = RegionCode::parse(code).ok().and_then(vocab::region::find);
    known.map_or_else(|| code.to_owned(), |region| region.name.to_owned())
}

/// The first twelve hexadecimal digits; the record beside it holds them all.
fn digest(text: &str) -> String {
    let digits = text.trim_start_matches("sha256:");
    match digits.char_indices().nth(12) {
        Some((end, _)) => format!("{}…", digits.get(..end).unwrap_or(digits)),
        None => digits.to_owned(),
    }
}

fn moment(text: &str) -> String {
    text.parse().map_or_else(
        |_| text.to_owned(),
        |at| crate::web::civil(at).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}
