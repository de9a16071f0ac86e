//! Who may do and see what: roles, the actor, rules of routes, and the one place where a row's
//! region, department and enterprise are compared with the actor's.
//!
//! Pages, API, exports and counts all go through here. It knows no domain's tables; domains give
//! it the three columns that matter.

mod actor;
mod role;
mod scope;

pub use actor::{Actor, ActorKind};
pub use role::{Role, Roles};
pub use scope::{
    Scope, ScopeColumns, administered_where, code_range, events_where, may_act, may_administer,
    may_see, may_see_event, may_see_party, parties_where, sees_all_events, visible_where,
};

/// What a route asks of its visitor before its handler runs. Row-level permission comes after,
/// in the handler's query or command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Anybody, logged in or not.
    Public,
    /// Anybody who is logged in.
    SignedIn,
    /// An account of an enterprise or a natural person, acting for that party.
    Applicant,
    /// Staff holding at least one of the roles.
    Staff(&'static [Role]),
    /// An applicant, or staff holding at least one of the roles.
    ApplicantOrStaff(&'static [Role]),
}

impl Rule {
    /// Whether this visitor may enter.
    pub fn admits(self, actor: Option<&Actor>) -> bool {
        match (self, actor) {
            (Rule::Public, _) => true,
            (_, None) => false,
            (Rule::SignedIn, Some(_)) => true,
            (Rule::Applicant, Some(actor)) => actor.party.is_some(),
            (Rule::Staff(roles), Some(actor)) => actor.party.is_none() && actor.roles.any(roles),
            (Rule::ApplicantOrStaff(roles), Some(actor)) => {
                actor.party.is_some() || actor.roles.any(roles)
            }
        }
    }
}
