//! What changes parties, and the look at personal data, which is recorded like a change.

use jiff::civil::Date;
use serde_json::json;
use vocab::industry::IndustryCode;
use vocab::{Phone, RegionCode};

use crate::access::{Actor, ActorKind, Role, Roles};
use crate::account::{self, NewAccount};
use crate::ids::{AccountId, PartyId};
use crate::params;
use crate::refusal::{Error, Refusal, Refusals, Result, last_of};
use crate::store::{Event, Query, Tx};
use crate::web::civil;

use super::queries::{self, Personal, find_number, fold_name};
use super::{NewParty, PartyKind, STAFF, masked_name};

/// Classes of personal data, as packages and sealed values name them.
pub(super) const ID_NUMBER: &str = "id_number";
pub(super) const PHONE: &str = "phone";
pub(super) const ADDRESS: &str = "address";

/// Registers a party. Its personal data are sealed under a key of its own.
///
/// # Errors
/// Refuses others than the window of the region (and the console and the program), missing or
/// superfluous fields of its kind, and a party that is registered already.
pub fn register(tx: &Tx<'_>, actor: &Actor, new: &NewParty) -> Result<PartyId> {
    at_window(actor)?;
    check(tx, actor, tx.today(), new, Refusals::default())?;
    let id = PartyId(tx.new_id());
    insert(tx, id, new)?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "party.register",
        subject: ("party", id.0),
        detail: json!({ "kind": new.kind.code(), "region": new.region }),
        rows: vec![("party", id.0)],
    });
    Ok(id)
}

fn at_window(actor: &Actor) -> Result<()> {
    if !matches!(actor.kind, ActorKind::Account(_)) || actor.has(Role::WindowClerk) {
        return Ok(());
    }
    let message = "主体由窗口登记。请到窗口办理，或请窗口人员代为登记。";
    Err(Refusal::forbidden("register-at-window", message).into())
}

fn check_region(actor: &Actor, region: RegionCode, wrong: &mut Refusals) {
    if vocab::region::find(region).is_none() {
        let message = "没有这个行政区划，请重新选择。";
        wrong.add("region", "region-unknown", message);
    }
    let by_account = matches!(actor.kind, ActorKind::Account(_));
    if by_account && !vocab::region::is_within(region, actor.region) {
        let message = "只能登记本窗口所在区域的主体，请核对行政区划。";
        wrong.add("region", "region-outside", message);
    }
}

/// Every rule of a party to be registered, besides what is known to be wrong.
///
/// # Errors
/// Refused with all fields that break a rule.
pub(super) fn check(
    q: &dyn Query,
    actor: &Actor,
    today: Date,
    new: &NewParty,
    mut wrong: Refusals,
) -> Result<()> {
    let registered = find_number(q, new.credit_code.as_ref(), new.id_number.as_ref())?.is_some();
    if !wrong.has("kind") {
        check_kind(new, registered, &mut wrong);
    }
    check_region(actor, new.region, &mut wrong);
    check_texts(
        today,
        &new.name,
        new.address.as_deref(),
        new.legal_representative.as_deref(),
        new.founded_on,
        &mut wrong,
    );
    Ok(wrong.in_order(FORM)?)
}

/// The fields of the forms of a party, in their order.
const FORM: &[&str] = &[
    "kind",
    "name",
    "credit_code",
    "id_number",
    "region",
    "phone",
    "address",
    "legal_representative",
    "founded_on",
    "industry",
];

/// What each kind of party has to have, and must not have.
fn check_kind(new: &NewParty, registered: bool, wrong: &mut Refusals) {
    let (field, what) = match new.kind {
        PartyKind::Enterprise => ("credit_code", "统一社会信用代码"),
        PartyKind::Person => ("id_number", "身份证号码"),
    };
    let (own, other) = match new.kind {
        PartyKind::Enterprise => (new.credit_code.is_some(), new.id_number.is_some()),
        PartyKind::Person => (new.id_number.is_some(), new.credit_code.is_some()),
    };
    if !own {
        wrong.add(field, "required", format!("请填写{what}。"));
    } else if registered {
        let message = format!("这个{what}已登记过，没有重复登记。请使用已有的主体。");
        wrong.add(field, "registered", message);
    }
    match new.kind {
        PartyKind::Enterprise if other => wrong.add(
            "id_number",
            "not-for-enterprise",
            "企业不登记身份证号码，请清空或改选「自然人」。",
        ),
        PartyKind::Person if other => wrong.add(
            "credit_code",
            "not-for-person",
            "自然人没有统一社会信用代码，请清空或改选「企业」。",
        ),
        _ => {}
    }
}

