//! The editor's desk: all articles of the editor's region in any state, and the form that writes,
//! previews, publishes and withdraws one.

use askama::Template;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use jiff::civil::Date;

use super::commands::Typed;
use super::pages::{FilterFields, page_number, query, refused, regions};
use super::queries::{self, Article, EXPORTED, Filter, Line, PAGE};
use super::{Category, Part, State, commands, may_edit, reading};
use crate::access::{Actor, Role, Rule};
use crate::ids::ArticleId;
use crate::refusal::{Error, Refusal};
use crate::store::{Command, StoreError};
use crate::web::export::{Cell, xlsx};
use crate::web::form::{Choice, Errors};
use crate::web::{
    Answer, App, Crumb, Lang, Page, Pager, Posted, Route, Visit, WebError, filters, get, post,
};

const EDITOR: Rule = Rule::Staff(&[Role::Editor]);

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/desk/articles", EDITOR, list),
        post("/desk/articles", EDITOR, create),
        get("/desk/articles/export", EDITOR, export),
        get("/desk/articles/new", EDITOR, blank),
        get("/desk/articles/{id}", EDITOR, show),
        post("/desk/articles/{id}", EDITOR, change),
    ]
}

#[derive(Template)]
#[template(path = "article/desk_list.html")]
struct DeskList {
    page: Page,
    errors: Errors,
    fields: FilterFields,
    asked: bool,
    lines: Vec<Line>,
    pager: Pager,
    export: String,
    today: Date,
}

async fn list(Shared(app): Shared<App>, visit: Visit) -> Answer {
    let query = query(&visit).to_owned();
    let (filter, wrong) = Filter::read(&query);
    let (status, errors) = refused(wrong);
    let actor = visit.actor()?.clone();
    let fields = FilterFields::new(&query, &filter, actor.region, Lang::ZH);
    let asked = !filter.is_empty();
    let number = page_number(&query);
    let (total, lines) = app
        .store
        .read(move |q| -> Result<_, StoreError> {
            let offset = i64::from(number - 1) * i64::from(PAGE);
            let total = queries::count(q, &filter, Some(&actor))?;
            Ok((
                total,
                queries::list(q, &filter, Some(&actor), PAGE, offset)?,
            ))
        })
        .await?;
    let pager = Pager::new("/desk/articles", &query, number, PAGE, total);
    let export = pager
        .base
        .replacen("/desk/articles", "/desk/articles/export", 1);
    let page = Page::new(&app, &visit, "文章");
    visit.show_with(
        status,
        &DeskList {
            page,
            errors,
            fields,
            asked,
            lines,
            pager,
            export,
            today: visit.today(),
        },
    )
}

async fn export(Shared(app): Shared<App>, visit: Visit) -> Answer {
    let (filter, _) = Filter::read(query(&visit));
    let actor = visit.actor()?.clone();
    let lines = app
        .store
        .read(move |q| -> Result<_, StoreError> {
            queries::list(q, &filter, Some(&actor), EXPORTED, 0)
        })
        .await?;
    let rows: Vec<Vec<Cell>> = lines.iter().map(|line| row(line, visit.today())).collect();
    xlsx(
        "文章",
        &["日期", "标题", "标签", "地区", "栏目", "状态", "摘要"],
        &rows,
    )
}

fn row(line: &Line, today: Date) -> Vec<Cell> {
    let text = |pieces: &[super::Piece]| {
        pieces
            .iter()
            .map(|piece| piece.text.as_str())
            .collect::<String>()
    };
    vec![
        line.published_on.to_string().into(),
        text(&line.title).into(),
        line.tag.clone().into(),
        line.region.into(),
        line.category.zh().into(),
        line.standing(today).into(),
        text(&line.summary).into(),
    ]
}

/// The article behind a form; none for a new one.
struct Stored {
    id: ArticleId,
    version: i64,
    state: State,
    /// The day from which the public reads it, where that is still to come.
    from: Option<Date>,
    imported: bool,
}

impl Stored {
    fn is_published(&self) -> bool {
        self.state == State::Published
    }

    fn of(article: &Article, today: Date) -> Self {
        Self {
            from: article.is_scheduled(today).then_some(article.published_on),
            id: article.id,
            version: article.version,
            state: article.state,
            imported: article.imported,
        }
    }
}

