//! Read models of parties. What is personal stays sealed until somebody asks for it by name.

use jiff::civil::Date;
use vocab::{CreditCode, IdNumber, Phone, RegionCode};

use crate::access::{Actor, may_see_party, parties_where};
use crate::ids::PartyId;
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Query, Row, StoreError, Value, holding};

use super::PartyKind;
use super::commands::{ADDRESS, ID_NUMBER, PHONE};

/// A party without its personal data.
#[derive(Clone, Debug)]
pub struct Party {
    /// Its id.
    pub id: PartyId,
    /// Enterprise or person.
    pub kind: PartyKind,
    /// Its name.
    pub name: String,
    /// Of an enterprise.
    pub credit_code: Option<String>,
    /// Where it is registered or lives.
    pub region: RegionCode,
    /// Code of what an enterprise does (GB/T 4754).
    pub industry: Option<String>,
    /// Of an enterprise.
    pub legal_representative: Option<String>,
    /// Of an enterprise.
    pub founded_on: Option<Date>,
    /// Made up for a demonstration.
    pub demo: bool,
    /// Raised by each change.
    pub version: i64,
    /// Its personal data were erased.
    pub erased: bool,
}

impl Party {
    /// The industry with its name.
    pub fn industry_zh(&self) -> String {
        let Some(code) = &self.industry else {
            return String::new();
        };
        match vocab::industry::find(code) {
            Some(industry) => format!("{code} {}", industry.name),
            None => code.clone(),
        }
    }
}

const COLUMNS: &str = "p.id, p.kind, p.name, p.credit_code, p.region_code, p.industry_code, \
     p.legal_representative, p.founded_on, p.demo, p.version, p.erased_at";

fn read_party(r: &Row<'_>) -> Result<Party, StoreError> {
    let kind: String = r.get(1)?;
    let unknown = || StoreError::Value(format!("no kind of party: {kind}"));
    Ok(Party {
        id: r.get(0)?,
        kind: PartyKind::from_code(&kind).ok_or_else(unknown)?,
        name: r.get(2)?,
        credit_code: r.get(3)?,
        region: r.get(4)?,
        industry: r.get(5)?,
        legal_representative: r.get(6)?,
        founded_on: r.get(7)?,
        demo: r.get(8)?,
        version: r.get(9)?,
        erased: r.get::<Option<i64>>(10)?.is_some(),
    })
}

fn not_found() -> Refusal {
    Refusal::not_found("没有这个主体，或者不在您的工作区域内。请从主体列表重新进入。")
}

fn load(q: &dyn Query, id: PartyId) -> Result<Option<Party>> {
    let sql = format!("SELECT {COLUMNS} FROM party p WHERE p.id = ?1");
    Ok(q.row_opt(&sql, params![id], read_party)?)
}

/// A party that the actor may see.
///
/// # Errors
/// Refuses where there is none.
pub fn find(q: &dyn Query, actor: &Actor, id: PartyId) -> Result<Party> {
    let seen = load(q, id)?.filter(|party| may_see_party(actor, party.id, party.region));
    Ok(seen.ok_or_else(not_found)?)
}

pub(super) fn sees(q: &dyn Query, actor: &Actor, id: PartyId) -> Result<bool> {
    Ok(load(q, id)?.is_some_and(|party| may_see_party(actor, party.id, party.region)))
}

/// Refuses what cannot be done for a party whose personal data are gone.
///
/// # Errors
/// Refused as a conflict.
pub fn not_erased(party: &Party) -> Result<()> {
    if !party.erased {
        return Ok(());
    }
    let message = "这个主体的个人信息已依法删除，不能再办理。需要办理新业务的，请重新登记主体。";
    Err(Refusal::conflict("erased", message).into())
}

/// The party of a case that the caller has found the actor may see: whoever handles a case sees
/// whose it is, also where the party is registered elsewhere.
///
/// # Errors
/// Refuses where there is none.
pub fn find_for_case(q: &dyn Query, id: PartyId) -> Result<Party> {
    Ok(load(q, id)?.ok_or_else(not_found)?)
}

/// The party with this credit code or identity number, wherever it is registered.
///
/// # Errors
/// The store's own.
pub fn find_number(
    q: &dyn Query,
    credit_code: Option<&CreditCode>,
    id_number: Option<&IdNumber>,
) -> Result<Option<PartyId>> {
    if let Some(code) = credit_code {
        let sql = "SELECT id FROM party WHERE credit_code = ?1";
        if let Some(id) = q.row_opt(sql, params![code.as_str()], |r| r.get(0))? {
            return Ok(Some(id));
        }
    }
    let Some(number) = id_number else {
        return Ok(None);
    };
    let [hash, before] = q.lookups(ID_NUMBER, number.as_str())?;
    let sql = "SELECT id FROM party WHERE id_number_lookup IN (?1, ?2)";
    Ok(q.row_opt(sql, params![hash, before], |r| r.get(0))?)
}

/// The personal data of a party, opened. Show [`Personal::masked`] unless `party.unmask` was asked.
#[derive(Clone, Debug, Default)]
pub struct Personal {
    /// Of a person.
    pub id_number: Option<String>,
    /// Where it is known.
    pub phone: Option<String>,
    /// Where it is known.
    pub address: Option<String>,
}

impl Personal {
    /// What a page may show.
    #[must_use]
    pub fn masked(&self) -> Self {
        let hidden = || "******".to_owned();
        let id_number =
            |text: &String| IdNumber::parse(text).map_or_else(|_| hidden(), |n| n.masked());
        let phone = |text: &String| Phone::parse(text).map_or_else(|_| hidden(), |p| p.masked());
        Self {
            id_number: self.id_number.as_ref().map(id_number),
            phone: self.phone.as_ref().map(phone),
            address: self.address.as_ref().map(|text| vocab::mask_address(text)),
        }
    }

