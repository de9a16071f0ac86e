//! The policy of an item: a DMN model and `policy.toml`, which says what its output means, how it
//! is rounded, what is published of it and which worked examples it must fulfil.

use std::collections::BTreeMap;

use policy::feel::{Context, Number, Value};
use policy::{Evaluation, Model, Rounding};
use serde::{Deserialize, Serialize};
use vocab::Fen;

use super::files::Files;
use crate::refusal::{Refusal, Result};
use crate::store::StoreError;

/// A policy at one version.
#[derive(Clone, Debug)]
pub struct PolicyPackage {
    /// The hash that names the version.
    pub hash: String,
    /// What `policy.toml` says.
    pub settings: PolicySettings,
    /// The model, ready to be evaluated.
    pub model: Model,
    /// How amounts are rounded; none where the model gives whole fen by itself.
    pub rounding: Option<Rounding>,
}

/// What `policy.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// The policy's name, as items write it: `pv-subsidy`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The file of the model.
    pub model: String,
    /// The decision that gives the amount.
    pub decision: String,
    /// The unit of the amount: 元.
    pub unit: String,
    /// `half-up 0.01`, `down 1` …
    #[serde(default)]
    pub rounding: Option<String>,
    /// 示范值: invented for a demonstration, marked so wherever it shows.
    #[serde(default)]
    pub demo: bool,
    /// What is to be said beside every figure of it; may be empty.
    #[serde(default)]
    pub note: String,
    /// The standard in force as the guide publishes it.
    #[serde(default)]
    pub rates: Option<Rates>,
    /// Worked examples: evaluated and compared before publication.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// The standard in force, evaluated, never written twice.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// The decision that gives the rate.
    pub decision: String,
    /// The rate's unit, such as 元/kWh.
    pub unit: String,
    /// The cases shown.
    pub rows: Vec<RateRow>,
}

/// One line of the published standard.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateRow {
    /// Whom it is for.
    pub label: String,
    /// The inputs that stand for this case.
    pub inputs: BTreeMap<String, toml::Value>,
}

/// A worked example.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it shows.
    pub title: String,
    /// The inputs by name; decimals that must be exact as text.
    pub inputs: BTreeMap<String, toml::Value>,
    /// Decisions by name with their values; the amount after rounding.
    pub expect: BTreeMap<String, toml::Value>,
}

/// What a policy gives for one case.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The amount, rounded as the policy says.
    pub amount: Fen,
    /// Which policy, which rules were met, which inputs they saw, and the unrounded amount, as
    /// JSON: kept with the case and shown beside every figure made of it.
    pub explanation: String,
}

/// How an [`Assessment::explanation`] is written.
#[derive(Serialize)]
struct Explanation<'a> {
    amount_fen: i64,
    decision: &'a str,
    evaluation: &'a Evaluation,
    policy: Origin<'a>,
    rounding: &'a str,
    unit: &'a str,
    unrounded: String,
}

/// Which policy an amount comes from.
#[derive(Serialize)]
struct Origin<'a> {
    demo: bool,
    hash: &'a str,
    name: &'a str,
    note: &'a str,
    title: &'a str,
}

/// A line of the published standard with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Whom it is for.
    pub label: String,
    /// The rate, such as 0.3.
    pub value: String,
    /// The clauses it rests on, of the rules that were met.
    pub basis: Vec<String>,
}

impl PolicyPackage {
    /// The amount for a case.
    ///
    /// # Errors
    /// Refused where the rules give no amount (an input is missing or no rule is met), a negative
    /// one, or one that is no whole number of fen.
    pub fn assess(&self, context: &Context) -> Result<Assessment> {
        let evaluation = self
            .model
            .evaluate(&self.settings.decision, &self.inputs(context));
        let Some(unrounded) = evaluation.value.as_number() else {
            return Err(no_amount(&self.settings.title, &evaluation).into());
        };
        let amount = self.amount(unrounded)?;
        let explanation = Explanation {
            amount_fen: amount.0,
            decision: &self.settings.decision,
            evaluation: &evaluation,
            policy: Origin {
                demo: self.settings.demo,
                hash: &self.hash,
                name: &self.settings.name,
                note: &self.settings.note,
                title: &self.settings.title,
            },
            rounding: self.settings.rounding.as_deref().unwrap_or_default(),
            unit: &self.settings.unit,
            unrounded: unrounded.to_string(),
        };
        let explanation = serde_json::to_string(&explanation)
            .map_err(|error| StoreError::Value(format!("explanation: {error}")))?;
        Ok(Assessment {
            amount,
            explanation,
        })
    }

