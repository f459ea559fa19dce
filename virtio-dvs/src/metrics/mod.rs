//! Figures for Prometheus, in the text form of OpenMetrics: what the node and the VMM share.
//!
//! Each part that counts something is a [`Collector`], which is asked at every scrape. Labels are
//! of what the host has made (VMs, links, queues) or of fixed lists (reasons, states), never of what
//! a guest says, so that no guest can make their number grow.

mod listener;

pub use listener::MetricsListener;
pub use prometheus_client::collector::Collector;
pub use prometheus_client::encoding::DescriptorEncoder;

use prometheus_client::encoding::NoLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;

/// What an answer with figures says of its form.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names and values that tell the figures of one metric apart.
pub type Labels = Vec<(&'static str, String)>;

/// The figures of one program.
#[derive(Debug, Default)]
pub struct Metrics(Registry);

impl Metrics {
    /// Adds what a part of the program counts.
    pub fn add(&mut self, collector: Box<dyn Collector>) {
        self.0.register_collector(collector);
    }

    /// All figures as they are now. Fails if a part does not answer any more.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0)?;
        Ok(text)
    }
}

/// Writes metrics of one part.
#[derive(Debug)]
pub struct Writer<'a>(DescriptorEncoder<'a>);

impl<'a> Writer<'a> {
    /// Writes to `encoder`.
    pub fn new(encoder: DescriptorEncoder<'a>) -> Writer<'a> {
        Writer(encoder)
    }

    /// Counters: they only grow while the program lives. `_total` is added to the name.
    pub fn counters(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut metric = (self.0).encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            let mut one = metric.encode_family(&labels)?;
            one.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    /// Gauges: figures that go up and down.
    pub fn gauges(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        self.floats(MetricType::Gauge, name, help, values)
    }

    /// Figures of which nobody says whether they only grow.
    pub fn unknown(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        self.floats(MetricType::Unknown, name, help, values)
    }

    fn floats(
        &mut self,
        kind: MetricType,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "metrics_test.rs"]
mod tests;
