//! Text messages and mails that leave the program: left in the outbox by a command, handed by the
//! worker to the one command this installation names, or appended to `DIR/outbox/messages.jsonl`
//! where it names none.
//!
//! A number or address is in the outbox as ciphertext under its owner's key, and so is what a letter
//! says; whoever erases the owner's key erases the letter. It lacks who is told what, which the
//! domains decide, and the protocols of providers, which the command speaks: it reads one JSON object
//! on its standard input and ends with 0 where the letter was accepted.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::store::{ClaimedJob, Outgoing, Query, StoreError, Tx};
use crate::web::App;

/// The kind of the outbox.
pub const KIND: &str = "message.send";
/// How long the command may take; a lease of the outbox lasts for several.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often it is asked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// What the values of a letter are sealed as.
const CLASS: &str = "letter";

/// The way a letter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A text message to a telephone.
    Sms,
    /// A mail.
    Mail,
}

impl Channel {
    /// Every channel, in the order forms offer them.
    pub const ALL: &'static [Channel] = &[Channel::Sms, Channel::Mail];

    /// The stored word.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Mail => "mail",
        }
    }

    /// What pages call it.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Sms => "手机短信",
            Self::Mail => "电子邮件",
        }
    }

    /// The channel with this word.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|channel| channel.code() == code)
    }
}

/// What letters say. Providers of text messages want each registered; the command may use the name
/// and the values, or the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// A party has a message to read.
    PartyMessage,
    /// A code that proves a contact: `code`.
    ContactCode,
    /// A code to set a new password: `code`.
    ResetCode,
    /// A one-time password: `login`, `password`.
    OneTimePassword,
    /// The password of an account was changed: `login`.
    PasswordChanged,
    /// The second factor of an account was bound, replaced or taken away, or roles that rested for it
    /// may be used again: `login`.
    FactorChanged,
    /// A contact of an account was proved or given up: `login`.
    ContactChanged,
    /// An account was linked to somebody at the identity provider, or that link was ended: `login`.
    IdentityChanged,
}

impl Template {
    /// The text; names in braces stand for values.
    const fn text(self) -> &'static str {
        match self {
            Self::PartyMessage => "您有一条新消息，请登录惠企平台，在「我的消息」中查看。",
            Self::ContactCode => "验证码 {code}，用于确认联系方式，10 分钟内有效。请勿告诉他人。",
            Self::ResetCode => {
                "验证码 {code}，用于重设登录密码，10 分钟内有效。不是您本人操作时请勿理会，也勿告诉他人。"
            }
            Self::OneTimePassword => {
                "登录名 {login}，一次性密码 {password}，72 小时内有效，首次登录须改密。"
            }
            Self::PasswordChanged => {
                "账号 {login} 的密码刚刚更改，其他登录已退出。不是您本人操作时请立即联系窗口或系统管理员。"
            }
            Self::FactorChanged => {
                "账号 {login} 的动态验证码刚刚有变动（绑定、解除或恢复角色）。不是您本人操作时请立即联系窗口或系统管理员。"
            }
            Self::IdentityChanged => {
                "账号 {login} 的统一身份关联刚刚有变动（关联或解除）。不是您本人操作时请立即更改密码，并联系窗口或系统管理员。"
            }
            Self::ContactChanged => {
                "账号 {login} 的联系方式刚刚有变动。不是您本人操作时请立即更改密码，并联系窗口或系统管理员。"
            }
        }
    }
}

/// A letter as a command leaves it.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Whose key its number and values are sealed under.
    pub owner: Uuid,
    /// The way it takes.
    pub channel: Channel,
    /// Number or address, sealed under the owner's key.
    pub to: Vec<u8>,
    /// What it says.
    pub template: Template,
    /// The values of the template.
    pub values: Vec<(&'static str, String)>,
    /// Not worth sending later.
    pub good_until: Option<Timestamp>,
}

/// A letter as it lies in the outbox.
#[derive(Serialize, Deserialize)]
struct Sealed {
    owner: Uuid,
    channel: Channel,
    to: String,
    template: Template,
    values: String,
    good_until: Option<Timestamp>,
}

/// Leaves a letter; part of the command whose effect it tells.
///
/// # Errors
/// The store's own.
pub fn send(tx: &Tx<'_>, letter: &Letter) -> Result<(), StoreError> {
    let values: Map<String, Value> = letter
        .values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let values = tx.seal(letter.owner, CLASS, &Value::Object(values).to_string())?;
    let sealed = Sealed {
        owner: letter.owner,
        channel: letter.channel,
        to: BASE64.encode(&letter.to),
        template: letter.template,
        values: BASE64.encode(values),
        good_until: letter.good_until,
    };
    let payload =
        serde_json::to_value(sealed).map_err(|error| StoreError::Value(error.to_string()))?;
    tx.send(Outgoing {
        kind: KIND,
        payload,
    })?;
    Ok(())
}

