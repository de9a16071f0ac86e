//! The registration form of a party: from what was typed to codes that are checked, with every
//! fault at its field.

use jiff::civil::Date;
use vocab::industry::IndustryCode;
use vocab::{CreditCode, IdNumber, Phone, RegionCode};

use crate::refusal::{FieldError, Refusal};
use crate::web::Posted;

use super::{Amendment, NewParty, PartyKind};

/// Reads the form.
///
/// # Errors
/// All fields that break a rule of their own; what needs the database is the command's to say.
pub(super) fn read(posted: &Posted, today: Date) -> Result<NewParty, Refusal> {
    let mut wrong = Vec::new();
    let kind = PartyKind::from_code(posted.get("kind"));
    if kind.is_none() {
        wrong.push(fault("kind", "required", "请选择企业或自然人。"));
    }
    let region = optional(posted, &mut wrong, "region", |text| {
        RegionCode::parse(text).map_err(|error| (error.code(), error.message_zh()))
    });
    if posted.get("region").is_empty() {
        wrong.push(fault("region", "required", "请选择行政区划。"));
    }
    let credit_code = optional(posted, &mut wrong, "credit_code", |text| {
        CreditCode::parse(text).map_err(|error| (error.code(), error.message_zh()))
    });
    let id_number = optional(posted, &mut wrong, "id_number", |text| {
        IdNumber::parse_on(text, today).map_err(|error| (error.code(), error.message_zh()))
    });
    let phone = phone(posted, &mut wrong);
    let industry = industry(posted, &mut wrong);
    let founded_on = founded_on(posted, &mut wrong);
    match (kind, region) {
        (Some(kind), Some(region)) if wrong.is_empty() => Ok(NewParty {
            kind,
            name: posted.get("name").to_owned(),
            credit_code,
            id_number,
            phone,
            address: typed(posted, "address"),
            region,
            industry,
            legal_representative: typed(posted, "legal_representative"),
            founded_on,
            demo: false,
        }),
        _ => Err(Refusal::fields(wrong)),
    }
}

/// Reads the form of a correction.
///
/// # Errors
/// All fields that break a rule of their own.
pub(super) fn read_amendment(posted: &Posted) -> Result<Amendment, Refusal> {
    let mut wrong = Vec::new();
    let amendment = Amendment {
        name: posted.get("name").to_owned(),
        phone: phone(posted, &mut wrong),
        address: typed(posted, "address"),
        industry: industry(posted, &mut wrong),
        legal_representative: typed(posted, "legal_representative"),
        founded_on: founded_on(posted, &mut wrong),
    };
    if wrong.is_empty() {
        Ok(amendment)
    } else {
        Err(Refusal::fields(wrong))
    }
}

fn phone(posted: &Posted, wrong: &mut Vec<FieldError>) -> Option<Phone> {
    optional(posted, wrong, "phone", |text| {
        Phone::parse(text).map_err(|error| (error.code(), error.message_zh()))
    })
}

fn industry(posted: &Posted, wrong: &mut Vec<FieldError>) -> Option<IndustryCode> {
    optional(posted, wrong, "industry", |text| {
        IndustryCode::parse(text).map_err(|error| (error.code(), error.message_zh()))
    })
}

fn founded_on(posted: &Posted, wrong: &mut Vec<FieldError>) -> Option<Date> {
    optional(posted, wrong, "founded_on", |text| {
        let message = "请填写真实存在的日期，如 2018-06-01。";
        text.parse::<Date>().map_err(|_| ("date", message))
    })
}

fn typed(posted: &Posted, field: &str) -> Option<String> {
    Some(posted.get(field).to_owned()).filter(|text| !text.is_empty())
}

/// A field that may be empty, read by its type.
fn optional<T>(
    posted: &Posted,
    wrong: &mut Vec<FieldError>,
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
            wrong.push(fault(field, rule, message));
            None
        }
    }
}

pub(super) fn fault(field: &str, rule: &'static str, message: &str) -> FieldError {
    FieldError {
        field: field.to_owned(),
        rule: rule.into(),
        message: message.to_owned(),
    }
}
