//! What forms are drawn from: what a form was refused for, the choices of a list, filter chips.
//!
//! It lacks the fields themselves: each page's template writes them with the macros of `ui/form.html`.

use std::borrow::Cow;

use jiff::civil::Date;

use super::{App, Lang, Posted, WebError};
use crate::refusal::{Error, FieldError, Kind, Refusal};
use crate::store::Query;

/// The refusal of a form with fields at fault already, by the command's own check, which knows what
/// else is wrong with the others.
pub async fn refused<T, F>(app: &App, check: F) -> WebError
where
    T: Send + 'static,
    F: FnOnce(&dyn Query) -> Result<T, Error> + Send + 'static,
{
    match app.store.read(move |q| check(&**q).map(drop)).await {
        Err(error) => error.into(),
        Ok(()) => WebError::fault("a form at fault was not refused"),
    }
}

/// What a form was refused for; empty for a form shown the first time.
#[derive(Clone, Debug, Default)]
pub struct Errors {
    code: &'static str,
    heading: String,
    fields: Vec<FieldError>,
}

impl From<&Refusal> for Errors {
    fn from(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code,
            heading: refusal.message.clone(),
            fields: refusal.fields.clone(),
        }
    }
}

impl Errors {
    /// The refusal to show in the form again.
    ///
    /// # Errors
    /// What is no matter of the form (permission, a faster colleague, a fault) goes on, with what
    /// was typed.
    pub fn take(error: impl Into<WebError>, posted: &Posted) -> Result<Self, WebError> {
        let refusal = error.into().into_refusal()?;
        match refusal.kind {
            Kind::Invalid => Ok(Self::from(&refusal)),
            _ => Err(WebError::kept(refusal, posted.kept())),
        }
    }

    /// The same in the language of a public page.
    #[must_use]
    pub fn told(mut self, lang: Lang) -> Self {
        lang.retell(self.code, &mut self.heading, &mut self.fields);
        self
    }

    /// What was refused, in one sentence; empty where nothing was.
    pub fn heading(&self) -> &str {
        &self.heading
    }

    /// The fields at fault, in the order of the form.
    pub fn list(&self) -> &[FieldError] {
        &self.fields
    }

    /// The one field at fault, where the heading says the same.
    pub fn alone(&self) -> Option<&FieldError> {
        match self.fields.as_slice() {
            [one] if one.message == self.heading => Some(one),
            _ => None,
        }
    }

    /// What is wrong with a field; empty for a good one.
    pub fn message(&self, field: &str) -> &str {
        self.find(field).map_or("", |error| &error.message)
    }

    /// The rule a field breaks; empty for a good one.
    pub fn rule(&self, field: &str) -> &str {
        self.find(field).map_or("", |error| &error.rule)
    }

    fn find(&self, field: &str) -> Option<&FieldError> {
        self.fields.iter().find(|error| error.field == field)
    }
}

/// One choice of a list or group of buttons.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What is posted.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// Chosen now.
    pub chosen: bool,
}

impl Choice {
    /// A choice, chosen where it is the current value.
    pub fn new(value: impl Into<String>, label: impl Into<String>, current: &str) -> Self {
        let value = value.into();
        Self {
            chosen: value == current,
            label: label.into(),
            value,
        }
    }
}

/// A filter that people ask for daily.
#[derive(Clone, Debug)]
pub struct Chip {
    /// Where it leads.
    pub href: String,
    /// What it says.
    pub label: String,
    /// How many rows it shows, where that is cheap to know.
    pub count: Option<u64>,
    /// In force now.
    pub current: bool,
}

/// A stage of a way, as `ui::path` draws it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What it is called.
    pub name: String,
    /// The day on which it was reached or left.
    pub day: Option<Date>,
    /// `done`, `now` or `todo`.
    pub state: &'static str,
}

/// Work that waits for somebody outside the list he looks at, such as batches to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What waits.
    pub label: Cow<'static, str>,
    /// How many; never 0.
    pub count: u64,
    /// What they are counted in.
    pub unit: &'static str,
    /// What makes it urgent; may be empty.
    pub urgent: String,
    /// The list that holds exactly these records.
    pub href: Cow<'static, str>,
}

impl Waiting {
    /// Work that waits; nothing where nothing does.
    pub fn new(
        label: &'static str,
        (count, unit): (u64, &'static str),
        href: &'static str,
    ) -> Option<Self> {
        (count > 0).then(|| Self {
            label: label.into(),
            count,
            unit,
            urgent: String::new(),
            href: href.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_at_its_field() {
        let errors = Errors::from(&Refusal::field("login", "taken", "已被使用"));
        assert_eq!(
            (errors.message("login"), errors.rule("login")),
            ("已被使用", "taken")
        );
        assert_eq!((errors.message("name"), errors.heading()), ("", "已被使用"));
    }

    #[derive(askama::Template)]
    #[template(
        ext = "html",
        source = "{% import \"ui/form.html\" as form %}{{ form::refused(errors) }}"
    )]
    struct Refused {
        errors: Errors,
    }

    #[test]
    fn a_single_fault_is_told_once_and_several_are_counted() {
        use askama::Template;
        let shown = |refusal: &Refusal| {
            let errors = Errors::from(refusal);
            Refused { errors }.render().unwrap()
        };
        let one = Refusal::field("login", "taken", "已被使用");
        let html = shown(&one);
        assert_eq!(html.matches("已被使用").count(), 1, "{html}");
        assert!(
            html.contains("<a href=\"#field-login\">已被使用</a></h2>"),
            "{html}"
        );
        let second = Refusal::field("name", "required", "请填写姓名").fields;
        let two = Refusal::fields([one.fields, second].concat());
        let html = shown(&two);
        assert!(
            html.contains(">有 2 处") && html.contains("<a href=\"#field-name\">"),
            "{html}"
        );
        let mut own = Refusal::field("reply", "reply-amount", "第 4 行：金额不符");
        own.message = "没有登记，账目没有变动。".to_owned();
        let html = shown(&own);
        assert!(
            html.contains(">没有登记") && html.contains("<a href=\"#field-reply\">第 4"),
            "{html}"
        );
        let none = shown(&Refusal::invalid("stale", "请刷新页面"));
        assert!(
            none.contains(">请刷新页面</h2>") && !none.contains("<ul>"),
            "{none}"
        );
    }

    #[test]
    fn what_is_no_matter_of_the_form_goes_on_with_the_text() {
        let posted = Posted::from_fields(vec![
            ("note".into(), "写了很久".into()),
            ("password".into(), "secret".into()),
        ]);
        let error = WebError::from(Refusal::conflict("faster", "已被他人处理"));
        match Errors::take(error, &posted) {
            Err(WebError::Refused { kept, .. }) => assert_eq!(kept, posted.fields()[..1]),
            other => panic!("{other:?}"),
        }
    }
}
