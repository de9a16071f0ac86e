//! Changing keys: a new master that wraps every data key anew, and a new key of look-up hashes.
//!
//! Each step is a command of its own, and the rows say how far it has come: killed at any moment,
//! the next call goes on. Deliberately lacks the rows whose look-up hashes are made anew: their
//! domains do that.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::audit::{ActorRef, Event};
use super::keys::{
    self, FINGERPRINT, LOOKUP_KEY, LOOKUP_KEY_BEFORE, NUMBER, fingerprint, present_number,
    remembered, wrapping,
};
use super::master::{self, Master};
use super::read::Query;
use super::tx::{Command, Tx};
use super::{Store, StoreError, params};

/// Data keys wrapped anew in one command.
const AT_ONCE: u32 = 500;
/// Passes over the data keys before it is said that something keeps making old ones.
const PASSES: usize = 10;

/// What a change of the master key came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rotation {
    /// Number of the present master.
    pub master: u32,
    /// An earlier change was finished, none begun.
    pub resumed: bool,
    /// Data keys wrapped anew.
    pub wrapped: u64,
    /// Numbers of the masters that were moved to `retired/`.
    pub retired: Vec<u32>,
}

impl Store {
    /// Changes the master key: a new one is made, all data keys are wrapped anew, the old one is
    /// moved aside. Goes on where an earlier change was interrupted. Blocking.
    ///
    /// # Errors
    /// [`StoreError::Keys`] where a key file is missing or cannot be written; the store's own.
    pub fn rotate_master(&self, now: Timestamp, by: &ActorRef) -> Result<Rotation, StoreError> {
        let (before, left) = self.read_blocking(|q| {
            let number = present_number(&**q)?;
            Ok::<_, StoreError>((number, wrapped_otherwise(&**q, number)?))
        })?;
        let dir = self.keys().dir().to_owned();
        let resumed = left > 0 || (1..before).any(|old| master::present(&dir, old));
        let number = if resumed { before } else { before + 1 };
        if !resumed {
            let new = Master::ensure(&dir, number)?;
            let (print, by) = (fingerprint(&new), by.clone());
            self.write_blocking(Command::new("keys.rotate", now), move |tx| {
                switch(tx, &by, number, &print)
            })?;
        }
        let wrapped = self.wrap_anew(now, number, by)?;
        let retired: Vec<u32> = (1..number)
            .filter(|old| master::present(&dir, *old))
            .collect();
        let (by, gone) = (by.clone(), retired.clone());
        self.write_blocking(Command::new("keys.retire", now), move |tx| {
            let detail = json!({ "master": number, "retired": &gone, "wrapped": wrapped });
            note(tx, &by, "keys.retire", detail);
            Ok::<_, StoreError>(())
        })?;
        for old in &retired {
            master::retire(&dir, *old, now)?;
        }
        Ok(Rotation {
            master: number,
            resumed,
            wrapped,
            retired,
        })
    }

    /// Wraps every data key under the present master; more passes where another program made some
    /// under an older one meanwhile.
    fn wrap_anew(&self, now: Timestamp, number: u32, by: &ActorRef) -> Result<u64, StoreError> {
        let mut wrapped = 0;
        for _ in 0..PASSES {
            let mut after = Some(Uuid::nil());
            while let Some(from) = after {
                let by = by.clone();
                let (count, last) =
                    self.write_blocking(Command::new("keys.wrap", now), move |tx| {
                        let wrapped = wrap_some(tx, number, from, AT_ONCE)?;
                        if wrapped.0 > 0 {
                            let detail = json!({ "master": number, "wrapped": wrapped.0 });
                            note(tx, &by, "keys.wrap", detail);
                        }
                        Ok::<_, StoreError>(wrapped)
                    })?;
                wrapped += count;
                if count > 0 {
                    tracing::info!(wrapped, "keys: {wrapped} data keys wrapped anew");
                }
                after = last;
            }
            if self.read_blocking(|q| wrapped_otherwise(&**q, number))? == 0 {
                return Ok(wrapped);
            }
        }
        Err(StoreError::Keys(
            "另一个服务仍在使用旧主密钥。请把新的密钥文件复制到每台服务器的密钥文件夹并重启，然后再次运行 luodi keys rotate。".into(),
        ))
    }