#[derive(Template)]
#[template(path = "article/desk_form.html")]
struct DeskForm<'a> {
    page: Page,
    errors: Errors,
    crumbs: Vec<Crumb>,
    stored: Option<Stored>,
    typed: &'a Typed,
    regions: Vec<Choice>,
    categories: Vec<Choice>,
    preview: Vec<Part<'a>>,
}

fn form(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    stored: Option<Stored>,
    typed: &Typed,
    errors: Errors,
    preview: bool,
) -> Answer {
    let actor = visit.actor()?;
    let title = if stored.is_some() {
        "编辑文章"
    } else {
        "写文章"
    };
    let categories = Category::ALL
        .iter()
        .map(|it| Choice::new(it.code(), it.zh(), &typed.category));
    let template = DeskForm {
        page: Page::new(app, visit, title),
        errors,
        crumbs: vec![Crumb {
            href: "/desk/articles".to_owned(),
            label: "文章".to_owned(),
        }],
        stored,
        typed,
        regions: region_choices(actor, &typed.region),
        categories: categories.collect(),
        preview: if preview {
            reading::split(&typed.body)
        } else {
            Vec::new()
        },
    };
    visit.show_with(status, &template)
}

/// The regions the editor may write for. The whole city is the empty choice.
fn region_choices(actor: &Actor, current: &str) -> Vec<Choice> {
    let mut choices = regions(actor.region, None, Lang::ZH);
    if may_edit(actor, None) {
        choices.insert(0, Choice::new("", "全市", current));
    }
    for choice in &mut choices {
        choice.chosen = choice.value == current;
    }
    choices
}

async fn blank(Shared(app): Shared<App>, visit: Visit) -> Answer {
    let typed = Typed {
        category: Category::News.code().to_owned(),
        published_on: visit.today().to_string(),
        ..Typed::default()
    };
    form(
        &app,
        &visit,
        StatusCode::OK,
        None,
        &typed,
        Errors::default(),
        false,
    )
}

async fn show(Shared(app): Shared<App>, visit: Visit, Path(id): Path<String>) -> Answer {
    let article = find(&app, &visit, &id).await?;
    let typed = Typed {
        title: article.title.clone(),
        tag: article.tag.clone().unwrap_or_default(),
        region: article
            .region
            .map_or_else(String::new, |code| code.to_string()),
        category: article.category.code().to_owned(),
        published_on: article.published_on.to_string(),
        body: article.body.clone(),
    };
    form(
        &app,
        &visit,
        StatusCode::OK,
        Some(Stored::of(&article, visit.today())),
        &typed,
        Errors::default(),
        true,
    )
}

/// The article of an address, where the editor may write for its region.
async fn find(app: &App, visit: &Visit, id: &str) -> Result<Article, WebError> {
    let missing = || {
        WebError::from(Refusal::not_found("没有这篇文章，或者它不属于本地区。")).with_visit(visit)
    };
    let id: ArticleId = id.parse().map_err(|_| missing())?;
    let article = app
        .store
        .read(move |q| -> Result<_, StoreError> { queries::find(q, id) })
        .await?;
    let article = article.ok_or_else(missing)?;
    if may_edit(visit.actor()?, article.region) {
        Ok(article)
    } else {
        Err(missing())
    }
}

fn typed(posted: &Posted) -> Typed {
    let get = |name: &str| posted.get(name).to_owned();
    Typed {
        title: get("title"),
        tag: get("tag"),
        region: get("region"),
        category: get("category"),
        published_on: get("published_on"),
        body: get("body"),
    }
}

