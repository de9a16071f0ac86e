//! Applying (申报): fill in, keep, read everything once more, submit. The same pages serve the
//! applicant on line and the clerk at the window.

use askama::Template;
use axum::extract::{Path, Query as UrlQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;
use vocab::Fen;

use super::draft::{self, Draft, DraftBody, ListedDraft};
use super::submit::{Seen, Submission, claimed, submit, submit_with};
use crate::access::{Actor, Role, Rule, Scope, may_see};
use crate::attachment::{self, Attachment, Kept, Subject};
use crate::form::{self, Errors, FieldKind, Form, How, Values, ViewSection};
use crate::ids::{AttachmentId, BankAccountId, DraftId, ItemId, PartyId};
use crate::item::{self, OpenItem, Package};
use crate::party::{Party, bank_account};
use crate::refusal::{Error, FieldError, Refusal, Result};
use crate::store::{Command, Query};
use crate::web::{Answer, App, Page, Posted, Route, Upload, Visit, WebError, filters, get, post};

const WHO: Rule = Rule::ApplicantOrStaff(&[Role::WindowClerk]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/items/{item}/apply", WHO, show),
        post("/items/{item}/apply", WHO, save),
        get("/drafts/{draft}", WHO, review),
        post("/drafts/{draft}", WHO, submit_draft),
        post("/drafts/{draft}/give-up", WHO, give_up),
        post("/drafts/{draft}/files/{file}", WHO, take_out),
        get("/drafts/{draft}/files/{file}", WHO, download),
    ]
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    party: String,
    /// A draft's id, [`NEW`] for another one, or nothing for the newest there is.
    draft: String,
}

/// Asks for an empty form although there is a draft. What the empty form then carries begins so,
/// too: a mark of its own follows, by which the same form sent twice is one draft.
const NEW: &str = "new";

/// Everything the pages of one application need.
#[derive(Clone)]
struct Desk {
    offered: OpenItem,
    package: std::sync::Arc<Package>,
    party: Party,
    /// What the form is saved under.
    draft_id: DraftId,
    /// What the form carries for it.
    mark: String,
    /// What was saved so far.
    draft: Option<Draft>,
    files: Vec<Attachment>,
    /// The visitor's other drafts of this item for this party, where the form is shown.
    others: Vec<ListedDraft>,
}

/// The party applied for: the applicant's own, or the one the clerk chose.
fn party_of(actor: &Actor, asked: &str) -> Result<PartyId, Refusal> {
    match actor.party {
        Some(party) => Ok(party),
        None => asked.parse().map_err(|_| {
            Refusal::invalid(
                "choose-party",
                "请先在「主体」中找到申请人（没有时先登记），再从其页面代为申报。",
            )
        }),
    }
}

fn open_desk(
    q: &dyn Query,
    actor: &Actor,
    item: ItemId,
    (party, draft): (PartyId, &str),
    today: jiff::civil::Date,
) -> Result<Desk> {
    let offered = item::open_item(q, item, today)?;
    let package = item::load(q, &offered.hash)?;
    let party = draft::may_write(q, actor, party)?;
    let place = Scope {
        region: offered.region,
        department: Some(offered.department),
        party: Some(party.id),
    };
    if !may_see(actor, &place) {
        let message = "这个事项不在您的工作区域内，请由项目所在地的窗口登记。";
        return Err(Refusal::forbidden("submit-region", message).into());
    }
    let (draft_id, mark, draft) = find_draft(q, actor, (item, party.id), draft)?;
    let files = match &draft {
        Some(draft) => attachment::of_subject(q, Subject::Draft(draft.id))?,
        None => Vec::new(),
    };
    Ok(Desk {
        offered,
        package,
        party,
        draft_id,
        mark,
        draft,
        files,
        others: Vec::new(),
    })
}

/// The draft asked for, or the id and the mark of a new one.
///
/// The id of a new draft is made here from the visitor, what he applies for and his form's mark, so
/// that no form names a row of somebody else or of another kind.
fn find_draft(
    q: &dyn Query,
    actor: &Actor,
    (item, party): (ItemId, PartyId),
    asked: &str,
) -> Result<(DraftId, String, Option<Draft>)> {
    let known = match asked.strip_prefix(NEW) {
        None if asked.is_empty() => draft::newest_of(q, actor, item, party)?,
        None => Some(draft::find(
            q,
            actor,
            asked.parse().map_err(|_| draft::not_found())?,
        )?),
        Some(_) => None,
    };
    if let Some(draft) = known {
        if (draft.item, draft.party) != (item, party) {
            return Err(draft::not_found());
        }
        return Ok((draft.id, draft.id.to_string(), Some(draft)));
    }
    let mark = match asked {
        "" | NEW => format!("{NEW}-{}", crate::store::secret()),
        mark => mark.chars().take(60).collect(),
    };
    let text = format!("{} {item} {party} {mark}", actor.account_id());
    let id = DraftId(half(q.keys().hash("draft", &text)));
    Ok((id, mark, draft::find_saved(q, actor, id)?))
}

