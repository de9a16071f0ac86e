//! The facts of this installation: which city, whether a demonstration, since when. One row.

use jiff::civil::Date;
use vocab::RegionCode;

use crate::access::Actor;
use crate::params;
use crate::refusal::{Refusal, Result};
use crate::store::{Event, Query, StoreError, Tx};

/// The city this installation serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct City {
    /// Name, as in 温州市.
    pub name: String,
    /// Region code.
    pub region: RegionCode,
    /// A demonstration: everything in it was generated.
    pub demo: bool,
    /// Seed of a demonstration.
    pub seed: Option<i64>,
    /// The day a demonstration was made for.
    pub demo_today: Option<Date>,
}

/// The city, once it was founded.
///
/// # Errors
/// A fault of the store.
pub fn find(q: &dyn Query) -> Result<Option<City>, StoreError> {
    q.row_opt(
        "SELECT name, region_code, demo, seed, demo_today FROM city WHERE id = 1",
        params![],
        |row| {
            Ok(City {
                name: row.get(0)?,
                region: row.get(1)?,
                demo: row.get(2)?,
                seed: row.get(3)?,
                demo_today: row.get(4)?,
            })
        },
    )
}

/// Founds the city of an empty installation.
///
/// # Errors
/// Refused where there is one already.
pub fn found(tx: &Tx, actor: &Actor, city: &City) -> Result<()> {
    if find(tx)?.is_some() {
        let message = "这个数据文件夹里已经有一座城市，不能再次建立。请换一个空的文件夹。";
        return Err(Refusal::conflict("city-exists", message).into());
    }
    tx.write_part(
        "city",
        "INSERT INTO city (id, name, region_code, demo, seed, demo_today, created_at) \
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            &city.name,
            city.region,
            city.demo,
            city.seed,
            city.demo_today,
            tx.now()
        ],
    )?;
    tx.event(Event {
        actor: actor.to_ref(),
        command: "city.found",
        subject: ("city", uuid::Uuid::nil()),
        detail: serde_json::json!({ "name": city.name, "demo": city.demo }),
        rows: vec![],
    });
    Ok(())
}