    /// The published standard, evaluated with the model.
    pub fn rates(&self) -> Vec<Rate> {
        let Some(rates) = &self.settings.rates else {
            return Vec::new();
        };
        let evaluate = |row: &RateRow| {
            let evaluation = self.model.evaluate(&rates.decision, &inputs(&row.inputs));
            let basis = evaluation
                .steps
                .iter()
                .flat_map(|step| &step.matched_rules)
                .flat_map(|rule| &rule.annotations)
                .map(|(_, text)| text.clone())
                .filter(|text| !text.is_empty());
            Rate {
                label: row.label.clone(),
                value: rate_text(&evaluation.value),
                basis: basis.collect(),
            }
        };
        rates.rows.iter().map(evaluate).collect()
    }

    /// The unit of the published standard.
    pub fn rate_unit(&self) -> &str {
        self.settings.rates.as_ref().map_or("", |rates| &rates.unit)
    }

    /// Only what the model asks for: the explanation repeats its inputs, and a case holds more.
    fn inputs(&self, context: &Context) -> Context {
        let wanted = self.model.input_data().into_iter().map(|input| {
            let name: &str = &input.name;
            (
                name.to_owned(),
                context.get(name).cloned().unwrap_or(Value::Null),
            )
        });
        wanted.collect()
    }

    /// An amount in yuan as fen, rounded as the policy says.
    pub(super) fn amount(&self, unrounded: Number) -> Result<Fen, Refusal> {
        let rounded = self
            .rounding
            .map_or(unrounded, |rounding| rounding.apply(unrounded));
        if rounded.is_negative() {
            let message = format!("「{}」测算为负数，请核对填报的数据。", self.settings.title);
            return Err(Refusal::invalid("policy-negative", message));
        }
        policy::to_fen(rounded).map_err(|error| {
            let message = format!("「{}」：{}。", self.settings.title, error.zh());
            Refusal::invalid("policy-amount", message)
        })
    }
}

/// A rate for people: at least two decimals where it has any, as in 0.30.
fn rate_text(value: &Value) -> String {
    let text = value.to_string();
    match text.split_once('.') {
        Some((whole, fraction)) if value.as_number().is_some() => format!("{whole}.{fraction:0<2}"),
        _ => text,
    }
}

fn no_amount(title: &str, evaluation: &Evaluation) -> Refusal {
    let why: Vec<String> = evaluation
        .nulls
        .iter()
        .take(3)
        .map(policy::Reason::zh)
        .collect();
    let why = if why.is_empty() {
        "没有适用的条款".to_owned()
    } else {
        why.join("；")
    };
    Refusal::invalid(
        "policy-no-amount",
        format!("按「{title}」测算不出金额：{why}。请补齐或更正填报的数据。"),
    )
}

/// Inputs of an example as FEEL values: text that is a number counts as one, so that decimals are
/// written exactly.
pub(super) fn inputs(values: &BTreeMap<String, toml::Value>) -> Context {
    values
        .iter()
        .map(|(name, value)| (name.as_str(), feel(value)))
        .collect()
}

pub(super) fn feel(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => {
            Number::parse(text).map_or_else(|| Value::from(text.as_str()), Value::from)
        }
        toml::Value::Integer(number) => Value::from(*number),
        // The shortest decimal that reads back as this number: what was written, up to 15 digits.
        toml::Value::Float(number) => Number::parse(&number.to_string()).into(),
        toml::Value::Boolean(flag) => Value::from(*flag),
        toml::Value::Datetime(moment) => {
            moment.to_string().parse::<jiff::civil::Date>().ok().into()
        }
        toml::Value::Array(items) => Value::list(items.iter().map(feel)),
        toml::Value::Table(_) => Value::Null,
    }
}

/// Reads `policy.toml`.
///
/// # Errors
/// The parser's error with its place.
pub(super) fn parse_settings(files: &Files) -> Result<PolicySettings, Option<toml::de::Error>> {
    let text = files.text("policy.toml").ok_or(None)?;
    toml::from_str(text).map_err(Some)
}
