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

/// What the addresses below a first part are for.
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
    ("departments", "部门"),
    ("desk", "文章编辑"),
    ("drafts", "申报草稿"),
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

/// The first part of an address, without the ending of a file.
fn section_of(path: &str) -> &str {
    let first = path.split('/').nth(1).unwrap_or_default();
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

/// Every route, by section.
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

/// What each role may do in a section: neither, look, or look and change.
struct Row {
    section: String,
    cells: Vec<&'static str>,
}

/// The sections that are not open to everybody, with what each role may do there.
fn table(doors: &[Door]) -> Vec<Row> {
    let mut sections: BTreeMap<&str, Vec<&Door>> = BTreeMap::new();
    for door in doors {
        if !matches!(door.rule, Rule::Public | Rule::SignedIn) {
            sections.entry(door.section).or_default().push(door);
        }
    }
    let row = |(section, doors): (&str, Vec<&Door>)| Row {
        section: section_zh(section).to_owned(),
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
}

#[derive(Template)]
#[template(path = "account/permissions.html")]
struct PermissionsPage {
    page: Page,
    holders: Vec<(Role, u64)>,
    table: Vec<Row>,
    roles: Vec<Choice>,
    doors: Vec<Door>,
}

async fn show(State(app): State<App>, visit: Visit, UrlQuery(asked): UrlQuery<Asked>) -> Answer {
    let actor = visit.actor()?.clone();
    let holders = app.store.read(move |q| holders(&**q, &actor)).await?;
    let mut doors = doors();
    let table = table(&doors);
    if let Some(role) = Role::from_code(asked.role.trim()) {
        doors.retain(|door| admits(door.rule, role));
    }
    let roles = Role::ALL.iter();
    visit.show(&PermissionsPage {
        page: Page::new(&app, &visit, "角色与权限"),
        holders,
        table,
        roles: roles
            .map(|role| Choice::new(role.code(), role.zh(), asked.role.trim()))
            .collect(),
        doors,
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
