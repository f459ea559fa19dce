//! One virtual machine: its configuration, and while it is booted its machine and host sides.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use event_manager::{SubscriberId, SubscriberOps};

use super::host::HostSides;
use super::mailbox::Mailbox;
use super::{Counters, Loop, remove};
use crate::api::config::VmConfig;
use crate::api::{ApiError, Response, VmState};
use crate::devices::dvs::{Dvs, NodeHandler, NodeLink};
use crate::devices::virtio::VirtioDevice;
use crate::machine::boot::Payload;
use crate::machine::{Machine, Parts};
use crate::migration::Guest;

/// A virtual machine that exists.
#[derive(Debug)]
pub struct Vm {
    config: VmConfig,
    /// Counts the starts, so that late events of an earlier one are known.
    boots: u64,
    booted: Option<Booted>,
    was_booted: bool,
}

/// What exists only while a machine is booted.
#[derive(Debug)]
struct Booted {
    machine: Arc<Machine>,
    paused: bool,
    dvs: Option<(Arc<Dvs>, SubscriberId)>,
    host: HostSides,
}

pub(super) fn failed(error: impl std::fmt::Display) -> ApiError {
    ApiError::Failed(error.to_string())
}

impl Vm {
    /// A machine that is not booted yet. The configuration has been checked.
    pub fn new(config: VmConfig) -> Self {
        Self {
            config,
            boots: 0,
            booted: None,
            was_booted: false,
        }
    }

    /// Its configuration.
    pub fn config(&self) -> &VmConfig {
        &self.config
    }

    /// Where it is in its life.
    pub fn state(&self) -> VmState {
        match &self.booted {
            Some(booted) if booted.paused => VmState::Paused,
            Some(_) => VmState::Running,
            None if self.was_booted => VmState::Shutdown,
            None => VmState::Created,
        }
    }

    /// True where `boot` is the running start.
    pub fn is_boot(&self, boot: u64) -> bool {
        self.booted.is_some() && self.boots == boot
    }

    /// Refuses what makes sense only for a booted machine.
    pub fn must_be_booted(&self) -> Result<&Machine, ApiError> {
        self.booted
            .as_ref()
            .map(|b| b.machine.as_ref())
            .ok_or_else(not_booted)
    }

    fn booted(&mut self) -> Result<&mut Booted, ApiError> {
        self.booted.as_mut().ok_or_else(not_booted)
    }

    /// Boots the machine.
    pub fn boot(&mut self, events: &mut Loop, mailbox: &Mailbox) -> Result<(), ApiError> {
        if self.booted.is_some() {
            return Err(ApiError::Conflict(
                "the virtual machine is booted already".into(),
            ));
        }
        let host = HostSides::open(&self.config, events)?;
        self.start(host, events, mailbox)
    }

    /// Boots again, in place: a new machine with the same host sides.
    pub fn reboot(&mut self, events: &mut Loop, mailbox: &Mailbox) -> Result<(), ApiError> {
        let host = self.end(events).ok_or_else(not_booted)?;
        self.start(host, events, mailbox)
    }

    fn start(
        &mut self,
        host: HostSides,
        events: &mut Loop,
        mailbox: &Mailbox,
    ) -> Result<(), ApiError> {
        self.boots += 1;
        match self.build(&host, mailbox) {
            Ok((machine, dvs)) => {
                let dvs = dvs.map(|(dvs, handler)| (dvs, events.add_subscriber(Box::new(handler))));
                machine.resume();
                self.booted = Some(Booted {
                    machine: Arc::new(machine),
                    paused: false,
                    dvs,
                    host,
                });
                self.was_booted = true;
                Ok(())
            }
            Err(error) => {
                host.close(events);
                Err(error)
            }
        }
    }

    fn build(
        &self,
        host: &HostSides,
        mailbox: &Mailbox,
    ) -> Result<(Machine, Option<Connected>), ApiError> {
        let dvs = host.link().map(connect).transpose()?;
        let payload = &self.config.payload;
        let payload = Payload {
            kernel: payload.kernel.clone(),
            initramfs: payload.initramfs.clone(),
            cmdline: payload.cmdline.clone(),
        };
        let parts = self.parts(
            host,
            Some(payload),
            dvs.as_ref().map(|(dvs, _)| dvs.clone()),
        );
        Ok((
            Machine::build(&parts, mailbox.guest_events(self.boots)).map_err(failed)?,
            dvs,
        ))
    }

    fn parts(&self, host: &HostSides, payload: Option<Payload>, dvs: Option<Arc<Dvs>>) -> Parts {
        Parts {
            vcpus: self.config.cpus.boot_vcpus,
            memory: self.config.memory.size,
            payload,
            uarts: host.uarts(),
            dvs,
        }
    }

    /// Builds the machine without anything in it, for one that comes from another host; its guest
    /// does not run.
    pub fn build_empty(&mut self, events: &mut Loop, mailbox: &Mailbox) -> Result<Guest, ApiError> {
        let host = HostSides::open(&self.config, events)?;
        self.boots += 1;
        match self.try_build_empty(&host, mailbox) {
            Ok((guest, handler)) => {
                let handler = events.add_subscriber(Box::new(handler));
                self.booted = Some(Booted {
                    machine: guest.machine.clone(),
                    paused: true,
                    dvs: Some((guest.dvs.clone(), handler)),
                    host,
                });
                self.was_booted = true;
                Ok(guest)
            }
            Err(error) => {
                host.close(events);
                Err(error)
            }
        }
    }

