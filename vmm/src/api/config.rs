//! The configuration of a virtual machine: one schema for the file, the flags and `vm.create`.
//!
//! Field names are Cloud Hypervisor's where both have the thing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::machine::cpu::MAX_VCPUS;

/// Smallest guest memory in bytes.
const MIN_MEMORY: u64 = 4 << 20;
/// Largest guest memory in bytes.
const MAX_MEMORY: u64 = 1 << 40;
/// Guest memory is a multiple of this, so that the mapping has large pages throughout.
const MEMORY_UNIT: u64 = 2 << 20;
/// Longest path of a Unix socket (`sun_path` with its final zero).
const MAX_SOCKET_PATH: usize = 107;

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmConfig {
    /// Processors.
    #[serde(default)]
    pub cpus: CpusConfig,
    /// Memory.
    #[serde(default)]
    pub memory: MemoryConfig,
    /// What it boots.
    pub payload: PayloadConfig,
    /// First serial port (COM1, ttyS0).
    #[serde(default = "ConsoleConfig::tty")]
    pub serial: ConsoleConfig,
    /// Second serial port (COM2, ttyS1).
    #[serde(default = "ConsoleConfig::off")]
    pub console: ConsoleConfig,
    /// The virtio-dvs device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dvs: Option<DvsConfig>,
}

/// Processors of a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpusConfig {
    /// Processors at boot, 1 to 64.
    pub boot_vcpus: u8,
    /// The same number: processors cannot be added later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_vcpus: Option<u8>,
}

impl Default for CpusConfig {
    fn default() -> Self {
        Self {
            boot_vcpus: 1,
            max_vcpus: None,
        }
    }
}

/// Memory of a virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryConfig {
    /// Bytes: a multiple of 2 MiB from 4 MiB to 1 TiB.
    pub size: u64,
    /// True: guest memory is always shareable with vhost-user back-ends.
    #[serde(default = "always")]
    pub shared: bool,
}

fn always() -> bool {
    true
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            size: 256 << 20,
            shared: true,
        }
    }
}

/// What a virtual machine boots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadConfig {
    /// A bzImage or an ELF file.
    pub kernel: PathBuf,
    /// Initial RAM disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initramfs: Option<PathBuf>,
    /// Kernel command line, at most 4,095 bytes of ASCII.
    #[serde(default)]
    pub cmdline: String,
}

/// Where a serial port leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsoleMode {
    /// There is no such port.
    Off,
    /// Output is thrown away.
    Null,
    /// The VMM's standard input and output.
    Tty,
    /// Output goes to `file`.
    File,
    /// A Unix socket at `socket`; one client at a time.
    Socket,
}

/// A serial port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Where it leads.
    pub mode: ConsoleMode,
    /// The file of mode `File`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The socket of mode `Socket`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
}

impl ConsoleConfig {
    fn tty() -> Self {
        Self {
            mode: ConsoleMode::Tty,
            file: None,
            socket: None,
        }
    }

    fn off() -> Self {
        Self {
            mode: ConsoleMode::Off,
            file: None,
            socket: None,
        }
    }
}

/// The virtio-dvs device: on a running node, or with a node of its own in the VMM's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DvsConfig {
    /// The vhost-user socket that the node gave when this VM was attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The control socket of that node, without which the VM cannot move to another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<PathBuf>,
    /// Number of this VM, for a node in the VMM's process: 1 to 4294967294.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<u32>,
    /// Its distributed container, for a node in the VMM's process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dcid: Option<u32>,
}

/// A value of the configuration that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ConfigError {
    /// Path of the field, as in `memory.size`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

pub(crate) fn refuse<T>(field: &str, reason: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError {
        field: field.into(),
        reason: reason.into(),
    })
}

impl VmConfig {
    /// Reads a configuration from JSON and checks it.
    pub fn from_json(text: &[u8]) -> Result<Self, ConfigError> {
        let config: Self = from_json(text)?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types alone do not say.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.cpus.check()?;
        self.memory.check()?;
        self.payload.check()?;
        self.serial.check("serial")?;
        self.console.check("console")?;
        if self.serial.mode == ConsoleMode::Tty && self.console.mode == ConsoleMode::Tty {
            return refuse("console.mode", "only one of serial and console can be Tty");
        }
        self.dvs.as_ref().map_or(Ok(()), DvsConfig::check)
    }
}