    /// Begins to change the key of look-up hashes, or says that a change is under way: from then
    /// on new hashes are made under the new key, and searches look under both.
    ///
    /// # Errors
    /// The store's own.
    pub fn begin_lookups(&self, now: Timestamp, by: &ActorRef) -> Result<bool, StoreError> {
        let by = by.clone();
        self.write_blocking(Command::new("keys.lookups", now), move |tx| {
            if remembered(tx, LOOKUP_KEY_BEFORE)?.is_some() {
                return Ok(true);
            }
            let [old, _] = keys::lookup_keys(tx)?;
            let number = present_number(tx)?;
            for (name, secret) in [(LOOKUP_KEY_BEFORE, old), (LOOKUP_KEY, tx.random())] {
                remember(
                    tx,
                    name,
                    &tx.keys().keep(number, name, &secret, tx.random())?,
                )?;
            }
            note(tx, &by, "keys.lookups", json!({ "master": number }));
            Ok::<_, StoreError>(false)
        })
    }

    /// Ends the change of the key of look-up hashes: the old key is forgotten. To be called once
    /// every hash is made anew.
    ///
    /// # Errors
    /// The store's own.
    pub fn end_lookups(&self, now: Timestamp, by: &ActorRef) -> Result<(), StoreError> {
        let by = by.clone();
        self.write_blocking(Command::new("keys.lookups_done", now), move |tx| {
            remember(tx, LOOKUP_KEY_BEFORE, "")?;
            note(tx, &by, "keys.lookups_done", json!({}));
            Ok::<_, StoreError>(())
        })
    }
}

/// Makes a master the present one: from here on it wraps, and keeps what came from the first.
pub(super) fn switch(
    tx: &Tx<'_>,
    by: &ActorRef,
    number: u32,
    print: &str,
) -> Result<(), StoreError> {
    let before = present_number(tx)?;
    if before + 1 != number {
        return Err(StoreError::Keys(format!(
            "主密钥刚由另一个程序更换为 master-{before}.key，没有再次更换。"
        )));
    }
    let mut secrets = tx.keys().secrets().to_vec();
    for name in [LOOKUP_KEY, LOOKUP_KEY_BEFORE] {
        if let Some(text) = remembered(tx, name)? {
            secrets.push((name, tx.keys().unkeep(name, &text)?));
        }
    }
    for (name, secret) in secrets {
        let kept = tx.keys().keep(number, name, &secret, tx.random())?;
        remember(tx, name, &kept)?;
    }
    remember(tx, FINGERPRINT, print)?;
    remember(tx, NUMBER, &number.to_string())?;
    note(
        tx,
        by,
        "keys.rotate",
        json!({ "before": before, "master": number }),
    );
    Ok(())
}

/// Wraps some data keys after an owner anew; gives how many, and the last owner where there may be
/// more.
pub(super) fn wrap_some(
    tx: &Tx<'_>,
    number: u32,
    after: Uuid,
    limit: u32,
) -> Result<(u64, Option<Uuid>), StoreError> {
    let algorithm = wrapping(number);
    let rows = tx.rows(
        "SELECT owner_id, algorithm, wrapped FROM data_key \
         WHERE owner_id > ?1 AND algorithm <> ?2 AND wrapped IS NOT NULL ORDER BY owner_id LIMIT ?3",
        params![after, &algorithm, limit],
        |r| Ok((r.get::<Uuid>(0)?, r.get::<String>(1)?, r.get::<Vec<u8>>(2)?)),
    )?;
    let (mut count, mut last) = (0, None);
    for (owner, old, wrapped) in rows {
        let key = tx.keys().unwrap(owner, &old, &wrapped)?;
        let wrapped = tx.keys().wrapped(number, &key, tx.random())?;
        tx.write_part(
            keys::TABLE,
            "UPDATE data_key SET algorithm = ?1, wrapped = ?2 WHERE owner_id = ?3",
            params![&algorithm, wrapped, owner],
        )?;
        count += 1;
        last = Some(owner);
    }
    Ok((count, last.filter(|_| count == u64::from(limit))))
}

/// How many data keys another master than this one wraps.
fn wrapped_otherwise(q: &dyn Query, number: u32) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) FROM data_key WHERE algorithm <> ?1 AND wrapped IS NOT NULL";
    q.row(sql, params![wrapping(number)], |r| r.get(0))
}

/// Sets what `meta` remembers under a name.
fn remember(tx: &Tx<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    let sql = "UPDATE meta SET value = ?2 WHERE name = ?1";
    if tx.execute(sql, params![name, value])? == 0 {
        let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
        tx.execute(sql, params![name, value])?;
    }
    Ok(())
}

/// Notes a change of keys, which belongs to no row.
fn note(tx: &Tx<'_>, by: &ActorRef, command: &'static str, detail: serde_json::Value) {
    tx.event(Event {
        actor: by.clone(),
        command,
        subject: ("data_key", Uuid::nil()),
        detail,
        rows: Vec::new(),
    });
}
