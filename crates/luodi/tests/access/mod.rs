//! Row-level permission and personal data, over every page there is: what belongs to another
//! county or another party is as if it were not there, and nobody reads in plain what is sealed.

mod crawl;
mod erasure;
mod factor;
mod foreign;
pub mod leave;
mod personal;
mod rows;
mod table;
mod walk;