/// The first half of a hash as an id.
fn half(hash: [u8; 32]) -> Uuid {
    uuid::Builder::from_custom_bytes(std::array::from_fn(|i| {
        hash.get(i).copied().unwrap_or_default()
    }))
    .into_uuid()
}

impl Desk {
    /// What was typed, with what the city knows filled in.
    fn fields(&self, typed: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut fields = typed;
        self.package
            .form
            .prefill(&mut fields, |source| prefill(&self.party, source));
        fields
    }

    /// The values of the form with the papers there are, or all that is wrong.
    fn read(&self, fields: &[(String, String)], visit: &Visit) -> Result<Values, Vec<FieldError>> {
        let form = &self.package.form;
        form.read(fields, &self.slots(), visit.today())
    }

    /// Where this form is filled in.
    fn address(&self) -> String {
        let (item, party, draft) = (self.offered.id, self.party.id, self.draft_id);
        format!("/items/{item}/apply?party={party}&draft={draft}")
    }

    fn slots(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.slot.as_str()).collect()
    }

    fn shown_files(&self) -> Vec<form::Attachment> {
        let Some(draft) = &self.draft else {
            return Vec::new();
        };
        let href = |file: &Attachment| format!("/drafts/{}/files/{}", draft.id, file.id);
        self.files
            .iter()
            .map(|file| form::Attachment {
                slot: file.slot.clone(),
                file_name: file.file_name.clone(),
                href: href(file),
                size: file.size(),
            })
            .collect()
    }
}

/// What the register knows of the applicant, by the names forms use.
pub(super) fn prefill(party: &Party, source: &str) -> Option<String> {
    match source {
        "party.name" => Some(party.name.clone()),
        "party.kind" => Some(party.kind.code().to_owned()),
        "party.credit_code" => party.credit_code.clone(),
        "party.region" => Some(party.region.to_string()),
        "party.legal_representative" => party.legal_representative.clone(),
        _ => None,
    }
}

#[derive(Template)]
#[template(path = "casework/apply.html")]
struct ApplyPage<'a> {
    page: Page,
    desk: &'a Desk,
    errors: Errors<'a>,
    fields: String,
    action: String,
    /// What the browser keeps the text under meanwhile.
    kept_as: String,
}

fn apply_page(
    app: &App,
    visit: &Visit,
    desk: &Desk,
    values: &Values,
    errors: &[FieldError],
) -> Answer {
    let title = format!("申报：{}", desk.package.item.name);
    let template = ApplyPage {
        page: Page::new(app, visit, title),
        errors: Errors(errors),
        fields: desk
            .package
            .form
            .render(values, errors, &desk.shown_files(), visit.today())?,
        action: format!("/items/{}/apply?party={}", desk.offered.id, desk.party.id),
        kept_as: match &desk.draft {
            Some(draft) => format!("draft-{}-v{}", draft.id, draft.version),
            None => format!("apply-{}-{}", desk.offered.id, desk.party.id),
        },
        desk,
    };
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    visit.show_with(status, &template)
}

async fn load_desk(
    app: &App,
    visit: &Visit,
    item: ItemId,
    (party, draft): (&str, &str),
) -> Result<Desk, WebError> {
    let actor = visit.actor()?.clone();
    let party = party_of(&actor, party)?;
    let (today, draft) = (visit.today(), draft.to_owned());
    let load = app.store.read(move |q| {
        let mut desk = open_desk(&**q, &actor, item, (party, &draft), today)?;
        desk.others = draft::of_actor(&**q, &actor, Some(party))?;
        desk.others
            .retain(|other| other.item == item && other.id != desk.draft_id);
        Ok::<_, Error>(desk)
    });
    Ok(load.await?)
}

