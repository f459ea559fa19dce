//! `dvsctl migrate`: has a VM sent to another node, and shows how it goes.

use std::io::{IsTerminal, Write};
use std::net::{AddrParseError, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use dvs_migration::progress::{Progress, State};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::args::{Migrate, TimeoutStrategy};
use super::client::{Client, ClientError};
use super::run::CtlError;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

/// Why a VM was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// No such node.
    #[error("the cluster has no node {0}; `dvsctl nodes` shows those that it has")]
    NoNode(u32),
    /// The node is down.
    #[error("node {0} is down: its lease has run out")]
    Down(u32),
    /// No VMM is where VMMs are.
    #[error("no VMM of VM {0} is found on this host; give its REST socket by --api-socket")]
    NoVmm(u32),
    /// The address of a node is none.
    #[error(
        "node {node} has the address {address:?}, which is not understood: {error}; give --url"
    )]
    Address {
        /// The node.
        node: u32,
        /// What it has.
        address: String,
        /// What is wrong.
        error: AddrParseError,
    },
    /// Guest memory would go over the network, and nobody has said how.
    #[error(
        "give --tls-dir (the directory of this node's certificate), or --plaintext where nobody else is on the network"
    )]
    Security,
    /// What the VMM says of it makes no sense.
    #[error("the VMM's answer is not understood: {0}")]
    Answer(serde_json::Error),
    /// Ctrl-C cannot be caught.
    #[error("cannot catch Ctrl-C: {0}")]
    Signal(ctrlc::Error),
    /// The VMM has ended in the middle.
    #[error("the VMM has ended in the middle of the migration; its log says why ({0})")]
    Vanished(ClientError),
    /// The VM has stayed.
    #[error("VM {vm} runs where it was: {reason}")]
    Stayed {
        /// The VM.
        vm: u32,
        /// Why.
        reason: String,
    },
}

