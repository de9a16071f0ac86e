//! Telephone and mail of an account, sealed under its key, each proved by a code sent to it. By
//! these its owner is told what happens to it, and sets a password he forgot anew.
//!
//! It lacks the telephone of a party, which the window registers (`party`).

use serde_json::json;
use uuid::Uuid;
use vocab::Phone;

use crate::access::Actor;
use crate::gateway::{self, Channel, Letter, Template};
use crate::ids::AccountId;
use crate::params;
use crate::refusal::{Refusal, Result, need_untouched};
use crate::store::{Event, Query, Tx};

use super::owner::{self, Proof};
use super::sent_code::{self, Purpose};

/// The longest mail address (RFC 5321, 4.5.3.1.3, without the brackets).
const LONGEST_MAIL: usize = 254;

/// A contact of an account.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub(super) id: Uuid,
    pub(super) channel: Channel,
    /// Sealed under the account's key.
    pub(super) sealed: Vec<u8>,
    pub(super) verified: bool,
}

/// A contact as its owner sees it.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) id: Uuid,
    pub(super) channel: Channel,
    pub(super) masked: String,
    pub(super) verified: bool,
}

/// The contacts of an account that are proved or about to be, in the order they came.
pub(super) fn contacts(q: &dyn Query, account: AccountId) -> Result<Vec<Contact>> {
    let rows = q.rows(
        "SELECT id, channel, value_sealed, state FROM contact \
         WHERE account_id = ?1 AND state <> 'ended' ORDER BY created_at, id LIMIT 20",
        params![account],
        |r| {
            Ok((
                r.get(0)?,
                r.get::<String>(1)?,
                r.get(2)?,
                r.get::<String>(3)?,
            ))
        },
    )?;
    let contact = |(id, channel, sealed, state): (Uuid, String, Vec<u8>, String)| {
        Some(Contact {
            id,
            channel: Channel::from_code(&channel)?,
            sealed,
            verified: state == "verified",
        })
    };
    Ok(rows.into_iter().filter_map(contact).collect())
}

/// The same, none of them changed behind the program's back.
fn untouched(tx: &Tx<'_>, account: AccountId) -> Result<Vec<Contact>> {
    let found = contacts(tx, account)?;
    let ids: Vec<Uuid> = found.iter().map(|contact| contact.id).collect();
    need_untouched(tx, "contact", &ids)?;
    Ok(found)
}

/// The same as [`contacts`], masked.
pub(super) fn shown(q: &dyn Query, account: AccountId) -> Result<Vec<Shown>> {
    let mut shown = Vec::new();
    for contact in contacts(q, account)? {
        let value = q.open_as(account.0, contact.channel.code(), &contact.sealed)?;
        shown.push(Shown {
            id: contact.id,
            channel: contact.channel,
            masked: masked(contact.channel, &value),
            verified: contact.verified,
        });
    }
    Ok(shown)
}

fn masked(channel: Channel, value: &str) -> String {
    match channel {
        Channel::Sms => Phone::parse(value).map_or_else(|_| "••••".to_owned(), |p| p.masked()),
        Channel::Mail => {
            let (name, house) = value.split_once('@').unwrap_or((value, ""));
            let first: String = name.chars().take(1).collect();
            format!("{first}•••@{house}")
        }
    }
}

/// A number or address in its normal form.
///
/// # Errors
/// Refuses what is none.
pub(super) fn parse(channel: Channel, typed: &str) -> Result<String, Refusal> {
    let typed = typed.trim();
    match channel {
        Channel::Sms => Phone::parse(typed)
            .map(|phone| phone.as_str().to_owned())
            .map_err(|error| Refusal::field("value", error.code(), error.message_zh())),
        Channel::Mail => {
            let good = typed.len() <= LONGEST_MAIL
                && typed.bytes().all(|byte| byte.is_ascii_graphic())
                && typed.split_once('@').is_some_and(|(name, house)| {
                    !name.is_empty() && house.contains('.') && !house.contains('@')
                });
            let message = "请填写完整的邮箱地址，例如 chen@example.com。";
            good.then(|| typed.to_lowercase())
                .ok_or_else(|| Refusal::field("value", "mail", message))
        }
    }
}

