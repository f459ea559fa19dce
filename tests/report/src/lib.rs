//! What scenarios, tests and benchmarks say: one JSON object a line.
//!
//! `dvs-scenario` writes [`Event`]s to its standard output, on this machine or inside the emulated
//! one; `cargo xtask` reads and shows them. The structures that end up as the last line of a
//! `--json` run are here too, so that both sides agree on every field.

mod events;
mod migration;
mod results;
mod stats;

pub use events::{Event, Log};
pub use migration::{ClientFigures, DowntimeParts, Migration, MigrationReport, Moving, Scene};
pub use results::{BenchReport, DemoReport, Figures, Mode, Recovery, Row, RttUs};
pub use stats::{median, spread};
