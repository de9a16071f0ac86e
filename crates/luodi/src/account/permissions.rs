//! The table of permissions for the security administrator: which role may open and which may
//! change what, read off the rules the program itself goes by, and who holds each role.
//!
//! It grants nothing: roles are granted on the page of an account.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query as UrlQuery, State};
use axum::http::Method;
use serde::Deserialize;

use super::queries::holders;
use crate::access::{Role, Rule};
use crate::router;
use crate::web::export::{self, Cell};
use crate::web::filters;
use crate::web::form::Choice;
use crate::web::{Answer, App, Page, Route, Visit, get};

const SECURITY: Rule = Rule::Staff(&[Role::SecurityAdmin]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/permissions", SECURITY, show),
        get("/permissions.xlsx", SECURITY, download),
    ]
}

/// What lies at an address further inside than its first part says: who asks for an erasure does so
/// at a party's page, and who carries it out too. The first that an address holds counts.
const INSIDE: &[(&str, &str)] = &[
    ("/data/erasure/decide", "erasures"),
    ("/data/erasure", "erasure"),
    ("/data", "data"),
    ("/bank-accounts", "bank-accounts"),
    ("/apply", "drafts"),
    ("/notice", "notices"),
];

/// What the addresses below a first part, or at one of [`INSIDE`], are for.
const SECTIONS: &[(&str, &str)] = &[
    ("", "门户首页"),
    ("account", "自己的账号"),
    ("accounts", "账号和角色"),
    ("api", "程序接口"),
    ("articles", "公开文章"),
    ("assets", "页面资源"),
    ("bank-accounts", "收款账户"),
    ("batches", "批次"),
    ("budgets", "预算资金"),
    ("cases", "办件"),
    ("clock", "系统时钟"),
    ("data", "个人信息副本"),
    ("departments", "部门"),
    ("desk", "文章编辑"),
    ("drafts", "申报和草稿"),
    ("erasure", "个人信息删除申请"),
    ("erasures", "个人信息删除"),
    ("healthz", "运行检查"),
    ("items", "办事事项"),
    ("leaves", "请假与代理"),
    ("log", "日志"),
    ("login", "登录"),
    ("logout", "退出"),
    ("my", "我的办件和资料"),
    ("notices", "公示"),
    ("objections", "异议"),
    ("overview", "概览"),
    ("paid", "兑付公开"),
    ("parties", "主体"),
    ("payments", "拨付"),
    ("permissions", "权限"),
    ("readyz", "运行检查"),
    ("regions", "地区"),
    ("system", "系统"),
    ("work", "工作台"),
];

/// What names the section of an address: a part inside it, or the first, without the ending of a
/// file. What programs ask for is a section of its own.
fn section_of(path: &'static str) -> &'static str {
    let first = path.split('/').nth(1).unwrap_or_default();
    let inside = INSIDE.iter().find(|(part, _)| path.contains(part));
    if let Some((_, section)) = inside.filter(|_| first != "api") {
        return section;
    }
    first.split('.').next().unwrap_or_default()
}

fn section_zh(section: &str) -> &str {
    let found = SECTIONS.iter().find(|(known, _)| *known == section);
    found.map_or(section, |(_, words)| words)
}

/// Whether an account that holds this role, and is staff or an applicant accordingly, may enter.
fn admits(rule: Rule, role: Role) -> bool {
    match rule {
        Rule::Public | Rule::SignedIn => true,
        Rule::Applicant => role == Role::Applicant,
        Rule::Staff(roles) => role != Role::Applicant && roles.contains(&role),
        Rule::ApplicantOrStaff(roles) => role == Role::Applicant || roles.contains(&role),
    }
}

/// Who may enter, in words.
fn who(rule: Rule) -> String {
    match rule {
        Rule::Public => "任何人".to_owned(),
        Rule::SignedIn => "登录后的任何人".to_owned(),
        _ => {
            let held = Role::ALL.iter().filter(|role| admits(rule, **role));
            held.map(|role| role.zh()).collect::<Vec<_>>().join("、")
        }
    }
}

/// A door of the program.
#[derive(Clone, Debug)]
struct Door {
    section: &'static str,
    reads: bool,
    path: &'static str,
    rule: Rule,
}

impl Door {
    fn section_zh(&self) -> &str {
        section_zh(self.section)
    }

    fn does(&self) -> &'static str {
        if self.reads { "查看" } else { "办理" }
    }

    fn who(&self) -> String {
        who(self.rule)
    }
}