/// Keeps a contact that waits for its code, and sends the code. Others of the same kind that still
/// wait end.
///
/// # Errors
/// Refuses where too many codes were sent, and whoever does not show that he is the owner.
pub(super) fn add_contact(
    tx: &Tx<'_>,
    actor: &Actor,
    (channel, value): (Channel, &str),
    code: &str,
    proof: &Proof,
) -> Result<()> {
    let account = actor.account_id();
    let mut rows: Vec<_> = owner::prove(tx, account, proof)?.into_iter().collect();
    for other in untouched(tx, account)? {
        if other.channel == channel && !other.verified {
            end(tx, other.id)?;
            rows.push(("contact", other.id));
        }
    }
    let contact = Contact {
        id: tx.new_id(),
        channel,
        sealed: tx.seal(account.0, channel.code(), value)?,
        verified: false,
    };
    tx.execute(
        "INSERT INTO contact (id, account_id, channel, value_sealed, state, created_at) \
         VALUES (?1, ?2, ?3, ?4, 'pending', ?5)",
        params![
            contact.id,
            account,
            channel.code(),
            contact.sealed.clone(),
            tx.now()
        ],
    )?;
    rows.push(("contact", contact.id));
    sent_code::send(tx, account, &contact, Purpose::Contact, (code, None))?;
    event(tx, actor, "account.add_contact", channel, rows);
    Ok(())
}

/// Takes a contact as proved where the code is right; says whether it was. The one before of its
/// kind ends, and is told.
///
/// # Errors
/// The store's own.
pub(super) fn verify_contact(tx: &Tx<'_>, actor: &Actor, code: &str) -> Result<bool> {
    let account = actor.account_id();
    let right = sent_code::check(tx, account, Purpose::Contact, (code, None))?;
    let known = untouched(tx, account)?;
    let Some(contact) = known
        .iter()
        .find(|one| Some(one.id) == right && !one.verified)
    else {
        return Ok(false);
    };
    sent_code::end(tx, account, Purpose::Contact)?;
    // Whom this takes the place of learns of it, and every other proved one.
    tell(tx, account, Template::ContactChanged)?;
    let mut rows = vec![("contact", contact.id)];
    for other in &known {
        if other.channel == contact.channel && other.verified {
            end(tx, other.id)?;
            rows.push(("contact", other.id));
        }
    }
    tx.execute(
        "UPDATE contact SET state = 'verified', verified_at = ?1 WHERE id = ?2",
        params![tx.now(), contact.id],
    )?;
    event(tx, actor, "account.verify_contact", contact.channel, rows);
    Ok(true)
}

/// Ends a contact, and tells it.
///
/// # Errors
/// Refuses where it has ended already or is another's, and whoever does not show that he is the
/// owner.
pub(super) fn end_contact(tx: &Tx<'_>, actor: &Actor, id: Uuid, proof: &Proof) -> Result<()> {
    let proved = owner::prove(tx, actor.account_id(), proof)?;
    let known = untouched(tx, actor.account_id())?;
    let contact = known
        .iter()
        .find(|one| one.id == id)
        .ok_or_else(|| Refusal::not_found("没有这个联系方式，或者已经停用。请刷新页面查看。"))?;
    if contact.verified {
        tell(tx, actor.account_id(), Template::ContactChanged)?;
    }
    end(tx, id)?;
    let rows = proved.into_iter().chain([("contact", id)]).collect();
    event(tx, actor, "account.end_contact", contact.channel, rows);
    Ok(())
}

fn end(tx: &Tx<'_>, id: Uuid) -> Result<()> {
    let sql = "UPDATE contact SET state = 'ended', ended_at = ?1 WHERE id = ?2";
    tx.execute(sql, params![tx.now(), id])?;
    Ok(())
}

/// Tells the owner at every proved contact what happened to the account; nobody is told where none is
/// proved.
pub(super) fn tell(tx: &Tx<'_>, account: AccountId, what: Template) -> Result<()> {
    let proved = contacts(tx, account)?.into_iter();
    let proved: Vec<Contact> = proved.filter(|one| one.verified).collect();
    if proved.is_empty() {
        return Ok(());
    }
    let sql = "SELECT login FROM account WHERE id = ?1";
    let login: String = tx.row(sql, params![account], |r| r.get(0))?;
    for contact in proved {
        let letter = Letter {
            owner: account.0,
            channel: contact.channel,
            to: contact.sealed,
            template: what,
            values: vec![("login", login.clone())],
            good_until: None,
        };
        gateway::send(tx, &letter)?;
    }
    Ok(())
}

fn event(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    channel: Channel,
    rows: Vec<(&'static str, Uuid)>,
) {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("account", actor.account_id().0),
        detail: json!({ "way": channel.code() }),
        rows,
    });
}
