//! The worker: due jobs and messages that leave. The one place that knows which domain does which
//! kind of job.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::refusal::{Error, Refusal};
use crate::store::{ClaimedJob, Command, Store, StoreError, Tx};
use crate::web::App;
use crate::{attachment, casework, clock, gateway, notice, personal};

const EVERY: Duration = Duration::from_millis(500);
/// Seconds between two notes that the machine's clock is right: well under the hour by which a leap
/// is told.
const NOTE_EVERY: u64 = 600;
/// Between two times that events get their numbers.
const NUMBER_EVERY: Duration = Duration::from_secs(1);
/// Rounds of the numbering between two looks at bound rows, and the rows of a look: with a million
/// rows the watch is around in six hours.
const WATCH_EVERY: u64 = 10;
const WATCHED: u32 = 500;
/// Commands that take what has had its time from the store, in one sweep.
const SWEPT_AT_ONCE: u32 = 200;
const AT_ONCE: u32 = 20;
/// Letters handed over one after the other under one lease, however slow the gateway is.
const LETTERS_AT_ONCE: u32 = 5;
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// Rounds between two sweeps: about ten minutes.
const SWEEP_EVERY: u32 = 1_200;
/// Folders of file contents looked through in a sweep: all 256 in about eleven hours.
const FOLDERS_AT_ONCE: u8 = 4;

type Handler = fn(&Tx<'_>, &serde_json::Value) -> Result<(), Error>;

/// Which domain does which kind of job.
const HANDLERS: &[(&str, Handler)] = &[
    ("case.timer", casework::work_timer),
    ("notice.end", notice::work_end),
    ("personal.expire", personal::work_expire),
];

type Worker = fn(&Store, Timestamp, &ClaimedJob) -> Result<(), Error>;

/// Work with files, done outside of a command: its last command ends the job. Blocking.
const WORKERS: &[(&str, Worker)] = &[("personal.export", personal::work_export)];

/// Works jobs and messages until `stop` resolves. While the machine's clock waits for somebody to
/// confirm it, what time brings about waits, too: jobs and sweeps.
pub async fn run(app: App, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let (mut round, mut folder) = (0_u32, 0_u8);
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if !app.store.writable() {
            continue;
        }
        if let Err(error) = once(&app).await {
            tracing::warn!(%error, "worker: {error}");
        }
        round = round.wrapping_add(1);
        if app.clock.waits() {
            continue;
        }
        if round.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = sweep(&app, &mut folder).await
        {
            tracing::warn!(%error, "sweep: {error}");
        }
    }
}

/// Gives committed events their numbers about once a second, and keeps the store's knowledge of time,
/// until `stop` resolves. A log that cannot be carried on is told once, by the store, and on the
/// log's page.
pub async fn keep_log(app: App, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let mut seconds = 0_u64;
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(NUMBER_EVERY) => {}
        }
        if !app.store.writable() {
            continue;
        }
        if let Err(error) = app.store.sequence(app.clock.now()).await
            && !matches!(error, StoreError::Log(_))
        {
            tracing::warn!(%error, "log: {error}");
        }
        if (app.clock.waits() || seconds.is_multiple_of(NOTE_EVERY))
            && let Err(error) = clock::keep(&app).await
        {
            tracing::warn!(%error, "clock: {error}");
        }
        if seconds.is_multiple_of(WATCH_EVERY) {
            watch(&app).await;
        }
        seconds += 1;
    }
    if app.store.writable()
        && let Err(error) = clock::keep(&app).await
    {
        tracing::warn!(%error, "clock: {error}");
    }
}

/// Looks at a few of the bound rows: one that was changed behind the program's back is named by the
/// store and on the log's page.
async fn watch(app: &App) {
    let store = app.store.clone();
    match tokio::task::spawn_blocking(move || store.watch_rows(WATCHED)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "watch: {error}"),
        Err(error) => tracing::warn!(%error, "watch: {error}"),
    }
}

