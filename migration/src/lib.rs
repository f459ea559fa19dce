//! How a machine moves from one host to another.
//!
//! Pure code: no socket, no clock, no guest memory. This release holds the
//! format in which state travels; who sends what and when is not in it yet.

pub mod stream;
