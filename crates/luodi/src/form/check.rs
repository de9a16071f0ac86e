//! The rules a single value must fulfil, and the sentence that names field and rule where it does
//! not. Deliberately lacks the form: a caller hands in one text and one field at a time.

use std::borrow::Cow;

use jiff::civil::Date;
use policy::feel::Number;
use vocab::{DateError, date, fold_width};

use super::model::{Choice, TextCheck};

/// A code or shape with a check of its own, as `luodi.rule` writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRule {
    /// Unified social credit code with its check character.
    CreditCode,
    /// Citizen identity number with its check character.
    IdNumber,
    /// Bank account number.
    BankAccount,
    /// Number of a bank branch (联行号).
    BankCode,
    /// Telephone number.
    Phone,
    /// A quarter such as 2026Q3 which is over.
    Quarter,
    /// Region code.
    Region,
    /// Industry code.
    Industry,
    /// Number of an electricity meter: 8 to 24 digits or capital letters.
    Meter,
    /// Mail address.
    Email,
}

impl CodeRule {
    const TABLE: [(CodeRule, &str); 10] = [
        (CodeRule::CreditCode, "credit_code"),
        (CodeRule::IdNumber, "id_number"),
        (CodeRule::BankAccount, "bank_account"),
        (CodeRule::BankCode, "bank_code"),
        (CodeRule::Phone, "phone"),
        (CodeRule::Quarter, "quarter"),
        (CodeRule::Region, "region"),
        (CodeRule::Industry, "industry"),
        (CodeRule::Meter, "meter"),
        (CodeRule::Email, "email"),
    ];

    /// The rule of a code.
    pub fn from_code(code: &str) -> Option<CodeRule> {
        Self::TABLE
            .into_iter()
            .find(|(_, known)| *known == code)
            .map(|(rule, _)| rule)
    }

    /// Every code, for messages.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        Self::TABLE.into_iter().map(|(_, code)| code)
    }

    /// The tidied value.
    fn read(self, text: &str, today: Date) -> Result<String, Broken> {
        macro_rules! through {
            ($parse:expr) => {
                $parse(text)
                    .map(|code| code.to_string())
                    .map_err(|e| Broken::new(e.code(), e.message_zh()))
            };
        }
        match self {
            CodeRule::CreditCode => through!(vocab::CreditCode::parse),
            CodeRule::IdNumber => through!(|text| vocab::IdNumber::parse_on(text, today)),
            CodeRule::BankAccount => through!(vocab::BankAccountNumber::parse),
            CodeRule::BankCode => through!(vocab::BankCode::parse),
            CodeRule::Phone => through!(vocab::Phone::parse),
            CodeRule::Region => through!(vocab::RegionCode::parse),
            CodeRule::Industry => through!(vocab::industry::IndustryCode::parse),
            CodeRule::Quarter => read_quarter(text, today),
            CodeRule::Meter => read_meter(text),
            CodeRule::Email => read_email(text),
        }
    }
}

/// Whether a date may lie ahead, as `luodi.rule` writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateRule {
    /// Today or before.
    NotFuture,
    /// Today or after.
    NotPast,
}

impl DateRule {
    /// The rule of a code.
    pub fn from_code(code: &str) -> Option<DateRule> {
        match code {
            "not_future" => Some(DateRule::NotFuture),
            "not_past" => Some(DateRule::NotPast),
            _ => None,
        }
    }
}

/// A rule that is broken; the caller adds the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) rule: Cow<'static, str>,
    pub(super) what: String,
}

impl Broken {
    pub(super) fn new(rule: impl Into<Cow<'static, str>>, what: impl Into<String>) -> Self {
        Broken {
            rule: rule.into(),
            what: what.into(),
        }
    }
}

/// Checks a text and gives it tidied.
pub(super) fn text(
    typed: &str,
    long: bool,
    check: &TextCheck,
    today: Date,
) -> Result<String, Broken> {
    let trimmed = typed.trim();
    let tidied = if long {
        trimmed.to_owned()
    } else {
        one_line(trimmed)?
    };
    let length = tidied.chars().count();
    let longest = check.max_length.unwrap_or(if long { 4_000 } else { 200 });
    if length > longest {
        let what = format!("最多 {longest} 个字，现在有 {length} 个字，请缩短");
        return Err(Broken::new("max-length", what));
    }
    if let Some(least) = check.min_length.filter(|least| length < *least) {
        let what = format!("至少 {least} 个字，现在只有 {length} 个字，请补充");
        return Err(Broken::new("min-length", what));
    }
    let tidied = match check.rule {
        Some(rule) => rule.read(&tidied, today)?,
        None => tidied,
    };
    match &check.pattern {
        Some(pattern) if !pattern.is_match(&tidied) => {
            let hint = check.pattern_hint.as_str();
            let what = if hint.is_empty() {
                "格式不符，请按说明填写"
            } else {
                hint
            };
            Err(Broken::new("pattern", what))
        }
        _ => Ok(tidied),
    }
}

fn one_line(text: &str) -> Result<String, Broken> {
    if text.chars().any(char::is_control) {
        return Err(Broken::new(
            "one-line",
            "只能填写一行，请去掉换行和不可见字符",
        ));
    }
    Ok(text.to_owned())
}

/// The most digits before the point: beyond any figure an office writes.
const WHOLE_DIGITS: usize = 15;
/// The most digits after the point where the form does not say.
const MOST_DECIMALS: u32 = 12;

