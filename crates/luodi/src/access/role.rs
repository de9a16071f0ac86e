//! The roles of the city, named as the officials name them.

use serde::{Deserialize, Serialize};

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $zh:literal;)*) => {
        /// A role an account may hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Role { $($(#[$doc])* $name,)* }

        impl Role {
            /// Every role, in the order the log-in page lists them.
            pub const ALL: &'static [Role] = &[$(Role::$name,)*];

            /// The stable code, as stored and as in packages.
            pub const fn code(self) -> &'static str {
                match self { $(Role::$name => $code,)* }
            }

            /// The name officials use.
            pub const fn zh(self) -> &'static str {
                match self { $(Role::$name => $zh,)* }
            }

            /// The role with this code.
            pub fn from_code(code: &str) -> Option<Role> {
                match code { $($code => Some(Role::$name),)* _ => None }
            }
        }
    };
}

roles! {
    /// Acts for an enterprise or as a natural person.
    Applicant = "applicant", "申请人";
    /// Receives applications at the counter for all departments.
    WindowClerk = "window_clerk", "窗口";
    /// Examines and inspects.
    CaseHandler = "case_handler", "经办人";
    /// Reviews lists and handles objections.
    Reviewer = "reviewer", "审核人";
    /// Decides.
    Approver = "approver", "审批人";
    /// Keeps budgets and pays.
    Finance = "finance", "财政";
    /// Writes articles and publishes notices' texts.
    Editor = "editor", "编辑";
    /// Follows investment projects.
    InvestmentOfficer = "investment_officer", "招商专员";
    /// Sees the whole of the region.
    Leader = "leader", "领导";
    /// Accounts and the system.
    SystemAdmin = "system_admin", "系统管理员";
    /// Roles and permissions.
    SecurityAdmin = "security_admin", "安全管理员";
    /// The audit log.
    AuditAdmin = "audit_admin", "审计管理员";
}

impl Role {
    /// Staff whose day begins at the worklist of cases; the others have desks of their own.
    pub const AT_WORKLIST: &'static [Role] = &[
        Role::WindowClerk,
        Role::CaseHandler,
        Role::Reviewer,
        Role::Approver,
        Role::Finance,
        Role::InvestmentOfficer,
    ];

    /// Whoever decides, pays or administers logs in with a second factor.
    pub const WITH_SECOND_FACTOR: &'static [Role] = &[
        Role::Approver,
        Role::Finance,
        Role::SystemAdmin,
        Role::SecurityAdmin,
        Role::AuditAdmin,
    ];
}

/// The roles one account holds: a small set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles(u32);

impl Roles {
    /// Whether the role is held.
    pub fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u32) != 0
    }

    /// Whether at least one of the roles is held.
    pub fn any(self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.has(*role))
    }

    /// These roles but some.
    #[must_use]
    pub fn without(self, roles: &[Role]) -> Self {
        self.iter().filter(|role| !roles.contains(role)).collect()
    }

    /// The roles held, in the order of [`Role::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL
            .iter()
            .copied()
            .filter(move |role| self.has(*role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(
            roles
                .into_iter()
                .fold(0, |set, role| set | (1 << role as u32)),
        )
    }
}
