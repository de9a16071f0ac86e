//! What a visitor typed into a form that could not be carried out, shown for reading and copying:
//! under the names people know, without what the page itself had put there.

/// Names of fields that many forms have; labels of a form's own fields come with them.
const LABELS: &[(&str, &str)] = &[
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
    ("body", "正文"),
    ("basis", "依据"),
    ("mail", "邮箱"),
    ("login", "登录名"),
    ("holder_name", "户名"),
    ("bank_name", "开户行"),
    ("amount", "金额"),
    ("findings", "结论与发现"),
];

/// Fields that a page fills by itself, or that only mean something to it.
const OF_THE_PAGE: &[&str] = &["action", "version", "csrf", "idempotency_key", "correction"];

/// Whether a value is text of the visitor: neither the page's own nor an id.
pub fn is_text(name: &str, value: &str) -> bool {
    let id = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ticked = matches!(value, "true" | "false");
    !value.trim().is_empty() && !id && !ticked && !OF_THE_PAGE.contains(&name)
}

/// What to call a field; one that is not known by its name is called by its place.
pub fn label(name: &str, place: impl std::fmt::Display) -> String {
    let known = LABELS.iter().find(|(known, _)| *known == name);
    match known {
        Some((_, label)) => (*label).to_owned(),
        // A label that came with the text.
        None if !name.is_ascii() => name.to_owned(),
        None => format!("第 {place} 项"),
    }
}
