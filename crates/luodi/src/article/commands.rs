//! What changes articles: create, edit, publish, unpublish, and the import of a chunk. Each
//! checks permission and version and writes its audit event in the same transaction.

use jiff::civil::Date;
use serde_json::json;
use sha2::{Digest, Sha256};
use vocab::{RegionCode, region};

use super::source::{BODY_BYTES, TITLE_CHARS};
use super::{Category, State, may_edit, reading, search, tag};
use crate::access::Actor;
use crate::ids::ArticleId;
use crate::params;
use crate::refusal::{FieldError, Refusal, Result};
use crate::store::{Event, Tx, day_in_china, who_wrote};

/// An article as typed in the editor's form.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// The title, without tag.
    pub title: String,
    /// The tag without its brackets, or empty.
    pub tag: String,
    /// A region code, or empty for the whole city.
    pub region: String,
    /// The code of a [`Category`].
    pub category: String,
    /// `YYYY-MM-DD`.
    pub published_on: String,
    /// The body: paragraphs, and headings as lines that begin with `##` or 「一、」.
    pub body: String,
}

/// What an article says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The title, without tag.
    pub title: String,
    /// The tag without its brackets.
    pub tag: Option<String>,
    /// None: the whole city.
    pub region: Option<RegionCode>,
    /// The kind of text.
    pub category: Category,
    /// The day it bears.
    pub published_on: Date,
    /// The body as written.
    pub body: String,
}

impl Typed {
    /// Checks what was typed.
    ///
    /// # Errors
    /// Refuses with every field that breaks a rule, in the order of the form.
    pub fn check(&self) -> Result<Text, Refusal> {
        let mut wrong = Vec::new();
        let title = keep(&mut wrong, "title", self.check_title()).unwrap_or_default();
        let tag = keep(&mut wrong, "tag", self.check_tag()).flatten();
        let region = keep(&mut wrong, "region", self.check_region()).flatten();
        let category =
            Category::from_code(&self.category).ok_or(("choice", "请选择栏目。".to_owned()));
        let category = keep(&mut wrong, "category", category);
        let date = vocab::date::read(&self.published_on);
        let date = date.map_err(|error| (error.code(), format!("{}。", error.message_zh())));
        let date = keep(&mut wrong, "published_on", date);
        let body = keep(&mut wrong, "body", self.check_body()).unwrap_or_default();
        match (category, date) {
            (Some(category), Some(published_on)) if wrong.is_empty() => Ok(Text {
                title,
                tag,
                region,
                category,
                published_on,
                body,
            }),
            _ => Err(Refusal::fields(wrong)),
        }
    }

    fn check_title(&self) -> Checked<String> {
        let title = self.title.trim();
        if title.is_empty() {
            return Err(("required", "请填写标题。".to_owned()));
        }
        if title.chars().count() > TITLE_CHARS {
            return Err(("too-long", format!("标题不超过 {TITLE_CHARS} 个字。")));
        }
        if title.chars().any(char::is_control) {
            return Err(("one-line", "标题只能占一行。".to_owned()));
        }
        Ok(title.to_owned())
    }

    fn check_tag(&self) -> Checked<Option<String>> {
        let tag = self
            .tag
            .trim()
            .trim_start_matches('【')
            .trim_end_matches('】')
            .trim();
        if tag.chars().count() > tag::CHARS
            || tag.contains(['【', '】'])
            || tag.chars().any(char::is_control)
        {
            return Err(("tag", format!("标签不超过 {} 个字，不含【】。", tag::CHARS)));
        }
        Ok((!tag.is_empty()).then(|| tag.to_owned()))
    }

    fn check_region(&self) -> Checked<Option<RegionCode>> {
        let text = self.region.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let code = RegionCode::parse(text)
            .ok()
            .filter(|code| region::find(*code).is_some());
        code.map(Some)
            .ok_or(("region", "没有这个地区，请重新选择。".to_owned()))
    }

    fn check_body(&self) -> Checked<String> {
        let body = self.body.trim();
        if body.is_empty() {
            return Err(("required", "请填写正文。".to_owned()));
        }
        if body.len() > BODY_BYTES {
            return Err((
                "too-long",
                format!("正文不超过 {} KB，请拆成几篇。", BODY_BYTES >> 10),
            ));
        }
        if body
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
        {
            return Err((
                "control-character",
                "正文里有控制字符，请删除后再保存。".to_owned(),
            ));
        }
        Ok(body.to_owned())
    }
}

