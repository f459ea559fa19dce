//! What the VMM counts, for Prometheus.

use std::collections::BTreeMap;
use std::fmt;

use virtio_dvs::metrics::{Collector, DescriptorEncoder, Labels, Metrics, Writer};

use super::VmState;
use crate::control::Counters;

/// Counters of the DVS device that only grow, and what they count.
const OF_DEVICE: [(&str, &str); 4] = [
    ("connects", "Connections made to the node."),
    ("losses", "Connections to the node that were lost."),
    (
        "activations",
        "Times that the guest's driver began to use the device.",
    ),
    ("resets", "Times that the guest's driver reset the device."),
];

/// A VMM at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Where the machine is in its life, if there is one.
    pub state: Option<VmState>,
    /// What is counted while it is booted.
    pub counters: Counters,
}

impl Snapshot {
    /// The figures as text.
    pub fn text(self) -> Result<String, fmt::Error> {
        let mut metrics = Metrics::default();
        metrics.add(Box::new(self));
        metrics.text()
    }

    /// What KVM counts, by name: a figure for each vCPU. The names are the kernel's.
    fn vcpus(&self) -> BTreeMap<&str, Vec<(Labels, f64)>> {
        let mut by_name = BTreeMap::<&str, Vec<_>>::new();
        for (part, counters) in &self.counters {
            let Some(vcpu) = part.strip_prefix("vcpu") else {
                continue;
            };
            for (name, value) in counters.iter().filter(|it| is_name(it.0)) {
                let labels = vec![("vcpu", vcpu.to_owned())];
                by_name
                    .entry(name)
                    .or_default()
                    .push((labels, float(*value)));
            }
        }
        by_name
    }

    fn of(&self, part: &str, counter: &str) -> Option<u64> {
        self.counters.get(part)?.get(counter).copied()
    }

    fn write_machine(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        writer.gauges(
            "dvs_vmm_build_info",
            "Always 1: which VMM it is.",
            [(version, 1.0)],
        )?;
        let state = self
            .state
            .map(|state| (vec![("state", format!("{state:?}"))], 1.0));
        writer.gauges(
            "dvs_vmm_state",
            "1 for the state of the machine, if there is one.",
            state,
        )
    }

    fn write_devices(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let connected = self
            .of("dvs", "connected")
            .map(|it| (Vec::new(), float(it)));
        writer.gauges(
            "dvs_vmm_device_connected",
            "Whether the node is connected.",
            connected,
        )?;
        for (name, help) in OF_DEVICE {
            let value = self.of("dvs", name).map(|it| (Vec::new(), it));
            writer.counters(&format!("dvs_vmm_device_{name}"), help, value)?;
        }
        let lost = self.counters.iter().filter_map(|(port, counters)| {
            let labels = vec![("port", port.clone())];
            Some((labels, *counters.get("lost_bytes")?))
        });
        let help = "Bytes of the guest's serial ports that nobody took.";
        writer.counters("dvs_vmm_uart_lost_bytes", help, lost)
    }
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer::new(encoder);
        self.write_machine(&mut writer)?;
        self.write_devices(&mut writer)?;
        for (name, figures) in self.vcpus() {
            let help = "A statistic of KVM for each vCPU; the kernel's documentation explains it.";
            writer.unknown(&format!("dvs_vmm_vcpu_{name}"), help, figures)?;
        }
        Ok(())
    }
}

/// Whether the kernel's name can be part of a metric's.
fn is_name(name: &str) -> bool {
    let word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    !name.is_empty() && name.chars().all(word)
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus keeps floats")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
#[path = "metrics_test.rs"]
mod tests;
