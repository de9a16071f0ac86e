//! Row-level permission, once as a decision and once as SQL; a property test holds them equal.
//!
//! An applicant sees the rows of his own party. The window sees all departments of its region.
//! Finance and leaders see their region. Other staff see their own
//! department's rows in their region. Nobody else sees anything. The log has a rule of its own: the
//! audit administrator of a region sees what its people did and what was done to its records.

use vocab::RegionCode;
use vocab::region::{Level, is_within};

use super::{Actor, ActorKind, Role};
use crate::ids::{DepartmentId, PartyId};
use crate::store::Value;

/// Where a row belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The row's region.
    pub region: RegionCode,
    /// The department responsible.
    pub department: Option<DepartmentId>,
    /// The party the row is about.
    pub party: Option<PartyId>,
}

/// The column expressions of a query that hold a row's [`Scope`]. `None`: the row has none.
#[derive(Clone, Copy, Debug)]
pub struct ScopeColumns {
    /// Expression of the region code.
    pub region: &'static str,
    /// Expression of the department id.
    pub department: Option<&'static str>,
    /// Expression of the party id.
    pub party: Option<&'static str>,
}

/// Roles that see every department of their region.
const WHOLE_REGION: &[Role] = &[Role::WindowClerk, Role::Finance, Role::Leader];

/// Roles that see their own department's rows.
const OWN_DEPARTMENT: &[Role] = &[Role::CaseHandler, Role::Reviewer, Role::Approver];

enum Reach {
    Everything,
    OwnParty(PartyId),
    Region,
    Department(DepartmentId),
    Nothing,
}

fn reach(actor: &Actor) -> Reach {
    match (actor.kind, actor.party) {
        (ActorKind::System | ActorKind::Console, _) => Reach::Everything,
        (_, Some(party)) => Reach::OwnParty(party),
        _ if actor.roles.any(WHOLE_REGION) => Reach::Region,
        _ if actor.roles.any(OWN_DEPARTMENT) => {
            actor.department.map_or(Reach::Nothing, Reach::Department)
        }
        _ => Reach::Nothing,
    }
}

/// Whether the actor may see a row of this scope.
pub fn may_see(actor: &Actor, row: &Scope) -> bool {
    match reach(actor) {
        Reach::Everything => true,
        Reach::OwnParty(party) => row.party == Some(party),
        Reach::Region => is_within(row.region, actor.region),
        Reach::Department(department) => {
            row.department == Some(department) && is_within(row.region, actor.region)
        }
        Reach::Nothing => false,
    }
}

/// Whether the actor may do the work of a role for a department. Examining, reviewing and deciding
/// is done by the department itself, however far the actor's other roles let him see; the window
/// and finance work for every department of their region.
pub fn may_act(actor: &Actor, role: Role, department: Option<DepartmentId>) -> bool {
    let own = department.is_some() && actor.department == department;
    actor.roles.has(role) && (own || !OWN_DEPARTMENT.contains(&role))
}

/// The same decision as SQL: a condition to put behind `AND`, with the values it needs appended
/// to `params`. Placeholders are numbered from the values already there.
pub fn visible_where(actor: &Actor, columns: ScopeColumns, params: &mut Vec<Value>) -> String {
    match reach(actor) {
        Reach::Everything => "1 = 1".to_owned(),
        Reach::OwnParty(party) => match columns.party {
            Some(column) => format!("{column} = {}", bind(params, party)),
            None => "1 = 0".to_owned(),
        },
        Reach::Region => within(actor, columns, params),
        Reach::Department(department) => match columns.department {
            Some(column) => {
                let own = format!("{column} = {}", bind(params, department));
                format!("({own} AND {})", within(actor, columns, params))
            }
            None => "1 = 0".to_owned(),
        },
        Reach::Nothing => "1 = 0".to_owned(),
    }
}

fn within(actor: &Actor, columns: ScopeColumns, params: &mut Vec<Value>) -> String {
    let (low, high) = code_range(actor.region);
    let low = bind(params, low);
    let high = bind(params, high);
    format!("({0} >= {low} AND {0} <= {high})", columns.region)
}