    /// Whether nothing personal is known.
    pub fn is_empty(&self) -> bool {
        self.id_number.is_none() && self.phone.is_none() && self.address.is_none()
    }
}

/// Opens the personal data of a party; the caller has found that the actor may see the party.
///
/// # Errors
/// The store's own, such as a destroyed key.
pub fn personal(q: &dyn Query, id: PartyId) -> Result<Personal> {
    let sealed = q.row(
        "SELECT id_number_sealed, phone_sealed, address_sealed FROM party WHERE id = ?1",
        params![id],
        |r| Ok([r.get::<Option<Vec<u8>>>(0)?, r.get(1)?, r.get(2)?]),
    )?;
    let [id_number, phone, address] = sealed;
    let open = |class: &str, sealed: Option<Vec<u8>>| {
        let sealed = sealed.map(|sealed| q.open_as(id.0, class, &sealed));
        sealed.transpose()
    };
    Ok(Personal {
        id_number: open(ID_NUMBER, id_number)?,
        phone: open(PHONE, phone)?,
        address: open(ADDRESS, address)?,
    })
}

/// What others know of a party and guess first: its credit code, its numbers and the tail of an
/// identity number.
///
/// # Errors
/// The store's own.
pub fn known_words(q: &dyn Query, id: PartyId) -> Result<Vec<String>> {
    let sql = "SELECT credit_code FROM party WHERE id = ?1";
    let code: Option<Option<String>> = q.row_opt(sql, params![id], |r| r.get(0))?;
    let Some(code) = code else {
        return Ok(Vec::new());
    };
    let personal = personal(q, id)?;
    let tail = |number: &String| {
        number
            .get(number.len().saturating_sub(8)..)
            .map(str::to_owned)
    };
    let tail = personal.id_number.as_ref().and_then(tail);
    let words = [code, personal.id_number, tail, personal.phone];
    Ok(words.into_iter().flatten().collect())
}

/// A name as searches see it.
pub(super) fn fold_name(name: &str) -> String {
    vocab::fold_width(name.trim()).to_lowercase()
}

/// A pattern for `LIKE … ESCAPE '!'` that finds a part of a folded name.
pub(super) fn like_name(text: &str) -> String {
    holding(&fold_name(text))
}

/// In what order a list comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By region, then name.
    #[default]
    Region,
    /// By name.
    Name,
    /// The newest first.
    Newest,
}

impl Order {
    /// The word in addresses.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Name => "name",
            Self::Newest => "newest",
        }
    }

    /// The order with this word; by region where it is unknown.
    pub fn from_code(code: &str) -> Self {
        [Self::Name, Self::Newest]
            .into_iter()
            .find(|order| order.code() == code)
            .unwrap_or_default()
    }

    const fn sql(self) -> &'static str {
        match self {
            Self::Region => "p.region_code, p.name, p.id",
            Self::Name => "p.name, p.id",
            Self::Newest => "p.id DESC",
        }
    }
}

/// What the list of parties is narrowed by.
#[derive(Clone, Debug, Default)]
pub struct PartyFilter {
    /// A part of the name, or the beginning of the credit code.
    pub text: String,
    /// Only this kind.
    pub kind: Option<PartyKind>,
    /// Only this region and what lies within it.
    pub region: Option<RegionCode>,
    /// In what order.
    pub order: Order,
}

fn conditions(actor: &Actor, filter: &PartyFilter, params: &mut Vec<Value>) -> String {
    let mut sql = parties_where(actor, "p.id", "p.region_code", params);
    let mut bind = |value: Value| {
        params.push(value);
        format!("?{}", params.len())
    };
    let text = fold_name(&filter.text);
    if !text.is_empty() {
        let part = bind(like_name(&filter.text).into());
        let low = bind(text.to_uppercase().into());
        // '~' comes after every character of a credit code.
        let high = bind(format!("{}~", text.to_uppercase()).into());
        sql.push_str(&format!(
            " AND (p.name_folded LIKE {part} ESCAPE '!' \
             OR (p.credit_code >= {low} AND p.credit_code <= {high}))"
        ));
    }
    if let Some(kind) = filter.kind {
        sql.push_str(&format!(" AND p.kind = {}", bind(kind.code().into())));
    }
    if let Some(region) = filter.region {
        let (low, high) = crate::access::code_range(region);
        let (low, high) = (bind(low.into()), bind(high.into()));
        sql.push_str(&format!(
            " AND p.region_code >= {low} AND p.region_code <= {high}"
        ));
    }
    sql
}

/// How many parties the actor may see within the filter.
///
/// # Errors
/// The store's own.
pub fn count(q: &dyn Query, actor: &Actor, filter: &PartyFilter) -> Result<u64> {
    let mut params = Vec::new();
    let wanted = conditions(actor, filter, &mut params);
    Ok(q.row(
        &format!("SELECT COUNT(*) FROM party p WHERE {wanted}"),
        params,
        |r| r.get(0),
    )?)
}

/// A page of these parties.
///
/// # Errors
/// The store's own.
pub fn list(
    q: &dyn Query,
    actor: &Actor,
    filter: &PartyFilter,
    limit: u32,
    offset: i64,
) -> Result<Vec<Party>> {
    let mut params = Vec::new();
    let wanted = conditions(actor, filter, &mut params);
    params.extend([Value::from(limit), Value::from(offset)]);
    let (limit, offset) = (params.len() - 1, params.len());
    let order = filter.order.sql();
    let sql = format!(
        "SELECT {COLUMNS} FROM party p WHERE {wanted} ORDER BY {order} LIMIT ?{limit} OFFSET ?{offset}"
    );
    Ok(q.rows(&sql, params, read_party)?)
}