/// A letter in plain, as the command reads it.
#[derive(Serialize)]
struct Plain {
    id: String,
    channel: Channel,
    to: String,
    template: Template,
    values: Value,
    text: String,
}

/// The class under which a party's telephone is sealed; a contact's is that of its channel.
const PARTY_PHONE: &str = "phone";

fn number(q: &dyn Query, sealed: &Sealed, to: &[u8]) -> Result<String, StoreError> {
    match q.open_as(sealed.owner, sealed.channel.code(), to) {
        Err(StoreError::Unsealable(_)) if sealed.channel == Channel::Sms => {
            q.open_as(sealed.owner, PARTY_PHONE, to)
        }
        opened => opened,
    }
}

fn open(q: &dyn Query, id: Uuid, sealed: &Sealed) -> Result<Plain, StoreError> {
    let broken = |error: base64::DecodeError| StoreError::Value(error.to_string());
    let to = BASE64.decode(&sealed.to).map_err(broken)?;
    let values = BASE64.decode(&sealed.values).map_err(broken)?;
    let values: Map<String, Value> =
        serde_json::from_str(&q.open_as(sealed.owner, CLASS, &values)?)
            .map_err(|error| StoreError::Value(error.to_string()))?;
    let text = values
        .iter()
        .fold(sealed.template.text().to_owned(), |text, (name, value)| {
            let value = value.as_str().unwrap_or_default();
            text.replace(&format!("{{{name}}}"), value)
        });
    Ok(Plain {
        id: id.simple().to_string(),
        channel: sealed.channel,
        to: number(q, sealed, &to)?,
        template: sealed.template,
        values: Value::Object(values),
        text,
    })
}

/// Hands a letter over. Neither number nor text is in the error.
///
/// # Errors
/// Why it was not accepted; the outbox tries again later.
pub async fn deliver(app: &App, message: &ClaimedJob) -> Result<(), String> {
    let sealed: Sealed = serde_json::from_value(message.payload.clone())
        .map_err(|error| format!("no letter: {error}"))?;
    if sealed
        .good_until
        .is_some_and(|until| until <= app.clock.now())
    {
        return Ok(());
    }
    let id = message.id;
    let opened = app.store.read(move |q| open(&**q, id, &sealed)).await;
    let plain = match opened {
        Ok(plain) => plain,
        // The owner was erased: there is nobody to tell any more.
        Err(StoreError::KeyDestroyed(_)) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let mut line = serde_json::to_vec(&plain).map_err(|error| error.to_string())?;
    line.push(b'\n');
    let (gateway, data) = (app.site.gateway.clone(), app.site.data.clone());
    let handed = tokio::task::spawn_blocking(move || match gateway.split_first() {
        Some((program, arguments)) => run(program, arguments, &line),
        None => append(&data, &line).map_err(|error| format!("outbox: {error}")),
    });
    handed.await.map_err(|error| error.to_string())?
}

/// Runs the command of this installation; 0 is accepted, anything else and silence are not.
fn run(program: &str, arguments: &[String], letter: &[u8]) -> Result<(), String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_remove("LUODI_DATABASE")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("gateway {program}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Whoever does not read it says so by how it ends.
        let _ = stdin.write_all(letter);
    }
    match wait(&mut child).map_err(|error| format!("gateway {program}: {error}"))? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("gateway {program}: {status}")),
        None => Err(format!("gateway {program}: no end after {PATIENCE:?}")),
    }
}

/// The end of a process; none where it took too long and was killed.
fn wait(child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
    let looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Where letters are kept without a command, for development: readable by the owner only.
fn file(data: &Path) -> PathBuf {
    data.join("outbox").join("messages.jsonl")
}

fn append(data: &Path, line: &[u8]) -> std::io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data.join("outbox"))?;
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file(data))?;
    file.write_all(line)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_the_letter_and_its_end_is_the_answer() {
        let sh = |script: &str| run("/bin/sh", &["-c".into(), script.into()], b"{\"a\":1}\n");
        assert_eq!(sh("read line && [ \"$line\" = '{\"a\":1}' ]"), Ok(()));
        assert!(sh("exit 3").unwrap_err().contains("exit status: 3"));
        assert_eq!(sh("exit 0"), Ok(()), "whether it reads or not");
        let missing = run("/no/such/program", &[], b"{}").unwrap_err();
        assert!(missing.contains("/no/such/program"), "{missing}");
    }

    #[test]
    fn every_template_is_a_whole_sentence() {
        for template in [
            Template::PartyMessage,
            Template::ContactCode,
            Template::ResetCode,
            Template::OneTimePassword,
            Template::PasswordChanged,
            Template::FactorChanged,
            Template::ContactChanged,
            Template::IdentityChanged,
        ] {
            assert!(template.text().ends_with('。'), "{template:?}");
        }
    }
}
