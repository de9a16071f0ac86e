//! The city of the demonstration before anything happens: departments, people, parties with their
//! bank accounts, the item, the budgets. And how a play acts on it: commands at a simulated time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use vocab::{Fen, RegionCode};

use super::people::{self, COUNTIES, County};
use crate::access::{Actor, ActorKind, Role, Roles};
use crate::account::{self, NewAccount, NewDepartment};
use crate::attachment;
use crate::fund::{self, NewBudget};
use crate::ids::{BankAccountId, BudgetLineId, DepartmentId, ItemId, PartyId};
use crate::item::{self, Package};
use crate::party::{self, NewParty, PartyKind, bank_account};
use crate::refusal::{Error, Refusal, Result};
use crate::store::{Command, Query, Snapshot, Store, StoreError, Tx};
use crate::web::{App, Clock, Upload};

/// The public password of every account of a demonstration.
pub(super) const PASSWORD: &str = "luodi-demo-2026";

/// Enterprises and persons of each county.
const PARTIES_PER_COUNTY: usize = 100;
/// Of these, enterprises.
const ENTERPRISES_PER_COUNTY: usize = 60;
/// Parties of a county with an account of their own: two enterprises and a person.
const WITH_ACCOUNT: [usize; 3] = [0, 1, ENTERPRISES_PER_COUNTY];

/// Who applies.
#[derive(Clone, Debug)]
pub(super) struct Applicant {
    pub(super) party: PartyId,
    pub(super) name: String,
    pub(super) contact: String,
    pub(super) phone: String,
    pub(super) bank_account: Option<BankAccountId>,
    /// The account of their own, where they have one.
    pub(super) account: Option<Actor>,
}

/// What a county has.
#[derive(Clone, Debug)]
struct Office {
    department: DepartmentId,
    staff: BTreeMap<Role, Vec<Actor>>,
    applicants: Vec<Applicant>,
    item: Option<ItemId>,
}

/// The city.
pub(super) struct Town {
    app: App,
    clock: Clock,
    runtime: tokio::runtime::Runtime,
    seeds: Mutex<ChaCha20Rng>,
    /// From which the secrets of second factors are derived, which the log-in page shows.
    secrets: String,
    offices: Vec<Office>,
    /// Budget lines by county and year.
    budgets: Mutex<BTreeMap<(usize, i16), BudgetLineId>>,
    package: Option<Arc<Package>>,
    editor: Option<Actor>,
}

