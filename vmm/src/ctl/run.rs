//! Commands to requests, answers to text.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::CommandFactory;
use serde_json::{Map, Value, json};

use super::args::{Attach, Cli, Command, EndpointCommand, VmCommand, VmmCommand};
use super::client::{Client, ClientError};
use super::{endpoints, lists, migrate, pki, table, top, trace};
use virtio_dvs::link::pki::PkiError;
use virtio_dvs::node::client::Client as NodeClient;
use virtio_dvs::node::control::{EndpointMove, MoveStep};

/// Largest configuration in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// The server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Which server?
    #[error("this command is for {server}: give its socket by {flag} PATH")]
    NoSocket {
        /// The kind of server.
        server: &'static str,
        /// The flag that is missing.
        flag: &'static str,
    },
    /// Which of them?
    #[error("this command asks one node, but --node names {0}")]
    ManyNodes(usize),
    /// A node.
    #[error(transparent)]
    Node(#[from] virtio_dvs::node::client::ClientError),
    /// A flag of a command does not fit to another.
    #[error("{0}")]
    Flags(&'static str),
    /// The configuration cannot be read.
    #[error("cannot read the configuration {path:?}: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A VM that is to be moved.
    #[error(transparent)]
    Migrate(#[from] migrate::MigrateError),
    /// A certificate.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Nobody takes the output.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

/// Does what the command line asks and prints the answer to `out`.
pub fn run(cli: &Cli, out: &mut dyn Write) -> Result<(), CtlError> {
    let answer = match &cli.command {
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "dvsctl", out);
            return Ok(());
        }
        Command::Man { directory } => {
            clap_mangen::generate_to(Cli::command(), directory)?;
            return Ok(());
        }
        Command::Migrate(migrate) => {
            return migrate::run(
                cli.api_socket.as_deref(),
                &node_client(cli)?,
                migrate,
                cli.json,
                out,
            );
        }
        Command::Endpoint(step) => Some(move_endpoint(&node_socket(cli)?, step)?),
        Command::Top(top) => return top::run(&node_socket(cli)?, top, cli.json, out),
        Command::Trace(trace) => return trace::run(&node_sockets(cli)?, trace, cli.json, out),
        Command::Pki(command) => Some(pki::run(command, SystemTime::now())?),
        Command::Vm(command) => vm(&vmm_client(cli)?, command)?,
        Command::Vmm(VmmCommand::Ping) => Some(vmm_client(cli)?.get("vmm.ping")?),
        Command::Vmm(VmmCommand::Shutdown) => vmm_client(cli)?.put("vmm.shutdown", None)?,
        command => node(&node_client(cli)?, command)?,
    };
    match answer {
        // An order that was carried out says nothing, or as JSON an empty object.
        None if cli.json => writeln!(out, "{{}}")?,
        None => {}
        Some(answer) if cli.json => writeln!(out, "{answer:#}")?,
        Some(answer) => write!(out, "{}", render(&cli.command, &answer))?,
    }
    Ok(())
}

/// The answer for a person.
fn render(command: &Command, answer: &Value) -> String {
    match command {
        Command::Endpoints => endpoints::render(answer),
        Command::Vms => lists::vms(answer),
        Command::Nodes => lists::nodes(answer),
        Command::Links => lists::links(answer),
        _ => table::render(answer),
    }
}

fn vmm_client(cli: &Cli) -> Result<Client, CtlError> {
    let path = cli.api_socket.as_deref();
    Ok(Client::new(path.ok_or(CtlError::NoSocket {
        server: "a VMM",
        flag: "--api-socket",
    })?))
}

fn node_client(cli: &Cli) -> Result<Client, CtlError> {
    Ok(Client::new(&node_socket(cli)?))
}

/// The one node that most commands ask.
fn node_socket(cli: &Cli) -> Result<PathBuf, CtlError> {
    match node_sockets(cli)?.as_slice() {
        [one] => Ok(one.clone()),
        all => Err(CtlError::ManyNodes(all.len())),
    }
}

fn node_sockets(cli: &Cli) -> Result<Vec<PathBuf>, CtlError> {
    if cli.node.is_empty() {
        return Err(CtlError::NoSocket {
            server: "a node",
            flag: "--node",
        });
    }
    Ok(cli.node.clone())
}

fn vm(client: &Client, command: &VmCommand) -> Result<Option<Value>, CtlError> {
    let name = match command {
        VmCommand::Create { config } => return Ok(client.put("vm.create", Some(&read(config)?))?),
        VmCommand::Info => return Ok(Some(client.get("vm.info")?)),
        VmCommand::Counters => return Ok(Some(client.get("vm.counters")?)),
        VmCommand::Boot => "vm.boot",
        VmCommand::Pause => "vm.pause",
        VmCommand::Resume => "vm.resume",
        VmCommand::Shutdown => "vm.shutdown",
        VmCommand::Reboot => "vm.reboot",
        VmCommand::PowerButton => "vm.power-button",
        VmCommand::Delete => "vm.delete",
    };
    Ok(client.put(name, None)?)
}

fn node(client: &Client, command: &Command) -> Result<Option<Value>, CtlError> {
    let name = match command {
        Command::Attach(attach) => return Ok(client.put("vm.attach", Some(&attributes(attach)))?),
        Command::Detach { vm } => return Ok(client.put("vm.detach", Some(&json!({ "vm": vm })))?),
        Command::Vms => "ports",
        Command::Nodes => "nodes",
        Command::Links => "links",
        Command::Endpoints => "endpoints",
        Command::Counters => "counters",
        Command::Ping => "node.ping",
        _ => "node.info",
    };
    Ok(Some(client.get(name)?))
}

/// Waits for the guest as long as the step may take.
fn move_endpoint(node: &Path, command: &EndpointCommand) -> Result<Value, CtlError> {
    let (step, name, vm) = match command {
        EndpointCommand::Start(step) => (step, MoveStep::Start, 0),
        EndpointCommand::Commit { step, vm } => (step, MoveStep::Commit, *vm),
        EndpointCommand::Rollback(step) => (step, MoveStep::Rollback, 0),
    };
    let moved = NodeClient::new(node).move_endpoint(&EndpointMove {
        dcid: step.dcid,
        endpoint: step.endpoint,
        step: name,
        vm,
        timeout_ms: u64::try_from(step.timeout.as_millis()).unwrap_or(u64::MAX),
    })?;
    Ok(json!(moved))
}

/// The node's form of a VM to attach; limits that are not given are the node's defaults.
fn attributes(attach: &Attach) -> Value {
    let limits = [
        ("max_endpoints", attach.max_endpoints),
        ("max_peers", attach.max_peers),
        ("rate", attach.rate),
    ];
    let limits: Map<_, _> = limits
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))))
        .collect();
    let mut body = Map::new();
    body.insert("vm".into(), json!(attach.vm));
    body.insert("dcid".into(), json!(attach.dcid));
    if attach.admin {
        body.insert("admin".into(), json!(true));
    }
    if !limits.is_empty() {
        body.insert("limits".into(), Value::Object(limits));
    }
    Value::Object(body)
}

fn read(path: &Path) -> Result<Value, CtlError> {
    let error = |reason: String| CtlError::Config {
        path: path.to_owned(),
        reason,
    };
    let mut text = Vec::new();
    let limit = MAX_CONFIG + 1;
    let result = if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut text))
    };
    result.map_err(|e| error(e.to_string()))?;
    if text.len() as u64 > MAX_CONFIG {
        return Err(error(format!("it has more than {MAX_CONFIG} bytes")));
    }
    serde_json::from_slice(&text).map_err(|e| error(format!("it is not JSON: {e}")))
}

#[cfg(test)]
#[path = "run_test.rs"]
mod tests;
