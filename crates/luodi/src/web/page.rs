//! The frame of every page: title, navigation, who is logged in, what was said, and the hidden
//! fields every form carries.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse};
use jiff::Timestamp;
use jiff::civil::Date;
use vocab::{Fen, RegionCode};

use super::alarm::{Alarm, alarm};
use super::{Answer, App, Lang, Odd, Visit};
use crate::access::Role;
use crate::refusal::{Refusal, Result};

/// A message left by the previous page.
#[derive(Clone, Debug)]
pub struct Flash {
    /// `success`, `warning` or `danger`.
    pub kind: &'static str,
    /// The text.
    pub text: String,
}

/// An entry of the navigation.
#[derive(Clone, Debug)]
pub struct NavItem {
    /// Where it leads.
    pub href: &'static str,
    /// What it says.
    pub label: String,
    /// The page shown now lies under it.
    pub current: bool,
}

/// Who is logged in, as the header shows it.
#[derive(Clone, Debug)]
pub struct UserBox {
    /// Name of the account.
    pub name: String,
    /// Department, or empty.
    pub department: String,
    /// Roles in Chinese.
    pub roles_zh: String,
    /// Where the user's work begins.
    pub home: &'static str,
}

/// A step of the way back.
#[derive(Clone, Debug)]
pub struct Crumb {
    /// Where it leads.
    pub href: String,
    /// What it says.
    pub label: String,
}

/// Everything the layouts need.
#[derive(Clone, Debug)]
pub struct Page {
    /// `zh-CN` or `en`.
    pub lang: &'static str,
    /// Title of the page.
    pub title: String,
    /// The city's name.
    pub city: String,
    /// Marked as a demonstration.
    pub demo: bool,
    /// Who is logged in.
    pub user: Option<UserBox>,
    /// The token for forms.
    pub csrf: String,
    /// A fresh idempotency key for the forms of this page.
    pub key: String,
    /// The navigation for this visitor.
    pub nav: Vec<NavItem>,
    /// What the previous page left to say.
    pub flash: Vec<Flash>,
    /// What the staff are told of the machine's clock.
    pub clock: Option<Odd>,
    /// The way to confirm it, where it is the visitor's.
    pub clock_page: bool,
    /// What is wrong with the log, for those who do something about it.
    pub alarm: Option<Alarm>,
    /// Writing is impossible at present.
    pub read_only: bool,
    /// The path shown, without its query.
    pub path: String,
    words: Lang,
}

impl Page {
    /// The frame for a visitor.
    pub fn new(app: &App, visit: &Visit, title: impl Into<String>) -> Self {
        let at_work = visit.actor.as_ref().filter(|actor| actor.is_staff());
        Self {
            clock: at_work.and_then(|_| app.clock.look().1),
            alarm: alarm(app, visit),
            clock_page: at_work.is_some_and(|actor| actor.has(Role::SystemAdmin)),
            city: if visit.lang.is_english() {
                visit.lang.region(app.site.region)
            } else {
                app.site.city.clone()
            },
            demo: app.site.demo,
            read_only: !app.store.writable(),
            ..Self::bare(title, Some(visit))
        }
    }

    /// The frame where the application is not at hand: errors.
    pub(super) fn bare(title: impl Into<String>, visit: Option<&Visit>) -> Self {
        let words = visit.map_or(Lang::ZH, |visit| visit.lang);
        let path = visit.map_or_else(String::new, |visit| visit.path_only().to_owned());
        Self {
            lang: words.code(),
            title: title.into(),
            city: String::new(),
            demo: false,
            user: visit.and_then(user_box),
            csrf: visit.map_or_else(String::new, |visit| visit.csrf.clone()),
            key: crate::store::secret(),
            nav: visit.map_or_else(Vec::new, |visit| nav(visit, words, &path)),
            flash: visit.map_or_else(Vec::new, |visit| visit.flash.clone()),
            clock: None,
            clock_page: false,
            alarm: None,
            read_only: false,
            path,
            words,
        }
    }

    /// The public text of a key in the visitor's language.
    pub fn t(&self, key: &str) -> String {
        self.words.text(key)
    }

    /// The region's name in the visitor's language.
    pub fn region(&self, code: &RegionCode) -> String {
        self.words.region(*code)
    }

    /// A day as the visitor's language writes it.
    pub fn day(&self, day: &Date) -> String {
        self.words.day(*day)
    }

    /// An instant in Asia/Shanghai as the visitor's language writes it.
    pub fn time(&self, at: &Timestamp) -> String {
        let at = super::civil(*at);
        format!("{} {}", self.words.day(at.date()), at.strftime("%H:%M"))
    }

    /// An amount with its unit: `14,300.00 元`.
    pub fn yuan(&self, amount: &Fen) -> String {
        format!("{amount} {}", self.t("unit.yuan"))
    }

    /// The amount as people say it, rounded where the language has a word for it: `1.43 万元`.
    pub fn yuan_short(&self, amount: &Fen) -> String {
        if self.english() {
            return self.yuan(amount);
        }
        let (figure, unit) = amount.short();
        format!("{figure} {unit}")
    }

    /// Whether the page is shown in English.
    pub fn english(&self) -> bool {
        self.words.is_english()
    }
}