/// What holds for a registration and a correction alike.
fn check_texts(
    today: Date,
    name: &str,
    address: Option<&str>,
    legal_representative: Option<&str>,
    founded_on: Option<Date>,
    wrong: &mut Refusals,
) {
    match name.trim().chars().count() {
        2..=100 => {}
        0 => wrong.add("name", "required", "请填写名称，与营业执照或身份证一致。"),
        _ => wrong.add("name", "length", "名称为 2 至 100 个字，请核对。"),
    }
    if address.is_some_and(|address| address.chars().count() > 200) {
        wrong.add("address", "length", "地址最长 200 个字，请缩短。");
    }
    if legal_representative.is_some_and(|name| name.chars().count() > 60) {
        let message = "法定代表人最长 60 个字，请核对。";
        wrong.add("legal_representative", "length", message);
    }
    if founded_on.is_some_and(|day| day > today) {
        let message = "成立日期不能晚于今天，请核对营业执照。";
        wrong.add("founded_on", "not-future", message);
    }
}

/// Every rule of a correction, besides what is known to be wrong.
///
/// # Errors
/// Refused with all fields that break a rule.
pub(super) fn check_amendment(
    today: Date,
    amendment: &Amendment,
    mut wrong: Refusals,
) -> Result<(), Refusal> {
    check_texts(
        today,
        &amendment.name,
        amendment.address.as_deref(),
        amendment.legal_representative.as_deref(),
        amendment.founded_on,
        &mut wrong,
    );
    wrong.in_order(FORM)
}

/// What the window corrects after looking at the papers. A personal value left out stays.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// As in the licence or on the identity card.
    pub name: String,
    /// A new phone.
    pub phone: Option<Phone>,
    /// A new address.
    pub address: Option<String>,
    /// What an enterprise does.
    pub industry: Option<IndustryCode>,
    /// Of an enterprise.
    pub legal_representative: Option<String>,
    /// Of an enterprise.
    pub founded_on: Option<Date>,
}

/// Corrects a party. Its number and region stay: another number is another party.
///
/// # Errors
/// Refuses others than the window of the party's region, fields out of bounds, and a party that
/// changed meanwhile.
pub fn amend(
    tx: &Tx<'_>,
    actor: &Actor,
    id: PartyId,
    version: i64,
    amendment: &Amendment,
) -> Result<()> {
    let party = queries::find(tx, actor, id)?;
    at_window(actor)?;
    queries::not_erased(&party)?;
    check_amendment(tx.today(), amendment, Refusals::default())?;
    let name = amendment.name.trim();
    let rows = tx.execute(
        "UPDATE party SET name = ?1, name_folded = ?2, industry_code = ?3, \
           legal_representative = ?4, founded_on = ?5, version = version + 1 \
         WHERE id = ?6 AND version = ?7",
        params![
            name,
            fold_name(name),
            amendment.industry.map(|code| code.to_string()),
            tidy(amendment.legal_representative.as_deref()),
            amendment.founded_on,
            id,
            version
        ],
    )?;
    if rows == 0 {
        return Err(changed_meanwhile(tx, id)?.into());
    }
    let mut changed = Vec::new();
    if let Some(phone) = &amendment.phone {
        let sealed = tx.seal(id.0, PHONE, phone.as_str())?;
        tx.execute(
            "UPDATE party SET phone_sealed = ?1 WHERE id = ?2",
            params![sealed, id],
        )?;
        changed.push(PHONE);
    }
    if let Some(address) = tidy(amendment.address.as_deref()) {
        let sealed = tx.seal(id.0, ADDRESS, address)?;
        tx.execute(
            "UPDATE party SET address_sealed = ?1 WHERE id = ?2",
            params![sealed, id],
        )?;
        changed.push(ADDRESS);
    }
    let logged = |name: &str| masked_name(party.kind.code(), name);
    tx.event(Event {
        actor: actor.to_ref(),
        command: "party.amend",
        subject: ("party", id.0),
        detail: json!({
            "renamed": (party.name != name)
                .then(|| json!({ "before": logged(&party.name), "after": logged(name) })),
            "personal": changed,
        }),
        rows: vec![("party", id.0)],
    });
    Ok(())
}

/// The code of the refusal of a correction that came too late.
pub(super) const CHANGED: &str = "party-changed";

/// The loser of a race learns who was faster, and when.
fn changed_meanwhile(q: &dyn Query, id: PartyId) -> Result<Refusal> {
    let by = match last_of(q, "party.amend", ("party", id.0))? {
        Some(event) => {
            let name = event.actor_id.map(|by| account::name_of(q, AccountId(by)));
            let at = civil(event.at).strftime("%Y-%m-%d %H:%M");
            format!("被{}于 {at} ", name.transpose()?.unwrap_or(event.actor))
        }
        None => "刚被他人".to_owned(),
    };
    let message = format!(
        "这个主体{by}更正，您的更正没有保存。您填写的都还在，不同之处旁边是现在登记的内容；核对后再保存。"
    );
    Ok(Refusal::conflict(CHANGED, message))
}