impl Town {
    pub(super) fn new(app: App, clock: Clock, seed: u64, seeds: ChaCha20Rng) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            app,
            clock,
            runtime,
            seeds: Mutex::new(seeds),
            secrets: format!("luodi demonstration {seed}"),
            offices: Vec::new(),
            budgets: Mutex::default(),
            package: None,
            editor: None,
        })
    }

    pub(super) fn store(&self) -> &Store {
        &self.app.store
    }

    /// Runs a command at a simulated time, with a seed of the demonstration's own.
    pub(super) fn command<T, F>(&self, name: &'static str, at: Timestamp, f: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&Tx<'_>) -> Result<T> + Send + Sync + 'static,
    {
        let mut seed = [0; 32];
        rand::Rng::fill_bytes(
            &mut *self.seeds.lock().unwrap_or_else(PoisonError::into_inner),
            &mut seed,
        );
        self.app
            .store
            .write_blocking(Command::seeded(name, at, seed), f)
    }

    pub(super) fn read<T>(&self, f: impl FnOnce(&dyn Query) -> Result<T>) -> Result<T> {
        self.app.store.read_blocking(|q: &Snapshot<'_>| f(&**q))
    }

    /// Lets time go on: jobs that are due by then are worked, each round until nothing is due.
    pub(super) fn advance(&self, at: Timestamp) -> Result<()> {
        self.clock.set(at);
        self.runtime.block_on(crate::work::drain(&self.app))
    }

    /// An id made like a command's.
    pub(super) fn new_id(&self, at: Timestamp) -> Result<uuid::Uuid> {
        self.command("demo.id", at, |tx| Ok(tx.new_id()))
    }

    /// A paper of somebody who is no applicant, safe on disk.
    pub(super) fn keep_paper(
        &self,
        at: Timestamp,
        owner: uuid::Uuid,
        slot: &str,
        name: &str,
    ) -> Result<attachment::Kept> {
        let bytes = super::paper::pdf("DEMONSTRATION sealed paper").into();
        let upload = Upload {
            field: slot.to_owned(),
            file_name: name.to_owned(),
            bytes,
        };
        attachment::keep(self.store(), at, owner, slot, &upload, &[])
    }

    pub(super) fn package(&self) -> Result<Arc<Package>> {
        self.package.clone().ok_or_else(|| missing("package"))
    }

    fn office(&self, county: usize) -> Result<&Office> {
        self.offices.get(county).ok_or_else(|| missing("county"))
    }

    pub(super) fn item(&self, county: usize) -> Result<ItemId> {
        self.office(county)?.item.ok_or_else(|| missing("item"))
    }

    /// The county's budget line of the year of `at`; made by its finance where there is none yet.
    pub(super) fn budget(&self, county: usize, at: Timestamp) -> Result<BudgetLineId> {
        let year = crate::store::day_in_china(at).year();
        let known = match self.budgets.lock() {
            Ok(budgets) => budgets.get(&(county, year)).copied(),
            Err(_) => return Err(missing("budget")),
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let place = COUNTIES.get(county).ok_or_else(|| missing("county"))?;
        let finance = self.staff(county, Role::Finance, 0)?;
        let new = NewBudget {
            year: i64::from(year),
            department: self.office(county)?.department,
            name: format!("{}分布式光伏发电补贴（示范）", place.name),
            function_code: "2111499".to_owned(),
            economic_code: "31299".to_owned(),
            project: "可再生能源补助（示范）".to_owned(),
            document_number: format!("{}财预〔{year}〕{}号（示范）", place.name, 12 + county),
            amount: Fen(300_000_000 - 50_000_000 * i64::try_from(county).unwrap_or(0)),
        };
        let made = self.command("budget.create", at, move |tx| {
            fund::create_budget(tx, &finance, &new)
        })?;
        let mut budgets = self.budgets.lock().map_err(|_| missing("budget"))?;
        budgets.insert((county, year), made);
        Ok(made)
    }

    /// The n-th of those who hold a role in a county, counted round.
    pub(super) fn staff(&self, county: usize, role: Role, number: usize) -> Result<Actor> {
        let holders = self
            .office(county)?
            .staff
            .get(&role)
            .ok_or_else(|| missing(role.code()))?;
        holders
            .get(number % holders.len().max(1))
            .cloned()
            .ok_or_else(|| missing(role.code()))
    }

    /// The applicant whose turn it is, enterprise or person. Those with an account come round
    /// often, so that whoever logs in finds cases in several states.
    pub(super) fn applicant(
        &self,
        county: usize,
        enterprise: bool,
        turn: usize,
    ) -> Result<Applicant> {
        let (enterprises, persons) = self
            .office(county)?
            .applicants
            .split_at(ENTERPRISES_PER_COUNTY);
        let from = if enterprise { enterprises } else { persons };
        let which = match turn % 10 {
            0 | 1 | 3 | 4 => 0,
            2 | 5 => 1,
            _ => turn % from.len().max(1),
        };
        from.get(which).cloned().ok_or_else(|| missing("applicant"))
    }

    /// Who acts for a party: its own account, or one the program lends for the play.
    pub(super) fn for_party(&self, applicant: &Applicant) -> Actor {
        let region = self.app.site.region;
        let lent = || Actor {
            party: Some(applicant.party),
            name: applicant.name.clone(),
            ..Actor::system(region)
        };
        applicant.account.clone().unwrap_or_else(lent)
    }

    /// Departments, staff, the item and budgets, and the parties of both counties.
    pub(super) fn build(&mut self, rng: &mut ChaCha20Rng, at: Timestamp) -> Result<()> {
        let hash = account::password::hash(PASSWORD)
            .map_err(|error| StoreError::Value(format!("password: {error}")))?;
        self.city_staff(&hash, at)?;
        for county in COUNTIES {
            let office = self.open_office(rng, county, &hash, at)?;
            self.offices.push(office);
        }
        self.publish(at)?;
        self.adopt_budgets(at)?;
        for county in 0..COUNTIES.len() {
            self.settle(rng, county, &hash, at)?;
        }
        Ok(())
    }

    fn console(&self) -> Actor {
        Actor::console("demo", self.app.site.region)
    }

    fn department(
        &self,
        at: Timestamp,
        (code, paper_word): (&str, &str),
        name: String,
        region: RegionCode,
    ) -> Result<DepartmentId> {
        let console = self.console();
        let new = NewDepartment {
            code: code.to_owned(),
            name,
            region,
            paper_word: paper_word.to_owned(),
        };
        self.command("department.create", at, move |tx| {
            account::create_department(tx, &console, &new)
        })
    }

    /// Opens an account and gives the actor who logs in with it.
    fn account(&self, at: Timestamp, new: NewAccount, department_name: &str) -> Result<Actor> {
        let console = self.console();
        let made = new.clone();
        let secret = account::totp::Secret::derived(&format!("{} {}", self.secrets, new.login));
        let with_factor = new.roles.any(Role::WITH_SECOND_FACTOR);
        let id = self.command("account.create", at, move |tx| {
            let id = account::create_account(tx, &console, &made)?;
            if with_factor {
                account::enrol_demonstration(tx, &console, id, &secret)?;
            }
            Ok(id)
        })?;
        Ok(Actor {
            kind: ActorKind::Account(id),
            login: new.login,
            name: new.name,
            roles: new.roles,
            department: new.department,
            department_name: department_name.to_owned(),
            region: new.region,
            party: new.party,
        })
    }

    /// The people of the city itself: editor, leader, investment officer, the three administrators.
    fn city_staff(&mut self, hash: &str, at: Timestamp) -> Result<()> {
        let region = self.app.site.region;
        let name = "温州市投资促进局".to_owned();
        let department = self.department(at, ("WZTC", "温投促"), name.clone(), region)?;
        let people = [
            (Role::Editor, "editor", "编辑（示范）"),
            (Role::Leader, "leader", "市领导（示范）"),
            (Role::InvestmentOfficer, "officer", "招商专员（示范）"),
            (Role::SystemAdmin, "system", "系统管理员（示范）"),
            (Role::SecurityAdmin, "security", "安全管理员（示范）"),
            (Role::AuditAdmin, "audit", "审计管理员（示范）"),
        ];
        for (role, login, shown) in people {
            let administrator = account::ADMINISTRATORS.contains(&role);
            let new = NewAccount {
                department: (!administrator).then_some(department),
                ..staff_account(login.to_owned(), shown.to_owned(), role, region, hash)
            };
            let actor = self.account(at, new, &name)?;
            if role == Role::Editor {
                self.editor = Some(actor);
            }
        }
        Ok(())
    }

    pub(super) fn editor(&self) -> Result<Actor> {
        self.editor.clone().ok_or_else(|| missing("editor"))
    }

    fn open_office(
        &self,
        rng: &mut ChaCha20Rng,
        county: County,
        hash: &str,
        at: Timestamp,
    ) -> Result<Office> {
        let region = code(county)?;
        let reform = format!("{}发展和改革局", county.full);
        let money = format!("{}财政局", county.full);
        let department = self.department(
            at,
            (
                &format!("{}FG", county.short.to_uppercase()),
                &format!("{}发改", county.sign),
            ),
            reform.clone(),
            region,
        )?;
        let finance = self.department(
            at,
            (
                &format!("{}CZ", county.short.to_uppercase()),
                &format!("{}财", county.sign),
            ),
            money.clone(),
            region,
        )?;
        let people: [(Role, &str, usize); 6] = [
            (Role::WindowClerk, "window", 1),
            (Role::CaseHandler, "handler", 3),
            (Role::Reviewer, "reviewer", 1),
            (Role::Approver, "approver", 1),
            (Role::Finance, "finance", 2),
            (Role::Leader, "leader", 1),
        ];
        let mut staff: BTreeMap<Role, Vec<Actor>> = BTreeMap::new();
        for (role, login, count) in people {
            for number in 1..=count {
                let suffix = if count > 1 {
                    number.to_string()
                } else {
                    String::new()
                };
                let (department, name) = match role {
                    Role::Finance => (finance, &money),
                    _ => (department, &reform),
                };
                let login = format!("{login}{suffix}-{}", county.short);
                let person = people::person_name(rng);
                let new = NewAccount {
                    department: Some(department),
                    ..staff_account(login, person, role, region, hash)
                };
                staff
                    .entry(role)
                    .or_default()
                    .push(self.account(at, new, name)?);
            }
        }
        Ok(Office {
            department,
            staff,
            applicants: Vec::new(),
            item: None,
        })
    }

    /// Publishes the packages that come with the program and offers them in both counties.
    fn publish(&mut self, at: Timestamp) -> Result<()> {
        for (name, files) in item::seeds() {
            let (prepared, findings) = item::prepare(&files);
            let Some(prepared) = prepared else {
                let message = format!("事项包 {name} 检查没有通过：{findings:?}");
                return Err(Refusal::invalid("seed", message).into());
            };
            let console = self.console();
            let code = prepared.package.item.code.clone();
            let package = Arc::clone(&prepared.package);
            self.command("item.publish", at, move |tx| {
                item::publish(tx, &console, &prepared)
            })?;
            for county in 0..COUNTIES.len() {
                let (console, code) = (self.console(), code.clone());
                let department = self.office(county)?.department;
                let region = COUNTIES
                    .get(county)
                    .copied()
                    .ok_or_else(|| missing("county"))
                    .and_then(self::code)?;
                let id = self.command("item.offer", at, move |tx| {
                    item::offer(tx, &console, &code, region, department, None, None)
                })?;
                if let Some(office) = self.offices.get_mut(county) {
                    office.item = Some(id);
                }
            }
            self.package = Some(package);
        }
        Ok(())
    }

    /// Every county has its budget of the year.
    pub(super) fn adopt_budgets(&self, at: Timestamp) -> Result<()> {
        for county in 0..COUNTIES.len() {
            self.budget(county, at)?;
        }
        Ok(())
    }

    /// Registers the parties of a county, some with an account, most with a bank account.
    fn settle(
        &mut self,
        rng: &mut ChaCha20Rng,
        county: usize,
        hash: &str,
        at: Timestamp,
    ) -> Result<()> {
        let place = COUNTIES
            .get(county)
            .copied()
            .ok_or_else(|| missing("county"))?;
        for number in 0..PARTIES_PER_COUNTY {
            let new = if number < ENTERPRISES_PER_COUNTY {
                people::enterprise(rng, place, number)
            } else {
                people::person(rng, place, number)
            };
            let new = new.ok_or_else(|| missing("party"))?;
            let applicant = self.settle_one(rng, county, place, number, &new, hash, at)?;
            if let Some(office) = self.offices.get_mut(county) {
                office.applicants.push(applicant);
            }
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what one party of the demonstration depends on"
    )]
    fn settle_one(
        &self,
        rng: &mut ChaCha20Rng,
        county: usize,
        place: County,
        number: usize,
        new: &NewParty,
        hash: &str,
        at: Timestamp,
    ) -> Result<Applicant> {
        let window = self.staff(county, Role::WindowClerk, 0)?;
        let registered = new.clone();
        let clerk = window.clone();
        let party = self.command("party.register", at, move |tx| {
            party::register(tx, &clerk, &registered)
        })?;
        let account = match WITH_ACCOUNT.iter().position(|with| *with == number) {
            None => None,
            Some(which) => {
                let kind = if new.kind == PartyKind::Person {
                    "citizen"
                } else {
                    "enterprise"
                };
                let suffix = if which == 1 { "2" } else { "" };
                let login = format!("{kind}{suffix}-{}", place.short);
                let opened = NewAccount {
                    department: None,
                    party: Some(party),
                    ..staff_account(login, new.name.clone(), Role::Applicant, code(place)?, hash)
                };
                Some(self.account(at, opened, "")?)
            }
        };
        let bank_account = self.bank_account(rng, county, number, party, new, &window, at)?;
        Ok(Applicant {
            party,
            name: new.name.clone(),
            contact: new
                .legal_representative
                .clone()
                .unwrap_or_else(|| new.name.clone()),
            phone: new
                .phone
                .as_ref()
                .map(|phone| phone.as_str().to_owned())
                .unwrap_or_default(),
            bank_account,
            account,
        })
    }

    /// Three in four have an account that finance has approved; the rest still wait for it.
    #[expect(
        clippy::too_many_arguments,
        reason = "what one bank account of the demonstration depends on"
    )]
    fn bank_account(
        &self,
        rng: &mut ChaCha20Rng,
        county: usize,
        number: usize,
        party: PartyId,
        owner: &NewParty,
        window: &Actor,
        at: Timestamp,
    ) -> Result<Option<BankAccountId>> {
        let Some(account) = people::bank_account(rng) else {
            return Ok(None);
        };
        if rng.random_range(0..20) == 0 && number > 30 {
            return Ok(None);
        }
        let new = bank_account::NewBankAccount {
            holder_name: owner.name.clone(),
            bank_name: account.bank_name.to_owned(),
            number: account.number,
            bank_code: account.bank_code,
            second: None,
        };
        let window = window.clone();
        let id = self.command("bank_account.enter", at, move |tx| {
            bank_account::enter(tx, &window, party, &new)
        })?;
        if number % 20 != 17 {
            let finance = self.staff(county, Role::Finance, 1)?;
            self.command("bank_account.approve", at, move |tx| {
                bank_account::approve(tx, &finance, id, 1)
            })?;
        }
        Ok(Some(id))
    }
}

/// One account as `luodi demo --json` prints it.
pub(super) fn describe(one: &account::DemoAccount) -> serde_json::Value {
    let roles: Vec<&str> = one.roles.iter().map(Role::code).collect();
    serde_json::json!({
        "user": one.login, "password": one.password, "totp": one.totp, "name": one.name,
        "roles": roles, "region": one.region, "department": one.department, "party": one.party,
    })
}

fn staff_account(
    login: String,
    name: String,
    role: Role,
    region: RegionCode,
    hash: &str,
) -> NewAccount {
    NewAccount {
        login,
        name,
        password_hash: hash.to_owned(),
        one_time: false,
        roles: Roles::from_iter([role]),
        department: None,
        region,
        party: None,
        demo: Some(PASSWORD.to_owned()),
    }
}

fn code(county: County) -> Result<RegionCode> {
    RegionCode::parse(county.region).map_err(|error| StoreError::Value(error.to_string()).into())
}

/// Something the demonstration counts on is not there: a fault of the program.
pub(super) fn missing(what: &str) -> Error {
    Error::Store(StoreError::Value(format!(
        "demonstration: {what} is missing"
    )))
}
