//! The load: people of the demonstration who post forms as fast as they are answered.
//!
//! Deliberately lacks any reading of the database.

use std::net::SocketAddr;
use std::sync::mpsc;

use crate::support::http::{Client, Reply};

/// The most forms of one person in one round; the server is killed long before.
const MOST: usize = 2_000;

/// Somebody who can log in, and the form he posts.
#[derive(Clone, Debug)]
pub struct Person {
    login: String,
    password: String,
    form: Form,
}

/// A form whose command leaves one row that says which form it was.
#[derive(Clone, Debug)]
pub enum Form {
    /// `bank_account.enter`, posted to this path.
    BankAccount(String),
    /// `article.create`.
    Article,
}

/// A form as it was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What was asked for.
    pub form: Form,
    /// What finds its row again.
    pub mark: String,
    /// Its idempotency key.
    pub key: String,
    /// The answer, if one was read to its end.
    pub answer: Option<Answer>,
    fields: Vec<(&'static str, String)>,
}

/// What an answer says: where to go on, and the sentence shown there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub location: String,
    flash: String,
}

impl Answer {
    /// Reads the answer to a form that was carried out.
    pub fn read(reply: &Reply, mark: &str) -> Self {
        assert_eq!(reply.status, 303, "{mark}: {}", reply.body);
        let flash = reply.cookies.iter();
        let flash = flash.filter(|cookie| cookie.starts_with("luodi_flash="));
        Self {
            location: reply.location.clone(),
            flash: flash.cloned().collect(),
        }
    }
}

/// Everybody of the log-in page's table who can post one of the forms; the editor twice, because
/// one account may have two sessions.
pub fn people(address: SocketAddr) -> Vec<Person> {
    let page = Client::new(address).get("/login").unwrap();
    let rows: Vec<&str> = page.body.split("<tr data-role=").skip(1).collect();
    let of_role = |role: &str| {
        let start = format!("\"{role}\"");
        let rows = rows.iter().filter(move |row| row.starts_with(&start));
        rows.copied().collect::<Vec<_>>()
    };
    let applicants = of_role("applicant");
    let mut people: Vec<Person> = Vec::new();
    for row in &applicants {
        people.push(person(row, Form::BankAccount("/my/bank-accounts".into())));
    }
    for row in of_role("window_clerk") {
        let region = attribute(row, "region");
        let served = applicants.iter().find(|a| attribute(a, "region") == region);
        let party = attribute(served.unwrap(), "party");
        let path = format!("/parties/{party}/bank-accounts");
        people.push(person(row, Form::BankAccount(path)));
    }
    for row in of_role("editor") {
        people.extend([person(row, Form::Article), person(row, Form::Article)]);
    }
    assert!(people.len() >= 6, "{people:?}");
    people
}

fn person(row: &str, form: Form) -> Person {
    Person {
        login: attribute(row, "user").to_owned(),
        password: attribute(row, "password").to_owned(),
        form,
    }
}

fn attribute<'a>(row: &'a str, name: &str) -> &'a str {
    let (_, rest) = row.split_once(&format!("data-{name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

/// Somebody with an open session.
pub struct Sender {
    pub person: Person,
    client: Client,
    csrf: String,
    /// Of the party, as the form proposes it.
    holder_name: String,
}

impl Sender {
    pub fn log_in(address: SocketAddr, person: &Person) -> Self {
        let mut client = Client::new(address);
        client.log_in(&person.login, &person.password).unwrap();
        let page = match &person.form {
            Form::BankAccount(path) => client.get(path),
            Form::Article => client.get("/desk/articles/new"),
        };
        let page = page.unwrap();
        let holder_name = match person.form {
            Form::BankAccount(_) => {
                let (input, _) = page.body.split_once(" id=\"field-holder_name\"").unwrap();
                let (_, value) = input.rsplit_once("value=\"").unwrap();
                value.trim_end_matches('"').to_owned()
            }
            Form::Article => String::new(),
        };
        Self {
            person: person.clone(),
            csrf: page.between("name=\"csrf\" value=\"", "\"").to_owned(),
            client,
            holder_name,
        }
    }

    /// The same session, with the server that came back.
    pub fn moved(&mut self, address: SocketAddr) {
        self.client.moved(address);
    }

    /// Posts form after form until the connection breaks. The last one is in flight then: nobody
    /// knows what became of it.
    pub fn post_until_cut_off(&mut self, name: &str, acknowledged: &mpsc::Sender<()>) -> Vec<Sent> {
        let mut all = Vec::new();
        for number in 0..MOST {
            let mut sent = self.form(name, number);
            sent.answer = self.post(&sent).ok();
            let cut_off = sent.answer.is_none();
            all.push(sent);
            if cut_off {
                return all;
            }
            // Nobody counts any more once the server is being killed.
            let _ = acknowledged.send(());
        }
        panic!("{name} was never cut off");
    }

    /// A form of this person that was never sent.
    pub fn form(&self, name: &str, number: usize) -> Sent {
        let form = self.person.form.clone();
        let mark = format!("示范 {name} 第 {number} 张");
        let digits: String = name.chars().filter(char::is_ascii_digit).collect();
        let fields = match form {
            Form::BankAccount(_) => vec![
                ("action", "enter".to_owned()),
                ("holder_name", self.holder_name.clone()),
                ("bank_name", mark.clone()),
                ("number", format!("6299{digits:0>6}{number:06}")),
                ("bank_code", "102333000014".to_owned()),
                ("second", "yes".to_owned()),
                ("second_reason", "服务器停下之前另立（示范）".to_owned()),
            ],
            Form::Article => vec![
                ("action", "create".to_owned()),
                ("title", mark.clone()),
                ("category", "news".to_owned()),
                ("published_on", crate::support::TODAY.to_owned()),
                ("body", "服务器随时可能停下，已经答复的不会丢。".to_owned()),
            ],
        };
        Sent {
            form,
            key: format!("crash-{name}-{number}"),
            mark,
            answer: None,
            fields,
        }
    }

    /// Sends a form under its key.
    ///
    /// # Errors
    /// Where no whole answer came.
    pub fn post(&mut self, sent: &Sent) -> std::io::Result<Answer> {
        let reply = self.send(sent)?;
        Ok(Answer::read(&reply, &sent.mark))
    }

    /// Sends a form under its key, whatever the answer.
    ///
    /// # Errors
    /// Where no whole answer came.
    pub fn send(&mut self, sent: &Sent) -> std::io::Result<Reply> {
        let path = match &sent.form {
            Form::BankAccount(path) => path,
            Form::Article => "/desk/articles",
        };
        let mut fields = vec![
            ("csrf", self.csrf.as_str()),
            ("idempotency_key", sent.key.as_str()),
        ];
        fields.extend(
            sent.fields
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        self.client.post(path, &fields)
    }

    /// Shows a page.
    ///
    /// # Errors
    /// Where no whole answer came.
    pub fn get(&mut self, path: &str) -> std::io::Result<Reply> {
        self.client.get(path)
    }
}
