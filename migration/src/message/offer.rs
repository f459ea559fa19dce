//! The preamble: everything that the destination must know to say yes or no before the first page.

use crate::layout::Layout;
use crate::pages::{Attempt, Compression, MAX_STREAMS};
use crate::place::Place;
use crate::text::Text;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the CPU of a guest has, or what a host can give.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cpu {
    /// What CPUID says.
    pub leaves: Vec<CpuLeaf>,
    /// Frequency of the time stamp counter in kHz; 0: not known.
    pub tsc_khz: u32,
}

/// One answer of CPUID.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CpuLeaf {
    /// Leaf (EAX of the question).
    pub function: u32,
    /// Subleaf (ECX of the question).
    pub index: u32,
    /// EAX, EBX, ECX, EDX of the answer.
    pub registers: [u32; 4],
}

/// A device of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Device {
    /// Which kind of device.
    pub kind: Text,
    /// Version of its state.
    pub version: u16,
    /// Features that it offers to the guest, as its kind counts them.
    pub features: u64,
}

/// What the source wants to send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Offer {
    /// Which attempt this is.
    pub attempt: Attempt,
    /// Number of the VM.
    pub vm: u32,
    /// Where it lives.
    pub place: Place,
    /// Name of the cluster of its node.
    pub cluster: Text,
    /// Version of the machine: what is on which bus, and what firmware tables say.
    pub machine: u32,
    /// How many virtual CPUs.
    pub vcpus: u32,
    /// Guest memory.
    pub layout: Layout,
    /// What the guest may use of its CPUs.
    pub cpu: Cpu,
    /// The devices.
    pub devices: Vec<Device>,
    /// The VM's configuration, in a form that only the VMM knows.
    pub config: Vec<u8>,
    /// How many data streams the source would open.
    pub streams: u16,
    /// How it would pack pages.
    pub compression: Compression,
}

/// What of the offer the destination takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Accept {
    /// Number of its node.
    pub node: u32,
    /// How many data streams it takes, at least 1 and at most those offered.
    pub streams: u16,
    /// How pages may be packed: as offered, or not at all.
    pub compression: Compression,
    /// Port at which the host takes data streams.
    pub port: u16,
}

/// Why an offer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OfferError {
    /// A number is out of its range.
    #[error("the other side offers a machine with {value} {what}; there must be {least} to {most}")]
    Range {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        value: usize,
        /// How many there must be at least.
        least: usize,
        /// How many there may be.
        most: usize,
    },
}

impl Offer {
    /// Whether its lists have a sensible length. Both sides look at it, so that a machine that
    /// cannot be offered is not.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn check(&self) -> Result<(), OfferError> {
        let vcpus = usize::try_from(self.vcpus).unwrap_or(usize::MAX);
        let kinds = self.devices.iter().map(|d| d.kind.as_str().len());
        for (what, value, least, most) in [
            ("virtual CPUs", vcpus, 1, 1024),
            ("CPUID leaves", self.cpu.leaves.len(), 0, 512),
            ("devices", self.devices.len(), 0, 256),
            ("bytes of a device's kind", kinds.max().unwrap_or(0), 0, 64),
            ("bytes of configuration", self.config.len(), 0, 64 << 10),
            ("data streams", self.streams.into(), 1, MAX_STREAMS.into()),
        ] {
            if !(least..=most).contains(&value) {
                return Err(OfferError::Range {
                    what,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }

    /// Whether an answer is one to this offer.
    pub fn allows(&self, accept: &Accept) -> bool {
        (1..=self.streams).contains(&accept.streams)
            && [self.compression, Compression::None].contains(&accept.compression)
    }
}
