//! Copies: requester, source and destination in every placement, deaths of each, grants.

mod fabric;
mod grants;
mod leaving;
mod many;
mod placements;
mod renewed;
mod trio;

pub use trio::pattern;