async fn show(
    State(app): State<App>,
    visit: Visit,
    Path(item): Path<ItemId>,
    UrlQuery(asked): UrlQuery<Asked>,
) -> Answer {
    let desk = load_desk(&app, &visit, item, (&asked.party, &asked.draft)).await?;
    let typed = desk
        .draft
        .as_ref()
        .map(|draft| draft.body.fields.clone())
        .unwrap_or_default();
    let values = desk.package.form.typed(&desk.fields(typed));
    apply_page(&app, &visit, &desk, &values, &[])
}

async fn save(
    State(app): State<App>,
    visit: Visit,
    Path(item): Path<ItemId>,
    UrlQuery(asked): UrlQuery<Asked>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let desk = load_desk(&app, &visit, item, (&asked.party, posted.get("draft"))).await?;
    let form = &desk.package.form;
    let mut typed = form.typed(&desk.fields(posted.fields().to_vec()));
    if form.act(posted.get("action"), &mut typed) {
        return apply_page(&app, &visit, &desk, &typed, &[]);
    }
    let (id, party) = (desk.draft_id, desk.party.id);
    let (kept, mut errors) = keep_files(
        &app,
        &visit,
        form,
        (party, Some(Subject::Draft(id))),
        posted.uploads(),
    )
    .await?;
    let body = DraftBody {
        fields: posted.fields().to_vec(),
        bank_account: desk.draft.as_ref().and_then(|old| old.body.bank_account),
    };
    let command = Command::new("draft.save", visit.now);
    let save = app.store.write(command, move |tx| {
        draft::room_for(tx, &actor, id)?;
        draft::save(tx, &actor, (id, item, party), &body, &kept)
    });
    if let Err(error) = save.await {
        let refusal = WebError::from(error).into_refusal()?;
        if refusal.fields.is_empty() {
            return Err(refusal.into());
        }
        return apply_page(&app, &visit, &desk, &typed, &refusal.fields);
    }
    let desk = load_desk(&app, &visit, item, (&asked.party, &id.to_string())).await?;
    let fields = desk.fields(posted.fields().to_vec());
    if posted.get("action") == "save" {
        if errors.is_empty() {
            let back = desk.address();
            return Ok(visit.redirect(&back, "草稿已保存，可以随时回来继续填写。"));
        }
        // A draft needs nothing: only a file that was refused is said.
        let typed = desk.package.form.typed(&fields);
        return apply_page(&app, &visit, &desk, &typed, &errors);
    }
    match desk.read(&fields, &visit) {
        Err(found) => add_errors(&mut errors, found),
        Ok(values) => {
            let (package, party) = (desk.package.clone(), desk.party.id);
            let held = app
                .store
                .read(move |q| claimed(&**q, &package, party, &values));
            add_errors(&mut errors, held.await?.into_iter().collect());
        }
    }
    if errors.is_empty() {
        return Ok(visit.redirect(&format!("/drafts/{id}"), ""));
    }
    let typed = desk.package.form.typed(&fields);
    apply_page(&app, &visit, &desk, &typed, &errors)
}

/// An application as a program sends it.
pub(super) struct Application {
    /// What is applied for.
    pub(super) item: ItemId,
    /// For whom, where the window applies.
    pub(super) party: String,
    /// The form's fields.
    pub(super) fields: Vec<(String, String)>,
    /// The account the money should go to.
    pub(super) bank_account: Option<BankAccountId>,
}

/// Submits an application in one go: papers safe on disk, then a case with them. What is at fault is
/// refused with its fields and leaves no draft.
pub(super) async fn apply(
    app: &App,
    visit: &Visit,
    sent: Application,
    posted: &Posted,
) -> Result<super::Completed, WebError> {
    let actor = visit.actor()?.clone();
    if let Some(done) = known_answer(app, visit, "case.submit", posted).await? {
        return Ok(done);
    }
    let desk = load_desk(app, visit, sent.item, (&sent.party, NEW)).await?;
    let form = &desk.package.form;
    let (kept, mut wrong) =
        keep_files(app, visit, form, (desk.party.id, None), posted.uploads()).await?;
    let slots: Vec<&str> = kept.iter().map(|file| file.slot.as_str()).collect();
    let fields = desk.fields(sent.fields);
    let values = match form.read(&fields, &slots, visit.today()) {
        Ok(values) if wrong.is_empty() => values,
        read => {
            add_errors(&mut wrong, read.err().unwrap_or_default());
            return Err(Refusal::fields(wrong).into());
        }
    };
    let submission = Submission {
        item: sent.item,
        party: desk.party.id,
        channel: channel(&actor),
        values,
        bank_account: sent.bank_account,
        draft: None,
        seen: Some(Seen {
            hash: desk.offered.hash.clone(),
            draft: None,
        }),
    };
    let command = Command::new("case.submit", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        submit_with(tx, &actor, &submission, &kept)
    });
    Ok(done.await?.value)
}

