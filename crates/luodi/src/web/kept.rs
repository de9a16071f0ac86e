//! What a visitor typed into a form that could not be carried out, shown for reading and copying:
//! under the labels of the form, without what the page itself had put there.
//!
//! A form says in hidden fields what it is ([`OF_PAGE`]) and, where its labels are not those of the
//! table here, what it calls its fields and buttons ([`LABELS`]). Both travel with the text and are
//! for showing it only.

use std::borrow::Cow;

/// The hidden field that names the page a form stands on.
pub const OF_PAGE: &str = "of_page";

/// The hidden field with the labels of a form, written like the query of an address: of its typed
/// fields by their names, of its buttons by `action.` and their values, of the form itself by nothing.
pub const LABELS: &str = "labels";

/// Labels of the fields that people type into, in whichever form.
const KNOWN: &[(&str, &str)] = &[
    ("reason", "意见和理由"),
    ("why", "事由"),
    ("answer", "说明"),
    ("note", "核实情况"),
    ("statement", "异议内容"),
    ("name", "名称（姓名）"),
    ("contact_name", "联系人"),
    ("person", "联系人"),
    ("phone", "电话"),
    ("contact_phone", "联系电话"),
    ("address", "地址"),
    ("title", "标题"),
    ("tag", "标签"),
    ("body", "正文"),
    ("basis", "依据"),
    ("mail", "邮箱"),
    ("value", "手机号码或邮箱地址"),
    ("login", "登录名"),
    ("credit_code", "统一社会信用代码"),
    ("id_number", "身份证号码"),
    ("legal_representative", "法定代表人"),
    ("industry", "行业代码"),
    ("founded_on", "成立日期"),
    ("holder_name", "户名"),
    ("number", "账号"),
    ("bank_name", "开户行"),
    ("bank_code", "联行号"),
    ("second_reason", "另立账户的原因"),
    ("seen", "核对的证件"),
    ("papers", "核对的证件"),
    ("unmask_reason", "查看完整联系方式的用途"),
    ("year", "预算年度"),
    ("project", "项目"),
    ("document_number", "指标文号"),
    ("function_code", "功能分类科目"),
    ("economic_code", "经济分类科目"),
    ("paper_word", "机关代字"),
    ("amount", "金额"),
    ("published_on", "日期"),
    ("first_day", "起始日期"),
    ("last_day", "结束日期"),
    ("ends_on", "公示截止日期"),
    ("findings", "结论与发现"),
];

/// What the text of a field is called whose label did not come with it.
const OTHER: &str = "其他填写内容";

/// One text: what its field is called, the field's name, and the text.
type Typed<'a> = (Cow<'a, str>, &'a str, &'a str);

/// What people typed among the fields of a form, in its order.
pub fn texts(fields: &[(String, String)]) -> Vec<Typed<'_>> {
    let own = labels(fields);
    let typed = fields.iter().filter(|(name, value)| is_text(name, value));
    typed
        .filter_map(|(name, value)| {
            Some((label(&own, name, value)?, name.as_str(), value.as_str()))
        })
        .collect()
}

/// What sending the form again does: its button, and what it is about; nothing where it does not say.
pub fn doing(fields: &[(String, String)]) -> Option<String> {
    let get = |name: &str| fields.iter().find(|(known, _)| known == name);
    let own = labels(fields);
    let labelled = |name: &str| own.iter().find(|(known, _)| known == name);
    let button = get("action").and_then(|(_, action)| labelled(&format!("action.{action}")));
    let about = labelled("").or_else(|| get(OF_PAGE));
    let parts = [button, about].into_iter().flatten();
    let parts: Vec<&str> = parts.map(|(_, words)| words.as_str()).collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// The labels that came with a form.
fn labels(fields: &[(String, String)]) -> Vec<(String, String)> {
    let own = fields.iter().filter(|(name, _)| name == LABELS);
    let pairs = own.flat_map(|(_, value)| form_urlencoded::parse(value.as_bytes()));
    pairs
        .map(|(name, label)| (name.into_owned(), label.into_owned()))
        .collect()
}

/// Fields that a page fills by itself, or that only mean something to it.
const OF_THE_PAGE: &[&str] = &[
    "action",
    "version",
    "csrf",
    "idempotency_key",
    "correction",
    "count",
    "draft",
    "item_hash",
    "region",
    "total_fen",
    OF_PAGE,
    LABELS,
];

/// Whether a value may be a text of the visitor: neither the page's own nor an id.
fn is_text(name: &str, value: &str) -> bool {
    let id = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ticked = matches!(value, "true" | "false");
    !value.trim().is_empty() && !id && !ticked && !OF_THE_PAGE.contains(&name)
}

/// What to call a field; nothing for a choice, a mark or another code of the page.
fn label<'a>(own: &[(String, String)], name: &'a str, value: &str) -> Option<Cow<'a, str>> {
    // The fields of a list bear the number of their row.
    let parts = name.split('.').filter(|part| part.parse::<u32>().is_err());
    let plain = parts.collect::<Vec<_>>().join(".");
    let said = own.iter().find(|(known, _)| *known == plain);
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    match (said, known) {
        (Some((_, label)), _) => Some(Cow::Owned(label.clone())),
        (None, Some((_, label))) => Some(Cow::Borrowed(*label)),
        // A label that stands in the place of the name.
        (None, None) if !name.is_ascii() => Some(Cow::Borrowed(name)),
        (None, None) => may_be_typed(value, own).then_some(Cow::Borrowed(OTHER)),
    }
}

