//! A key-value service: requests are messages, values move by bulk copy through grants.
//!
//! A client lends the memory of a value, or the room for one, and names the grant in its request.
//! The server copies from or to it while the client waits, so values of any size need one request.

mod kv {
    pub mod client;
    pub mod protocol;
    pub mod server;
}

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A key-value service through /dev/dvs.
///
/// Exit status: 0 if it was done; 1 if there is no such key, or a check failed; 2 if the program
/// could not run.
#[derive(Debug, Parser)]
#[command(name = "dvs-kv", version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Keeps values in memory, until it is woken up or killed.
    Server(kv::server::Options),
    /// Stores the value on standard input under a key.
    Put(kv::client::Key),
    /// Writes the value of a key to standard output.
    Get(kv::client::Key),
    /// Removes a key.
    Delete(kv::client::Key),
    /// Stores, reads back and compares values of many sizes.
    Check(kv::client::Check),
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server(options) => kv::server::run(&options).map(|()| true),
        Role::Put(key) => kv::client::put(&key),
        Role::Get(key) => kv::client::get(&key),
        Role::Delete(key) => kv::client::delete(&key),
        Role::Check(check) => kv::client::check(&check),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("dvs-kv: {error:#}");
            ExitCode::from(2)
        }
    }
}
