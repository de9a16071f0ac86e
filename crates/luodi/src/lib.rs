//! Luodi, the application: the store, the web shell and one folder per domain.

pub mod store;