async fn create(Shared(app): Shared<App>, visit: Visit, posted: Posted) -> Answer {
    let typed = typed(&posted);
    let refused = |error: WebError| {
        let errors = Errors::take(error, &posted).map_err(|error| error.with_visit(&visit))?;
        form(
            &app,
            &visit,
            StatusCode::UNPROCESSABLE_ENTITY,
            None,
            &typed,
            errors,
            false,
        )
    };
    let text = match typed.check() {
        Ok(text) => text,
        Err(refusal) => return refused(refusal.into()),
    };
    let publish = match posted.get("action") {
        "preview" => {
            return form(
                &app,
                &visit,
                StatusCode::OK,
                None,
                &typed,
                Errors::default(),
                true,
            );
        }
        "create" => false,
        "create_and_publish" => true,
        _ => return refused(unknown_action()),
    };
    let day = text.published_on;
    let actor = visit.actor()?.clone();
    let command = Command::new("article.create", visit.now).once(posted.key());
    let created = app
        .store
        .write_once(command, move |tx| -> Result<_, Error> {
            let id = commands::create(tx, &actor, &text, false)?;
            if publish {
                commands::publish(tx, &actor, id, 1)?;
            }
            Ok(id)
        });
    match created.await {
        Ok(_) if publish => Ok(visit.redirect("/desk/articles", &told_published(day, &visit))),
        Ok(id) => {
            let to = format!("/desk/articles/{}", id.value);
            Ok(visit.redirect(&to, "草稿已保存。核对预览后点「发布」，公众才能看到。"))
        }
        Err(error) => refused(error.into()),
    }
}

/// What an editor is told of an article that bears a day.
fn told_published(day: Date, visit: &Visit) -> String {
    if day > visit.today() {
        return format!("文章已排定，公众从 {day} 起可以看到。要提前，请改日期。");
    }
    "文章已发布，公众现在可以看到。".to_owned()
}

fn unknown_action() -> WebError {
    Refusal::invalid("action", "页面没有说明要办的事，请刷新页面后再点按钮。").into()
}

async fn change(
    Shared(app): Shared<App>,
    visit: Visit,
    Path(id): Path<String>,
    posted: Posted,
) -> Answer {
    let article = find(&app, &visit, &id).await?;
    let typed = typed(&posted);
    let stored = || Stored {
        version: posted.version("version").unwrap_or_default(),
        ..Stored::of(&article, visit.today())
    };
    let refused = |error: WebError| {
        let errors = Errors::take(error, &posted).map_err(|error| error.with_visit(&visit))?;
        form(
            &app,
            &visit,
            StatusCode::UNPROCESSABLE_ENTITY,
            Some(stored()),
            &typed,
            errors,
            false,
        )
    };
    let version = match posted.version("version") {
        Ok(version) => version,
        Err(refusal) => return refused(refusal.into()),
    };
    match posted.get("action") {
        "preview" => form(
            &app,
            &visit,
            StatusCode::OK,
            Some(stored()),
            &typed,
            Errors::default(),
            true,
        ),
        action => match Change::read(action, &typed) {
            Ok(change) => match carry_out(&app, &visit, &posted, article.id, version, change).await
            {
                Ok(said) => Ok(visit.redirect(&format!("/desk/articles/{}", article.id), &said)),
                Err(error) => refused(error),
            },
            Err(error) => refused(error),
        },
    }
}

/// What an editor does with an article that is there.
enum Change {
    Edit(commands::Text),
    EditAndPublish(commands::Text),
    Unpublish,
}

impl Change {
    fn read(action: &str, typed: &Typed) -> Result<Self, WebError> {
        Ok(match action {
            "edit" => Self::Edit(typed.check()?),
            "publish" => Self::EditAndPublish(typed.check()?),
            "unpublish" => Self::Unpublish,
            _ => return Err(unknown_action()),
        })
    }
}

/// Runs the commands and gives what to tell the editor.
async fn carry_out(
    app: &App,
    visit: &Visit,
    posted: &Posted,
    id: ArticleId,
    version: i64,
    change: Change,
) -> Result<String, WebError> {
    let actor = visit.actor()?.clone();
    let (name, said) = match &change {
        Change::Edit(_) => ("article.edit", "修改已保存。".to_owned()),
        Change::EditAndPublish(text) => {
            ("article.publish", told_published(text.published_on, visit))
        }
        Change::Unpublish => (
            "article.unpublish",
            "文章已下线，公众不再看到；需要时可以重新发布。".to_owned(),
        ),
    };
    let command = Command::new(name, visit.now).once(posted.key());
    app.store
        .write_once(command, move |tx| -> Result<(), Error> {
            match &change {
                Change::Edit(text) => commands::edit(tx, &actor, id, version, text),
                Change::EditAndPublish(text) => {
                    commands::edit(tx, &actor, id, version, text)?;
                    commands::publish(tx, &actor, id, version + 1)
                }
                Change::Unpublish => commands::unpublish(tx, &actor, id, version),
            }
        })
        .await?;
    Ok(said)
}
