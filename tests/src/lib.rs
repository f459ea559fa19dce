//! The harness for real virtual machines, and the scenarios that run on it.

pub mod harness;
pub mod scenarios;
pub mod sim;