/// Every route, by section and in the order of its name.
fn doors() -> Vec<Door> {
    let mut doors: Vec<Door> = router::routes()
        .iter()
        .map(|route| Door {
            section: section_of(route.path),
            reads: route.method == Method::GET,
            path: route.path,
            rule: route.rule,
        })
        .collect();
    doors.sort_by_key(|door| (door.section, door.path, !door.reads));
    doors
}

/// The doors of one section.
struct Group {
    section: &'static str,
    doors: Vec<Door>,
}

impl Group {
    fn section_zh(&self) -> &str {
        section_zh(self.section)
    }
}

/// Doors by section.
fn groups(doors: Vec<Door>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for door in doors {
        match groups.last_mut().filter(|one| one.section == door.section) {
            Some(group) => group.doors.push(door),
            None => groups.push(Group {
                section: door.section,
                doors: vec![door],
            }),
        }
    }
    groups
}

/// What each role may do in a section: neither, look, or look and change.
struct Row {
    section: &'static str,
    cells: Vec<&'static str>,
}

impl Row {
    fn section_zh(&self) -> &str {
        section_zh(self.section)
    }
}

/// The sections that are not open to everybody, with what each role may do there.
fn table(doors: &[Door]) -> Vec<Row> {
    let mut sections: BTreeMap<&'static str, Vec<&Door>> = BTreeMap::new();
    for door in doors {
        if !matches!(door.rule, Rule::Public | Rule::SignedIn) {
            sections.entry(door.section).or_default().push(door);
        }
    }
    let row = |(section, doors): (&'static str, Vec<&Door>)| Row {
        section,
        cells: Role::ALL
            .iter()
            .map(|role| {
                let may = |reads| {
                    doors
                        .iter()
                        .any(|d| d.reads == reads && admits(d.rule, *role))
                };
                match (may(true), may(false)) {
                    (_, true) => "办",
                    (true, false) => "看",
                    (false, false) => "",
                }
            })
            .collect(),
    };
    sections.into_iter().map(row).collect()
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    role: String,
    #[serde(default)]
    does: String,
    #[serde(default)]
    q: String,
}

impl Asked {
    fn role(&self) -> Option<Role> {
        Role::from_code(self.role.trim())
    }

    /// A part of a section's name or of an address.
    fn text(&self) -> &str {
        self.q.trim()
    }

    fn fits(&self, door: &Door) -> bool {
        let named = door.section_zh().contains(self.text()) || door.path.contains(self.text());
        let does = match self.does.as_str() {
            "read" => door.reads,
            "change" => !door.reads,
            _ => true,
        };
        named && does && self.role().is_none_or(|role| admits(door.rule, role))
    }

    fn narrows(&self) -> bool {
        let asked = [&self.role, &self.does, &self.q];
        asked.into_iter().any(|text| !text.trim().is_empty())
    }
}

/// So many rules are shown open; more stay folded by section.
const AT_ONCE: usize = 24;

#[derive(Template)]
#[template(path = "account/permissions.html")]
struct PermissionsPage {
    page: Page,
    holders: Vec<(Role, u64)>,
    table: Vec<Row>,
    roles: Vec<Choice>,
    doings: Vec<Choice>,
    asked: Asked,
    found: usize,
    groups: Vec<Group>,
}

impl PermissionsPage {
    /// Whether the sections are open from the start.
    fn open(&self) -> bool {
        self.asked.narrows() && self.found <= AT_ONCE
    }
}

