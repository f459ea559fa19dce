//! A new life of a VM whose processes go on.

mod node;
mod processes;
