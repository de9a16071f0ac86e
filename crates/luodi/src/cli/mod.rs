//! The command line: what an operator types, and how it reaches a store that a server holds.

mod audit;
mod copy;
mod forward;
mod keys;
mod oidc;
mod run;
mod serve;
mod verify;
mod witness;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use jiff::civil::Date;

use crate::store::{Options, Store, StoreError};
use crate::web::{Clock, Limits, Network, Tls};

pub use audit::AuditWhat;
pub use oidc::Oidc;
pub use serve::{More, app as application};

/// Luodi 落地：从线索到达产，从政策到兑付。
#[derive(Clone, Debug, Parser)]
#[command(name = "luodi", version, about, propagate_version = true)]
pub struct Cli {
    /// Folder of database, attachments and keys.
    #[arg(long, global = true, env = "LUODI_DATA", default_value = "data")]
    pub data: PathBuf,
    /// PostgreSQL 15 or newer that holds the tables instead of a file in the folder, such as
    /// postgres://luodi@db.example/luodi.
    #[arg(long, global = true, env = "LUODI_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// Folder of the master keys; `keys` in the data folder where none is given. Outside of it, a
    /// copy of the data folder opens nothing.
    #[arg(long, global = true, env = "LUODI_KEYS")]
    pub keys: Option<PathBuf>,
    /// Uses a PostgreSQL server that may lose what it acknowledged (fsync, full_page_writes or
    /// synchronous_commit off). For trials only.
    #[arg(long, global = true, env = "LUODI_UNSAFE_DATABASE", value_parser = clap::builder::FalseyValueParser::new())]
    pub unsafe_database: bool,
    /// Prints one JSON object on stdout; everything else goes to stderr.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub what: What,
}

impl Cli {
    /// How the store is opened.
    fn options(&self, now: jiff::Timestamp) -> Options {
        Options {
            database: self.database.clone(),
            keys: self.keys.clone(),
            create: self.what.begins_anew(),
            durable: self.database.is_none() || !self.unsafe_database,
            ..Options::new(now)
        }
    }
}

/// The subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// Serves the pages, and works jobs unless told not to.
    Serve {
        /// Address and port; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: String,
        /// Leave the jobs to `luodi work` on another machine.
        #[arg(long)]
        no_work: bool,
        /// Served behind TLS: cookies are Secure and carry the __Host- prefix.
        #[arg(long)]
        secure: bool,
        /// Certificate chain (PEM): speaks TLS itself; cookies are Secure then, too.
        #[arg(long, env = "LUODI_TLS_CERT", requires = "tls_key")]
        tls_cert: Option<PathBuf>,
        /// Private key of the certificate (PEM).
        #[arg(long, env = "LUODI_TLS_KEY", requires = "tls_cert")]
        tls_key: Option<PathBuf>,
        /// A reverse proxy whose X-Forwarded-For and X-Forwarded-Proto are believed; may be repeated.
        #[arg(long, value_name = "ADDR[/LEN]")]
        trusted_proxy: Vec<Network>,
        /// The command that sends text messages and mails, with its arguments: one JSON object on
        /// its standard input each, and it ends with 0 where it took it. Without one they are
        /// appended to outbox/messages.jsonl in the data folder, for development.
        #[arg(long, env = "LUODI_GATEWAY", value_name = "CMD")]
        gateway: Option<String>,
        /// Days after which a password has to be changed; 0 for never.
        #[arg(
            long,
            env = "LUODI_PASSWORD_DAYS",
            default_value_t = 0,
            value_name = "DAYS"
        )]
        password_days: u16,
        #[command(flatten)]
        oidc: Oidc,
    },
    /// Fills a demonstration city; again changes nothing.
    Demo {
        /// The same seed and day give the same city.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The day the city is made for; today where none is given.
        #[arg(long)]
        today: Option<Date>,
    },
    /// Accounts of a real city.
    Admin {
        #[command(subcommand)]
        what: AdminWhat,
    },
    /// Takes files in.
    Import {
        #[command(subcommand)]
        what: ImportWhat,
    },
    /// Gives records out.
    Export {
        #[command(subcommand)]
        what: ExportWhat,
    },
    /// Service-item packages.
    Item {
        #[command(subcommand)]
        what: ItemWhat,
    },
    /// The double-entry ledger.
    Ledger {
        #[command(subcommand)]
        what: LedgerWhat,
    },
    /// The audit log.
    Audit {
        #[command(subcommand)]
        what: AuditWhat,
    },
    /// The machine's clock.
    Clock {
        #[command(subcommand)]
        what: ClockWhat,
    },
    /// The keys under which personal data lie.
    Keys {
        #[command(subcommand)]
        what: KeysWhat,
    },
    /// Writes tables and attachments of one moment into a file, also while a server runs; keys are
    /// never in it.
    Backup {
        /// The file; must not exist.
        file: PathBuf,
    },
    /// Puts a backup into an empty folder (keys may be there) or an empty database.
    Restore {
        /// The file.
        file: PathBuf,
    },
    /// Only jobs, on a folder no server holds.
    Work {
        /// The command that sends text messages and mails, as for `serve`.
        #[arg(long, env = "LUODI_GATEWAY", value_name = "CMD")]
        gateway: Option<String>,
    },
}