/// The lowest and highest code within a region, as text: codes of towns begin with their county's.
pub fn code_range(region: RegionCode) -> (String, String) {
    let low = region.to_string();
    let prefix = match region.level() {
        Level::Province => 2,
        Level::City => 4,
        Level::County => 6,
        Level::Town => return (low.clone(), low),
    };
    let high = format!("{:9<9}", low.get(..prefix).unwrap_or(&low));
    (low, high)
}

fn bind(params: &mut Vec<Value>, value: impl Into<Value>) -> String {
    params.push(value.into());
    format!("?{}", params.len())
}

/// Whether the actor may see a party (主体): an applicant his own; staff who take part in casework
/// those registered in their region, whatever their department, because a party has none.
pub fn may_see_party(actor: &Actor, party: PartyId, region: RegionCode) -> bool {
    match reach(actor) {
        Reach::Everything => true,
        Reach::OwnParty(own) => own == party,
        Reach::Region | Reach::Department(_) => is_within(region, actor.region),
        Reach::Nothing => false,
    }
}

/// [`may_see_party`] as SQL, over the columns of a query that hold a party's id and region.
pub fn parties_where(
    actor: &Actor,
    party: &'static str,
    region: &'static str,
    params: &mut Vec<Value>,
) -> String {
    let columns = ScopeColumns {
        region,
        department: None,
        party: Some(party),
    };
    match reach(actor) {
        Reach::Everything => "1 = 1".to_owned(),
        Reach::OwnParty(own) => format!("{party} = {}", bind(params, own)),
        Reach::Region | Reach::Department(_) => within(actor, columns, params),
        Reach::Nothing => "1 = 0".to_owned(),
    }
}

/// Roles that keep accounts.
const KEEP_ACCOUNTS: &[Role] = &[Role::SystemAdmin, Role::SecurityAdmin];

/// Whether the actor keeps the accounts and departments of a region.
pub fn may_administer(actor: &Actor, region: RegionCode) -> bool {
    match actor.kind {
        ActorKind::System | ActorKind::Console => true,
        ActorKind::Account(_) => actor.roles.any(KEEP_ACCOUNTS) && is_within(region, actor.region),
    }
}

/// [`may_administer`] as SQL, over the column that holds a region code.
pub fn administered_where(actor: &Actor, region: &'static str, params: &mut Vec<Value>) -> String {
    let columns = ScopeColumns {
        region,
        department: None,
        party: None,
    };
    match actor.kind {
        ActorKind::System | ActorKind::Console => "1 = 1".to_owned(),
        ActorKind::Account(_) if actor.roles.any(KEEP_ACCOUNTS) => within(actor, columns, params),
        ActorKind::Account(_) => "1 = 0".to_owned(),
    }
}

/// How far the log is open to an actor.
fn log_reach(actor: &Actor) -> Reach {
    match (actor.kind, actor.region.level()) {
        (ActorKind::System | ActorKind::Console, _) => Reach::Everything,
        _ if !actor.is_staff() || !actor.has(Role::AuditAdmin) => Reach::Nothing,
        // An installation serves one city: what belongs to no county, and what came from outside,
        // is the city's to see.
        (_, Level::Province | Level::City) => Reach::Everything,
        (_, Level::County | Level::Town) => Reach::Region,
    }
}

/// Whether the whole log is open to an actor.
pub fn sees_all_events(actor: &Actor) -> bool {
    matches!(log_reach(actor), Reach::Everything)
}

/// Whether the actor may read an event of the log: the audit administrator of a region what its
/// people did (`by`) and what was done to its records (`about`), the city's everything.
pub fn may_see_event(actor: &Actor, by: Option<RegionCode>, about: Option<RegionCode>) -> bool {
    match log_reach(actor) {
        Reach::Everything => true,
        Reach::Region => [by, about]
            .into_iter()
            .flatten()
            .any(|region| is_within(region, actor.region)),
        Reach::OwnParty(_) | Reach::Department(_) | Reach::Nothing => false,
    }
}