/// Has the VM moved, and waits for it. `socket` is that of its VMM, if it was given.
pub fn run(
    socket: Option<&Path>,
    node: &Client,
    migrate: &Migrate,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<(), CtlError> {
    let url = match &migrate.url {
        Some(url) => url.clone(),
        None => url(&node.get("nodes")?, migrate)?,
    };
    let usual = migrate.sockets();
    let found = || {
        usual
            .iter()
            .rfind(|path| path.exists())
            .map(PathBuf::as_path)
    };
    let socket = socket
        .or_else(found)
        .ok_or(MigrateError::NoVmm(migrate.vm))?;
    let vmm = Client::new(socket);
    let (interrupt, interrupted) = channel();
    ctrlc::set_handler(move || {
        let _ = interrupt.send(());
    })
    .map_err(MigrateError::Signal)?;
    vmm.put("vm.send-migration", Some(&request(migrate, &url)?))?;
    let bar = bar(as_json);
    let progress = loop {
        let progress = look(&vmm)?;
        show(&bar, &progress);
        if progress.is_over() {
            break progress;
        }
        match interrupted.recv_timeout(LOOK) {
            Ok(()) => drop(vmm.put("vm.migration-cancel", None)?),
            Err(RecvTimeoutError::Timeout) => {}
            // The handler lives as long as the process.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
        }
    };
    bar.finish_and_clear();
    if as_json {
        let text = serde_json::to_string_pretty(&progress).map_err(MigrateError::Answer)?;
        writeln!(out, "{text}")?;
    }
    if progress.state != State::Completed {
        let reason = progress
            .error
            .map_or_else(|| "cancelled".into(), String::from);
        let vm = migrate.vm;
        return Err(MigrateError::Stayed { vm, reason }.into());
    }
    if !as_json {
        write!(out, "{}", summary(&progress, migrate))?;
    }
    Ok(())
}

/// Where machines are taken at the node.
fn url(nodes: &Value, migrate: &Migrate) -> Result<String, MigrateError> {
    let number = migrate.to;
    let node = nodes.as_array().into_iter().flatten();
    let node = node
        .clone()
        .find(|node| node.get("nodeid").and_then(Value::as_u64) == Some(number.into()))
        .ok_or(MigrateError::NoNode(number))?;
    if node.get("alive") == Some(&Value::Bool(false)) {
        return Err(MigrateError::Down(number));
    }
    let address = node
        .get("address")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let parsed: SocketAddr = address.parse().map_err(|error| MigrateError::Address {
        node: number,
        address: address.to_owned(),
        error,
    })?;
    Ok(format!(
        "tcp:{}",
        SocketAddr::new(parsed.ip(), migrate.port)
    ))
}

fn request(migrate: &Migrate, url: &str) -> Result<Value, MigrateError> {
    if migrate.tls_dir.is_none() && !migrate.plaintext {
        return Err(MigrateError::Security);
    }
    let mut body = json!({
        "destination_url": url,
        "destination_node": migrate.to,
        "downtime_ms": migrate.downtime_ms,
        "timeout_s": migrate.timeout_s,
        "timeout_strategy": match migrate.timeout_strategy {
            TimeoutStrategy::Cancel => "cancel",
            TimeoutStrategy::Force => "force",
        },
        "connections": migrate.connections,
        "compression": if migrate.lz4 { "lz4" } else { "none" },
        "auto_converge": !migrate.no_auto_converge,
        "plaintext": migrate.plaintext,
    });
    if let Some(body) = body.as_object_mut() {
        if let Some(directory) = &migrate.tls_dir {
            body.insert("tls_dir".into(), json!(directory));
        }
        if let Some(bandwidth) = migrate.bandwidth {
            body.insert("bandwidth_bytes_per_s".into(), json!(bandwidth));
        }
    }
    Ok(body)
}

fn look(vmm: &Client) -> Result<Progress, MigrateError> {
    let progress = vmm.get("vm.migration-progress");
    let progress = progress.map_err(MigrateError::Vanished)?;
    serde_json::from_value(progress).map_err(MigrateError::Answer)
}

fn bar(as_json: bool) -> ProgressBar {
    if as_json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let style = "{msg:>14} {wide_bar} {bytes}/{total_bytes} {prefix}";
    // What is wrong with a template shows in the first test.
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    let remaining = progress.remaining_bytes.min(progress.total_bytes);
    bar.set_length(progress.total_bytes);
    bar.set_position(progress.total_bytes - remaining);
    bar.set_message(state(progress.state));
    let mut text = format!("round {}", progress.round);
    if let Some(rate) = progress.bandwidth_bytes_per_s {
        text += &format!(", {} MB/s", rate / 1_000_000);
    }
    if progress.throttle_percent > 0 {
        text += &format!(", guest slowed down by {} %", progress.throttle_percent);
    }
    bar.set_prefix(text);
}

fn state(state: State) -> &'static str {
    match state {
        State::Setup => "preparing",
        State::Precopy => "copying",
        State::SwitchOver => "switching over",
        State::Commit => "committing",
        State::Resume => "resuming",
        State::Closing => "tidying up",
        State::Completed => "moved",
        State::Failed => "failed",
        State::Cancelled => "cancelled",
    }
}

fn millis(time: Option<Duration>) -> String {
    time.map_or_else(
        || "?".into(),
        |time| format!("{:.1}", time.as_secs_f64() * 1e3),
    )
}

fn summary(progress: &Progress, migrate: &Migrate) -> String {
    format!(
        "VM {} runs at node {}: {} ms in all, stood still for {} ms ({})\n{} rounds, {} pages and {} empty ones, {} MB sent\n",
        migrate.vm,
        migrate.to,
        millis(progress.total),
        millis(progress.downtime),
        progress.downtime_parts,
        progress.round,
        progress.data_pages,
        progress.zero_pages,
        progress.transferred_bytes / 1_000_000,
    )
}

#[cfg(test)]
#[path = "migrate_test.rs"]
mod tests;