impl What {
    /// Whether it may begin in an empty place. Who asks about a city, or works for one, does not
    /// want to be told that an empty one is in good order.
    fn begins_anew(&self) -> bool {
        match self {
            Self::Serve { .. } | Self::Demo { .. } | Self::Import { .. } => true,
            Self::Admin { what } => matches!(what, AdminWhat::Init { .. }),
            Self::Item { what } => {
                matches!(what, ItemWhat::Check { .. } | ItemWhat::Publish { .. })
            }
            Self::Export { .. }
            | Self::Ledger { .. }
            | Self::Audit { .. }
            | Self::Clock { .. }
            | Self::Keys { .. }
            | Self::Backup { .. }
            | Self::Restore { .. }
            | Self::Work { .. } => false,
        }
    }
}

/// `luodi admin …`
#[derive(Clone, Debug, Subcommand)]
pub enum AdminWhat {
    /// Makes the three administrators with one-time passwords; refuses a demonstration.
    Init {
        /// Name of the city.
        #[arg(long, default_value = "温州市")]
        city: String,
        /// Its region code (GB/T 2260).
        #[arg(long, default_value = "330300")]
        region: String,
    },
    /// Gives an account a one-time password and ends its sessions: the way for administrators, who
    /// do not reset each other's.
    Reset {
        /// The log-in name.
        user: String,
        /// Takes the second factor away instead, for a telephone that is lost with its recovery
        /// codes; the password stays.
        #[arg(long)]
        second_factor: bool,
    },
}

/// `luodi import …`
#[derive(Clone, Debug, Subcommand)]
pub enum ImportWhat {
    /// Articles in the portal's export layout.
    Articles {
        /// The file.
        file: PathBuf,
    },
}

/// `luodi export …`
#[derive(Clone, Debug, Subcommand)]
pub enum ExportWhat {
    /// Articles.
    Articles {
        /// source, json or markdown.
        #[arg(long, default_value = "source", value_parser = ["source", "json", "markdown"])]
        format: String,
        /// Where to; stdout where none is given.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// All that is held of one party, with its papers, as a ZIP.
    Party {
        /// The id in the address of its page, or an enterprise's credit code.
        party: String,
        /// Where to.
        #[arg(long)]
        out: PathBuf,
    },
}

/// `luodi item …`
#[derive(Clone, Debug, Subcommand)]
pub enum ItemWhat {
    /// Checks a package folder.
    Check {
        /// The folder with item.toml.
        folder: PathBuf,
    },
    /// Publishes a package folder.
    Publish {
        /// The folder with item.toml.
        folder: PathBuf,
    },
    /// Opens a published item to applications in a region; again: sets the days and the newest
    /// version anew.
    Offer(Offer),
    /// Ends applications for an item in a region; running cases go on.
    Close {
        /// Code of the item.
        name: String,
        /// Region code (GB/T 2260).
        #[arg(long)]
        region: String,
    },
    /// Writes a published package into a folder.
    Export {
        /// Code of the item.
        name: String,
        /// The folder, made where it is missing.
        folder: PathBuf,
    },
}

/// `luodi item offer …`
#[derive(Clone, Debug, Args)]
pub struct Offer {
    /// Code of the item.
    pub name: String,
    /// Region code (GB/T 2260).
    #[arg(long)]
    pub region: String,
    /// Code of the department that handles it.
    #[arg(long)]
    pub department: String,
    /// First day of applications.
    #[arg(long)]
    pub opens: Option<Date>,
    /// Last day of applications.
    #[arg(long)]
    pub closes: Option<Date>,
}

/// `luodi ledger …`
#[derive(Clone, Debug, Subcommand)]
pub enum LedgerWhat {
    /// Recomputes every balance and total.
    Verify,
}

/// `luodi clock …`
#[derive(Clone, Debug, Subcommand)]
pub enum ClockWhat {
    /// Confirms that the machine's clock is right, after a long stop or a leap: what waits for it
    /// goes on.
    Confirm,
}

/// `luodi keys …`
#[derive(Clone, Debug, Subcommand)]
pub enum KeysWhat {
    /// Makes a new master key, wraps every data key anew and moves the old master to
    /// `retired/`. Interrupted, it goes on when called again.
    Rotate {
        /// Changes the key of the look-up hashes instead, and makes every hash anew.
        #[arg(long)]
        lookups: bool,
    },
}

/// What a subcommand said: printed here, or sent back over the socket.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Said {
    /// Exit code: 0 well, 1 a finding or refused rows, 2 usage, 3 could not run.
    pub code: u8,
    /// For stdout.
    pub out: Vec<u8>,
    /// For stderr.
    pub err: String,
}

