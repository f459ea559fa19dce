//! What this host can take, which a machine that comes is compared with.

use dvs_migration::compat::Host;
use dvs_migration::pages::{Compression, MAX_STREAMS};
use dvs_migration::text::Text;

use super::request::ReceiveMigration;
use crate::devices::dvs::DRIVER_FEATURES;
use crate::machine::{self, HostCpu, MACHINE_VERSION};

/// What this host can take.
pub fn host(
    request: &ReceiveMigration,
    node: u32,
    cluster: &str,
    port: u16,
) -> Result<Host, String> {
    let free = memory_available().map_err(|error| error.to_string())?;
    let HostCpu { cpu, tsc_scaling } =
        machine::host_cpu(machine::cpu::MAX_VCPUS).map_err(|error| error.to_string())?;
    Ok(Host {
        node,
        cluster: Text::from(cluster),
        machine: MACHINE_VERSION,
        vcpus: machine::cpu::MAX_VCPUS.into(),
        memory: request.memory_max.unwrap_or(free).min(free),
        cpu,
        tsc_scaling,
        devices: machine::host_devices(DRIVER_FEATURES),
        compression: vec![Compression::None, Compression::Lz4],
        streams: MAX_STREAMS,
        port,
    })
}

/// Bytes of memory that the host could give without taking them from others.
fn memory_available() -> std::io::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let kib = kib.ok_or_else(|| std::io::Error::other("/proc/meminfo has no MemAvailable"))?;
    Ok(kib.saturating_mul(1024))
}
