//! `dvsctl`: by command line what the REST interfaces of the VMM and of the node offer.

pub mod args;
pub mod client;
mod endpoints;
mod pki;
mod run;
mod table;

pub use run::run;
