//! A posted form: fields and files within limits, the CSRF token checked, the idempotency key
//! taken. Nothing the user typed is lost: a refused handler shows the fields again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::multipart::Field;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::kept::{LABELS, OF_PAGE};
use super::route::is_api;
use super::{App, Visit, WebError};
use crate::refusal::{Kind, Refusal};
use crate::store::IdempotencyKey;

/// The largest form without files, in bytes.
const FORM_BYTES: usize = 2 << 20;
/// The largest single file, in bytes.
pub const FILE_BYTES: usize = 20 << 20;
/// The largest form with files that is held in memory, in bytes.
const MULTIPART_BYTES: usize = 64 << 20;
/// The largest request that is read to its end, so that a form that is too large can be answered
/// with its text; what goes beyond the limits above is read and dropped.
pub(super) const REQUEST_BYTES: usize = 256 << 20;
/// What all forms that are being read or worked at may hold of files at once, in bytes.
const ALL_BYTES: usize = 512 << 20;
/// The field that holds the JSON a program sent.
const JSON: &str = "json";
/// The most fields and files of a form.
const PARTS: usize = 2_000;

/// A file of a posted form, held in memory until the command has checked it.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The field it came in.
    pub field: String,
    /// The name the visitor's machine gave it; never used as a path.
    pub file_name: String,
    /// The content; of a file over [`FILE_BYTES`] the first byte beyond them is the last one kept.
    pub bytes: Bytes,
}

/// A form as posted.
#[derive(Clone, Debug, Default)]
pub struct Posted {
    fields: Vec<(String, String)>,
    /// What the form says of itself (`kept`).
    about: Vec<(String, String)>,
    uploads: Vec<Upload>,
    key: String,
    scope: String,
    path: String,
    /// Given back with the last copy of the form.
    held: Arc<Held>,
}

/// Bytes of files that all forms hold at present.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// A form's share of what all forms may hold.
#[derive(Debug, Default)]
struct Held(AtomicUsize);

impl Held {
    /// Takes room for some bytes more; says whether there was any.
    fn take(&self, bytes: usize) -> bool {
        let fits = |held: usize| held.checked_add(bytes).filter(|held| *held <= ALL_BYTES);
        let taken = HELD.try_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if taken.is_ok() {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
        taken.is_ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(*self.0.get_mut(), Ordering::Relaxed);
    }
}

impl Posted {
    /// The value of a field, trimmed; empty where it is missing.
    pub fn get(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.trim())
    }

    /// Every value of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, v)| v.as_str())
            .collect()
    }

    /// Fields in the order posted, without the token and the key.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The fields with what the form says of itself, to be shown where it is not carried out.
    pub fn kept(&self) -> Vec<(String, String)> {
        [self.fields.as_slice(), &self.about].concat()
    }

    /// Files in the order posted; empty file fields are left out.
    pub fn uploads(&self) -> &[Upload] {
        &self.uploads
    }

    /// The version of the thing the page showed.
    ///
    /// # Errors
    /// Refuses where the field is missing or no number.
    pub fn version(&self, name: &str) -> Result<i64, Refusal> {
        self.get(name)
            .parse()
            .map_err(|_| Refusal::field(name, "version", "页面缺少版本号，请刷新页面后再提交。"))
    }

    /// An id in a field.
    ///
    /// # Errors
    /// Refuses where the field is missing or no id.
    pub fn id<T: std::str::FromStr>(&self, name: &str) -> Result<T, Refusal> {
        self.get(name)
            .parse()
            .map_err(|_| Refusal::field(name, "id", "没有选中有效的记录，请重新选择。"))
    }

    /// The key under which the effect of this form is remembered, with the digest of its content.
    pub fn key(&self) -> IdempotencyKey {
        let mut hash = Sha256::new();
        for (name, value) in &self.fields {
            feed(&mut hash, name.as_bytes());
            feed(&mut hash, value.as_bytes());
        }
        for upload in &self.uploads {
            feed(&mut hash, upload.field.as_bytes());
            feed(&mut hash, upload.file_name.as_bytes());
            feed(&mut hash, &upload.bytes);
        }
        let digest: [u8; 32] = hash.finalize().into();
        IdempotencyKey {
            key: self.key.clone(),
            scope: format!("{} {}", self.scope, self.path),
            digest,
        }
    }

    /// The JSON a program sent, as the body or as the part `json` beside files.
    ///
    /// # Errors
    /// Refused where it is not what is expected, saying where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let text = self.get(JSON);
        serde_json::from_str(text).map_err(|error| {
            let message = format!("请求内容不是要求的 JSON：{error}。字段见 /api/openapi.json。");
            Refusal::field(JSON, "json", message)
        })
    }

    /// The same files and key with these fields, as a page would have posted them.
    #[must_use]
    pub fn with_fields(self, fields: Vec<(String, String)>) -> Self {
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name, clean(&value)))
            .collect();
        Self { fields, ..self }
    }

    /// A form made by a test or taken up again.
    pub fn from_fields(fields: Vec<(String, String)>) -> Self {
        Self {
            fields,
            ..Self::default()
        }
    }
}