    fn try_build_empty(
        &self,
        host: &HostSides,
        mailbox: &Mailbox,
    ) -> Result<(Guest, NodeHandler), ApiError> {
        let link = host.link().ok_or_else(no_node)?;
        let (dvs, handler) = connect(link)?;
        dvs.hold_connection(true);
        let parts = self.parts(host, None, Some(dvs.clone()));
        let machine = Machine::build(&parts, mailbox.guest_events(self.boots)).map_err(failed)?;
        let machine = Arc::new(machine);
        Ok((Guest { machine, dvs }, handler))
    }

    /// The guest of a machine that has come from another host runs.
    pub fn has_arrived(&mut self) {
        if let Some(booted) = &mut self.booted {
            booted.paused = false;
        }
    }

    /// The machine and what belongs to it, if it runs and could go on at another host: with the
    /// number of the VM, and the control socket of its node.
    pub fn movable(&self) -> Result<(Guest, u32, PathBuf), ApiError> {
        let booted = self.booted.as_ref().ok_or_else(not_booted)?;
        if booted.paused {
            return Err(ApiError::Conflict(
                "the virtual machine is paused: resume it first".into(),
            ));
        }
        let node = self.config.dvs.as_ref().and_then(|dvs| dvs.node.clone());
        let (Some((dvs, _)), Some(node)) = (&booted.dvs, node) else {
            return Err(no_node());
        };
        let mut id = [0; 4];
        dvs.read_config(0, &mut id);
        let guest = Guest {
            machine: booted.machine.clone(),
            dvs: dvs.clone(),
        };
        Ok((guest, u32::from_le_bytes(id), node))
    }

    /// Ends the machine without asking the guest. Its configuration stays.
    pub fn shutdown(&mut self, events: &mut Loop) {
        if let Some(host) = self.end(events) {
            host.close(events);
        }
    }

    /// Ends the machine; gives its host sides.
    fn end(&mut self, events: &mut Loop) -> Option<HostSides> {
        let Booted {
            machine, dvs, host, ..
        } = self.booted.take()?;
        // The threads of a migration that is over may hold on to both for a moment.
        machine.pause();
        if let Some((dvs, handler)) = dvs {
            dvs.close();
            remove(events, handler);
        }
        Some(host)
    }

    /// Stops the guest where it is.
    pub fn pause(&mut self) -> Result<Response, ApiError> {
        let booted = self.booted()?;
        if booted.paused {
            return Err(ApiError::Conflict(
                "the virtual machine is paused already".into(),
            ));
        }
        booted.machine.pause();
        booted.paused = true;
        Ok(Response::Empty)
    }

    /// Lets a paused guest go on.
    pub fn resume(&mut self) -> Result<Response, ApiError> {
        let booted = self.booted()?;
        if !booted.paused {
            return Err(ApiError::Conflict(
                "the virtual machine is not paused".into(),
            ));
        }
        booted.machine.resume();
        booted.paused = false;
        Ok(Response::Empty)
    }

    /// Presses the power button.
    pub fn press_power_button(&mut self) -> Result<Response, ApiError> {
        if !self.must_be_booted()?.press_power_button() {
            return Err(ApiError::Conflict(
                "the guest does not listen to the power button (yet): it has no driver for it or is still booting".into(),
            ));
        }
        Ok(Response::Empty)
    }

    /// Counters of the vCPUs and devices.
    pub fn counters(&mut self) -> Result<Counters, ApiError> {
        let booted = self.booted()?;
        let mut counters = Counters::new();
        let vcpus = booted.machine.vcpu_counters().map_err(failed)?;
        // The sum over all vCPUs, for who does not care how many there are.
        let mut sum = BTreeMap::new();
        for (name, value) in vcpus.iter().flatten() {
            let total: &mut u64 = sum.entry(name.clone()).or_default();
            *total = total.wrapping_add(*value);
        }
        counters.insert("kvm".into(), sum);
        for (id, vcpu) in vcpus.into_iter().enumerate() {
            counters.insert(format!("vcpu{id}"), vcpu);
        }
        if let Some((dvs, _)) = &booted.dvs {
            counters.insert("dvs".into(), dvs.counters());
        }
        counters.extend(booted.host.counters());
        Ok(counters)
    }
}

fn not_booted() -> ApiError {
    ApiError::Conflict("the virtual machine is not booted".into())
}

fn no_node() -> ApiError {
    ApiError::Conflict(
        "a virtual machine can move only with a virtio-dvs device of a running node: give dvs.socket and dvs.node".into(),
    )
}

/// A device, and what keeps it connected.
type Connected = (Arc<Dvs>, NodeHandler);

fn connect(link: &Arc<NodeLink>) -> Result<Connected, ApiError> {
    let dvs = Arc::new(Dvs::connect(link.clone()).map_err(failed)?);
    let handler = NodeHandler::new(dvs.clone()).map_err(failed)?;
    Ok((dvs, handler))
}
