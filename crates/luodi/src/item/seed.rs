//! The packages that come with the program: `city/`, embedded. In a running city the database is
//! the truth; these are where a city, or a demonstration, begins.

use std::collections::BTreeSet;

use rust_embed::RustEmbed;

use super::files::Files;
use super::spec;

#[derive(RustEmbed)]
#[folder = "../../city"]
struct City;

/// The embedded packages by the name of their folder, each with its policy under `policy/`.
pub fn seeds() -> Vec<(String, Files)> {
    let names: BTreeSet<String> = City::iter()
        .filter_map(|path| Some(path.strip_prefix("items/")?.split_once('/')?.0.to_owned()))
        .collect();
    names
        .into_iter()
        .map(|name| (name.clone(), seed(&name)))
        .collect()
}

fn seed(name: &str) -> Files {
    let item = folder(&format!("items/{name}/"));
    let policy = item
        .text("item.toml")
        .and_then(|text| spec::parse(text).ok())
        .and_then(|item| item.policy);
    match policy {
        Some(policy) => {
            let files = folder(&format!("policies/{policy}/"));
            item.with_policy(&files)
        }
        None => item,
    }
}

fn folder(prefix: &str) -> Files {
    City::iter()
        .filter_map(|path| {
            let name = path.strip_prefix(prefix)?.to_owned();
            Some((name, City::get(&path)?.data.into_owned()))
        })
        .collect()
}