/// Opens an account with a one-time password for a party, at the window, where the papers of whoever
/// came were seen.
///
/// # Errors
/// Refuses others than the window of the party's region, a bad or taken log-in name, and where
/// nothing is said of the papers.
pub fn open_account(
    tx: &Tx<'_>,
    actor: &Actor,
    id: PartyId,
    (login, papers): (&str, &str),
    password_hash: &str,
) -> Result<AccountId> {
    let party = queries::find(tx, actor, id)?;
    queries::not_erased(&party)?;
    let new = NewAccount {
        login: login.to_owned(),
        name: party.name,
        password_hash: password_hash.to_owned(),
        one_time: true,
        roles: Roles::from_iter([Role::Applicant]),
        department: None,
        region: party.region,
        party: Some(id),
        demo: None,
    };
    let seen = vocab::mask_numbers(papers.trim());
    let mut wrong = Refusals::default();
    if !(2..=200).contains(&seen.chars().count()) {
        let message = "请写明核对了哪些证件（2 至 200 个字），例如「经办人身份证原件、授权书」。";
        wrong.add("papers", "required", message);
    }
    let opened = match account::create_account(tx, actor, &new) {
        // What else is wrong is told with it.
        Err(Error::Refused(refusal)) if !refusal.fields.is_empty() => {
            for field in refusal.fields {
                wrong.add(&field.field, field.rule, field.message);
            }
            None
        }
        opened => Some(opened?),
    };
    wrong.in_order(&["login", "papers"])?;
    let opened = opened.ok_or_else(|| Refusal::invalid("account", "账号没有开通，请重试。"))?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "party.open_account",
        subject: ("party", id.0),
        detail: json!({ "login": login, "seen": seen }),
        rows: Vec::new(),
    });
    Ok(opened)
}

fn tidy(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn insert(tx: &Tx<'_>, id: PartyId, new: &NewParty) -> Result<()> {
    let seal =
        |class: &str, text: Option<&str>| text.map(|text| tx.seal(id.0, class, text)).transpose();
    let id_number = new.id_number.as_ref().map(vocab::IdNumber::as_str);
    let name = new.name.trim();
    tx.execute(
        "INSERT INTO party (id, kind, name, name_folded, credit_code, id_number_sealed, \
           id_number_lookup, phone_sealed, address_sealed, region_code, industry_code, \
           legal_representative, founded_on, demo, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 1)",
        params![
            id,
            new.kind.code(),
            name,
            fold_name(name),
            new.credit_code.as_ref().map(|code| code.as_str()),
            seal(ID_NUMBER, id_number)?,
            id_number
                .map(|number| tx.lookup(ID_NUMBER, number))
                .transpose()?,
            seal(PHONE, new.phone.as_ref().map(vocab::Phone::as_str))?,
            seal(
                ADDRESS,
                new.address
                    .as_deref()
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
            )?,
            new.region,
            new.industry.map(|code| code.to_string()),
            new.legal_representative
                .as_deref()
                .map(str::trim)
                .filter(|text| !text.is_empty()),
            new.founded_on,
            new.demo
        ],
    )?;
    Ok(())
}

/// Shows a party's personal data once; who, when and why are recorded.
///
/// # Errors
/// Refuses a party out of sight, others than its staff, and a look without a reason.
pub fn unmask(tx: &Tx<'_>, actor: &Actor, id: PartyId, reason: &str) -> Result<Personal> {
    queries::find(tx, actor, id)?;
    if !actor.roles.any(STAFF) {
        let message = "您的岗位不能查看个人信息原文。";
        return Err(Refusal::forbidden("unmask", message).into());
    }
    let reason = reason.trim();
    if !(4..=200).contains(&reason.chars().count()) {
        let message = "请写明查看原因（4 至 200 个字），例如「电话通知补正」。查看会记入日志。";
        return Err(Refusal::field("reason", "reason", message).into());
    }
    let shown = queries::personal(tx, id)?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "party.unmask",
        subject: ("party", id.0),
        detail: json!({ "reason": vocab::mask_numbers(reason), "classes": [ID_NUMBER, PHONE, ADDRESS] }),
        rows: Vec::new(),
    });
    Ok(shown)
}

/// Finds a person of the actor's region by the whole identity number; the look-up is recorded
/// whether or not it finds one, the number is not.
pub(super) fn look_up(
    tx: &Tx<'_>,
    actor: &Actor,
    number: &vocab::IdNumber,
) -> Result<Option<PartyId>> {
    let found = match find_number(tx, None, Some(number))? {
        Some(id) if queries::sees(tx, actor, id)? => Some(id),
        _ => None,
    };
    tx.event(Event {
        actor: actor.to_ref(),
        command: "party.look_up",
        subject: ("account", actor.account_id().0),
        detail: json!({ "found": found }),
        rows: Vec::new(),
    });
    Ok(found)
}
