//! The one integration binary: its modules mirror the addresses and the houses of Luodi.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(unreachable_pub, reason = "modules of a test binary")]

mod support;

mod access;
mod api;
mod articles;
mod cases;
mod cli;
mod crash;
mod desks;
mod failover;
mod faults;
mod forms;
mod log;
mod parties;
mod payments;
mod routes;
mod story;
mod tidy;
