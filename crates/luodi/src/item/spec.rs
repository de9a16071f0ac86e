//! `item.toml`: what a service item (事项) says of itself. Keys of the national fields are the
//! Chinese ones, quoted; what Luodi adds stands in `[luodi]`, `[tasks]`, `[services]`, `[ends]`,
//! `[[checks]]` and `[en]`. Deliberately lacks any check beyond the shape: see `check`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::web::Lang;

/// A service item as its `item.toml` describes it.
#[derive(Clone, Debug)]
pub struct Item {
    /// The name of the package: `pv-subsidy`. Stable over all versions.
    pub code: String,
    /// 名称.
    pub name: String,
    /// 摘要: what it gives, in one sentence.
    pub summary: String,
    /// 事项编码.
    pub national_code: String,
    /// 实施编码.
    pub implementation_code: String,
    /// 类型, such as 行政给付.
    pub kind: String,
    /// 设定依据.
    pub bases: Vec<Basis>,
    /// 实施主体.
    pub authority: String,
    /// 服务对象.
    pub audience: Vec<String>,
    /// 受理条件.
    pub conditions: Vec<String>,
    /// 材料.
    pub materials: Vec<Material>,
    /// 法定时限, in working days.
    pub statutory_working_days: u32,
    /// 承诺时限, in working days.
    pub promised_working_days: u32,
    /// 特别程序: what does not count.
    pub procedures: Vec<Procedure>,
    /// 收费, such as 不收费.
    pub fees: String,
    /// 到场次数.
    pub visits: u32,
    /// 通办范围.
    pub scope: String,
    /// 咨询电话.
    pub phone: String,
    /// 监督电话.
    pub complaint_phone: String,
    /// The policy that decides the amount, by its name.
    pub policy: Option<String>,
    /// Template of a case's title: `屋顶光伏 {filed_kw} kW`.
    pub title: String,
    /// The field that holds the batch's period, such as 2026Q3.
    pub period: Option<String>,
    /// Only one live case may hold these values together.
    pub unique: Vec<String>,
    /// Values kept for comparison and lists.
    pub index: Vec<String>,
    /// Values shown in a public notice.
    pub notice_summary: Vec<String>,
    /// Working days after the day of receipt in which an objection is answered; 15 where the item
    /// says nothing.
    pub objection_working_days: u32,
    /// One entry per user task of the process, by its id.
    pub tasks: BTreeMap<String, TaskSpec>,
    /// One entry per service task of the process, by its id.
    pub services: BTreeMap<String, ServiceSpec>,
    /// One entry per end event of the process, by its id.
    pub ends: BTreeMap<String, EndSpec>,
    /// 校验: what is pointed out and never refused.
    pub checks: Vec<CheckSpec>,
    /// The texts of the guide in English, by the Chinese ones.
    pub english: BTreeMap<String, String>,
}

impl Item {
    /// A text of the package in a language; the Chinese one where there is no other.
    pub fn tell(&self, text: &str, lang: Lang) -> String {
        let english = self.english.get(text).filter(|_| lang.is_english());
        english.map_or(text, String::as_str).to_owned()
    }

    /// What the guide and the lists show of the item, in a language.
    #[must_use]
    pub fn told(&self, lang: Lang) -> Item {
        let mut item = self.clone();
        if !lang.is_english() {
            return item;
        }
        let mut texts: Vec<&mut String> = vec![
            &mut item.name,
            &mut item.summary,
            &mut item.kind,
            &mut item.authority,
            &mut item.fees,
            &mut item.scope,
        ];
        texts.extend(&mut item.audience);
        texts.extend(&mut item.conditions);
        for basis in &mut item.bases {
            texts.extend([&mut basis.name, &mut basis.clause, &mut basis.applies]);
        }
        for material in &mut item.materials {
            texts.extend([&mut material.name, &mut material.source, &mut material.note]);
        }
        for procedure in &mut item.procedures {
            texts.extend([&mut procedure.name, &mut procedure.note]);
        }
        for text in texts {
            *text = self.tell(text, lang);
        }
        item
    }

