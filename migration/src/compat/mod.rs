//! Whether a machine can go on at another host: looked at before the first page is sent.

mod cpu;

use crate::message::{Cpu, Device, MAX_REASONS, Offer};
use crate::pages::Compression;
use crate::text::Text;

/// What the destination can take.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Host {
    /// Number of its node.
    pub node: u32,
    /// Name of the cluster of its node.
    pub cluster: Text,
    /// Version of the machine that its VMM builds.
    pub machine: u32,
    /// Most virtual CPUs of a machine.
    pub vcpus: u32,
    /// Bytes of guest memory that it may give.
    pub memory: u64,
    /// What it would give the first virtual CPU of such a machine.
    pub cpu: Cpu,
    /// Whether its CPUs can show another frequency of the time stamp counter than their own.
    pub tsc_scaling: bool,
    /// Devices that it can build: newest version of their state, all features that they can offer.
    pub devices: Vec<Device>,
    /// Ways to pack pages that it understands.
    pub compression: Vec<Compression>,
    /// Most data streams that it takes.
    pub streams: u16,
    /// Port at which it takes them.
    pub port: u16,
}

/// What keeps a machine from running at a host; nothing if it can.
pub fn obstacles(offer: &Offer, host: &Host) -> Vec<Text> {
    let mut found = places(offer, host);
    found.extend(sizes(offer, host));
    found.extend(cpu::obstacles(&offer.cpu, &host.cpu, host.tsc_scaling));
    found.extend(offer.devices.iter().filter_map(|d| device(d, host)));
    found.truncate(MAX_REASONS);
    found.into_iter().map(Text::from).collect()
}

fn places(offer: &Offer, host: &Host) -> Vec<String> {
    let mut found = Vec::new();
    if offer.cluster != host.cluster {
        found.push(format!(
            "the VM belongs to cluster \"{}\", this host to \"{}\"; a VM can move only within its cluster",
            offer.cluster, host.cluster
        ));
    }
    if offer.place.node == host.node {
        found.push(format!(
            "the VM lives at node {} already; choose another destination",
            host.node
        ));
    }
    found
}

fn sizes(offer: &Offer, host: &Host) -> Vec<String> {
    let mut found = Vec::new();
    if offer.machine != host.machine {
        found.push(format!(
            "the machine has version {}, this host builds version {}: use the same release on both hosts",
            offer.machine, host.machine
        ));
    }
    if offer.vcpus > host.vcpus {
        found.push(format!(
            "the VM has {} virtual CPUs, this host gives at most {}",
            offer.vcpus, host.vcpus
        ));
    }
    if offer.layout.bytes() > host.memory {
        found.push(format!(
            "the VM has {} MiB of memory, this host can give {} MiB; free some or choose another host",
            offer.layout.bytes() >> 20,
            host.memory >> 20
        ));
    }
    found
}

fn device(device: &Device, host: &Host) -> Option<String> {
    let known = host.devices.iter().find(|d| d.kind == device.kind);
    let Some(known) = known else {
        return Some(format!("this host has no device \"{}\"", device.kind));
    };
    if device.version > known.version {
        return Some(format!(
            "the state of device \"{}\" has version {}, this host reads up to {}: use the same release on both hosts",
            device.kind, device.version, known.version
        ));
    }
    let missing = device.features & !known.features;
    (missing != 0).then(|| {
        format!(
            "device \"{}\" lacks features {missing:#x} here; start the VM without them, or choose another host",
            device.kind
        )
    })
}

#[cfg(test)]
#[path = "compat_test.rs"]
mod tests;