/// Sweeps what has had its time from the store, and contents without a row from the next folders.
async fn sweep(app: &App, folder: &mut u8) -> Result<(), Error> {
    for _ in 0..SWEPT_AT_ONCE {
        if !app.store.sweep(app.clock.now()).await? {
            break;
        }
    }
    for _ in 0..FOLDERS_AT_ONCE {
        let (store, number) = (app.store.clone(), *folder);
        // One that cannot be swept does not keep the others from it.
        *folder = folder.wrapping_add(1);
        let swept = tokio::task::spawn_blocking(move || attachment::sweep(&store, number));
        let removed = swept
            .await
            .map_err(|error| StoreError::Value(error.to_string()))??;
        if removed > 0 {
            tracing::info!(removed, "sweep: {removed} file contents without a row");
        }
    }
    Ok(())
}

/// One round: everything that is due now, up to a bound; says how many there were. What failed is
/// due again later.
///
/// # Errors
/// A fault of the store.
pub async fn once(app: &App) -> Result<usize, Error> {
    let (now, waits) = (app.clock.now(), app.clock.waits());
    let jobs = if waits {
        Vec::new()
    } else {
        app.store.claim_due_jobs(now, AT_ONCE, LEASE).await?
    };
    let messages = app
        .store
        .claim_outgoing(app.clock.now(), LETTERS_AT_ONCE, LEASE)
        .await?;
    let count = jobs.len() + messages.len();
    for job in jobs {
        do_job(app, job).await?;
    }
    for message in messages {
        send(app, message).await?;
    }
    Ok(count)
}

/// The job's effect and its end are one command: done once, or tried again.
async fn do_job(app: &App, job: ClaimedJob) -> Result<(), Error> {
    let worker = WORKERS.iter().find(|(kind, _)| *kind == job.kind);
    let done = match worker {
        Some((_, worker)) => outside(app, *worker, job.clone()).await,
        None => within(app, job.clone()).await,
    };
    if let Err(error) = done {
        tracing::warn!(kind = %job.kind, %error, "job failed: {error}");
        app.store
            .fail_job(app.clock.now(), job, error.to_string())
            .await?;
    }
    Ok(())
}

async fn within(app: &App, job: ClaimedJob) -> Result<(), Error> {
    let handler = HANDLERS
        .iter()
        .find(|(kind, _)| *kind == job.kind)
        .map(|(_, handler)| *handler);
    let command = Command::new("job.work", app.clock.now());
    let done = app.store.write(command, move |tx| {
        let handler = handler.ok_or_else(|| {
            Refusal::invalid("job-kind", format!("没有处理「{}」的程序。", job.kind))
        })?;
        handler(tx, &job.payload)?;
        Ok::<_, Error>(tx.finish_job(&job)?)
    });
    done.await
}

async fn outside(app: &App, worker: Worker, job: ClaimedJob) -> Result<(), Error> {
    let (store, now) = (app.store.clone(), app.clock.now());
    tokio::task::spawn_blocking(move || worker(&store, now, &job))
        .await
        .map_err(|error| StoreError::Value(error.to_string()))?
}

/// Hands a letter to the gateway of this installation. The outbox may hand it over twice, where the
/// program ends between the two; the gateway knows it by its id.
async fn send(app: &App, message: ClaimedJob) -> Result<(), Error> {
    let sent = match message.kind.as_str() {
        gateway::KIND => gateway::deliver(app, &message).await,
        other => Err(format!("nothing sends {other}")),
    };
    let now = app.clock.now();
    if let Err(error) = sent {
        tracing::warn!(id = %message.id, %error, "letter {} not sent: {error}", message.id);
        app.store.fail_job(now, message, error).await?;
        return Ok(());
    }
    app.store.finish_job(now, message).await?;
    Ok(())
}

/// Works until nothing is due any more at the clock's time, for a clock that is set by hand.
///
/// # Errors
/// A fault of the store.
pub async fn drain(app: &App) -> Result<(), Error> {
    while once(app).await? > 0 {}
    Ok(())
}
