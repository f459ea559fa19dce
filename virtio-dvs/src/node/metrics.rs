//! What a node counts, for Prometheus. Parts that are not of the fabric add collectors of their own
//! to what [`Control::metrics`] gives.

use crate::device::counters::PortCounters;
use crate::device::fabric::{Backlog, Fabric};
use crate::device::remote::Stopped;
use crate::device::worker::Worker;
use crate::link::SessionView;
use crate::metrics::{Collector, DescriptorEncoder, Labels, Metrics, MetricsListener, Writer};
use crate::node::service::{Control, NodeError};
use crate::switch::PortId;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

mod links;

/// The node and its ports.
#[derive(Debug)]
struct NodeMetrics(Control);

/// A node at one moment.
#[derive(Debug)]
struct Snapshot {
    backlog: Backlog,
    sessions: Vec<SessionView>,
    /// Frames that came over links and were not carried, by reason.
    refused: BTreeMap<&'static str, u64>,
    ports: Vec<Port>,
    /// How long the event loop was waited for.
    response: Duration,
}

/// A port at one moment.
#[derive(Debug)]
struct Port {
    vm: u32,
    connected: bool,
    running: bool,
    endpoints: usize,
    counters: PortCounters,
}

/// A metric with one figure for each VM: its name, what it is, and where it comes from.
type OfPort = (&'static str, &'static str, fn(&PortCounters) -> u64);

const OF_PORT: [OfPort; 9] = [
    (
        "dvs_port_retries",
        "RETRY frames said to the guest.",
        |it| it.retries,
    ),
    ("dvs_port_gones", "GONE frames said to the guest.", |it| {
        it.gones
    }),
    (
        "dvs_port_node_frames_lost",
        "Frames of the node for which the guest had no room.",
        |it| it.node_frames_lost,
    ),
    ("dvs_port_control_requests", "Control requests.", |it| {
        it.control_requests
    }),
    (
        "dvs_port_control_refused",
        "Control requests that were not accepted.",
        |it| it.control_refused,
    ),
    (
        "dvs_port_bad_buffers",
        "Receive buffers given back since no frame fits into them.",
        |it| it.bad_buffers,
    ),
    (
        "dvs_port_broken_rings",
        "Rings given up since the guest broke the rules of virtqueues.",
        |it| it.broken_rings,
    ),
    (
        "dvs_port_starts",
        "Times that the port's rings were taken into use.",
        |it| it.starts,
    ),
    (
        "dvs_port_config_writes",
        "Writes to the configuration space, which is read-only.",
        |it| it.config_writes,
    ),
];

impl Control {
    /// All that the node counts.
    pub(super) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        metrics.add(Box::new(NodeMetrics(self.clone())));
        metrics
    }

    /// The TCP address for Prometheus, if the configuration names one.
    pub(super) fn metrics_listener(&self) -> Result<Option<MetricsListener>, NodeError> {
        let listen = |address| {
            MetricsListener::bind(address).map_err(|error| NodeError::Metrics { address, error })
        };
        self.config.metrics_listen.map(listen).transpose()
    }

    fn snapshot(&self) -> Result<Snapshot, Stopped> {
        let asked = Instant::now();
        let look = |worker: &mut Worker| {
            let fabric = worker.fabric();
            let ids: Vec<_> = fabric.switch().ports().collect();
            Snapshot {
                backlog: fabric.backlog(),
                sessions: fabric.sessions(),
                refused: fabric.refused_arrivals(),
                ports: ids.into_iter().filter_map(|id| port(fabric, id)).collect(),
                response: Duration::ZERO,
            }
        };
        let snapshot = self.remote.ask(move |worker, done| done(look(worker)))?;
        Ok(Snapshot {
            response: asked.elapsed(),
            ..snapshot
        })
    }
}

fn port(fabric: &Fabric, id: PortId) -> Option<Port> {
    let switch = fabric.switch();
    Some(Port {
        vm: switch.attributes(id)?.vm,
        connected: fabric.is_connected(id),
        running: fabric.is_running(id),
        endpoints: switch.endpoints(id).count(),
        counters: fabric.counters(id)?,
    })
}

impl Collector for NodeMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.0.snapshot().map_err(|_| fmt::Error)?;
        let mut writer = Writer::new(encoder);
        write_node(&mut writer, &self.0, &snapshot)?;
        write_vms(&mut writer, &snapshot.ports)?;
        write_traffic(&mut writer, &snapshot.ports)?;
        for (name, help, figure) in OF_PORT {
            let values = snapshot.ports.iter();
            let values = values.map(|port| (port.labels(), figure(&port.counters)));
            writer.counters(name, help, values)?;
        }
        links::write(&mut writer, &snapshot.sessions, &snapshot.refused)
    }
}