fn channel(actor: &Actor) -> &'static str {
    if actor.party.is_some() {
        "online"
    } else {
        "window"
    }
}

/// What was answered under this form's key before, if it had an effect.
pub(super) async fn known_answer(
    app: &App,
    visit: &Visit,
    command: &'static str,
    posted: &Posted,
) -> Result<Option<super::Completed>, WebError> {
    let command = Command::new(command, visit.now).once(posted.key());
    let again = app.store.write_once(command, move |_| {
        Err::<super::Completed, _>(Error::from(Refusal::not_found("没有这次提交。")))
    });
    match again.await {
        Ok(done) => Ok(Some(done.value)),
        Err(Error::Refused(_)) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// Adds what else is wrong: a file that was refused is not said to be missing as well.
pub(super) fn add_errors(errors: &mut Vec<FieldError>, found: Vec<FieldError>) {
    for error in found {
        if errors.iter().all(|known| known.field != error.field) {
            errors.push(error);
        }
    }
}

/// Makes uploaded files of a draft or case (`subject`, where it is there already) safe on disk; those
/// that are refused are said, the others stay. Where there is no room for all, none is written.
pub(super) async fn keep_files(
    app: &App,
    visit: &Visit,
    form: &Form,
    (owner, subject): (PartyId, Option<Subject>),
    uploads: &[Upload],
) -> Result<(Vec<Kept>, Vec<FieldError>), WebError> {
    let mut work = Vec::new();
    for upload in uploads {
        let slot = form.field(&upload.field).map(|field| &field.kind);
        let Some(FieldKind::File { types, multiple }) = slot else {
            continue;
        };
        work.push((upload.clone(), types.clone(), !multiple));
    }
    let room = app.store.read(move |q| attachment::room(&**q, subject));
    if let Some((first, ..)) = work.first()
        && room.await? < work.len()
    {
        return Ok((Vec::new(), vec![attachment::no_room(&first.field)]));
    }
    let (store, now) = (app.store.clone(), visit.now);
    let kept = tokio::task::spawn_blocking(move || {
        let mut kept = Vec::new();
        let mut errors = Vec::new();
        for (upload, types, single) in work {
            match attachment::keep(&store, now, owner.0, &upload.field, &upload, &types) {
                Ok(mut file) => {
                    file.single = single;
                    kept.push(file);
                }
                Err(Error::Refused(refusal)) => errors.extend(refusal.fields),
                Err(other) => return Err(other),
            }
        }
        Ok((kept, errors))
    });
    Ok(kept.await.map_err(WebError::fault)??)
}

#[derive(Template)]
#[template(path = "casework/review.html")]
struct ReviewPage<'a> {
    page: Page,
    desk: &'a Desk,
    draft: &'a Draft,
    sections: Vec<ViewSection>,
    estimate: Option<Fen>,
    accounts: Vec<bank_account::Listed>,
    errors: Errors<'a>,
}

struct Review {
    desk: Desk,
    draft: Draft,
    accounts: Vec<bank_account::Listed>,
}

async fn load_review(app: &App, visit: &Visit, id: DraftId) -> Result<Review, WebError> {
    let actor = visit.actor()?.clone();
    let today = visit.today();
    let load = app.store.read(move |q| {
        let draft = draft::find(&**q, &actor, id)?;
        let place = (draft.party, id.to_string());
        let desk = open_desk(&**q, &actor, draft.item, (place.0, &place.1), today)?;
        let accounts = bank_account::usable_of(&**q, draft.party)?;
        Ok::<_, Error>(Review {
            desk,
            draft,
            accounts,
        })
    });
    Ok(load.await?)
}

fn review_page(app: &App, visit: &Visit, review: &Review, errors: &[FieldError]) -> Answer {
    let form = &review.desk.package.form;
    let fields = review.desk.fields(review.draft.body.fields.clone());
    let values = form.typed(&fields);
    let read = review.desk.read(&fields, visit);
    let estimate = read.as_ref().ok().and_then(|values| {
        let policy = review.desk.package.policy.as_ref()?;
        policy
            .assess(&form.feel_context(values))
            .ok()
            .map(|assessment| assessment.amount)
    });
    let template = ReviewPage {
        page: Page::new(app, visit, "核对并提交"),
        sections: form.view(&values, How::Plain),
        estimate,
        accounts: review.accounts.clone(),
        errors: Errors(errors),
        draft: &review.draft,
        desk: &review.desk,
    };
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    visit.show_with(status, &template)
}

async fn review(State(app): State<App>, visit: Visit, Path(id): Path<DraftId>) -> Answer {
    let review = load_review(&app, &visit, id).await?;
    review_page(&app, &visit, &review, &[])
}

async fn submit_draft(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<DraftId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let review = match load_review(&app, &visit, id).await {
        Ok(review) => review,
        // A second click after the effect finds no draft: the stored answer says what became of it.
        Err(error) => return replay(&app, &visit, &posted, error).await,
    };
    let desk = &review.desk;
    let fields = desk.fields(review.draft.body.fields.clone());
    let values = match desk.read(&fields, &visit) {
        Ok(values) => values,
        Err(errors) => return review_page(&app, &visit, &review, &errors),
    };
    let submission = Submission {
        item: desk.offered.id,
        party: desk.party.id,
        channel: channel(&actor),
        values,
        bank_account: posted.get("bank_account").parse().ok(),
        draft: Some(id),
        seen: Some(Seen {
            hash: posted.get("item_hash").to_owned(),
            draft: Some(posted.version("version")?),
        }),
    };
    let command = Command::new("case.submit", visit.now).once(posted.key());
    match app
        .store
        .write_once(command, move |tx| submit(tx, &actor, &submission))
        .await
    {
        Ok(done) => {
            let done = done.value;
            Ok(visit.redirect(&format!("/cases/{}", done.case), &done.message))
        }
        Err(error) => {
            let refusal = WebError::from(error).into_refusal()?;
            if refusal.fields.is_empty() {
                return Err(refusal.into());
            }
            review_page(&app, &visit, &review, &refusal.fields)
        }
    }
}

/// The answer remembered under this form's key; the draft itself is gone.
async fn replay(app: &App, visit: &Visit, posted: &Posted, error: WebError) -> Answer {
    match known_answer(app, visit, "case.submit", posted).await? {
        Some(done) => Ok(visit.redirect(&format!("/cases/{}", done.case), &done.message)),
        None => Err(error),
    }
}

async fn give_up(
    State(app): State<App>,
    visit: Visit,
    Path(id): Path<DraftId>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let command = Command::new("draft.give_up", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        Ok::<_, Error>(draft::give_up(tx, &actor, id)?.party)
    });
    let party = done.await?.value;
    let back = match visit.actor()?.party {
        Some(_) => "/my".to_owned(),
        None => format!("/parties/{party}/apply"),
    };
    Ok(visit.redirect(&back, "草稿已放弃，不再列出。"))
}

