//! The packages that come with the program: `city/`, embedded. In a running city the database is
//! the truth; these are where a city, or a demonstration, begins.

use std::collections::BTreeSet;

use rust_embed::RustEmbed;

use super::files::Files;
use super::spec;

#[derive(RustEmbed)]
#[folder = "../../city/items"]
struct Items;

#[derive(RustEmbed)]
#[folder = "../../city/policies"]
struct Policies;

/// The embedded packages by the name of their folder, each with its policy under `policy/`.
pub fn seeds() -> Vec<(String, Files)> {
    let names: BTreeSet<String> = Items::iter()
        .filter_map(|path| Some(path.split_once('/')?.0.to_owned()))
        .collect();
    let seed = |name: String| {
        let files = seed(&name);
        (name, files)
    };
    names.into_iter().map(seed).collect()
}

fn seed(name: &str) -> Files {
    let item: Files = folder::<Items>(name);
    let spec = item
        .text("item.toml")
        .and_then(|text| spec::parse(text).ok());
    match spec.and_then(|item| item.policy) {
        Some(policy) => item.with_policy(&folder::<Policies>(&policy)),
        None => item,
    }
}

fn folder<E: RustEmbed>(name: &str) -> Files {
    let prefix = format!("{name}/");
    E::iter()
        .filter_map(|path| {
            let name = path.strip_prefix(&prefix)?.to_owned();
            Some((name, E::get(&path)?.data.into_owned()))
        })
        .collect()
}
