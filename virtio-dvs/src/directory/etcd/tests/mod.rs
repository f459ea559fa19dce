//! Against a real etcd.

mod away;
mod cluster;
mod lease;
mod opening;
mod support;
mod watching;
