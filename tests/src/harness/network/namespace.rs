//! The network of one host, apart from all others.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::run;
use crate::harness::process::enter_network;

/// Where iproute2 keeps namespaces by name.
const DIRECTORY: &str = "/run/netns";

/// A network namespace. Dropping it removes it with all that is in it, once the programs in it
/// have ended.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one that has nothing but its loopback device.
    ///
    /// # Errors
    /// Fails if we may not.
    pub fn new(name: &str) -> Result<Self> {
        let namespace = Self {
            name: name.to_owned(),
        };
        // A run that was killed leaves its own behind.
        if namespace.path().exists() {
            run("ip", &["netns", "delete", name])?;
        }
        run("ip", &["netns", "add", name])?;
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name)
    }

    /// A command whose program runs in it.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        within(&self.path(), program)
    }

    /// Runs `ip` in it.
    ///
    /// # Errors
    /// Fails with its words.
    pub fn ip(&self, arguments: &[&str]) -> Result<()> {
        run("ip", &[&["-netns", &self.name], arguments].concat())
    }

    /// Gives it an address that does not depend on any of its devices.
    ///
    /// # Errors
    /// Fails if it cannot be given.
    pub fn add_address(&self, address: &str) -> Result<()> {
        self.ip(&["address", "add", address, "dev", "lo"])
    }

    /// Makes a bridge of a device that is there and of new taps.
    ///
    /// # Errors
    /// Fails if there is no such device, or devices of these names exist.
    pub fn add_bridge(&self, name: &str, device: Option<&str>, taps: &[&str]) -> Result<()> {
        self.ip(&["link", "add", name, "type", "bridge"])?;
        for tap in taps {
            self.ip(&["tuntap", "add", tap, "mode", "tap"])?;
        }
        for port in taps.iter().copied().chain(device) {
            self.ip(&["link", "set", port, "master", name])?;
            self.ip(&["link", "set", port, "up"])?;
        }
        self.ip(&["link", "set", name, "up"])
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // One that has gone already needs no removal.
        run("ip", &["netns", "delete", &self.name]).ok();
    }
}

/// A command whose program runs in this namespace.
#[must_use]
pub fn within(namespace: &Path, program: &Path) -> Command {
    let mut command = Command::new(program);
    enter_network(&mut command, namespace);
    command
}