/// Length first, so that two fields cannot run together.
fn feed(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

impl FromRequest<App> for Posted {
    type Rejection = WebError;

    async fn from_request(request: Request, app: &App) -> Result<Self, WebError> {
        let visit = request.extensions().get::<Visit>().cloned();
        let Some(visit) = visit else {
            return Err(Refusal::forbidden("no-rule", "这个地址没有登记权限规则。").into());
        };
        let sent = is_api(&visit.path).then(|| Sent::of(request.headers()));
        let arrived = request
            .extensions()
            .get::<Arrived>()
            .and_then(Arrived::take);
        let read = match arrived {
            Some(read) => read,
            None => read(app, request, true).await,
        };
        let mut posted = read.map_err(|error| error.with_visit(&visit))?;
        if let Some(sent) = sent {
            posted.fields.push(("csrf".to_owned(), sent.token));
            posted.fields.push(("idempotency_key".to_owned(), sent.key));
        }
        posted
            .check_token(&visit)
            .map_err(|error| error.with_visit(&visit))?;
        let of_itself = |(name, _): &mut (String, String)| name == OF_PAGE || name == LABELS;
        posted.about = posted.fields.extract_if(.., of_itself).collect();
        posted.key = posted.take("idempotency_key");
        if posted.key.is_empty() || posted.key.len() > 100 {
            let refusal = Refusal::field(
                "idempotency_key",
                "required",
                "表单缺少防重复提交标识，请刷新页面后再提交。",
            );
            return Err(WebError::from(refusal).with_visit(&visit));
        }
        posted.scope = match &visit.actor {
            Some(actor) => actor.account_id().to_string(),
            None => "public".to_owned(),
        };
        posted.path = visit.path_only().to_owned();
        Ok(posted)
    }
}

/// A form whose body has arrived, on its way to the handler.
#[derive(Clone)]
pub(super) struct Arrived(Arc<Mutex<Option<Result<Posted, WebError>>>>);

impl Arrived {
    /// Reads a form to its end. It may take its sender a minute, so who he is and what time it is
    /// are asked afterwards.
    pub(super) async fn read(app: &App, request: Request) -> Self {
        Self(Arc::new(Mutex::new(Some(read(app, request, true).await))))
    }

    /// The form, for the first who asks.
    fn take(&self) -> Option<Result<Posted, WebError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What was typed, for whom the form cannot be carried out any more; files are let go.
    pub(super) fn typed(&self) -> Vec<(String, String)> {
        let fields = match self.take() {
            Some(Ok(posted)) => posted.fields,
            Some(Err(WebError::Refused { kept, .. })) => kept,
            _ => Vec::new(),
        };
        let of_text = |(name, _): &(String, String)| name != "csrf";
        fields.into_iter().filter(of_text).collect()
    }
}

/// What a program sends in headers where a page has hidden fields.
struct Sent {
    token: String,
    key: String,
}

impl Sent {
    fn of(headers: &HeaderMap) -> Self {
        let value = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Self {
            token: value("x-csrf-token"),
            key: value("idempotency-key"),
        }
    }
}

impl Posted {
    fn take(&mut self, name: &str) -> String {
        match self.fields.iter().position(|(key, _)| key == name) {
            Some(at) => self.fields.remove(at).1,
            None => String::new(),
        }
    }

    fn check_token(&mut self, visit: &Visit) -> Result<(), WebError> {
        let token = self.take("csrf");
        let same: bool = token.as_bytes().ct_eq(visit.csrf.as_bytes()).into();
        if same && !visit.csrf.is_empty() {
            return Ok(());
        }
        let refusal = Refusal::forbidden(
            "csrf",
            "页面的安全标识已失效（可能在另一个窗口重新登录过）。请返回刷新页面后再提交。",
        );
        Err(WebError::kept(refusal, std::mem::take(&mut self.fields)))
    }
}

async fn read(app: &App, request: Request, files: bool) -> Result<Posted, WebError> {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        let multipart = Multipart::from_request(request, app)
            .await
            .map_err(|error| Refusal::invalid("form", format!("表单无法读取：{error}。")))?;
        return read_multipart(multipart, files).await;
    }
    let json = kind.is_some_and(|kind| kind.starts_with("application/json"));
    let bytes = axum::body::to_bytes(request.into_body(), FORM_BYTES)
        .await
        .map_err(|_| Refusal::invalid("form-size", "表单超过 2 MB，请缩短文字后再提交。"))?;
    let mut posted = Posted::default();
    if json {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        posted.fields.push((JSON.to_owned(), text));
        return Ok(posted);
    }
    for (name, value) in form_urlencoded::parse(&bytes).take(PARTS) {
        posted.fields.push((name.into_owned(), clean(&value)));
    }
    Ok(posted)
}

