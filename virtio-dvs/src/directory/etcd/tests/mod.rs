//! Against a real etcd.

mod away;
mod cluster;
mod hands;
mod lease;
mod moves;
mod opening;
mod support;
mod watching;