async fn show(State(app): State<App>, visit: Visit, UrlQuery(asked): UrlQuery<Asked>) -> Answer {
    let actor = visit.actor()?.clone();
    let holders = app.store.read(move |q| holders(&**q, &actor)).await?;
    let mut doors = doors();
    let table = table(&doors);
    doors.retain(|door| asked.fits(door));
    let (role, does) = (asked.role.trim(), asked.does.trim());
    let choice = |role_of: &Role| Choice::new(role_of.code(), role_of.zh(), role);
    let doings = [("read", "查看"), ("change", "办理")];
    visit.show(&PermissionsPage {
        page: Page::new(&app, &visit, "角色与权限"),
        holders,
        table,
        roles: Role::ALL.iter().map(choice).collect(),
        doings: doings
            .map(|(code, words)| Choice::new(code, words, does))
            .into(),
        found: doors.len(),
        groups: groups(doors),
        asked,
    })
}

async fn download(State(app): State<App>, visit: Visit) -> Answer {
    let mut headers = vec!["栏目", "操作", "地址"];
    headers.extend(Role::ALL.iter().map(|role| role.zh()));
    let rows: Vec<Vec<Cell>> = doors()
        .iter()
        .map(|door| {
            let mut cells: Vec<Cell> = vec![
                door.section_zh().into(),
                door.does().into(),
                door.path.into(),
            ];
            let mark = |role: &Role| if admits(door.rule, *role) { "可" } else { "" };
            cells.extend(Role::ALL.iter().map(|role| mark(role).into()));
            cells
        })
        .collect();
    export::logged(&app, &visit, "权限", &headers, &rows).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Actor, Roles};
    use crate::ids::PartyId;

    #[test]
    fn every_section_has_a_name_and_is_there() {
        let doors = doors();
        for door in &doors {
            let named = SECTIONS.iter().any(|(known, _)| *known == door.section);
            assert!(named, "name the section of {}", door.path);
        }
        for (section, _) in SECTIONS {
            let there = doors.iter().any(|door| door.section == *section);
            assert!(there, "no route below /{section}");
        }
    }

    /// What the table says of a section, role by role, those left out that may nothing.
    #[track_caller]
    fn check(section: &str, wanted: &[(Role, &str)]) {
        let rows = table(&doors());
        let row = rows.iter().find(|row| row.section_zh() == section);
        let cells = &row.expect("a section of the table").cells;
        let said: Vec<(Role, &str)> = Role::ALL
            .iter()
            .copied()
            .zip(cells.iter().copied())
            .collect();
        let said: Vec<_> = said
            .into_iter()
            .filter(|(_, cell)| !cell.is_empty())
            .collect();
        assert_eq!(said, wanted, "{section}");
    }

    /// What is done at a party's page stands where one looks for it, whoever does it.
    #[test]
    fn who_asks_for_an_erasure_and_who_carries_it_out_are_told() {
        let (own, window) = ((Role::Applicant, "办"), (Role::WindowClerk, "办"));
        check("个人信息删除申请", &[own, window]);
        check("个人信息删除", &[(Role::Reviewer, "办")]);
        check("个人信息副本", &[own, window, (Role::Reviewer, "看")]);
        let looks = [Role::CaseHandler, Role::Reviewer, Role::Approver].map(|role| (role, "看"));
        let finance = (Role::Finance, "办");
        let accounts = [&[own, window][..], &looks, &[finance]].concat();
        check("收款账户", &accounts);
    }

    #[test]
    fn every_door_is_in_one_group() {
        let all = doors();
        let count = all.len();
        let groups = groups(all);
        let names: std::collections::BTreeSet<_> = groups.iter().map(|it| it.section).collect();
        assert_eq!(names.len(), groups.len());
        assert_eq!(groups.iter().map(|it| it.doors.len()).sum::<usize>(), count);
    }

    /// What the table says of a role is what the guard does with an account that holds it alone.
    #[test]
    fn the_table_says_what_the_guard_does() {
        let region = vocab::RegionCode::parse("330300").unwrap();
        for role in Role::ALL {
            let party = (*role == Role::Applicant).then(|| PartyId(uuid::Uuid::from_u128(1)));
            let actor = Actor {
                roles: Roles::from_iter([*role]),
                party,
                ..Actor::system(region)
            };
            for door in doors() {
                let guard = door.rule.admits(Some(&actor));
                assert_eq!(admits(door.rule, *role), guard, "{} {role:?}", door.path);
            }
        }
    }
}