    /// 服务对象 as one text, of an item that was told in a language.
    pub fn audience_text(&self, lang: Lang) -> String {
        self.audience
            .join(if lang.is_english() { ", " } else { "、" })
    }
}

/// 设定依据.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// 名称 of the paper.
    #[serde(rename = "名称")]
    pub name: String,
    /// 文号.
    #[serde(rename = "文号", default)]
    pub number: String,
    /// 条款.
    #[serde(rename = "条款", default)]
    pub clause: String,
    /// 适用: to whom or when it applies.
    #[serde(rename = "适用", default)]
    pub applies: String,
}

/// 材料.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Material {
    /// 名称.
    #[serde(rename = "名称")]
    pub name: String,
    /// 来源: who issues it.
    #[serde(rename = "来源")]
    pub source: String,
    /// 份数.
    #[serde(rename = "份数")]
    pub copies: u32,
    /// 容缺: may be handed in later.
    #[serde(rename = "容缺")]
    pub may_follow: bool,
    /// 说明, such as who hands it in.
    #[serde(rename = "说明", default)]
    pub note: String,
    /// The file field of the form it goes into; none where it is handed in on paper only.
    #[serde(default)]
    pub slot: Option<String>,
    /// Must be there at submission.
    #[serde(default)]
    pub required: bool,
    /// Extensions taken.
    #[serde(default)]
    pub types: Vec<String>,
}

/// 特别程序.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// 名称.
    #[serde(rename = "名称")]
    pub name: String,
    /// 说明.
    #[serde(rename = "说明", default)]
    pub note: String,
}

/// What a user task of the process means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    /// Code of the role that does it; `applicant`, or `batch` where a batch ends it.
    pub role: String,
    /// The stage of the case's path.
    pub stage: String,
    /// The state of the case while the task waits.
    pub state: String,
    /// The duty that excludes others; empty for none.
    #[serde(default)]
    pub duty: String,
    /// The task's own form: `forms/<name>.json`.
    #[serde(default)]
    pub form: Option<String>,
    /// What the applicant is asked where the process leads here by itself, not by an officer.
    #[serde(default)]
    pub asks: Option<String>,
    /// Papers that must come anew with an answer to what is asked here, by the file fields of the
    /// item's form.
    #[serde(default)]
    pub papers: Vec<String>,
    /// How it can end; the first is the main one.
    pub outcomes: Vec<Outcome>,
}

impl TaskSpec {
    /// Whether a task with this outcome goes on with its own form's values. Asking for a correction
    /// and turning down need a reason instead, and what was typed beside it was not checked. Who
    /// turns down after an inspection says what was found on site.
    pub fn takes_values(&self, outcome: &str) -> bool {
        let given = self.outcomes.iter().find(|it| it.value == outcome);
        given.is_some_and(|it| match it.effect {
            Effect::AskCorrection => false,
            Effect::Refuse | Effect::DecideAgainst => self.duty == "inspect",
            _ => true,
        })
    }
}

/// How a task can end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The value conditions compare `outcome` with.
    pub value: String,
    /// The button: named by its effect.
    pub label: String,
    /// A reason must be given.
    #[serde(default)]
    pub reason: bool,
    /// What it does to the case besides moving the process.
    #[serde(default)]
    pub effect: Effect,
    /// The look of the button: empty or `danger`.
    #[serde(default)]
    pub style: String,
}

/// What an outcome does to the case besides moving the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// 受理: the clock starts.
    Accept,
    /// 不予受理.
    Refuse,
    /// 补正: the applicant is asked.
    AskCorrection,
    /// The applicant has answered.
    AnswerCorrection,
    /// Decided in favour.
    DecideFor,
    /// Decided against.
    DecideAgainst,
}

/// What a service task of the process does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// `evaluate-policy` or `propose`.
    pub kind: String,
}

/// What an end event of the process means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndSpec {
    /// The state the case ends in.
    pub state: String,
    /// What people call it; empty for the state's own words.
    #[serde(default)]
    pub label: String,
}