async fn take_out(
    State(app): State<App>,
    visit: Visit,
    Path((id, file)): Path<(DraftId, AttachmentId)>,
    posted: Posted,
) -> Answer {
    let actor = visit.actor()?.clone();
    let command = Command::new("draft.take_out_file", visit.now).once(posted.key());
    let done = app.store.write_once(command, move |tx| {
        let draft = draft::take_out(tx, &actor, id, file)?;
        Ok::<_, Error>((draft.item, draft.party))
    });
    let (item, party) = done.await?.value;
    Ok(visit.redirect(
        &format!("/items/{item}/apply?party={party}&draft={id}"),
        "文件已从申报材料中移除。",
    ))
}

async fn download(
    State(app): State<App>,
    visit: Visit,
    Path((id, file)): Path<(DraftId, AttachmentId)>,
) -> Answer {
    let actor = visit.actor()?.clone();
    let found = app.store.read(move |q| {
        let draft = draft::find(&**q, &actor, id)?;
        Ok::<_, Error>(attachment::of_subject(&**q, Subject::Draft(draft.id))?)
    });
    let files = found.await?;
    let file = files
        .into_iter()
        .find(|known| known.id == file)
        .ok_or_else(WebError::not_found)?;
    send_file(&app, file).await
}

/// A file to keep; pictures may be shown in place.
pub(super) async fn send_file(app: &App, file: Attachment) -> Answer {
    let store = app.store.clone();
    let name = file.file_name.clone();
    let (media_type, picture) = (file.media_type.clone(), file.is_picture());
    let bytes = tokio::task::spawn_blocking(move || attachment::read(&store, &file))
        .await
        .map_err(WebError::fault)??;
    if picture {
        use axum::response::IntoResponse;
        return Ok(([(axum::http::header::CONTENT_TYPE, media_type)], bytes).into_response());
    }
    Ok(crate::web::export::download(&name, &media_type, bytes))
}
