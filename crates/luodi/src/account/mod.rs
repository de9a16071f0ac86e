//! Accounts and departments: who logs in, in which state, with which roles; sessions and passwords.
//!
//! It lacks the meaning of roles and row-level permission, which are `access`, and the parties that
//! applicants act for, which are `party`.

pub mod api;
mod commands;
mod contact;
mod contact_pages;
mod department;
mod desk;
pub mod dossier;
mod enter;
mod errand;
mod factor;
mod factor_pages;
mod forgot;
mod identity;
mod identity_pages;
mod leave;
mod leave_pages;
mod log_in;
pub mod named;
mod own;
mod own_sessions;
mod owner;
pub mod password;
mod permissions;
mod provider;
mod queries;
mod rest;
mod sent_code;
mod session;
mod system;
pub mod totp;
mod whole;

#[cfg(test)]
mod tests;

pub use commands::{
    Administrator, Identified, NewAccount, admin_init, create_account, grant_roles,
    prepare_administrators, reset_at_console, reset_at_window, reset_password, set_state,
};
pub use department::{NewDepartment, amend_department, create_department};
pub use factor::{enrol_demonstration, reset_factor, reset_factor_at_console};
pub use identity::HASHED;
pub use leave::{
    KINDS as LEAVE_KINDS, NewLeave, change_leave, end_leave, kind_zh, register_leave,
    stands_in_for, still_works,
};
pub use queries::{
    AccountFilter, AccountRow, DemoAccount, DemoCode, Department, begun, colleague, colleagues,
    count, demo_accounts, department, department_by_code, departments, find_login, has_demo, list,
    name_of, of_party, show,
};
pub use rest::confirm_roles;
pub use session::{Sessions, unknown_login};
pub use whole::altered;

use crate::access::{Role, Roles};
use crate::web::Route;

/// Whether an account may log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// It may.
    Active,
    /// An administrator has locked it; its sessions have ended.
    Locked,
}

impl AccountState {
    /// Every state, in the order lists show them.
    pub const ALL: &'static [AccountState] = &[AccountState::Active, AccountState::Locked];

    /// The stored word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
        }
    }

    /// What pages call it.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Active => "正常",
            Self::Locked => "已锁定",
        }
    }

    /// The state with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.code() == code)
    }
}

/// The three administrators, none of whom does another's work or casework (三员分立).
pub const ADMINISTRATORS: [Role; 3] = [Role::SystemAdmin, Role::SecurityAdmin, Role::AuditAdmin];

/// Roles whose work lies in one department.
const OF_A_DEPARTMENT: &[Role] = &[Role::CaseHandler, Role::Reviewer, Role::Approver];

/// What a set of roles must fulfil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolesRule {
    /// An administrator holds no second role.
    AdministratorAlone,
    /// An account of a party is an applicant and nothing else; staff are no applicants.
    ApplicantAlone,
    /// Who registers parties and their accounts does not approve and pay them.
    WindowWithFinance,
    /// Examining, reviewing and deciding happen in a department.
    NeedsDepartment,
}

impl RolesRule {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AdministratorAlone => "roles-administrator-alone",
            Self::ApplicantAlone => "roles-applicant-alone",
            Self::WindowWithFinance => "roles-window-with-finance",
            Self::NeedsDepartment => "roles-need-department",
        }
    }

    /// What to do, in Chinese.
    pub const fn message_zh(self) -> &'static str {
        match self {
            Self::AdministratorAlone => {
                "系统、安全、审计管理员各自独立，不能兼任其他角色。请为其他工作另开账号。"
            }
            Self::ApplicantAlone => {
                "申请人账号只能有「申请人」角色，工作人员账号不能有。请分开账号。"
            }
            Self::WindowWithFinance => {
                "窗口登记主体和收款账户，财政核准账户并拨付，一个账号不能兼任。请分开账号。"
            }
            Self::NeedsDepartment => "经办人、审核人、审批人必须属于一个部门。请先为账号选定部门。",
        }
    }

    /// What to do, in English.
    pub const fn message_en(self) -> &'static str {
        match self {
            Self::AdministratorAlone => {
                "an administrator holds no other role: open another account for other work"
            }
            Self::ApplicantAlone => {
                "an account of a party is an applicant and nothing else: keep the accounts apart"
            }
            Self::WindowWithFinance => {
                "the window enters bank accounts and finance approves and pays: keep the accounts apart"
            }
            Self::NeedsDepartment => {
                "examining, reviewing and deciding happen in a department: choose one first"
            }
        }
    }
}

/// Whether one account may hold these roles together.
///
/// # Errors
/// The first rule that is broken.
pub fn check_roles(
    roles: Roles,
    acts_for_party: bool,
    has_department: bool,
) -> Result<(), RolesRule> {
    let count = roles.iter().count();
    if roles.any(&ADMINISTRATORS) && count > 1 {
        return Err(RolesRule::AdministratorAlone);
    }
    if roles.has(Role::Applicant) != acts_for_party || (acts_for_party && count > 1) {
        return Err(RolesRule::ApplicantAlone);
    }
    if roles.has(Role::WindowClerk) && roles.has(Role::Finance) {
        return Err(RolesRule::WindowWithFinance);
    }
    if roles.any(OF_A_DEPARTMENT) && !has_department {
        return Err(RolesRule::NeedsDepartment);
    }
    Ok(())
}

/// The routes of log-in, of one's own account and of the administrators' desk.
pub fn routes() -> Vec<Route> {
    let mut routes = log_in::routes();
    routes.extend(provider::routes());
    routes.extend(own::routes());
    routes.extend(factor_pages::routes());
    routes.extend(own_sessions::routes());
    routes.extend(contact_pages::routes());
    routes.extend(identity_pages::routes());
    routes.extend(forgot::routes());
    routes.extend(api::routes());
    routes.extend(desk::routes());
    routes.extend(department::routes());
    routes.extend(leave_pages::routes());
    routes.extend(permissions::routes());
    routes.extend(system::routes());
    routes
}
