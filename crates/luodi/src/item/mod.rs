//! Service items (事项) as packages: a folder of `item.toml`, `form.json`, `process.bpmn`, forms of
//! tasks and a policy, checked, published as an immutable version and offered in regions.
//!
//! Owns the tables `item`, `item_version` and `policy_version`. It lacks cases: what a package
//! means for a case is asked of [`Package`], carried out by `casework`.

pub mod api;
mod check;
mod commands;
mod diagram;
mod files;
mod finding;
mod folder;
pub mod named;
mod package;
mod pages;
mod policy;
mod queries;
mod seed;
mod spec;

#[cfg(test)]
mod tests;

pub use check::{Prepared, check, prepare};
pub use commands::{Published, adopt, close, close_in, offer, publish};
pub use diagram::{Drawing, drawing};
pub use files::Files;
pub use finding::{Finding, Findings, Severity};
pub use folder::{Report, check_folder, export_folder, publish_folder, read_folder};
pub use package::{Package, Remark};
pub use pages::{ListedItem, deadline, open_now, routes};
pub use policy::{Assessment, Example, PolicyPackage, PolicySettings, Rate};
pub use queries::{
    Offered, OpenItem, altered, current_items, export, find_item, load, name_of, open_item,
    versions,
};
pub use seed::seeds;
pub use spec::{
    Basis, CheckSpec, Effect, EndSpec, Item, Material, Outcome, Procedure, ServiceSpec, Statistic,
    TaskSpec,
};
