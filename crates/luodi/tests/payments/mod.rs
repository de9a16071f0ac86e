//! The way of the money: the bank's reply with its faults, and who may not pay.

mod pay;
mod public;
mod reply;