/// [`may_see_event`] as SQL, over the columns that hold the region of who acted and of what was
/// acted on, either of which may be missing.
pub fn events_where(
    actor: &Actor,
    by: &'static str,
    about: &'static str,
    params: &mut Vec<Value>,
) -> String {
    match log_reach(actor) {
        Reach::Everything => "1 = 1".to_owned(),
        Reach::Region => {
            let of = |region| ScopeColumns {
                region,
                department: None,
                party: None,
            };
            let by = within(actor, of(by), params);
            let about = within(actor, of(about), params);
            format!("({by} OR {about})")
        }
        Reach::OwnParty(_) | Reach::Department(_) | Reach::Nothing => "1 = 0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(digits: &str) -> RegionCode {
        RegionCode::parse(digits).unwrap()
    }

    proptest! {
        #[test]
        fn range_and_within_agree(inner in 110_000u32..=659_999, town in proptest::option::of(0u32..1_000), outer in 110_000u32..=659_999, near in any::<bool>(), cut in 0usize..4) {
            let outer = if near { inner } else { outer };
            let outer = match cut { 0 => outer / 10_000 * 10_000, 1 => outer / 100 * 100, _ => outer };
            let inner = town.map_or_else(|| inner.to_string(), |town| format!("{inner}{town:03}"));
            // Codes ending in 00 above a town mean groupings, which no row carries.
            prop_assume!(inner.len() == 6 || !inner.get(..6).unwrap().ends_with("00"));
            let (inner, outer) = (code(&inner), code(&outer.to_string()));
            let (low, high) = code_range(outer);
            let text = inner.to_string();
            prop_assert_eq!(low <= text && text <= high, is_within(inner, outer), "{} in {}", inner, outer);
        }
    }

    fn auditor(of: &str) -> Actor {
        Actor {
            kind: ActorKind::Account(crate::ids::AccountId(uuid::Uuid::from_u128(1))),
            roles: [Role::AuditAdmin].into_iter().collect(),
            ..Actor::system(code(of))
        }
    }

    /// Who reads which event: of whom (`by`) and about what, either of which may be nowhere.
    #[test]
    fn the_log_is_read_by_region_and_both_forms_agree() {
        let store = crate::store::Store::open_temporary(jiff::Timestamp::UNIX_EPOCH).unwrap();
        let leader = Actor {
            roles: [Role::Leader, Role::SystemAdmin].into_iter().collect(),
            ..auditor("330300")
        };
        let applicant = Actor {
            party: Some(PartyId(uuid::Uuid::from_u128(2))),
            ..auditor("330300")
        };
        let (yongjia, yueqing, town) = ("330324", "330382", "330324100");
        let cases: &[(&Actor, Option<&str>, Option<&str>, bool)] = &[
            (&auditor(yongjia), Some(yongjia), None, true),
            (&auditor(yongjia), None, Some(yongjia), true),
            (&auditor(yongjia), Some("330300"), Some(yongjia), true),
            (&auditor(yongjia), Some(yongjia), Some(yueqing), true),
            (&auditor(yongjia), Some(town), Some(town), true),
            (&auditor(yongjia), Some(yueqing), Some(yueqing), false),
            (&auditor(yongjia), Some("330300"), Some("330300"), false),
            (&auditor(yongjia), Some("330300"), None, false),
            (&auditor(yongjia), None, None, false),
            (&auditor(town), Some(yongjia), Some(yongjia), false),
            (&auditor("330300"), Some(yueqing), None, true),
            (&auditor("330300"), None, None, true),
            (&auditor("330300"), Some("440106"), Some("440106"), true),
            (&leader, Some("330300"), Some("330300"), false),
            (&applicant, Some("330300"), Some("330300"), false),
            (&Actor::system(code(yongjia)), None, None, true),
        ];
        for (actor, by, about, wanted) in cases {
            let sees = may_see_event(actor, by.map(code), about.map(code));
            assert_eq!(sees, *wanted, "{actor:?} {by:?} {about:?}");
            let mut params: Vec<Value> = vec![
                by.map(str::to_owned).into(),
                about.map(str::to_owned).into(),
            ];
            let condition = events_where(actor, "e.by_region", "e.about_region", &mut params);
            let sql = format!(
                "SELECT COUNT(*) FROM (SELECT CAST(?1 AS TEXT) AS by_region, \
                 CAST(?2 AS TEXT) AS about_region) e WHERE {condition}"
            );
            let count: Result<i64, crate::store::StoreError> =
                store.read_blocking(|q| q.row(&sql, params, |r| r.get(0)));
            assert_eq!(
                count.unwrap(),
                i64::from(*wanted),
                "{actor:?} {by:?} {about:?}"
            );
        }
    }
}
