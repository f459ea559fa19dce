//! Fakes of what KVM gives, so that devices are tested without it.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use vmm_sys_util::eventfd::EventFd;

use super::kvm::{Doorbells, Interrupts, KvmError, MsiMessage};

/// Records routes and connections.
#[derive(Debug, Default)]
pub struct FakeInterrupts {
    routes: Mutex<BTreeMap<u32, MsiMessage>>,
    connected: Mutex<Vec<u32>>,
    next: Mutex<u32>,
}

impl FakeInterrupts {
    /// The connected interrupts with their messages.
    pub fn connected(&self) -> Vec<(u32, MsiMessage)> {
        let routes = self.routes.lock().unwrap();
        self.connected
            .lock()
            .unwrap()
            .iter()
            .map(|gsi| (*gsi, routes[gsi]))
            .collect()
    }
}

impl Interrupts for FakeInterrupts {
    fn allocate(&self) -> Result<u32, KvmError> {
        let mut next = self.next.lock().unwrap();
        *next += 1;
        Ok(*next + 23)
    }

    fn route(&self, messages: &[(u32, MsiMessage)]) -> Result<(), KvmError> {
        self.routes.lock().unwrap().extend(messages.iter().copied());
        Ok(())
    }

    fn connect(&self, _event: &EventFd, gsi: u32) -> Result<(), KvmError> {
        self.connected.lock().unwrap().push(gsi);
        Ok(())
    }

    fn disconnect(&self, _event: &EventFd, gsi: u32) -> Result<(), KvmError> {
        self.connected.lock().unwrap().retain(|g| *g != gsi);
        Ok(())
    }
}

/// Records doorbells by port, and how often one was connected.
#[derive(Debug, Default)]
pub struct FakeDoorbells(Mutex<BTreeMap<u64, i32>>, AtomicUsize);

impl FakeDoorbells {
    /// Ports that ring.
    pub fn ports(&self) -> Vec<u64> {
        self.0.lock().unwrap().keys().copied().collect()
    }

    /// How often one was connected.
    pub fn connections(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

impl Doorbells for FakeDoorbells {
    fn ring_on_write(&self, event: &EventFd, port: u64) -> Result<(), KvmError> {
        let old = self.0.lock().unwrap().insert(port, event.as_raw_fd());
        assert_eq!(old, None, "port {port:#x} has two doorbells");
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn silence(&self, event: &EventFd, port: u64) -> Result<(), KvmError> {
        assert_eq!(
            self.0.lock().unwrap().remove(&port),
            Some(event.as_raw_fd())
        );
        Ok(())
    }
}
