//! `dvsctl`: by command line what the REST interfaces of the VMM and of the node offer.

pub mod args;
pub mod client;
mod endpoints;
mod lists;
mod migrate;
mod pki;
mod run;
mod table;
mod top;
mod trace;

pub use run::run;