impl Said {
    fn json(code: u8, value: &impl serde::Serialize) -> Self {
        let mut out = serde_json::to_vec(value).unwrap_or_default();
        out.push(b'\n');
        Self {
            code,
            out,
            err: String::new(),
        }
    }

    fn text(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            out: text.into().into_bytes(),
            err: String::new(),
        }
    }

    /// Could not run.
    fn failed(why: impl std::fmt::Display) -> Self {
        Self {
            code: 3,
            out: Vec::new(),
            err: format!("luodi: {why}\n"),
        }
    }

    /// With `--json` stdout holds one object whatever happened.
    fn told(mut self, json: bool) -> Self {
        if json && self.out.is_empty() {
            let message = self.err.trim_end();
            let value = match self.code {
                0 => serde_json::json!({ "ok": true }),
                code => serde_json::json!({ "ok": false, "code": code, "message": message }),
            };
            self.out = Self::json(self.code, &value).out;
        }
        self
    }

    fn print(&self) -> ExitCode {
        let printed = std::io::stdout().write_all(&self.out).and_then(|()| {
            std::io::stdout().flush()?;
            std::io::stderr().write_all(self.err.as_bytes())
        });
        match printed {
            Ok(()) => ExitCode::from(self.code),
            Err(_) => ExitCode::from(3),
        }
    }
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            if let Err(_unprintable) = error.print() {
                return ExitCode::from(3);
            }
            let said = Said {
                code,
                err: error.to_string(),
                ..Said::default()
            };
            let json = code != 0 && args.iter().any(|arg| arg == "--json");
            let printed = Said {
                err: String::new(),
                ..said.told(json)
            };
            return printed.print();
        }
    };
    start_log();
    run(&cli, &args).told(cli.json).print()
}

fn run(cli: &Cli, args: &[OsString]) -> Said {
    let clock = Clock::system();
    if let What::Serve {
        listen,
        no_work,
        secure,
        tls_cert,
        tls_key,
        trusted_proxy,
        gateway,
        password_days,
        oidc,
    } = &cli.what
    {
        let tls = match tls_cert.as_ref().zip(tls_key.as_ref()) {
            None => None,
            Some((chain, key)) => match Tls::load(chain, key) {
                Ok(tls) => Some(tls),
                Err(why) => return Said::failed(why),
            },
        };
        let provider = match oidc.provider() {
            Ok(provider) => provider,
            Err(why) => return Said::failed(why),
        };
        let edge = Limits {
            trusted_proxies: trusted_proxy.as_slice().into(),
            secure: *secure || tls.is_some(),
            tls,
            ..Limits::default()
        };
        let more = serve::More {
            secure: edge.secure,
            gateway: words(gateway.as_deref()),
            password_days: *password_days,
            provider,
        };
        return serve::main(cli, listen, !no_work, edge, more);
    }
    if let What::Work { gateway } = &cli.what {
        let more = serve::More {
            gateway: words(gateway.as_deref()),
            ..serve::More::default()
        };
        return serve::work(cli, more);
    }
    match &cli.what {
        What::Backup { file } => return copy::backup(cli, file, &clock),
        What::Restore { file } => return copy::restore(cli, file, &clock),
        _ => {}
    }
    if let Some(said) = run::without_store(cli, clock.now()) {
        return said;
    }
    match Store::open(&cli.data, &cli.options(clock.now())) {
        Ok(store) => {
            let mut said = run::with_store(cli, &store, &clock, &user());
            if let Err(error) = store.sequence_blocking(clock.now()) {
                said.err += &format!("luodi: {error}\n");
            }
            store.shutdown();
            said
        }
        Err(StoreError::Locked(_)) => forward::send(&cli.data, args),
        Err(error) => Said::failed(error),
    }
}

/// A command and its arguments.
fn words(command: Option<&str>) -> Vec<String> {
    let words = command.unwrap_or_default().split_whitespace();
    words.map(str::to_owned).collect()
}

/// The operating system's name of who runs this process: not what the environment claims.
fn user() -> String {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata("/proc/self") {
        Ok(process) => user_name(process.uid()),
        Err(_) => "unknown".to_owned(),
    }
}

/// The name of a user's number, or `uid:N` where the machine's list does not know it.
fn user_name(uid: u32) -> String {
    let list = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = list.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, number) = (parts.next()?, parts.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid:{uid}"))
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LUODI_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second start in one process (tests) keeps the first log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
}
