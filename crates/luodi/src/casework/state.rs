//! What the states of cases are called, and how they are coloured. Packages name states by these
//! codes; `item::check` refuses others.

/// One state: code, words, and the look of its badge (`now`, `wait`, `good`, `bad`, `plain`).
const STATES: &[(&str, &str, &str)] = &[
    ("accepting", "待受理", "wait"),
    ("correcting", "待补正", "wait"),
    ("examining", "初审", "now"),
    ("inspecting", "现场核查", "now"),
    ("deciding", "审批", "now"),
    ("proposed", "拟补名单", "now"),
    ("noticed", "公示中", "now"),
    ("disputed", "异议核实", "wait"),
    ("paying", "待拨付", "now"),
    ("paid", "已兑付", "good"),
    ("refused", "不予受理", "bad"),
    ("rejected", "不予支持", "bad"),
    ("removed", "异议成立，未兑付", "bad"),
    ("withdrawn", "已撤回", "plain"),
    ("closed", "逾期关闭", "plain"),
];

/// Every state with its words, in the order a case goes through them.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    STATES.iter().map(|(code, words, _)| (*code, *words))
}

/// The words of a state; the code itself where a package is older than this program.
pub fn words(code: &str) -> &str {
    STATES
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or(code, |(_, words, _)| words)
}

/// Whether a case in this state has ended and will bring no money.
pub(super) fn is_without_money(code: &str) -> bool {
    matches!(
        code,
        "refused" | "rejected" | "removed" | "withdrawn" | "closed"
    )
}

/// The look of a state's badge.
pub fn look(code: &str) -> &'static str {
    STATES
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or("plain", |(.., look)| look)
}
