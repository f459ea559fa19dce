//! The command line of `dvs-vmm`, translated into the one configuration schema.

use std::path::PathBuf;

use clap::{Args, Parser};
use serde_json::{Map, Value, json};
use virtio_dvs::program::ProgramFlags;

use super::config::{ConfigError, VmConfig, from_json};
use crate::migration::request::ReceiveMigration;

/// Largest configuration file in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// Runs one virtual machine on KVM, with a virtio-dvs device.
///
/// With --config or --kernel the machine boots at once; flags override the file. With --receive-migration it comes from
/// another host. With --api-socket alone the VMM waits for vm.create and vm.boot, or for vm.receive-migration.
#[derive(Clone, Debug, Parser)]
#[command(name = "dvs-vmm", version)]
pub struct Flags {
    /// Configuration file (JSON, the schema of vm.create)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve the REST API on this Unix socket
    #[arg(long, value_name = "PATH")]
    pub api_socket: Option<PathBuf>,
    /// Kernel: a bzImage or an ELF file
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<String>,
    /// Initial RAM disk
    #[arg(long, value_name = "FILE")]
    pub initramfs: Option<String>,
    /// Kernel command line
    #[arg(long, value_name = "TEXT")]
    pub cmdline: Option<String>,
    /// Processors, as boot=N
    #[arg(long, value_name = "boot=N")]
    pub cpus: Option<String>,
    /// Memory, as size=N with K, M, G or T (powers of 1024)
    #[arg(long, value_name = "size=N")]
    pub memory: Option<String>,
    /// First serial port (ttyS0): tty, off, null, file=PATH or socket=PATH
    #[arg(long, value_name = "MODE")]
    pub serial: Option<String>,
    /// Second serial port (ttyS1): tty, off, null, file=PATH or socket=PATH
    #[arg(long, value_name = "MODE")]
    pub console: Option<String>,
    /// The virtio-dvs device: socket=PATH of a node, with node=PATH (its control socket) so that the VM can move; or
    /// vm=N,dcid=N for a node in this process
    #[arg(long, value_name = "OPTIONS")]
    pub dvs: Option<String>,
    /// Machines that come from other hosts
    #[command(flatten)]
    pub incoming: IncomingFlags,
    /// Write what happens to the machine to this file or FIFO, as path=PATH: a line of JSON for each event
    #[arg(long, value_name = "path=PATH")]
    pub event_monitor: Option<String>,
    /// What to log on standard error: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log_level: tracing::Level,
    /// Flags of every program
    #[command(flatten)]
    pub program: ProgramFlags,
}

/// Machines that come from other hosts.
#[derive(Args, Clone, Debug)]
pub struct IncomingFlags {
    /// Take a machine from another host: wait for it at tcp:HOST:PORT (port 0: any), or take the connection that is
    /// standard input (stdin). Prints where it waits, and when the machine runs
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "kernel"])]
    pub receive_migration: Option<String>,
    /// Start a dvs-vmm with --receive-migration for each machine that comes to tcp:HOST:PORT
    #[arg(long, value_name = "URL", conflicts_with_all = ["config", "kernel", "receive_migration", "api_socket"])]
    pub serve_migrations: Option<String>,
    /// Control socket of this host's node
    #[arg(long, value_name = "PATH")]
    pub node: Option<PathBuf>,
    /// Directory of the node's certificate, its key and the CA, as dvsctl pki names them
    #[arg(long, value_name = "DIR")]
    pub tls_dir: Option<PathBuf>,
    /// Take machines without encryption, from everybody
    #[arg(long)]
    pub plaintext: bool,
    /// Most memory that a machine may have, in bytes or with K, M, G or T; otherwise what the host has free
    #[arg(long, value_name = "N")]
    pub memory_max: Option<String>,
    /// Serve the REST API of the machine that comes at vm-N.sock in this directory
    #[arg(long, value_name = "DIR")]
    pub api_dir: Option<PathBuf>,
}

