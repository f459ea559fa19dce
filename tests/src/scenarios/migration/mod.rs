//! Moves of a guest between hosts, with everything that can happen to them.

pub mod demo;
mod field;
mod load;
mod picture;
mod report;
