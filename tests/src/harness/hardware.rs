//! The two VMMs that a guest may run on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use dvs_report::Mode;
use serde_json::{Value, json};

use super::Settings;
use super::network::within;

/// Kernel command line of every guest: messages to the first serial line, agent on the second.
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 dvs.agent=ttyS1";
/// QEMU's emulation of SVM does not intercept XSETBV, so the guest would find a wrong size of
/// the extended state and warn of it.
const NESTED_COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 dvs.agent=ttyS1 noxsave";

/// Who runs the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hypervisor {
    /// Ours.
    Dvs,
    /// The peer that benchmarks compare with.
    Qemu,
}

/// What connects the guest with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachment {
    /// Nothing.
    None,
    /// A virtio-dvs device of a node, by the vhost-user socket that the node gave.
    Node(PathBuf),
    /// The same of a VM that may move to other nodes.
    Movable {
        /// The vhost-user socket.
        socket: PathBuf,
        /// The node's control socket.
        node: PathBuf,
    },
    /// A virtio-dvs device of a node in the VMM's own process.
    InProcess {
        /// Number of the VM.
        vm: u32,
        /// Its distributed container.
        dcid: u32,
    },
    /// A virtio-net device with vhost-net on this tap (QEMU only).
    Tap(String),
}

/// The parts of a guest's machine that its owner chooses, and the files of this run.
#[derive(Debug)]
pub struct Hardware<'a> {
    pub hypervisor: Hypervisor,
    pub cpus: u8,
    pub memory_mib: u64,
    pub attachment: &'a Attachment,
    pub namespace: Option<&'a Path>,
    pub vsock: Option<u32>,
    pub incoming: Option<&'a str>,
    pub serial_log: &'a Path,
    pub agent_socket: &'a Path,
    pub api_socket: &'a Path,
    pub config: &'a Path,
}

impl Hardware<'_> {
    /// The command that runs the machine.
    pub fn command(&self, settings: &Settings) -> Result<Command> {
        match self.hypervisor {
            Hypervisor::Dvs => self.dvs_vmm(settings),
            Hypervisor::Qemu => Ok(self.qemu(settings)),
        }
    }

    fn program(&self, program: &Path) -> Command {
        match self.namespace {
            Some(namespace) => within(namespace, program),
            None => Command::new(program),
        }
    }

    fn dvs_vmm(&self, settings: &Settings) -> Result<Command> {
        let config = self.dvs_config(settings);
        fs::write(self.config, config.to_string())
            .with_context(|| format!("{} cannot be written", self.config.display()))?;
        let mut vmm = self.program(&settings.program("dvs-vmm"));
        vmm.arg("--config")
            .arg(self.config)
            .arg("--api-socket")
            .arg(self.api_socket);
        Ok(vmm)
    }

    fn dvs_config(&self, settings: &Settings) -> Value {
        let mut config = json!({
            "cpus": {"boot_vcpus": self.cpus, "max_vcpus": self.cpus},
            "memory": {"size": self.memory_mib << 20, "shared": true},
            "payload": {"kernel": settings.kernel, "initramfs": settings.initramfs, "cmdline": command_line(settings)},
            "serial": serial(self.serial_log),
            "console": console(self.agent_socket),
        });
        let dvs = match self.attachment {
            Attachment::Node(socket) => json!({"socket": socket}),
            Attachment::Movable { socket, node } => json!({"socket": socket, "node": node}),
            Attachment::InProcess { vm, dcid } => json!({"vm": vm, "dcid": dcid}),
            Attachment::None | Attachment::Tap(_) => return config,
        };
        config["dvs"] = dvs;
        config
    }

    fn qemu(&self, settings: &Settings) -> Command {
        let mut qemu = self.program(Path::new("qemu-system-x86_64"));
        qemu.args([
            "-enable-kvm",
            "-cpu",
            "host",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ]);
        qemu.args([
            "-smp",
            &self.cpus.to_string(),
            "-m",
            &self.memory_mib.to_string(),
        ]);
        qemu.arg("-kernel")
            .arg(&settings.kernel)
            .arg("-initrd")
            .arg(&settings.initramfs);
        qemu.args(["-append", command_line(settings)]);
        qemu.args(["-serial", &format!("file:{}", self.serial_log.display())]);
        qemu.args([
            "-chardev",
            &format!(
                "socket,id=agent,server=on,wait=off,path={}",
                self.agent_socket.display()
            ),
        ]);
        qemu.args(["-serial", "chardev:agent"]);
        let monitor = self.api_socket.display();
        qemu.args(["-qmp", &format!("unix:{monitor},server=on,wait=off")]);
        if let Some(address) = self.incoming {
            qemu.args(["-incoming", address]);
        }
        self.qemu_devices(&mut qemu);
        qemu
    }

    fn qemu_devices(&self, qemu: &mut Command) {
        if let Attachment::Tap(name) = self.attachment {
            qemu.args([
                "-netdev",
                &format!("tap,id=net,ifname={name},script=no,downscript=no,vhost=on"),
            ]);
            // Each guest needs an address of its own; the tap's name is as unique as that.
            let last = name.bytes().fold(0_u8, u8::wrapping_add);
            qemu.args([
                "-device",
                &format!("virtio-net-pci,netdev=net,romfile=,mac=52:54:00:00:00:{last:02x}"),
            ]);
        }
        if let Some(cid) = self.vsock {
            qemu.args(["-device", &format!("vhost-vsock-pci,guest-cid={cid}")]);
        }
    }
}

/// The first serial line: a log.
pub fn serial(log: &Path) -> Value {
    json!({"mode": "File", "file": log})
}

/// The second one: the agent's.
pub fn console(socket: &Path) -> Value {
    json!({"mode": "Socket", "socket": socket})
}

fn command_line(settings: &Settings) -> &'static str {
    match settings.mode {
        Mode::Native => COMMAND_LINE,
        Mode::Nested => NESTED_COMMAND_LINE,
    }
}

#[cfg(test)]
#[path = "hardware_test.rs"]
mod tests;
