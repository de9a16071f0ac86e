//! The demonstration with thousands of further applications, and its people as actors.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use luodi::access::{Actor, ActorKind, Role};
use luodi::attachment::{self, Kept};
use luodi::casework::Submission;
use luodi::form::Values;
use luodi::ids::ItemId;
use luodi::item::Package;
use luodi::party::{self, Party, PartyFilter, PartyKind};
use luodi::store::{IdempotencyKey, Options, Query, Store, day_in_china};
use luodi::web::{Clock, Upload};
use luodi::{account, demo, item};
use vocab::RegionCode;

use crate::engines;

/// Applicants of each county; each has applied many times, for one meter after the other.
const APPLICANTS: u32 = 50;
/// Monday, 23 November 2026, 10:00 in China.
const MORNING: &str = "2026-11-23T02:00:00Z";

/// Who works on the cases of one county.
pub struct County {
    pub clerk: Actor,
    pub handlers: [Actor; 2],
    pub approver: Actor,
    item: ItemId,
    applicants: Vec<(Party, Vec<Kept>)>,
}

pub struct Town {
    pub store: Store,
    pub counties: Vec<County>,
    options: Options,
    package: Arc<Package>,
    password: String,
    started: Instant,
}

fn morning() -> Timestamp {
    MORNING.parse().unwrap()
}

/// Somebody to log in as.
pub struct Visitor {
    pub login: String,
    pub password: String,
}

impl Town {
    /// Makes the demonstration, in a folder or on a server, without waiting for the disk.
    pub fn build(data: &Path, database: Option<String>) -> Self {
        let options = Options {
            durable: false,
            database,
            ..Options::new(morning())
        };
        let store = Store::open(data, &options).unwrap();
        let today = day_in_china(morning());
        demo::fill(&store, &Clock::fixed(morning()), 1, Some(today)).unwrap();
        Self::of(store, options)
    }

    /// The town of a folder, as a server opens it.
    pub fn open(data: &Path) -> Self {
        let options = Options::new(morning());
        Self::of(Store::open(data, &options).unwrap(), options)
    }

    fn of(store: Store, options: Options) -> Self {
        let (counties, password) = store
            .read_blocking(|q| Ok::<_, luodi::refusal::Error>(staff(&**q)))
            .unwrap();
        let mut town = Self {
            store,
            options,
            counties,
            package: engines::package(),
            password,
            started: Instant::now(),
        };
        town.keep_papers();
        town
    }

    /// Opens the folder as a server does: from now on commands wait for the disk.
    pub fn reopen(self, data: &Path, change: impl FnOnce(&mut Options)) -> Self {
        let Self {
            store, mut options, ..
        } = self;
        store.shutdown();
        drop(store);
        options.durable = true;
        change(&mut options);
        let store = Store::open(data, &options).unwrap();
        Self {
            store,
            options,
            ..self
        }
    }

    /// Whether this process is its own database.
    pub fn is_file(&self) -> bool {
        self.options.database.is_none()
    }

    /// Time goes on from the morning, so that ids ascend as they do in life.
    pub fn now(&self) -> Timestamp {
        morning() + SignedDuration::try_from(self.started.elapsed()).unwrap()
    }

    fn keep_papers(&mut self) {
        let now = self.now();
        for county in &mut self.counties {
            for (party, kept) in &mut county.applicants {
                for slot in slots(party.kind == PartyKind::Enterprise) {
                    let upload = Upload {
                        field: slot.to_owned(),
                        file_name: format!("{slot}.pdf"),
                        bytes: format!("%PDF-1.7\n{slot}").into_bytes().into(),
                    };
                    let file = attachment::keep(&self.store, now, party.id.0, slot, &upload, &[]);
                    kept.push(file.unwrap());
                }
            }
        }
    }

    /// The n-th application: who files it, what it says, its papers.
    pub fn application(&self, number: usize) -> (Actor, Submission, Vec<Kept>) {
        let county = &self.counties[number % self.counties.len()];
        let (party, papers) = &county.applicants[number / 2 % county.applicants.len()];
        let enterprise = party.kind == PartyKind::Enterprise;
        let submission = Submission {
            item: county.item,
            party: party.id,
            channel: "window",
            values: values(&self.package, number, enterprise),
            bank_account: None,
            draft: None,
            seen: None,
        };
        (county.clerk.clone(), submission, papers.clone())
    }

    pub fn visitor(&self) -> Visitor {
        Visitor {
            login: self.counties[0].clerk.login.clone(),
            password: self.password.clone(),
        }
    }

    pub fn close(self) {
        self.store.shutdown();
    }
}

fn slots(enterprise: bool) -> [&'static str; 4] {
    let own = if enterprise {
        "licence"
    } else {
        "identity_card"
    };
    ["filing_notice", "grid_acceptance", "meter_reading", own]
}

/// A key as a form carries it.
pub fn key(name: String) -> IdempotencyKey {
    IdempotencyKey {
        key: name,
        scope: "bench".to_owned(),
        digest: [0; 32],
    }
}

/// What the applicant fills in; each application is for a meter of its own.
pub fn values(package: &Package, number: usize, enterprise: bool) -> Values {
    let kind = if enterprise { "enterprise" } else { "person" };
    let typed = [
        ("applicant_kind", kind.to_owned()),
        ("contact_name", "陈静（示范）".to_owned()),
        ("contact_phone", "19900001234".to_owned()),
        ("project_name", format!("屋顶光伏 {number}（示范）")),
        ("filing_number", format!("1508-330324-04-01-{number:06}")),
        ("filed_kw", "412.50".to_owned()),
        ("grid_connected_on", "2019-04-11".to_owned()),
        ("site_address", format!("示范街道 {number} 号")),
        ("quarter", "2026Q3".to_owned()),
        ("meter_no", format!("33{:010}", 9_000_000 + number)),
        ("generated_kwh", "112480.5".to_owned()),
        ("declaration", "true".to_owned()),
    ];
    let typed: Vec<(String, String)> = typed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let today = day_in_china(morning());
    package
        .form
        .read(&typed, &slots(enterprise), today)
        .unwrap()
}

/// The people of each county that offers the item, and the password they share.
fn staff(q: &dyn Query) -> (Vec<County>, String) {
    let accounts = account::demo_accounts(q).unwrap();
    let offers = item::current_items(q).unwrap();
    let counties = offers.iter().map(|offer| {
        let of_role = |role: Role, number: usize| {
            let mut holders = accounts
                .iter()
                .filter(|one| one.region == offer.region && one.roles.has(role));
            actor(q, holders.nth(number).unwrap(), offer.region)
        };
        let clerk = of_role(Role::WindowClerk, 0);
        let parties = party::list(q, &clerk, &PartyFilter::default(), APPLICANTS, 0).unwrap();
        County {
            handlers: [0, 1].map(|number| of_role(Role::CaseHandler, number)),
            approver: of_role(Role::Approver, 0),
            clerk,
            item: offer.id,
            applicants: parties.into_iter().map(|it| (it, Vec::new())).collect(),
        }
    });
    (counties.collect(), accounts[0].password.clone())
}

fn actor(q: &dyn Query, of: &account::DemoAccount, region: RegionCode) -> Actor {
    let departments = account::departments(q, region).unwrap();
    let department = departments.iter().find(|one| one.name == of.department);
    Actor {
        kind: ActorKind::Account(of.id),
        login: of.login.clone(),
        name: of.name.clone(),
        roles: of.roles,
        department: department.map(|one| one.id),
        department_name: of.department.clone(),
        region: of.region,
        party: None,
    }
}