/// Whether a text without a label may be somebody's. A form that brought its labels has none for its
/// choices; of another, what looks like a code of the page is taken for one.
fn may_be_typed(value: &str, own: &[(String, String)]) -> bool {
    let named = own
        .iter()
        .any(|(name, _)| !name.is_empty() && !name.starts_with("action."));
    let written = value.contains(|c: char| !c.is_ascii() || c.is_whitespace());
    let of_a_code = |b: u8| b.is_ascii_lowercase() || matches!(b, b'_' | b'-');
    written || (!named && !value.bytes().all(of_a_code))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        owned.collect()
    }

    #[test]
    fn only_what_people_typed_is_shown_under_its_label() {
        let labels =
            "project_name=%E9%A1%B9%E7%9B%AE%E5%90%8D%E7%A7%B0&meters.no=%E8%A1%A8%E5%8F%B7";
        let form = fields(&[
            ("of_page", "申报"),
            ("labels", labels),
            ("draft", "new-Qj2gTfz"),
            ("project_name", "Test"),
            ("meters.0.no", "330004000012"),
            ("kind", "holiday"),
            ("agreed", "true"),
            ("region", "330324"),
            ("reason", "齐全"),
            ("unheard_of", "写了很久"),
        ]);
        let said: Vec<(String, &str)> = texts(&form)
            .into_iter()
            .map(|(label, _, value)| (label.into_owned(), value))
            .collect();
        let wanted = [
            ("项目名称", "Test"),
            ("表号", "330004000012"),
            ("意见和理由", "齐全"),
            (OTHER, "写了很久"),
        ];
        assert_eq!(said, wanted.map(|(label, value)| (label.to_owned(), value)));
    }

    /// An older page sends no labels: a number is shown, a code is not.
    #[test]
    fn nothing_typed_is_lost_where_no_labels_came() {
        let form = fields(&[("filing_number", "2408-330324-04"), ("kind", "holiday")]);
        let said: Vec<&str> = texts(&form).iter().map(|(_, _, value)| *value).collect();
        assert_eq!(said, ["2408-330324-04"]);
    }

    #[test]
    fn the_form_says_what_it_does() {
        let page = fields(&[("of_page", "更正主体信息"), ("action", "amend")]);
        assert_eq!(doing(&page).as_deref(), Some("更正主体信息"));
        let task = fields(&[
            ("of_page", "某某 · 光伏补贴"),
            ("labels", "=办件 330324-2026-000012&action.correct=退回补正"),
            ("action", "correct"),
        ]);
        assert_eq!(
            doing(&task).as_deref(),
            Some("退回补正 · 办件 330324-2026-000012")
        );
        assert_eq!(doing(&fields(&[("action", "x")])), None);
    }

    /// Fields whose text is nobody's to read again.
    const SECRET: &[&str] = &["code", "receipt", "totp", "website"];

    fn templates(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.path() {
                path if path.is_dir() => templates(&path, found),
                path => found.push(path),
            }
        }
    }

    /// Text of a field without a label might not be shown, and be lost.
    #[test]
    fn every_field_that_is_typed_into_has_a_label() {
        let (mut paths, mut seen) = (Vec::new(), 0);
        templates(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"),
            &mut paths,
        );
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            for call in ["form::text(errors, \"", "form::area(errors, \""] {
                for rest in text.split(call).skip(1) {
                    let name = rest.split('"').next().unwrap();
                    let known = KNOWN.iter().any(|(known, _)| *known == name);
                    let secret = SECRET.contains(&name) || name.contains("password");
                    assert!(known || secret, "{name} of {}", path.display());
                    seen += 1;
                }
            }
        }
        assert!(seen > 50, "{seen}");
    }
}