fn user_box(visit: &Visit) -> Option<UserBox> {
    let actor = visit.actor.as_ref()?;
    let roles: Vec<&str> = actor.roles.iter().map(Role::zh).collect();
    Some(UserBox {
        name: actor.name.clone(),
        department: actor.department_name.clone(),
        roles_zh: roles.join("、"),
        home: if actor.party.is_some() {
            "/my"
        } else {
            "/work"
        },
    })
}

/// Entries of the staff: address, words, and whose they are.
const STAFF: &[(&str, &str, &[Role])] = &[
    ("/work", "工作台", Role::AT_WORKLIST),
    (
        "/cases",
        "办件",
        &[
            Role::WindowClerk,
            Role::CaseHandler,
            Role::Reviewer,
            Role::Approver,
            Role::Finance,
            Role::Leader,
        ],
    ),
    (
        "/parties",
        "主体",
        &[
            Role::WindowClerk,
            Role::CaseHandler,
            Role::Reviewer,
            Role::Approver,
            Role::Finance,
        ],
    ),
    (
        "/batches",
        "批次",
        &[
            Role::CaseHandler,
            Role::Reviewer,
            Role::Approver,
            Role::Finance,
            Role::Leader,
        ],
    ),
    (
        "/objections",
        "异议",
        &[Role::CaseHandler, Role::Reviewer, Role::Approver],
    ),
    (
        "/budgets",
        "资金",
        &[Role::Finance, Role::Approver, Role::Leader],
    ),
    ("/bank-accounts", "收款账户", &[Role::Finance]),
    (
        "/overview",
        "概览",
        &[Role::Leader, Role::Approver, Role::Finance],
    ),
    ("/desk/articles", "文章", &[Role::Editor]),
    (
        "/accounts",
        "账号",
        &[Role::SystemAdmin, Role::SecurityAdmin],
    ),
    ("/leaves", "请假", &[Role::SecurityAdmin]),
    ("/permissions", "权限", &[Role::SecurityAdmin]),
    ("/system", "系统", &[Role::SystemAdmin]),
    ("/log", "日志", &[Role::AuditAdmin]),
];

/// Public entries for strangers, work entries by role for the others.
fn nav(visit: &Visit, words: Lang, path: &str) -> Vec<NavItem> {
    let entry = |href: &'static str, label: String| NavItem {
        href,
        label,
        current: path == href || (href != "/" && path.starts_with(href)),
    };
    let Some(actor) = &visit.actor else {
        return vec![
            entry("/items", words.text("nav.items")),
            entry("/notices", words.text("nav.notices")),
            entry("/articles", words.text("nav.articles")),
        ];
    };
    if actor.party.is_some() {
        return [
            ("/my", "nav.my"),
            ("/items", "nav.items"),
            ("/notices", "nav.notices"),
            ("/articles", "nav.articles"),
        ]
        .map(|(href, key)| entry(href, words.text(key)))
        .into();
    }
    STAFF
        .iter()
        .filter(|(_, _, roles)| actor.roles.any(roles))
        .map(|(href, label, _)| entry(href, (*label).to_owned()))
        .collect()
}

impl Visit {
    /// Renders a page.
    ///
    /// # Errors
    /// A template that cannot be rendered is a fault.
    pub fn show(&self, template: &impl Template) -> Answer {
        self.show_with(StatusCode::OK, template)
    }

    /// Renders a page with another status, such as a form with its errors.
    ///
    /// # Errors
    /// A template that cannot be rendered is a fault.
    pub fn show_with(&self, status: StatusCode, template: &impl Template) -> Answer {
        Ok((status, Html(template.render()?)).into_response())
    }
}

/// Where a long list stands: the page shown, how many there are, and the links.
#[derive(Clone, Debug)]
pub struct Pager {
    /// The page shown, from 1.
    pub number: u32,
    /// How many rows there are in all.
    pub total: u64,
    /// Rows on a page.
    pub size: u32,
    /// The address without the page number, ending in `?` or `&`.
    pub base: String,
}

impl Pager {
    /// Where page `number` (from 1) of a list stands. `query` is the query string without `page`.
    pub fn new(path: &str, query: &str, number: u32, size: u32, total: u64) -> Self {
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("page="))
            .collect();
        let base = if kept.is_empty() {
            format!("{path}?")
        } else {
            format!("{path}?{}&", kept.join("&"))
        };
        Self {
            number: number.max(1),
            total,
            size,
            base,
        }
    }

    /// How many pages there are, at least one.
    pub fn pages(&self) -> u64 {
        self.total.div_ceil(u64::from(self.size)).max(1)
    }

    /// Rows to skip.
    pub fn offset(&self) -> i64 {
        i64::from(self.number - 1) * i64::from(self.size)
    }

    /// The page before, if there is one.
    pub fn previous(&self) -> Option<u32> {
        (self.number > 1).then(|| self.number - 1)
    }

    /// The page after, if there is one.
    pub fn next(&self) -> Option<u32> {
        (u64::from(self.number) < self.pages()).then(|| self.number + 1)
    }
}

/// The last page of a list that is given out.
const LAST_PAGE: u32 = 1_000_000;

/// The page of a list that a program asks for, from 1.
///
/// # Errors
/// Refused where it is no page.
pub fn asked_page(asked: &str) -> Result<u32> {
    if asked.is_empty() {
        return Ok(1);
    }
    let page = asked.parse().ok();
    let page = page.filter(|page| (1..=LAST_PAGE).contains(page));
    page.ok_or_else(|| {
        let message = format!("页码是 1 到 {LAST_PAGE} 的整数。");
        Refusal::field("page", "range", message).into()
    })
}
