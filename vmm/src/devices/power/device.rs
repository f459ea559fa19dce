//! The registers behind power-off, reset and the power button.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{PM1_CONTROL, PM1_EVENT, RESET, RESET_VALUE, SLEEP_TYPE_OFF};
use crate::machine::bus::BusDevice;
use crate::machine::event::{GuestEvent, GuestEvents};
use crate::machine::persist::{Persist, StateError, decode, encode};

const GLOBAL_LOCK: u16 = 1 << 5;
const POWER_BUTTON: u16 = 1 << 8;
/// Events that the guest can listen to.
const WRITABLE: u16 = POWER_BUTTON | GLOBAL_LOCK;
/// ACPI mode is always on: there is no legacy mode to switch from.
const SCI_ENABLED: u16 = 1;
const SLEEP_ENABLE: u16 = 1 << 13;
const SLEEP_TYPE_SHIFT: u16 = 10;

/// Drives the interrupt line of ACPI events.
pub type SciLine = Box<dyn Fn(bool) + Send + Sync>;

/// The ACPI power management registers of a machine.
pub struct PowerControl {
    registers: Mutex<Registers>,
    sci: SciLine,
    events: Arc<dyn GuestEvents>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Registers {
    status: u16,
    enable: u16,
}

impl std::fmt::Debug for PowerControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PowerControl")
            .field("registers", &self.registers)
            .finish_non_exhaustive()
    }
}

impl PowerControl {
    /// Registers after reset; `sci` drives the interrupt line of ACPI events.
    pub fn new(sci: SciLine, events: Arc<dyn GuestEvents>) -> Self {
        Self {
            registers: Mutex::default(),
            sci,
            events,
        }
    }

    /// Presses the power button. False where the guest does not listen to it (yet).
    pub fn press_button(&self) -> bool {
        let mut registers = self.lock();
        registers.status |= POWER_BUTTON;
        self.update_line(&registers);
        registers.enable & POWER_BUTTON != 0
    }

    fn lock(&self) -> MutexGuard<'_, Registers> {
        self.registers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn update_line(&self, registers: &Registers) {
        (self.sci)(registers.status & registers.enable != 0);
    }

    fn write_control(&self, value: u16) {
        let sleep_type = (value >> SLEEP_TYPE_SHIFT) & 7;
        if value & SLEEP_ENABLE != 0 && sleep_type == u16::from(SLEEP_TYPE_OFF) {
            self.events.report(GuestEvent::PowerOff);
        }
    }
}

impl Persist for PowerControl {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        encode(&*self.lock())
    }

    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        let state: Registers = decode(bytes)?;
        let mut registers = self.lock();
        *registers = Registers {
            status: state.status & POWER_BUTTON,
            enable: state.enable & WRITABLE,
        };
        self.update_line(&registers);
        Ok(())
    }
}

impl BusDevice for PowerControl {
    fn read(&self, offset: u64, data: &mut [u8]) {
        let registers = self.lock();
        let [s0, s1] = registers.status.to_le_bytes();
        let [e0, e1] = registers.enable.to_le_bytes();
        let [c0, c1] = SCI_ENABLED.to_le_bytes();
        let bytes = [s0, s1, e0, e1, c0, c1];
        for (at, byte) in (offset..).zip(data.iter_mut()) {
            *byte = usize::try_from(at)
                .ok()
                .and_then(|at| bytes.get(at))
                .copied()
                .unwrap_or(0);
        }
    }

    fn write(&self, offset: u64, data: &[u8]) {
        const PM1_ENABLE: u64 = PM1_EVENT + 2;
        match (offset, data) {
            (PM1_EVENT, [a, b]) => {
                let mut registers = self.lock();
                // A one clears the bit.
                registers.status &= !u16::from_le_bytes([*a, *b]);
                self.update_line(&registers);
            }
            (PM1_ENABLE, [a, b]) => {
                let mut registers = self.lock();
                registers.enable = u16::from_le_bytes([*a, *b]) & WRITABLE;
                self.update_line(&registers);
            }
            (PM1_CONTROL, [a, b]) => self.write_control(u16::from_le_bytes([*a, *b])),
            (RESET, [RESET_VALUE]) => self.events.report(GuestEvent::Reset),
            _ => {}
        }
    }
}

/// The keyboard controller, of which only the reset line exists.
pub struct I8042 {
    events: Arc<dyn GuestEvents>,
}

impl std::fmt::Debug for I8042 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("I8042").finish_non_exhaustive()
    }
}

impl I8042 {
    /// A controller that reports the reset to `events`.
    pub fn new(events: Arc<dyn GuestEvents>) -> Self {
        Self { events }
    }
}

impl BusDevice for I8042 {
    /// Reads as an idle controller with empty buffers, so that a guest that waits for it goes on.
    fn read(&self, _offset: u64, data: &mut [u8]) {
        data.fill(0);
    }

    fn write(&self, offset: u64, data: &[u8]) {
        const COMMAND: u64 = 4;
        const PULSE_RESET: u8 = 0xfe;
        if (offset, data) == (COMMAND, &[PULSE_RESET]) {
            self.events.report(GuestEvent::Reset);
        }
    }
}

#[cfg(test)]
#[path = "device_test.rs"]
mod tests;
