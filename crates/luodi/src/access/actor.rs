//! Who acts: loaded once per request from the session, handed to every command and query.

use serde_json::json;
use vocab::RegionCode;

use super::{Role, Roles};
use crate::ids::{AccountId, DepartmentId, PartyId};
use crate::store::{self, ActorRef};

/// What stands behind an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A logged-in account.
    Account(AccountId),
    /// The operator at the server's console.
    Console,
    /// The program itself: timers and jobs.
    System,
}

/// Who acts, for whom and where. Immutable for the length of one request.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Account, console or program.
    pub kind: ActorKind,
    /// Log-in name, `console:<OS user>` or `system`: how the audit log names the actor.
    pub login: String,
    /// The name shown beside what was done.
    pub name: String,
    /// The roles held.
    pub roles: Roles,
    /// The department of staff.
    pub department: Option<DepartmentId>,
    /// The department's name, empty for others.
    pub department_name: String,
    /// The region whose rows may be seen: a county, or the city with its counties.
    pub region: RegionCode,
    /// The party an applicant acts for.
    pub party: Option<PartyId>,
}

impl Actor {
    /// The program itself, for timers and jobs.
    pub fn system(region: RegionCode) -> Self {
        Self {
            kind: ActorKind::System,
            login: "system".to_owned(),
            name: "系统".to_owned(),
            roles: Roles::default(),
            department: None,
            department_name: String::new(),
            region,
            party: None,
        }
    }

    /// The operator at the console, as `console:<OS user>`.
    pub fn console(user: &str, region: RegionCode) -> Self {
        let login = format!("console:{user}");
        Self {
            kind: ActorKind::Console,
            name: login.clone(),
            login,
            ..Self::system(region)
        }
    }

    /// The account's id; nil for the program and the console.
    pub fn account_id(&self) -> AccountId {
        match self.kind {
            ActorKind::Account(id) => id,
            ActorKind::Console | ActorKind::System => AccountId(uuid::Uuid::nil()),
        }
    }

    /// Whether the role is held.
    pub fn has(&self, role: Role) -> bool {
        self.roles.has(role)
    }

    /// Whether this is staff of a department rather than an applicant.
    pub fn is_staff(&self) -> bool {
        self.party.is_none() && matches!(self.kind, ActorKind::Account(_))
    }

    /// How the audit log names this actor.
    pub fn to_ref(&self) -> ActorRef {
        let (kind, id) = match self.kind {
            ActorKind::Account(id) => (store::ActorKind::Account, Some(id.0)),
            ActorKind::Console => (store::ActorKind::Console, None),
            ActorKind::System => (store::ActorKind::System, None),
        };
        ActorRef {
            kind,
            id,
            label: self.login.clone(),
            region: Some(self.region),
        }
    }

    /// The roles as JSON, for the log's detail.
    pub fn roles_json(&self) -> serde_json::Value {
        json!(self.roles.iter().map(Role::code).collect::<Vec<_>>())
    }
}
