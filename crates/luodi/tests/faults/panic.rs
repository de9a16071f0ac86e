//! A command that panics among others, as a visitor sees it: the others are carried out, that one
//! is answered with a page that says what to do.

use std::collections::BTreeMap;
use std::sync::mpsc;

use luodi::access::Rule;
use luodi::refusal::Error;
use luodi::router;
use luodi::store::{Command, Tx};
use luodi::web::{self, Answer, App, Clock, Limits, Posted, Visit};

use axum::extract::State;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::verify;
use crate::crash::load::{self, Sender, Sent};
use crate::crash::rows;
use crate::support::http::Client;
use crate::support::{Ground, served};

/// Forms of each sender.
const FORMS: usize = 25;

async fn break_down(State(app): State<App>, visit: Visit, form: Posted) -> Answer {
    let command = Command::new("test.panic", visit.now).once(form.key());
    let broken = app.store.write_once(command, |tx: &Tx<'_>| {
        let sql = "INSERT INTO meta (name, value) VALUES ('panicked', 'x')";
        tx.execute(sql, luodi::params![])?;
        assert!(tx.now().as_second() < 0, "by intent");
        Ok::<(), Error>(())
    });
    broken.await?;
    Ok(visit.redirect("/", ""))
}

#[test]
fn a_command_that_panics_fails_alone_and_says_what_to_do() {
    let city = Ground::demo_in_a_file();
    let app = served(&city, &Clock::system());
    let mut routes = router::routes();
    routes.push(web::post("/panic", Rule::Public, break_down));
    let pages = web::mount(&app, routes);
    let (stop, stopped) = oneshot::channel::<()>();
    let (told, address) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            told.send(listener.local_addr().unwrap()).unwrap();
            let until = async {
                let _ = stopped.await;
            };
            web::serve(listener, pages, Limits::default(), until)
                .await
                .unwrap();
        });
    });
    let address = address.recv().unwrap();
    let mut senders: Vec<Sender> = load::people(address)
        .iter()
        .map(|person| Sender::log_in(address, person))
        .collect();
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let sent: Vec<Sent> = std::thread::scope(|scope| {
        let post = |(number, sender): (usize, &mut Sender)| {
            let forms = (0..FORMS).map(|form| sender.form(&format!("9{number}"), form));
            let mut forms: Vec<Sent> = forms.collect();
            for form in &mut forms {
                form.answer = Some(sender.post(form).unwrap());
            }
            forms
        };
        let posting: Vec<_> = senders
            .iter_mut()
            .enumerate()
            .map(|one| scope.spawn(move || post(one)))
            .collect();
        let mut breaking = Client::new(address);
        let page = breaking.get("/login").unwrap();
        let csrf = page.between("name=\"csrf\" value=\"", "\"").to_owned();
        for number in 0..FORMS {
            let key = format!("panic {number}");
            let fields = [("csrf", csrf.as_str()), ("idempotency_key", &key)];
            let said = breaking.post("/panic", &fields).unwrap();
            *statuses.entry(said.status).or_default() += 1;
            assert!(said.body.contains("内容没有改变"), "{}", said.body);
            assert!(said.body.contains("编号"), "{}", said.body);
        }
        posting
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(statuses, [(500, FORMS)].into());
    rows::check(
        city.data(),
        &sent.iter().collect::<Vec<_>>(),
        rows::Due::Once,
    );
    stop.send(()).unwrap();
    serving.join().unwrap();
    app.store.sequence_blocking(app.clock.now()).unwrap();
    app.store.shutdown();
    drop(app);
    verify(city.data());
}
