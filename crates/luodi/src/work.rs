//! The worker: due jobs and messages that leave. The one place that knows which domain does which
//! kind of job.

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;

use crate::refusal::{Error, Refusal};
use crate::store::{ClaimedJob, Command, StoreError, Tx};
use crate::web::App;
use crate::{attachment, casework, notice};

const EVERY: Duration = Duration::from_millis(500);
const AT_ONCE: u32 = 20;
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
];

/// Works jobs and messages until `stop` resolves.
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
        if round.is_multiple_of(SWEEP_EVERY)
            && let Err(error) = sweep(&app, &mut folder).await
        {
            tracing::warn!(%error, "sweep: {error}");
        }
    }
}

/// Sweeps what has had its time from the store, and contents without a row from the next folders.
async fn sweep(app: &App, folder: &mut u8) -> Result<(), Error> {
    app.store.sweep(app.clock.now()).await?;
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
    let jobs = app
        .store
        .claim_due_jobs(app.clock.now(), AT_ONCE, LEASE)
        .await?;
    let messages = app
        .store
        .claim_outgoing(app.clock.now(), AT_ONCE, LEASE)
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
    let now = app.clock.now();
    let work = job.clone();
    let handler = HANDLERS
        .iter()
        .find(|(kind, _)| *kind == job.kind)
        .map(|(_, handler)| *handler);
    let done = app.store.write(Command::new("job.work", now), move |tx| {
        let handler = handler.ok_or_else(|| {
            Refusal::invalid("job-kind", format!("没有处理「{}」的程序。", work.kind))
        })?;
        handler(tx, &work.payload)?;
        Ok::<_, Error>(tx.finish_job(&work)?)
    });
    if let Err(error) = done.await {
        tracing::warn!(kind = %job.kind, %error, "job failed: {error}");
        app.store
            .fail_job(app.clock.now(), job, error.to_string())
            .await?;
    }
    Ok(())
}

/// Gives a message to the gateway of this installation: a file under `outgoing/`, named by the
/// message, so that sending twice leaves one.
async fn send(app: &App, message: ClaimedJob) -> Result<(), Error> {
    let folder = app.site.data.join("outgoing");
    let name = format!("{}-{}.json", message.kind, message.id.simple());
    let text = message.payload.to_string();
    let written = tokio::task::spawn_blocking(move || write_message(folder, &name, &text)).await;
    let now = app.clock.now();
    match written
        .map_err(|error| error.to_string())
        .and_then(|w| w.map_err(|e| e.to_string()))
    {
        Ok(()) => app.store.finish_job(now, message).await?,
        Err(error) => {
            app.store.fail_job(now, message, error).await?;
        }
    }
    Ok(())
}

fn write_message(folder: PathBuf, name: &str, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(&folder)?;
    let part = folder.join(format!("{name}.part"));
    let mut file = std::fs::File::create(&part)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(part, folder.join(name))?;
    std::fs::File::open(&folder)?.sync_all()
}

/// Works until nothing is due any more at the clock's time, for a clock that is set by hand.
///
/// # Errors
/// A fault of the store.
pub async fn drain(app: &App) -> Result<(), Error> {
    while once(app).await? > 0 {}
    Ok(())
}