/// 校验.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// Stable name, such as `generation-far-from-mean`.
    pub name: String,
    /// What is looked at.
    pub title: String,
    /// A figure over other cases of the item that the sentence may use by its name.
    #[serde(default)]
    pub statistic: Option<Statistic>,
    /// FEEL: the sentence to show, or null where there is nothing to point out.
    pub sentence: String,
}

/// The ratio of two sums over the item's other cases: Σ numerator / Σ denominator.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistic {
    /// Its name in expressions.
    pub name: String,
    /// An indexed field.
    pub numerator: String,
    /// An indexed field.
    pub denominator: String,
    /// Only cases that are equal in these: `region`, or indexed fields.
    pub within: Vec<String>,
    /// Null where fewer other cases are there.
    #[serde(default = "at_least")]
    pub at_least: u32,
}

fn at_least() -> u32 {
    3
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "名称")]
    name: String,
    #[serde(rename = "摘要")]
    summary: String,
    #[serde(rename = "事项编码")]
    national_code: String,
    #[serde(rename = "实施编码")]
    implementation_code: String,
    #[serde(rename = "类型")]
    kind: String,
    #[serde(rename = "设定依据")]
    bases: Vec<Basis>,
    #[serde(rename = "实施主体")]
    authority: String,
    #[serde(rename = "服务对象")]
    audience: Vec<String>,
    #[serde(rename = "受理条件")]
    conditions: Vec<String>,
    #[serde(rename = "材料")]
    materials: Vec<Material>,
    #[serde(rename = "法定时限")]
    statutory_working_days: u32,
    #[serde(rename = "承诺时限")]
    promised_working_days: u32,
    #[serde(rename = "特别程序", default)]
    procedures: Vec<Procedure>,
    #[serde(rename = "收费")]
    fees: String,
    #[serde(rename = "到场次数")]
    visits: u32,
    #[serde(rename = "通办范围")]
    scope: String,
    #[serde(rename = "咨询电话")]
    phone: String,
    #[serde(rename = "监督电话")]
    complaint_phone: String,
    luodi: Luodi,
    #[serde(default)]
    tasks: BTreeMap<String, TaskSpec>,
    #[serde(default)]
    services: BTreeMap<String, ServiceSpec>,
    #[serde(default)]
    ends: BTreeMap<String, EndSpec>,
    #[serde(default)]
    checks: Vec<CheckSpec>,
    #[serde(default, rename = "en")]
    english: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Luodi {
    code: String,
    #[serde(default)]
    policy: Option<String>,
    title: String,
    #[serde(default)]
    period: Option<String>,
    #[serde(default)]
    unique: Vec<String>,
    #[serde(default)]
    index: Vec<String>,
    #[serde(default)]
    notice_summary: Vec<String>,
    #[serde(default = "fifteen")]
    objection_working_days: u32,
}

const fn fifteen() -> u32 {
    15
}

/// Reads an `item.toml`.
///
/// # Errors
/// The parser's error with its place, where a key is missing, unknown or of another type.
pub(super) fn parse(text: &str) -> Result<Item, toml::de::Error> {
    let document: Document = toml::from_str(text)?;
    let luodi = document.luodi;
    Ok(Item {
        code: luodi.code,
        name: document.name,
        summary: document.summary,
        national_code: document.national_code,
        implementation_code: document.implementation_code,
        kind: document.kind,
        bases: document.bases,
        authority: document.authority,
        audience: document.audience,
        conditions: document.conditions,
        materials: document.materials,
        statutory_working_days: document.statutory_working_days,
        promised_working_days: document.promised_working_days,
        procedures: document.procedures,
        fees: document.fees,
        visits: document.visits,
        scope: document.scope,
        phone: document.phone,
        complaint_phone: document.complaint_phone,
        policy: luodi.policy,
        title: luodi.title,
        period: luodi.period,
        unique: luodi.unique,
        index: luodi.index,
        notice_summary: luodi.notice_summary,
        objection_working_days: luodi.objection_working_days,
        tasks: document.tasks,
        services: document.services,
        ends: document.ends,
        checks: document.checks,
        english: document.english,
    })
}