/// Why the command line is refused.
#[derive(Debug, thiserror::Error)]
pub enum FlagsError {
    /// A flag has a value that it cannot have.
    #[error("--{flag} {value}: {reason}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        reason: String,
    },
    /// The configuration file cannot be used.
    #[error("cannot read the configuration {path:?}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A value of the resulting configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Flags {
    /// The machine that the file and the flags describe; `None` where there is neither.
    pub fn vm_config(&self) -> Result<Option<VmConfig>, FlagsError> {
        let mut tree = match &self.config {
            Some(path) => read(path)?,
            None => Map::new(),
        };
        self.apply(&mut tree)?;
        if tree.is_empty() && self.config.is_none() {
            return Ok(None);
        }
        Ok(Some(VmConfig::from_json(
            Value::Object(tree).to_string().as_bytes(),
        )?))
    }

    /// Where events are written to, if they are.
    pub fn event_path(&self) -> Result<Option<PathBuf>, FlagsError> {
        let value = self.event_monitor.as_deref();
        let path = value
            .map(|it| one(it, "path").ok_or_else(|| wrong("--event-monitor", it, "path=PATH")));
        Ok(path.transpose()?.map(PathBuf::from))
    }

    /// What is to be asked for a machine that comes, if one is to come. Its serial ports lead nowhere unless flags say
    /// so: where they led on the other host is not known here.
    pub fn receive_migration(&self) -> Result<Option<ReceiveMigration>, FlagsError> {
        let flags = &self.incoming;
        let Some(url) = flags
            .receive_migration
            .as_ref()
            .or(flags.serve_migrations.as_ref())
        else {
            return Ok(None);
        };
        let missing = || wrong("node", "", "give the control socket of this host's node");
        let mut tree = Map::new();
        tree.insert("receiver_url".into(), json!(url));
        tree.insert(
            "node".into(),
            json!(flags.node.as_ref().ok_or_else(missing)?),
        );
        for (flag, value) in [("serial", &self.serial), ("console", &self.console)] {
            let text = value.as_deref().unwrap_or("null");
            tree.insert(flag.into(), console(flag, text)?);
        }
        if let Some(directory) = &flags.tls_dir {
            tree.insert("tls_dir".into(), json!(directory));
        }
        if let Some(text) = &flags.memory_max {
            let most = bytes(text).ok_or_else(|| wrong("memory_max", text, "write N, NM or NG"))?;
            tree.insert("memory_max".into(), json!(most));
        }
        tree.insert("plaintext".into(), json!(flags.plaintext));
        let request: ReceiveMigration = from_json(Value::Object(tree).to_string().as_bytes())?;
        request.check()?;
        Ok(Some(request))
    }

    fn apply(&self, tree: &mut Map<String, Value>) -> Result<(), FlagsError> {
        let payload = [
            ("kernel", &self.kernel),
            ("initramfs", &self.initramfs),
            ("cmdline", &self.cmdline),
        ];
        let given = payload
            .iter()
            .filter_map(|(field, value)| Some(((*field).to_owned(), json!(value.as_ref()?))));
        match tree.get_mut("payload") {
            Some(Value::Object(section)) => section.extend(given),
            // What is no object is left as it is, to be refused with the name of its field.
            Some(_) => {}
            None if payload.iter().any(|(_, value)| value.is_some()) => {
                tree.insert("payload".into(), Value::Object(given.collect()));
            }
            None => {}
        }
        if let Some(text) = &self.cpus {
            let boot = one(text, "boot").and_then(|n| n.parse::<u64>().ok());
            let boot = boot.ok_or_else(|| wrong("cpus", text, "write it as boot=N"))?;
            tree.insert("cpus".into(), json!({ "boot_vcpus": boot }));
        }
        if let Some(text) = &self.memory {
            let size = one(text, "size").and_then(bytes);
            let size = size
                .ok_or_else(|| wrong("memory", text, "write it as size=N, size=NM or size=NG"))?;
            tree.insert("memory".into(), json!({ "size": size }));
        }
        for (flag, value) in [("serial", &self.serial), ("console", &self.console)] {
            if let Some(text) = value {
                tree.insert(flag.into(), console(flag, text)?);
            }
        }
        if let Some(text) = &self.dvs {
            tree.insert("dvs".into(), dvs(text)?);
        }
        Ok(())
    }
}

fn wrong(flag: &'static str, value: &str, reason: &str) -> FlagsError {
    FlagsError::Flag {
        flag,
        value: value.into(),
        reason: reason.into(),
    }
}

fn read(path: &PathBuf) -> Result<Map<String, Value>, FlagsError> {
    let error = |reason: String| FlagsError::File {
        path: path.clone(),
        reason,
    };
    let size = std::fs::metadata(path)
        .map_err(|e| error(e.to_string()))?
        .len();
    if size > MAX_CONFIG {
        return Err(error(format!(
            "it has {size} bytes, more than {MAX_CONFIG}"
        )));
    }
    let text = std::fs::read(path).map_err(|e| error(e.to_string()))?;
    // The file alone need not be complete, but what it has must be JSON; the fields are checked with the flags'.
    serde_json::from_slice(&text).map_err(|e| error(format!("it is no JSON object: {e}")))
}

/// The value of `key=value`, where that is all there is.
fn one<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.strip_prefix(key)?
        .strip_prefix('=')
        .filter(|v| !v.contains(','))
}

/// A number of bytes with an optional binary unit.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().next_back()? {
        (at, 'K') => (text.get(..at)?, 1 << 10),
        (at, 'M') => (text.get(..at)?, 1 << 20),
        (at, 'G') => (text.get(..at)?, 1 << 30),
        (at, 'T') => (text.get(..at)?, 1 << 40),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

fn console(flag: &'static str, text: &str) -> Result<Value, FlagsError> {
    match text.split_once('=') {
        None if text == "tty" => Ok(json!({ "mode": "Tty" })),
        None if text == "off" => Ok(json!({ "mode": "Off" })),
        None if text == "null" => Ok(json!({ "mode": "Null" })),
        Some(("file", path)) => Ok(json!({ "mode": "File", "file": path })),
        Some(("socket", path)) => Ok(json!({ "mode": "Socket", "socket": path })),
        _ => Err(wrong(
            flag,
            text,
            "write tty, off, null, file=PATH or socket=PATH",
        )),
    }
}

fn dvs(text: &str) -> Result<Value, FlagsError> {
    const FORM: &str = "write socket=PATH, socket=PATH,node=PATH, or vm=N,dcid=N";
    let mut tree = Map::new();
    for part in text.split(',') {
        let value = match part.split_once('=') {
            Some((key @ ("socket" | "node"), path)) => (key, json!(path)),
            Some((key @ ("vm" | "dcid"), number)) => (
                key,
                json!(
                    number
                        .parse::<u32>()
                        .map_err(|_| wrong("dvs", text, FORM))?
                ),
            ),
            _ => return Err(wrong("dvs", text, FORM)),
        };
        tree.insert(value.0.into(), value.1);
    }
    Ok(Value::Object(tree))
}

#[cfg(test)]
#[path = "flags_test.rs"]
mod tests;