/// Checks a number and gives its canonical text: no separators, no leading or trailing zeros.
pub(super) fn number(
    typed: &str,
    decimals: Option<u32>,
    (min, max): (Option<Number>, Option<Number>),
    unit: &str,
) -> Result<String, Broken> {
    let folded = fold_width(typed);
    let text = folded.trim();
    let not_a_number = || Broken::new("number", "请只填写数字，例如 412.5，不要带单位或文字");
    let (negative, digits) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let whole = ungrouped(whole).ok_or_else(not_a_number)?;
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(not_a_number());
    }
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    if whole.len() > WHOLE_DIGITS {
        return Err(Broken::new("number-range", "数值过大，请核对单位和位数"));
    }
    let allowed = decimals.unwrap_or(MOST_DECIMALS);
    if fraction.len() > usize::try_from(allowed).unwrap_or(usize::MAX) {
        let what = match allowed {
            0 => "只能填写整数，请去掉小数".to_owned(),
            n => format!("最多保留 {n} 位小数，请核对后重新填写"),
        };
        return Err(Broken::new("decimals", what));
    }
    let canonical = assemble(negative, whole, fraction);
    let value = Number::parse(&canonical).ok_or_else(not_a_number)?;
    within(value, min, max, unit)?;
    Ok(canonical)
}

/// Digits without their separators; `None` where groups or characters are wrong.
fn ungrouped(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let grouped = whole.contains(',');
    let well = digits(first) && (!grouped || first.len() <= 3);
    (well && groups.all(|group| group.len() == 3 && digits(group))).then(|| whole.replace(',', ""))
}

fn assemble(negative: bool, whole: &str, fraction: &str) -> String {
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative && !(whole == "0" && fraction.is_empty()) {
        "-"
    } else {
        ""
    };
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

fn within(
    value: Number,
    min: Option<Number>,
    max: Option<Number>,
    unit: &str,
) -> Result<(), Broken> {
    let unit = if unit.is_empty() {
        String::new()
    } else {
        format!(" {unit}")
    };
    if let Some(min) = min.filter(|min| value < *min) {
        let negative = if value.is_negative() {
            "不能为负数，"
        } else {
            ""
        };
        return Err(Broken::new(
            "min",
            format!("{negative}最小为 {min}{unit}，请核对后重新填写"),
        ));
    }
    if let Some(max) = max.filter(|max| value > *max) {
        return Err(Broken::new(
            "max",
            format!("最大为 {max}{unit}，请核对单位和位数"),
        ));
    }
    Ok(())
}

/// Checks a date, and gives it as `YYYY-MM-DD`.
pub(super) fn date(
    typed: &str,
    rule: Option<DateRule>,
    earliest: Option<Date>,
    today: Date,
) -> Result<String, Broken> {
    let text = typed.trim();
    let early = |earliest: Date| {
        Broken::new(
            "date-earliest",
            format!("{text} 过早：日期应不早于 {earliest}，请核对年份"),
        )
    };
    let day = date::read(text).map_err(|error| match error {
        DateError::Early => early(earliest.unwrap_or(date::EARLIEST)),
        DateError::Impossible => Broken::new(
            error.code(),
            format!("{text} 不是存在的日期，请核对月份和日期"),
        ),
        DateError::Shape | DateError::Late => Broken::new(error.code(), error.message_zh()),
    })?;
    if let Some(earliest) = earliest.filter(|earliest| day < *earliest) {
        return Err(early(earliest));
    }
    match rule {
        Some(DateRule::NotFuture) if day > today => Err(Broken::new(
            "date-not-future",
            format!("{day} 晚于今天，请填写已经发生的日期"),
        )),
        Some(DateRule::NotPast) if day < today => Err(Broken::new(
            "date-not-past",
            format!("{day} 已经过去，请填写今天或以后的日期"),
        )),
        _ => Ok(day.to_string()),
    }
}

/// Checks that a code is among the options.
pub(super) fn choice(
    typed: &str,
    options: &[Choice],
    rule: Option<CodeRule>,
    today: Date,
) -> Result<String, Broken> {
    // Without a list of its own the rule alone decides: a quarter that is over.
    if !options.is_empty() && !options.iter().any(|option| option.value == typed) {
        return Err(Broken::new("option", "选项不在列表中，请重新选择"));
    }
    match rule {
        Some(rule) => rule.read(typed, today),
        None => Ok(typed.to_owned()),
    }
}

fn read_quarter(text: &str, today: Date) -> Result<String, Broken> {
    let quarter = vocab::Quarter::parse(text)
        .map_err(|error| Broken::new(error.code(), error.message_zh()))?;
    if quarter.last_day() >= today {
        let what = format!("{} 尚未结束，请选择已经结束的季度", quarter.zh());
        return Err(Broken::new("quarter-not-over", what));
    }
    Ok(quarter.to_string())
}

fn read_meter(text: &str) -> Result<String, Broken> {
    let folded = fold_width(text).to_ascii_uppercase();
    let tidied: String = folded
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .collect();
    let shaped = tidied
        .bytes()
        .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if !shaped || !(8..=24).contains(&tidied.len()) || !tidied.bytes().any(|b| b.is_ascii_digit()) {
        let what = "电表号应为 8 至 24 位数字或大写字母，请对照电表铭牌或电费单核对";
        return Err(Broken::new("meter-number", what));
    }
    Ok(tidied)
}

fn read_email(text: &str) -> Result<String, Broken> {
    let folded = fold_width(text);
    let wrong = || Broken::new("email", "请填写完整的电子邮箱，例如 name@example.cn");
    let (name, domain) = folded.split_once('@').ok_or_else(wrong)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let labels: Vec<&str> = domain.split('.').collect();
    let host = labels.len() >= 2
        && labels.iter().all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
    if name.is_empty() || folded.len() > 254 || !name.chars().all(plain) || !host {
        return Err(wrong());
    }
    Ok(folded)
}
