//! From looks at a node to what is shown of it.

use std::time::Duration;

use serde::Serialize;
use virtio_dvs::node::control::{EndpointInfo, Info, LinkInfo, PortInfo};

use super::rates::{LinkRates, Rates};
use super::sample::Sample;
use super::waits::Waits;
use crate::ctl::args::Sort;

/// What is shown.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Picture {
    pub(super) node: Info,
    pub(super) vms: Vec<VmRow>,
    pub(super) endpoints: Vec<EndpointRow>,
    pub(super) links: Vec<LinkRow>,
}

/// A VM.
#[derive(Clone, Debug, Serialize)]
pub(super) struct VmRow {
    pub(super) vm: u32,
    pub(super) dcid: u32,
    pub(super) connected: bool,
    pub(super) running: bool,
    pub(super) endpoints: usize,
    /// None at the first look, and where the counters began anew.
    pub(super) rates: Option<Rates>,
}

/// An endpoint.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EndpointRow {
    #[serde(flatten)]
    pub(super) info: EndpointInfo,
    /// How long every look has found it waiting the same way.
    #[serde(rename = "waited_ms", serialize_with = "milliseconds")]
    pub(super) waited: Option<Duration>,
}

/// A link.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LinkRow {
    #[serde(flatten)]
    pub(super) info: LinkInfo,
    /// As those of a VM.
    pub(super) rates: Option<LinkRates>,
}

/// The last look and what is remembered of those before it.
#[derive(Debug)]
pub(super) struct History {
    sort: Sort,
    last: Option<Sample>,
    waits: Waits,
}

impl History {
    /// No look so far.
    pub(super) fn new(sort: Sort) -> History {
        History {
            sort,
            last: None,
            waits: Waits::default(),
        }
    }

    /// Takes another look in; gives what is to be shown.
    pub(super) fn add(&mut self, sample: Sample) -> Picture {
        let waited = self.waits.look(&sample.endpoints, sample.at);
        let ports = sample.ports.iter();
        let vms = ports.map(|port| self.vm(port, &sample)).collect();
        let links = sample.links.iter();
        let links = links.map(|link| self.link(link, &sample)).collect();
        let endpoints = sample.endpoints.iter().cloned().zip(waited);
        let mut endpoints: Vec<_> = endpoints
            .map(|(info, waited)| EndpointRow { info, waited })
            .collect();
        endpoints.sort_by_key(|row| std::cmp::Reverse((row.info.deadlock, row.waited)));
        let mut picture = Picture {
            node: sample.info.clone(),
            vms,
            endpoints,
            links,
        };
        picture.sort(self.sort);
        self.last = Some(sample);
        picture
    }

    /// From now on VMs are sorted by this.
    pub(super) fn sort_by(&mut self, sort: Sort) {
        self.sort = sort;
    }

    fn vm(&self, port: &PortInfo, sample: &Sample) -> VmRow {
        let counters = |sample: &Sample| {
            let mut all = sample.counters.iter();
            let of_vm = all.find(|it| it.vm == port.vm)?;
            Some(of_vm.counters.clone())
        };
        let rates = self.last.as_ref().and_then(|last| {
            let (before, after) = (counters(last)?, counters(sample)?);
            Rates::between(
                &before,
                &after,
                sample.at.saturating_duration_since(last.at),
            )
        });
        VmRow {
            vm: port.vm,
            dcid: port.dcid,
            connected: port.connected,
            running: port.running,
            endpoints: port.endpoints,
            rates,
        }
    }

    fn link(&self, info: &LinkInfo, sample: &Sample) -> LinkRow {
        let rates = self.last.as_ref().and_then(|last| {
            let before = last.links.iter().find(|it| it.node == info.node)?;
            LinkRates::between(before, info, sample.at.saturating_duration_since(last.at))
        });
        LinkRow {
            info: info.clone(),
            rates,
        }
    }
}

impl Picture {
    /// Sorts the VMs; those that are equal by number.
    pub(super) fn sort(&mut self, sort: Sort) {
        let of = |rates: &Rates| match sort {
            Sort::Vm => 0.0,
            Sort::Frames => rates.frames(),
            Sort::Bytes => rates.bytes(),
            Sort::Kicks => rates.kicks,
            Sort::Interrupts => rates.interrupts,
            Sort::Drops => rates.drops,
        };
        let figure = |row: &VmRow| row.rates.as_ref().map_or(0.0, of);
        let order = |a: &VmRow, b: &VmRow| figure(b).total_cmp(&figure(a)).then(a.vm.cmp(&b.vm));
        self.vms.sort_by(order);
    }
}

fn milliseconds<S: serde::Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX))
        .serialize(serializer)
}

#[cfg(test)]
#[path = "history_test.rs"]
mod tests;
