//! The command line: what an operator types, and how it reaches a store that a server holds.

mod forward;
mod run;
mod serve;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use jiff::civil::Date;

use crate::store::{Options, Store, StoreError};
use crate::web::{Clock, Network};

pub use serve::app as application;

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
            create: self.what.begins_anew(),
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
        /// A reverse proxy whose X-Forwarded-For and X-Forwarded-Proto are believed; may be repeated.
        #[arg(long, value_name = "ADDR[/LEN]")]
        trusted_proxy: Vec<Network>,
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
    /// Only jobs, on a folder no server holds.
    Work,
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
            Self::Export { .. } | Self::Ledger { .. } | Self::Work => false,
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
        trusted_proxy,
    } = &cli.what
    {
        return serve::main(cli, listen, !no_work, *secure, trusted_proxy);
    }
    if matches!(cli.what, What::Work) {
        return serve::work(cli);
    }
    if let Some(said) = run::without_store(cli) {
        return said;
    }
    match Store::open(&cli.data, &cli.options(clock.now())) {
        Ok(store) => {
            let said = run::with_store(cli, &store, &clock, &user());
            store.shutdown();
            said
        }
        Err(StoreError::Locked(_)) => forward::send(&cli.data, args),
        Err(error) => Said::failed(error),
    }
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
