//! Which fields look as if they held personal data, so that publication can ask for the mark.
//!
//! Deliberately errs on the side of asking: a label that only mentions such data can be reworded.

use super::Class;

/// Words in labels, and the class they point to.
const WORDS: &[(&str, Class)] = &[
    ("身份证", Class::IdNumber),
    ("证件号", Class::IdNumber),
    ("护照号", Class::IdNumber),
    ("公民身份号码", Class::IdNumber),
    ("银行卡", Class::BankAccount),
    ("账号", Class::BankAccount),
    ("帐号", Class::BankAccount),
    ("手机", Class::Phone),
    ("电话", Class::Phone),
    ("联系方式", Class::Phone),
    ("住址", Class::Address),
    ("地址", Class::Address),
    ("病历", Class::Health),
    ("病史", Class::Health),
    ("残疾", Class::Health),
    ("健康", Class::Health),
];

/// Parts of keys, compared as whole parts or runs of parts between underscores.
const PARTS: &[(&str, Class)] = &[
    ("id_number", Class::IdNumber),
    ("id_card", Class::IdNumber),
    ("idcard", Class::IdNumber),
    ("passport", Class::IdNumber),
    ("bank_account", Class::BankAccount),
    ("account_number", Class::BankAccount),
    ("account_no", Class::BankAccount),
    ("bank_card", Class::BankAccount),
    ("phone", Class::Phone),
    ("mobile", Class::Phone),
    ("tel", Class::Phone),
    ("telephone", Class::Phone),
    ("address", Class::Address),
    ("addr", Class::Address),
    ("health", Class::Health),
    ("disability", Class::Health),
];

/// The class a field looks like by its label or key, if any.
///
/// ```
/// use luodi::form::{Class, looks_personal};
/// assert_eq!(looks_personal("contact_phone", "联系人"), Some(Class::Phone));
/// assert_eq!(looks_personal("hotel", "装机容量"), None);
/// ```
pub fn looks_personal(key: &str, label: &str) -> Option<Class> {
    let by_label = WORDS.iter().find(|(word, _)| label.contains(word));
    let padded = format!("_{key}_");
    let by_key = || {
        PARTS
            .iter()
            .find(|(part, _)| padded.contains(&format!("_{part}_")))
    };
    by_label.or_else(by_key).map(|(_, class)| *class)
}