/// Reads a JSON object; an error names its field.
pub fn from_json<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, ConfigError> {
    if text.trim_ascii_start().first() != Some(&b'{') {
        return refuse("configuration", "it is not a JSON object");
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." {
            "configuration".to_owned()
        } else {
            path
        };
        ConfigError {
            field,
            reason: error.inner().to_string(),
        }
    })?;
    json.end().map_err(|e| ConfigError {
        field: "configuration".into(),
        reason: e.to_string(),
    })?;
    Ok(value)
}

impl CpusConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_VCPUS).contains(&self.boot_vcpus) {
            return refuse(
                "cpus.boot_vcpus",
                format!("{} is not from 1 to {MAX_VCPUS}", self.boot_vcpus),
            );
        }
        match self.max_vcpus {
            Some(max) if max != self.boot_vcpus => refuse(
                "cpus.max_vcpus",
                "processors cannot be added to a running machine: leave it out or make it equal to boot_vcpus",
            ),
            _ => Ok(()),
        }
    }
}

impl MemoryConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if !(MIN_MEMORY..=MAX_MEMORY).contains(&self.size) || !self.size.is_multiple_of(MEMORY_UNIT)
        {
            let size = self.size;
            return refuse(
                "memory.size",
                format!("{size} is not a multiple of 2 MiB from 4 MiB to 1 TiB, in bytes"),
            );
        }
        if !self.shared {
            return refuse(
                "memory.shared",
                "guest memory is always shared: leave it out or make it true",
            );
        }
        Ok(())
    }
}

impl PayloadConfig {
    fn check(&self) -> Result<(), ConfigError> {
        if self.kernel.as_os_str().is_empty() {
            return refuse("payload.kernel", "the path is empty");
        }
        if !self.cmdline.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return refuse(
                "payload.cmdline",
                "only printable ASCII characters reach a kernel",
            );
        }
        Ok(())
    }
}

impl ConsoleConfig {
    pub(crate) fn check(&self, name: &str) -> Result<(), ConfigError> {
        let needs = |mode, path: &Option<PathBuf>, field: &str| match (self.mode == mode, path) {
            (true, None) => refuse(
                &format!("{name}.{field}"),
                format!("mode {mode:?} needs it"),
            ),
            (false, Some(_)) => refuse(
                &format!("{name}.{field}"),
                format!("only mode {mode:?} uses it"),
            ),
            _ => Ok(()),
        };
        needs(ConsoleMode::File, &self.file, "file")?;
        needs(ConsoleMode::Socket, &self.socket, "socket")?;
        self.socket
            .as_ref()
            .map_or(Ok(()), |path| check_socket(&format!("{name}.socket"), path))
    }
}

impl DvsConfig {
    fn check(&self) -> Result<(), ConfigError> {
        const LAST_VM: u32 = 0xffff_fffe;
        if let Some(node) = &self.node {
            if self.socket.is_none() {
                return refuse(
                    "dvs.node",
                    "only a VM of a running node needs it, see dvs.socket",
                );
            }
            check_socket("dvs.node", node)?;
        }
        match (&self.socket, self.vm, self.dcid) {
            (Some(path), None, None) => check_socket("dvs.socket", path),
            (Some(_), ..) => refuse(
                "dvs",
                "with a socket the node knows vm and dcid: leave them out",
            ),
            (None, Some(1..=LAST_VM), Some(_)) => Ok(()),
            (None, Some(vm), _) if !(1..=LAST_VM).contains(&vm) => {
                refuse("dvs.vm", format!("{vm} is not from 1 to {LAST_VM}"))
            }
            _ => refuse(
                "dvs",
                "needs either socket (a node's) or both vm and dcid (a node in this process)",
            ),
        }
    }
}

pub(crate) fn check_socket(field: &str, path: &std::path::Path) -> Result<(), ConfigError> {
    match path.as_os_str().len() {
        0 => refuse(field, "the path is empty"),
        len if len > MAX_SOCKET_PATH => refuse(
            field,
            format!("the path has {len} bytes, but a socket's may have {MAX_SOCKET_PATH}"),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "config_test.rs"]
mod tests;
