//! The host sides of a machine's devices: they stay while it reboots.

use std::collections::BTreeMap;
use std::sync::Arc;

use event_manager::{SubscriberId, SubscriberOps};

use super::vm::failed;
use super::{Counters, Loop, remove};
use crate::api::ApiError;
use crate::api::config::{ConsoleConfig, VmConfig};
use crate::devices::dvs::NodeLink;
use crate::devices::uart::{Backend, Uart};

const PORT_NAMES: [&str; 2] = ["serial", "console"];

/// Serial ports and the way to the node.
#[derive(Debug, Default)]
pub struct HostSides {
    ports: [Option<Backend>; 2],
    subscribers: Vec<SubscriberId>,
    link: Option<Arc<NodeLink>>,
}

impl HostSides {
    /// Opens what `config` asks for.
    pub fn open(config: &VmConfig, events: &mut Loop) -> Result<Self, ApiError> {
        let mut sides = Self::default();
        match sides.open_all(config, events) {
            Ok(()) => Ok(sides),
            Err(error) => {
                sides.close(events);
                Err(error)
            }
        }
    }

    fn open_all(&mut self, config: &VmConfig, events: &mut Loop) -> Result<(), ApiError> {
        let wanted: [&ConsoleConfig; 2] = [&config.serial, &config.console];
        for ((place, name), config) in self.ports.iter_mut().zip(PORT_NAMES).zip(wanted) {
            if let Some((backend, input)) = Backend::open(name, config).map_err(failed)? {
                *place = Some(backend);
                self.subscribers
                    .extend(input.map(|input| events.add_subscriber(Box::new(input))));
            }
        }
        self.link = config
            .dvs
            .as_ref()
            .map(NodeLink::open)
            .transpose()
            .map_err(failed)?
            .map(Arc::new);
        Ok(())
    }

    /// The serial ports that the guest sees.
    pub fn uarts(&self) -> [Option<Arc<Uart>>; 2] {
        self.ports
            .each_ref()
            .map(|port| port.as_ref().map(|port| port.uart().clone()))
    }

    /// The way to the node.
    pub fn link(&self) -> Option<&Arc<NodeLink>> {
        self.link.as_ref()
    }

    /// Counters of the serial ports.
    pub fn counters(&self) -> Counters {
        let ports = PORT_NAMES.into_iter().zip(&self.ports);
        ports
            .filter_map(|(name, port)| {
                let lost = port.as_ref()?.lost();
                Some((
                    name.to_owned(),
                    BTreeMap::from([("lost_bytes".to_owned(), lost)]),
                ))
            })
            .collect()
    }

    /// Closes everything.
    pub fn close(self, events: &mut Loop) {
        for id in self.subscribers {
            remove(events, id);
        }
    }
}
