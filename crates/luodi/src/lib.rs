//! Luodi (落地): from an investment project's lead to full production, and from a policy's text to
//! money. One binary; `docs/ARCHITECTURE.md` is the map.

pub mod access;
pub mod account;
pub mod api;
pub mod article;
pub mod attachment;
pub mod backup;
pub mod casework;
pub mod city;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod desk;
pub mod dossier;
pub mod form;
pub mod fund;
pub mod gateway;
pub mod ids;
pub mod item;
pub mod log;
pub mod notice;
pub mod number;
pub mod oidc;
pub mod party;
pub mod personal;
pub mod portal;
pub mod refusal;
pub mod router;
pub mod store;
pub mod web;
pub mod work;
