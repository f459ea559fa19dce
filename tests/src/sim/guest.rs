//! A machine and what is in its memory: the core, the rings, what its driver keeps.

use std::collections::{BTreeMap, VecDeque};

use dvs_core::{CallId, Core, Identity, Limits, Stats};
use virtio_dvs::spec::DeviceConfig;

use super::agenda::Event;
use super::plan::Settings;

/// How far a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    /// No VMM runs.
    Off,
    /// The VMM runs.
    On,
}

/// A machine.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) vm: u32,
    pub(super) host: usize,
    pub(super) power: Power,
    /// It has no port yet on the host where it belongs.
    pub(super) attaching: bool,
    /// It was lost on its way, and somebody looks where it may be started again.
    pub(super) lost: bool,
    /// Counts VMMs, so that events of an earlier one are known.
    pub(super) boot: u64,
    /// Counts cores.
    pub(super) life: u64,
    pub(super) incarnation: u32,
    /// The driver that is being loaded has reset the device.
    pub(super) reset_done: bool,
    /// None while the driver is not loaded.
    pub(super) core: Option<Core>,
    /// The rings are in use by the node.
    pub(super) running: bool,
    /// Filled receive buffers.
    pub(super) received: VecDeque<Vec<u8>>,
    /// Answers on the control ring: nonce and status.
    pub(super) answered: VecDeque<(u64, u32)>,
    /// The node wants to know when receive buffers come back.
    pub(super) wants_room_kick: bool,
    pub(super) kicked: bool,
    pub(super) interrupted: bool,
    pub(super) timer_at: u64,
    pub(super) stalled_until: u64,
    /// Its CPUs are stopped, and since when.
    pub(super) paused: Option<u64>,
    /// What it would have done since.
    pub(super) frozen: Vec<Event>,
    /// Which migration it is in.
    pub(super) migration: Option<usize>,
    /// Whose calls are under way.
    pub(super) callers: BTreeMap<CallId, usize>,
    /// Frames that the node took from this core, and that this core got.
    pub(super) taken: u64,
    pub(super) given: u64,
}

impl Guest {
    pub(super) fn new(vm: u32, host: usize) -> Guest {
        Guest {
            vm,
            host,
            power: Power::Off,
            attaching: true,
            lost: false,
            boot: 0,
            life: 0,
            incarnation: 0,
            reset_done: false,
            core: None,
            running: false,
            received: VecDeque::new(),
            answered: VecDeque::new(),
            wants_room_kick: false,
            kicked: false,
            interrupted: false,
            timer_at: u64::MAX,
            stalled_until: 0,
            paused: None,
            frozen: Vec::new(),
            migration: None,
            callers: BTreeMap::new(),
            taken: 0,
            given: 0,
        }
    }

    /// Whether this VMM of the machine still runs.
    pub(super) fn runs(&self, boot: u64) -> bool {
        self.power == Power::On && self.boot == boot
    }

    /// Whether its driver is about to reset the device.
    pub(super) fn loads_driver(&self, boot: u64) -> bool {
        self.runs(boot) && self.core.is_none() && !self.reset_done
    }

    /// The driver makes a core of what it reads from the configuration space. `None`: the numbers
    /// in it, or the limits, are out of range.
    pub(super) fn make_core(&mut self, settings: &Settings, config: &DeviceConfig) -> Option<()> {
        let identity = Identity {
            vm: config.vm.get(),
            incarnation: config.incarnation.get(),
            nr_tasks: i32::try_from(config.nr_tasks.get()).ok()?,
            nr_procs: i32::try_from(config.nr_procs.get()).ok()?,
            nr_sysprocs: i32::try_from(config.nr_sysprocs.get()).ok()?,
            flags: 0,
        };
        let limits = Limits {
            endpoints: 32,
            peers: 8,
            operations: 128,
            destinations: 32,
            credits: settings.credits,
            window: settings.window,
            ..Limits::default()
        };
        self.core = Some(Core::new(identity, limits, settings.transmit_ring)?);
        self.incarnation = identity.incarnation;
        self.life += 1;
        Some(())
    }

    /// Everything in the guest's memory that belonged to the core is gone, with the core.
    pub(super) fn forget(&mut self) {
        self.core = None;
        self.reset_done = false;
        self.running = false;
        self.received.clear();
        self.answered.clear();
        self.wants_room_kick = false;
        self.timer_at = u64::MAX;
        self.callers.clear();
        self.taken = 0;
        self.given = 0;
    }

    /// Puts a frame into a receive buffer; false: there is none.
    pub(super) fn put(&mut self, frame: &[u8], size: usize) -> bool {
        let room = self.received.len() < size;
        if room {
            self.received.push_back(frame.to_vec());
        }
        room
    }

    pub(super) fn stats(&self) -> Option<Stats> {
        self.core.as_ref().map(Core::stats)
    }
}