type Checked<T> = Result<T, (&'static str, String)>;

fn keep<T>(wrong: &mut Vec<FieldError>, field: &str, checked: Checked<T>) -> Option<T> {
    match checked {
        Ok(value) => Some(value),
        Err((rule, message)) => {
            wrong.push(FieldError {
                field: field.to_owned(),
                rule: rule.into(),
                message,
            });
            None
        }
    }
}

/// A new draft. `demo` marks what the demonstration made.
///
/// # Errors
/// Refuses actors who may not write for the region.
pub fn create(tx: &Tx<'_>, actor: &Actor, text: &Text, demo: bool) -> Result<ArticleId> {
    permit(actor, text.region)?;
    let id = ArticleId(tx.new_id());
    insert(tx, id, text, State::Draft, demo, None)?;
    note(
        tx,
        actor,
        "article.create",
        id,
        json!({"title": text.title, "region": text.region}),
    );
    Ok(id)
}

/// New words for an article, whatever its state. The bytes an imported one came in stay.
///
/// # Errors
/// Refuses actors who may not write for its region, before or after; a version that has passed.
pub fn edit(tx: &Tx<'_>, actor: &Actor, id: ArticleId, version: i64, text: &Text) -> Result<()> {
    let before = found(tx, id)?;
    permit(actor, before.region)?;
    permit(actor, text.region)?;
    let changed = tx.execute(
        "UPDATE article SET title = ?3, tag = ?4, region_code = ?5, category = ?6, summary = ?7, body = ?8, \
         published_on = ?9, folded = ?10, version = version + 1 WHERE id = ?1 AND version = ?2",
        params![
            id,
            version,
            &text.title,
            text.tag.clone(),
            text.region,
            text.category.code(),
            reading::summary(&text.body),
            &text.body,
            text.published_on,
            folded(text)
        ],
    )?;
    unless_changed(tx, id, changed)?;
    let detail =
        json!({"title": text.title, "title_before": before.title, "state": before.state.code()});
    note(tx, actor, "article.edit", id, detail);
    Ok(())
}

/// Shows an article to the public.
///
/// # Errors
/// Refuses actors who may not write for its region; a version that has passed; a published one.
pub fn publish(tx: &Tx<'_>, actor: &Actor, id: ArticleId, version: i64) -> Result<()> {
    turn(tx, actor, id, version, State::Published, "article.publish")
}

/// Takes an article out of the public's sight; it stays on the desk.
///
/// # Errors
/// Refuses actors who may not write for its region; a version that has passed; one that is not
/// published.
pub fn unpublish(tx: &Tx<'_>, actor: &Actor, id: ArticleId, version: i64) -> Result<()> {
    turn(
        tx,
        actor,
        id,
        version,
        State::Withdrawn,
        "article.unpublish",
    )
}

fn turn(
    tx: &Tx<'_>,
    actor: &Actor,
    id: ArticleId,
    version: i64,
    to: State,
    command: &'static str,
) -> Result<()> {
    let before = found(tx, id)?;
    permit(actor, before.region)?;
    let allowed = match to {
        State::Published => before.state != State::Published,
        State::Withdrawn => before.state == State::Published,
        State::Draft => false,
    };
    if before.version != version {
        return unless_changed(tx, id, 0);
    }
    if !allowed {
        let message = format!(
            "这篇文章{}，不能再办这一步。请刷新页面。",
            before.state.zh()
        );
        return Err(Refusal::conflict("article-state", message).into());
    }
    let changed = tx.execute(
        "UPDATE article SET state = ?3, version = version + 1 WHERE id = ?1 AND version = ?2",
        params![id, version, to.code()],
    )?;
    unless_changed(tx, id, changed)?;
    note(
        tx,
        actor,
        command,
        id,
        json!({"title": before.title, "before": before.state.code()}),
    );
    Ok(())
}

/// A block of the source, owned, so that a transaction can run more than once.
#[derive(Clone, Debug)]
pub struct ImportedText {
    /// What it says.
    pub text: Text,
    /// The bytes it came in.
    pub raw: Vec<u8>,
    /// Identifies the block: SHA-256 over its texts, and which of several equal ones of its file.
    pub digest: String,
    /// Its place among all imported blocks.
    pub position: i64,
}

impl ImportedText {
    /// Which block this is. Equal texts in one file are told apart by their `repetition`, from 0,
    /// so that the file can be given back whole; line ends do not count.
    pub fn digest(block: &super::Block<'_>, repetition: u32) -> String {
        let mut hash = Sha256::new();
        let title = tag::join(block.tag, block.title);
        for part in [title.as_str(), block.body, &block.date.to_string()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        if repetition > 0 {
            hash.update(repetition.to_be_bytes());
        }
        let hex: String = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("sha256:{hex}")
    }
}

/// Imports up to 500 blocks, published at once, and says how many were new. A block that is there
/// already, edited or not, stays as it is.
///
/// # Errors
/// Refuses actors who may not write for the whole city.
pub fn import_chunk(tx: &Tx<'_>, actor: &Actor, blocks: &[ImportedText]) -> Result<u64> {
    permit(actor, None)?;
    let mut fresh = Vec::new();
    for block in blocks {
        let known = tx.row_opt(
            "SELECT id FROM article WHERE source_digest = ?1",
            params![&block.digest],
            |row| row.get::<ArticleId>(0),
        )?;
        if known.is_none() {
            fresh.push(block);
        }
    }
    // Ids ascend and lists show the greatest first: the top of the file gets the last id.
    let ids: Vec<ArticleId> = fresh.iter().map(|_| ArticleId(tx.new_id())).collect();
    for (block, id) in fresh.iter().zip(ids.iter().rev()) {
        insert(tx, *id, &block.text, State::Published, false, Some(block))?;
    }
    let Some(first) = ids.first() else {
        return Ok(0);
    };
    tx.event(Event {
        actor: actor.to_ref(),
        command: "article.import",
        subject: ("article", first.0),
        detail: json!({"created": fresh.len(), "unchanged": blocks.len() - fresh.len()}),
        rows: ids.iter().map(|id| ("article", id.0)).collect(),
    });
    Ok(fresh.len() as u64)
}

fn insert(
    tx: &Tx<'_>,
    id: ArticleId,
    text: &Text,
    state: State,
    demo: bool,
    source: Option<&ImportedText>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO article (id, title, tag, region_code, category, summary, body, published_on, state, \
         source_digest, source_position, source_block, folded, demo, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 1)",
        params![
            id,
            &text.title,
            text.tag.clone(),
            text.region,
            text.category.code(),
            reading::summary(&text.body),
            &text.body,
            text.published_on,
            state.code(),
            source.map(|source| source.digest.clone()),
            source.map(|source| source.position),
            source.map(|source| source.raw.clone()),
            folded(text),
            demo
        ],
    )?;
    Ok(())
}

/// Everything the search looks through.
fn folded(text: &Text) -> String {
    search::fold(&format!(
        "{}\n{}",
        tag::join(text.tag.as_deref(), &text.title),
        text.body
    ))
}

struct Before {
    title: String,
    region: Option<RegionCode>,
    state: State,
    version: i64,
}

fn found(tx: &Tx<'_>, id: ArticleId) -> Result<Before> {
    let row = tx.row_opt(
        "SELECT title, region_code, state, version FROM article WHERE id = ?1",
        params![id],
        |row| Ok((row.get(0)?, row.get(1)?, row.get::<String>(2)?, row.get(3)?)),
    )?;
    let (title, region, state, version) =
        row.ok_or_else(|| Refusal::not_found("没有这篇文章。"))?;
    Ok(Before {
        title,
        region,
        state: State::from_code(&state).unwrap_or(State::Draft),
        version,
    })
}

fn permit(actor: &Actor, of: Option<RegionCode>) -> Result<()> {
    if may_edit(actor, of) {
        return Ok(());
    }
    let message = "您只能编辑和发布本地区的文章。请改选本地区，或联系市级编辑。";
    Err(Refusal::forbidden("article-region", message).into())
}

/// Nothing changed: somebody else was faster; says who and when.
fn unless_changed(tx: &Tx<'_>, id: ArticleId, changed: u64) -> Result<()> {
    if changed > 0 {
        return Ok(());
    }
    let last = tx.row_opt(
        "SELECT last_event FROM article WHERE id = ?1 AND last_event IS NOT NULL",
        params![id],
        |row| row.get::<uuid::Uuid>(0),
    )?;
    let last = last
        .map(|event| who_wrote(tx, event))
        .transpose()?
        .flatten();
    let who = last.map_or_else(String::new, |(who, at)| {
        format!("（由 {who} 于 {} ）", day_in_china(at))
    });
    let message =
        format!("这篇文章已被修改{who}。请打开最新页面核对后再提交；您填写的内容保留在下面。");
    Err(Refusal::conflict("article-changed", message).into())
}

fn note(
    tx: &Tx<'_>,
    actor: &Actor,
    command: &'static str,
    id: ArticleId,
    detail: serde_json::Value,
) {
    tx.event(Event {
        actor: actor.to_ref(),
        command,
        subject: ("article", id.0),
        detail,
        rows: vec![("article", id.0)],
    });
}
