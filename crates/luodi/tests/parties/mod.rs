//! Parties and their bank accounts: codes whose check characters are wrong, regions that are not
//! the window's, and who may not approve what they entered.

mod accounts;
mod bank_accounts;
mod register;
