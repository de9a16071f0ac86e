//! The demonstration city: made by the program, marked as made, through the same commands as real
//! data, the same for the same seed and day.

mod batches;
mod paper;
mod people;
mod plan;
mod play;
mod town;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::Date;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::json;
use vocab::{Quarter, RegionCode};

use self::play::Play;
use self::town::Town;
use crate::access::Actor;
use crate::city::{self, City};
use crate::refusal::{Refusal, Result};
use crate::store::{Store, StoreError};
use crate::web::{App, Clock, Site};
use crate::{account, article};

/// What `luodi demo` prints.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// Always true: a failure is an error.
    pub ok: bool,
    /// How many of what there are.
    pub counts: serde_json::Value,
    /// Who can log in.
    pub accounts: Vec<serde_json::Value>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "示范城市已就绪：{}", self.counts)?;
        for account in &self.accounts {
            let text = |key: &str| {
                account
                    .get(key)
                    .and_then(|v| v.as_str())
                    .unwrap_or_default()
                    .to_owned()
            };
            writeln!(
                f,
                "{}\t{}\t{}\t{}",
                text("user"),
                text("password"),
                text("name"),
                text("department")
            )?;
        }
        Ok(())
    }
}

/// Fills a demonstration city; again changes nothing.
///
/// # Errors
/// Refused for a folder that holds a real city.
pub fn fill(store: &Store, clock: &Clock, seed: u64, today: Option<Date>) -> Result<Report> {
    let found = store.read_blocking(|q| city::find(&**q))?;
    match found {
        Some(city) if city.demo => return report(store),
        Some(city) => {
            let message = format!(
                "这个文件夹里是「{}」的正式数据，不能填入示范数据。请换一个空的文件夹。",
                city.name
            );
            return Err(Refusal::conflict("real-city", message).into());
        }
        None => {}
    }
    let begun = store.read_blocking(|q| account::begun(&**q))?;
    if begun {
        let message = "这个文件夹里有上次没有生成完的示范数据，或者已有账号。请删除这个文件夹，或换一个空的文件夹再试。";
        return Err(Refusal::conflict("half-made", message).into());
    }
    let today = today.unwrap_or_else(|| clock.today());
    Fill { store, seed, today }.run()?;
    report(store)
}

/// Days after the end of a quarter from which on the demonstration tells of its applications.
const TIME_FOR_CASES: i64 = 45;

struct Fill<'a> {
    store: &'a Store,
    seed: u64,
    today: Date,
}

impl Fill<'_> {
    fn rng(&self, stream: u64) -> ChaCha20Rng {
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }

    fn run(&self) -> Result<()> {
        let region = RegionCode::parse("330300").map_err(|e| StoreError::Value(e.to_string()))?;
        let latest = latest_with_cases(self.today);
        let begin = noon(latest.previous().first_day())?;
        let clock = Clock::fixed(begin);
        let site = Site {
            city: "温州市".to_owned(),
            region,
            demo: true,
            secure: false,
            data: self.store.dir().to_owned(),
            gateway: Vec::new(),
            password_days: 0,
        };
        let app = App {
            store: self.store.clone(),
            clock: clock.clone(),
            site: Arc::new(site),
            sessions: Arc::new(account::Sessions),
            attempts: Arc::default(),
            provider: None,
        };
        let mut town = Town::new(app, clock, self.seed, self.rng(1))?;
        town.build(&mut self.rng(2), begin)?;
        let plans = plan::cases(&mut self.rng(3), latest, self.today);
        Play::new(&town, self.rng(4), plans, self.today, dawn(self.today)?).run()?;
        town.adopt_budgets(dawn(self.today)?)?;
        self.articles(&town)?;
        // Last, so that a demonstration that was stopped half-way is not taken for a whole one.
        let city = City {
            name: "温州市".to_owned(),
            region,
            demo: true,
            seed: i64::try_from(self.seed).ok(),
            demo_today: Some(self.today),
        };
        let console = Actor::console("demo", region);
        town.command("city.found", dawn(self.today)?, move |tx| {
            city::found(tx, &console, &city)
        })
    }

    fn articles(&self, town: &Town) -> Result<()> {
        let editor = town.editor()?;
        for article in article::demo_articles() {
            let text = article.text(self.today);
            let at = noon(text.published_on)?;
            let editor = editor.clone();
            town.command("article.create", at, move |tx| {
                let id = article::create(tx, &editor, &text, true)?;
                article::publish(tx, &editor, id, 1)
            })?;
        }
        Ok(())
    }
}

/// The latest quarter whose applications have had time to stand everywhere on their way.
fn latest_with_cases(today: Date) -> Quarter {
    let mut quarter = Quarter::of(today).previous();
    let begun = |quarter: Quarter| quarter.last_day().checked_add(TIME_FOR_CASES.days());
    while begun(quarter).is_ok_and(|day| day > today) {
        quarter = quarter.previous();
    }
    quarter
}

fn noon(day: Date) -> Result<Timestamp> {
    at(day, 12)
}

/// The demonstration ends before its day begins: what it tells is over, and the day's work is open.
fn dawn(day: Date) -> Result<Timestamp> {
    at(day, 0)
}

fn at(day: Date, hour: i8) -> Result<Timestamp> {
    jiff::tz::TimeZone::fixed(jiff::tz::offset(8))
        .to_timestamp(day.at(hour, 0, 0, 0))
        .map_err(|error| Refusal::field("today", "date", error.to_string()).into())
}

fn report(store: &Store) -> Result<Report> {
    store.read_blocking(|q| {
        let q: &dyn crate::store::Query = &**q;
        let region = city::find(q)?.map(|city| city.region);
        let region = region.ok_or_else(|| town::missing("city"))?;
        let system = Actor::system(region);
        let counts = json!({
            "parties": crate::party::count(q, &system, &crate::party::PartyFilter::default())?,
            "cases": crate::casework::count_all(q)?,
            "projects": 0,
            "articles": article::queries::count(q, &article::queries::Filter::default(), None)?,
            "notices": crate::notice::count_all(q)?,
            "batches": crate::fund::count_batches(q)?,
        });
        let accounts = account::demo_accounts(q)?
            .iter()
            .map(town::describe)
            .collect();
        Ok(Report {
            ok: true,
            counts,
            accounts,
        })
    })
}
