//! The registration form of a party: from what was typed to codes that are checked, with every
//! fault at its field.

use jiff::civil::Date;
use vocab::industry::IndustryCode;
use vocab::{CreditCode, IdNumber, Phone, RegionCode};

use crate::refusal::Refusals;
use crate::web::Posted;

use super::{Amendment, NewParty, PartyKind};

/// Reads the form. What cannot be read has a stand-in, the region `nearby` among them, and is named
/// as wrong; the rules are the command's.
pub(super) fn read(posted: &Posted, nearby: RegionCode, today: Date) -> (NewParty, Refusals) {
    let mut wrong = Refusals::default();
    let kind = PartyKind::from_code(posted.get("kind"));
    if kind.is_none() {
        wrong.add("kind", "required", "请选择企业或自然人。");
    }
    let region = optional(posted, &mut wrong, "region", |text| {
        RegionCode::parse(text).map_err(|error| (error.code(), error.message_zh()))
    });
    if posted.get("region").is_empty() {
        wrong.add("region", "required", "请选择行政区划。");
    }
    let new = NewParty {
        kind: kind.unwrap_or(PartyKind::Enterprise),
        name: posted.get("name").to_owned(),
        credit_code: optional(posted, &mut wrong, "credit_code", |text| {
            CreditCode::parse(text).map_err(|error| (error.code(), error.message_zh()))
        }),
        id_number: optional(posted, &mut wrong, "id_number", |text| {
            IdNumber::parse_on(text, today).map_err(|error| (error.code(), error.message_zh()))
        }),
        phone: phone(posted, &mut wrong),
        address: typed(posted, "address"),
        region: region.unwrap_or(nearby),
        industry: industry(posted, &mut wrong),
        legal_representative: typed(posted, "legal_representative"),
        founded_on: founded_on(posted, &mut wrong),
        demo: false,
    };
    (new, wrong)
}

/// Reads the form of a correction. What cannot be read is left out and named as wrong.
pub(super) fn read_amendment(posted: &Posted) -> (Amendment, Refusals) {
    let mut wrong = Refusals::default();
    let amendment = Amendment {
        name: posted.get("name").to_owned(),
        phone: phone(posted, &mut wrong),
        address: typed(posted, "address"),
        industry: industry(posted, &mut wrong),
        legal_representative: typed(posted, "legal_representative"),
        founded_on: founded_on(posted, &mut wrong),
    };
    (amendment, wrong)
}

fn phone(posted: &Posted, wrong: &mut Refusals) -> Option<Phone> {
    optional(posted, wrong, "phone", |text| {
        Phone::parse(text).map_err(|error| (error.code(), error.message_zh()))
    })
}

fn industry(posted: &Posted, wrong: &mut Refusals) -> Option<IndustryCode> {
    optional(posted, wrong, "industry", |text| {
        IndustryCode::parse(text).map_err(|error| (error.code(), error.message_zh()))
    })
}

fn founded_on(posted: &Posted, wrong: &mut Refusals) -> Option<Date> {
    optional(posted, wrong, "founded_on", |text| {
        vocab::date::read(text).map_err(|error| (error.code(), error.message_zh()))
    })
}

fn typed(posted: &Posted, field: &str) -> Option<String> {
    Some(posted.get(field).to_owned()).filter(|text| !text.is_empty())
}

/// A field that may be empty, read by its type.
fn optional<T>(
    posted: &Posted,
    wrong: &mut Refusals,
    field: &str,
    parse: impl FnOnce(&str) -> Result<T, (&'static str, &'static str)>,
) -> Option<T> {
    let text = posted.get(field);
    if text.is_empty() {
        return None;
    }
    match parse(text) {
        Ok(value) => Some(value),
        Err((rule, message)) => {
            wrong.add(field, rule, message);
            None
        }
    }
}