async fn read_multipart(mut multipart: Multipart, files: bool) -> Result<Posted, WebError> {
    let mut posted = Posted::default();
    let (mut room_for_text, mut room_for_files) = (FORM_BYTES, MULTIPART_BYTES);
    let held = Arc::clone(&posted.held);
    let (mut over, mut crowded) = (None, false);
    for _ in 0..PARTS {
        let Some(part) = multipart.next_field().await.map_err(broken)? else {
            break;
        };
        let field = part.name().unwrap_or_default().to_owned();
        let file_name = part.file_name().map(str::to_owned);
        if file_name.is_some() && !files {
            read_part(part, 0, &held).await?;
            continue;
        }
        let room = match file_name {
            Some(_) => &mut room_for_files,
            None => &mut room_for_text,
        };
        // One byte more than a file may have tells one that is too large from one that just fits.
        let most = if crowded {
            0
        } else {
            (*room).min(FILE_BYTES + 1)
        };
        let Some(bytes) = read_part(part, most, &held).await? else {
            crowded = true;
            continue;
        };
        let fits = bytes.len() < *room;
        *room -= bytes.len();
        match file_name {
            Some(name) if name.is_empty() && bytes.is_empty() => {}
            _ if !fits => {
                over.get_or_insert(field);
            }
            Some(file_name) => posted.uploads.push(Upload {
                field,
                file_name: clean(&file_name),
                bytes,
            }),
            None => posted
                .fields
                .push((field, clean(&String::from_utf8_lossy(&bytes)))),
        }
    }
    if crowded {
        let message = "现在上传文件的人太多，这次没有收下。请过几分钟再提交。";
        return Err(WebError::kept(
            Refusal::too_many("uploads", message),
            posted.fields,
        ));
    }
    match over {
        None => Ok(posted),
        Some(field) => Err(too_large(field, posted.fields)),
    }
}

fn broken(error: axum::extract::multipart::MultipartError) -> WebError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return too_large_at_all().into();
    }
    Refusal::invalid("form", format!("表单没有完整收到，请重新提交。（{error}）")).into()
}

/// Reads a part to its end and keeps at most `most` bytes of it; none where all forms together hold
/// too much.
async fn read_part(
    mut part: Field<'_>,
    most: usize,
    held: &Held,
) -> Result<Option<Bytes>, WebError> {
    let (mut kept, mut crowded) = (Vec::new(), false);
    while let Some(chunk) = part.chunk().await.map_err(broken)? {
        let room = most - kept.len();
        let chunk = chunk.get(..room).unwrap_or(&chunk);
        crowded |= !held.take(chunk.len());
        if crowded {
            kept = Vec::new();
        } else {
            kept.extend_from_slice(chunk);
        }
    }
    Ok((!crowded).then(|| kept.into()))
}

/// A request of which not even the text is read.
fn too_large_at_all() -> Refusal {
    let most = REQUEST_BYTES >> 20;
    let message =
        format!("这次提交超过 {most} MB，没有接收。请返回上一页，把文件压缩或分几次上传。");
    Refusal::new(Kind::TooLarge, "request-size", message)
}

/// Refuses a request that says itself how much too large it is, before anything of it is read.
pub(super) fn check_length(headers: &HeaderMap) -> Result<(), Refusal> {
    let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    match length.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > REQUEST_BYTES as u64 => Err(too_large_at_all()),
        _ => Ok(()),
    }
}

/// The refusal of a form whose parts are too large together; what fits of the text is kept.
fn too_large(field: String, typed: Vec<(String, String)>) -> WebError {
    let message = format!(
        "这次提交的内容太大：文件合计不超过 {} MB，文字合计不超过 {} MB。请分几次提交，或压缩后再上传。",
        MULTIPART_BYTES >> 20,
        FORM_BYTES >> 20
    );
    WebError::kept(Refusal::field(field, "form-size", message), typed)
}

/// Line ends as the form means them; no NUL, which no store keeps; and no sign that is not seen,
/// which would make a name look like another one or turn its letters round.
fn clean(value: &str) -> String {
    value
        .replace("\r\n", "\n")
        .replace(|c| c == '\0' || is_unseen(c), "")
}

/// Marks of direction, and signs without width.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Reads what a stranger posted, so that it can be shown again after log-in. Files are named only.
pub(super) async fn keep(
    app: &App,
    visit: &Visit,
    request: Request,
) -> Result<Vec<(String, String)>, WebError> {
    let mut posted = read(app, request, false)
        .await
        .map_err(|error| error.with_visit(visit))?;
    posted.take("csrf");
    Ok(posted.fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_together_hold_so_much() {
        let (first, second) = (Held::default(), Held::default());
        assert!(first.take(ALL_BYTES - 10) && !second.take(11) && second.take(10));
        assert!(!second.take(usize::MAX));
        drop(first);
        assert!(second.take(ALL_BYTES - 10) && !second.take(1));
    }

    #[test]
    fn what_nobody_sees_is_not_kept() {
        let typed = "\u{feff}永嘉\u{200b}新\u{202e}能源\u{2066}\u{200f}\0 有限公司\r\n第二行";
        let posted = Posted::default().with_fields(vec![("name".into(), typed.into())]);
        assert_eq!(posted.get("name"), "永嘉新能源 有限公司\n第二行");
    }
}
