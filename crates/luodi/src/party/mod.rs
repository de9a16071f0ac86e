//! Parties (主体): enterprises and natural persons, their personal data under their own key, their
//! bank accounts and the messages to them.
//!
//! It lacks the accounts that act for a party (`account`) and what it applied for (`casework`).

pub mod bank_account;
mod commands;
pub mod dossier;
mod form;
mod message;
pub mod named;
mod pages;
mod queries;
mod rehash;
mod window;

#[cfg(test)]
mod tests;

pub use commands::{Amendment, amend, open_account, register, unmask};
pub use message::{Message, Reach, notify, reach, recent_messages, tell, unread};
pub use queries::{
    Order, Party, PartyFilter, Personal, count, find, find_for_case, find_number, known_words,
    list, not_erased, personal,
};
pub use rehash::{Hashed, rehash_all};

use jiff::civil::Date;
use vocab::industry::IndustryCode;
use vocab::{CreditCode, IdNumber, Phone, RegionCode, mask_person_name};

use crate::access::Role;
use crate::dossier::ERASED;
use crate::web::Route;

/// What a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartyKind {
    /// An enterprise or another organisation, known by its credit code.
    Enterprise,
    /// A natural person, known by the identity number.
    Person,
}

impl PartyKind {
    /// Every kind, in the order forms offer them.
    pub const ALL: &'static [PartyKind] = &[PartyKind::Enterprise, PartyKind::Person];

    /// The stored word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Enterprise => "enterprise",
            Self::Person => "person",
        }
    }

    /// What pages call it.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Enterprise => "企业",
            Self::Person => "自然人",
        }
    }

    /// The kind with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

/// A party's name for whoever has no work with it, and for the log: natural persons masked,
/// enterprises in full. An unknown kind is masked.
pub fn masked_name(kind: &str, name: &str) -> String {
    // What stands for an erased name hides nobody.
    if kind == PartyKind::Enterprise.code() || name == ERASED {
        name.to_owned()
    } else {
        mask_person_name(name)
    }
}

/// A party to be registered. Codes are checked by their types before they come here.
#[derive(Clone, Debug)]
pub struct NewParty {
    /// Enterprise or person.
    pub kind: PartyKind,
    /// As in the licence or on the identity card.
    pub name: String,
    /// Of an enterprise.
    pub credit_code: Option<CreditCode>,
    /// Of a person; personal data.
    pub id_number: Option<IdNumber>,
    /// Personal data.
    pub phone: Option<Phone>,
    /// Personal data.
    pub address: Option<String>,
    /// Where the party is registered or lives.
    pub region: RegionCode,
    /// What an enterprise does.
    pub industry: Option<IndustryCode>,
    /// Of an enterprise.
    pub legal_representative: Option<String>,
    /// Of an enterprise.
    pub founded_on: Option<Date>,
    /// Made up for a demonstration.
    pub demo: bool,
}

/// The staff who work with parties.
pub(crate) const STAFF: &[Role] = &[
    Role::WindowClerk,
    Role::CaseHandler,
    Role::Reviewer,
    Role::Approver,
    Role::Finance,
];

/// The routes of parties, their bank accounts and their messages.
pub fn routes() -> Vec<Route> {
    let mut routes = pages::routes();
    routes.extend(window::routes());
    routes.extend(bank_account::routes());
    routes.extend(message::routes());
    routes
}
