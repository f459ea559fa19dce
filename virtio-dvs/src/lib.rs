//! What a DVS frame is and where it goes.
//!
//! Pure parts at the bottom: [`frame`], [`spec`], [`vm`], [`privileges`], [`switch`]. Around them the adapters:
//! [`directory`], [`device`], [`link`]. On top [`node`], which puts them together into `dvs-node` and into
//! the node inside a VMM. [`metrics`] and [`program`] are what the programs have in common.

pub mod device;
pub mod directory;
pub mod frame;
pub mod link;
pub mod metrics;
pub mod node;
pub mod privileges;
pub mod program;
pub mod range;
pub mod socket;
pub mod spec;
pub mod switch;
#[cfg(any(test, feature = "test-utils"))]
pub mod testing;
pub mod vm;