impl Port {
    fn labels(&self) -> Labels {
        vec![("vm", self.vm.to_string())]
    }

    /// One figure for each entry of a list of the counters.
    fn each<'a>(
        &'a self,
        label: &'static str,
        counts: &'a BTreeMap<String, u64>,
    ) -> impl Iterator<Item = (Labels, u64)> + 'a {
        counts.iter().map(move |(name, count)| {
            let mut labels = self.labels();
            labels.push((label, name.clone()));
            (labels, *count)
        })
    }

    fn both_ways(&self, taken: u64, given: u64) -> [(Labels, u64); 2] {
        [("in", taken), ("out", given)].map(|(direction, count)| {
            let mut labels = self.labels();
            labels.push(("direction", direction.to_owned()));
            (labels, count)
        })
    }
}

fn one(value: f64) -> [(Labels, f64); 1] {
    [(Vec::new(), value)]
}

/// A figure that is small enough for a float to hold it exactly.
#[allow(clippy::cast_precision_loss, reason = "at most some thousands")]
fn float(count: usize) -> f64 {
    count as f64
}

fn write_node(writer: &mut Writer<'_>, control: &Control, snapshot: &Snapshot) -> fmt::Result {
    let labels = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("nodeid", control.config.nodeid.to_string()),
    ];
    let build = [(labels, 1.0)];
    writer.gauges("dvs_node_build_info", "Always 1: which node it is.", build)?;
    writer.gauges(
        "dvs_node_uptime_seconds",
        "Time since the node was started.",
        one(control.started.elapsed().as_secs_f64()),
    )?;
    writer.gauges(
        "dvs_node_loop_response_seconds",
        "How long the event loop, which carries all frames, took to answer this question.",
        one(snapshot.response.as_secs_f64()),
    )?;
    let backlog = &snapshot.backlog;
    let left = [
        ("messages", backlog.messages),
        ("bulk", backlog.bulk),
        ("throttled", backlog.throttled),
    ];
    writer.gauges(
        "dvs_node_backlog",
        "Queues with work left over for the event loop's next turn, and ports over their rate.",
        left.map(|(kind, count)| (vec![("kind", kind.to_owned())], float(count))),
    )
}

fn write_vms(writer: &mut Writer<'_>, ports: &[Port]) -> fmt::Result {
    let count = |is: fn(&Port) -> bool| float(ports.iter().filter(|it| is(it)).count());
    let states = [
        ("attached", count(|_| true)),
        ("connected", count(|it| it.connected)),
        ("running", count(|it| it.running)),
    ];
    writer.gauges(
        "dvs_node_vms",
        "VMs attached; of these with a VMM that is connected; of these with rings in use.",
        states.map(|(state, count)| (vec![("state", state.to_owned())], count)),
    )?;
    let bound = ports.iter().map(|it| (it.labels(), float(it.endpoints)));
    writer.gauges("dvs_port_endpoints", "Endpoints bound.", bound)?;
    let running = ports
        .iter()
        .map(|it| (it.labels(), f64::from(u8::from(it.running))));
    writer.gauges(
        "dvs_port_running",
        "Whether the guest's rings are in use.",
        running,
    )
}

fn write_traffic(writer: &mut Writer<'_>, ports: &[Port]) -> fmt::Result {
    writer.counters(
        "dvs_port_frames",
        "Frames taken from the guest (in) and put into its receive rings (out).",
        ports.iter().flat_map(|it| {
            let counters = &it.counters;
            it.both_ways(counters.frames_in, counters.frames_out)
        }),
    )?;
    writer.counters(
        "dvs_port_bytes",
        "Bytes of carried frames, headers included.",
        ports.iter().flat_map(|it| {
            let counters = &it.counters;
            it.both_ways(counters.bytes_in, counters.bytes_out)
        }),
    )?;
    writer.counters(
        "dvs_port_kicks",
        "Kicks by the guest; those that come while one is handled count once.",
        ports
            .iter()
            .flat_map(|it| it.each("queue", &it.counters.kicks)),
    )?;
    writer.counters(
        "dvs_port_interrupts",
        "Interrupts signalled to the guest.",
        ports
            .iter()
            .flat_map(|it| it.each("queue", &it.counters.calls)),
    )?;
    writer.counters(
        "dvs_port_drops",
        "Frames of the guest that were dropped; reasons without a case are left out.",
        ports
            .iter()
            .flat_map(|it| it.each("reason", &it.counters.drops)),
    )
}

#[cfg(test)]
#[path = "metrics_test.rs"]
mod tests;
