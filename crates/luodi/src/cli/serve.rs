//! `luodi serve` and `luodi work`: the long-running roles of the binary.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Cli, Said, forward};
use crate::oidc::Provider;
use crate::store::Store;
use crate::web::{self, App, Clock, Limits, Site};
use crate::{account, city, clock, router, work};

/// What an operator may say of an installation.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// Served behind TLS.
    pub secure: bool,
    /// The command that sends text messages and mails, with its arguments.
    pub gateway: Vec<String>,
    /// Days a password holds; 0 for ever.
    pub password_days: u16,
    /// The identity provider people may log in at.
    pub provider: Option<Arc<Provider>>,
}

/// The application on an open store.
///
/// # Errors
/// A fault of the store.
pub fn app(
    store: Store,
    data: &std::path::Path,
    clock: Clock,
    more: More,
) -> Result<App, crate::store::StoreError> {
    let (city, begun) = store.read_blocking(|q| {
        Ok::<_, crate::store::StoreError>((city::find(&**q)?, account::has_demo(&**q)?))
    })?;
    if city.is_none() && begun {
        let message = "the demonstration in this folder was not finished: delete the folder and fill it again";
        return Err(crate::store::StoreError::Unavailable(message.to_owned()));
    }
    let site = Site {
        city: city
            .as_ref()
            .map_or_else(|| "落地".to_owned(), |city| city.name.clone()),
        region: city.as_ref().map_or(run_region()?, |city| city.region),
        demo: city.is_some_and(|city| city.demo),
        secure: more.secure,
        data: data.to_owned(),
        gateway: more.gateway,
        password_days: more.password_days,
    };
    Ok(App {
        store,
        clock,
        site: Arc::new(site),
        sessions: Arc::new(account::Sessions),
        attempts: Arc::default(),
        provider: more.provider,
    })
}

/// The region of an installation without a city yet: Zhejiang's Wenzhou, where Luodi comes from.
fn run_region() -> Result<vocab::RegionCode, crate::store::StoreError> {
    vocab::RegionCode::parse("330300")
        .map_err(|error| crate::store::StoreError::Value(error.to_string()))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

fn open(cli: &Cli, clock: &Clock, more: More) -> Result<App, Said> {
    let store = Store::open(&cli.data, &cli.options(clock.now())).map_err(Said::failed)?;
    let app = app(store, &cli.data, clock.clone(), more).map_err(Said::failed)?;
    clock::begin(&app).map_err(Said::failed)?;
    Ok(app)
}

pub(super) fn main(cli: &Cli, listen: &str, works: bool, edge: Limits, more: More) -> Said {
    let clock = Clock::system();
    let app = match open(cli, &clock, more) {
        Ok(app) => app,
        Err(said) => return said,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return Said::failed(error),
    };
    let store = app.store.clone();
    let served = runtime.block_on(serve(app, listen, works, edge));
    runtime.shutdown_timeout(Duration::from_secs(1));
    store.shutdown();
    match served {
        Ok(()) => Said::default(),
        Err(error) => Said::failed(error),
    }
}

async fn serve(app: App, listen: &str, works: bool, edge: Limits) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::InvalidInput => "不是地址和端口，例如 127.0.0.1:8080".to_owned(),
            _ => crate::store::io_words(&error),
        };
        std::io::Error::new(error.kind(), format!("{listen}：{why}。"))
    })?;
    let address = listener.local_addr()?;
    let scheme = if edge.tls.is_some() { "https" } else { "http" };
    let (stop, stopped) = watch::channel(false);
    let wait = move || {
        let mut stopped = stopped.clone();
        async move {
            // The sender going away means the same as its word.
            let _ = stopped.wait_for(|stop| *stop).await;
        }
    };
    // Heard from here on: whoever reads "listening" may end the server at once and in good order.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let signals = tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        let _ = stop.send(true);
    });
    let worker = works.then(|| tokio::spawn(work::run(app.clone(), wait())));
    let keeper = tokio::spawn(work::keep_log(app.clone(), wait()));
    let socket = forward::bind(&app)?;
    let socket = tokio::spawn(forward::listen(app.clone(), socket, wait()));
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening {scheme}://{address}")?;
    stdout.flush()?;
    let router = web::mount(&app, router::routes());
    web::serve(listener, router, edge, wait()).await?;
    signals.abort();
    if let Some(worker) = worker {
        let _ = worker.await;
    }
    let _ = keeper.await;
    // What the last visitors did gets its number before the store is closed.
    if let Err(error) = app.store.sequence(app.clock.now()).await {
        tracing::warn!(%error, "log: {error}");
    }
    socket.await.map_err(std::io::Error::other)?
}

pub(super) fn work(cli: &Cli, more: More) -> Said {
    let clock = Clock::system();
    let app = match open(cli, &clock, more) {
        Ok(app) => app,
        Err(said) => return said,
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return Said::failed(error),
    };
    let store = app.store.clone();
    let interrupted = || async {
        // Without a way to hear of an interrupt the process is simply ended.
        let _ = tokio::signal::ctrl_c().await;
    };
    runtime.block_on(async {
        tokio::join!(
            work::run(app.clone(), interrupted()),
            work::keep_log(app, interrupted())
        )
    });
    store.shutdown();
    Said::default()
}
