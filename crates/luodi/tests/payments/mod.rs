//! The way of the money: the bank's reply with its faults, who may not pay, and
//! that every figure is the ledger's.

mod pay;
mod public;
mod reply;
mod totals;
