//! The registers of the serial port, by vm-superio, and its interrupt line.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use vm_superio::serial::{SerialEvents, SerialState};
use vm_superio::{Serial, Trigger};
use vmm_sys_util::eventfd::EventFd;

use super::output::Output;
use crate::machine::bus::BusDevice;
use crate::machine::persist::{Persist, StateError, decode, encode};

/// An eventfd that several owners signal.
#[derive(Clone, Debug)]
struct Signal(Arc<EventFd>);

impl Trigger for Signal {
    type E = std::io::Error;

    fn trigger(&self) -> Result<(), Self::E> {
        self.0.write(1)
    }
}

impl Deref for Signal {
    type Target = EventFd;

    fn deref(&self) -> &EventFd {
        &self.0
    }
}

/// Tells the input side when the guest has read everything.
impl SerialEvents for Signal {
    fn buffer_read(&self) {}
    fn out_byte(&self) {}
    fn tx_lost_byte(&self) {}

    fn in_buffer_empty(&self) {
        if let Err(error) = self.trigger() {
            tracing::warn!(%error, "cannot signal that serial input was read");
        }
    }
}

type Registers = Serial<Signal, Signal, Output>;

/// A serial port.
#[derive(Debug)]
pub struct Uart {
    registers: Mutex<Registers>,
    interrupt: Signal,
    drained: Signal,
    output: Output,
}

impl Uart {
    /// A serial port after reset that writes to `output`.
    pub fn new(output: Output) -> std::io::Result<Self> {
        let signal =
            || EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC).map(|e| Signal(Arc::new(e)));
        let (interrupt, drained) = (signal()?, signal()?);
        let registers = Mutex::new(Serial::with_events(
            interrupt.clone(),
            drained.clone(),
            output.clone(),
        ));
        Ok(Self {
            registers,
            interrupt,
            drained,
            output,
        })
    }

    /// Signalled for every interrupt of the port.
    pub fn interrupt(&self) -> &EventFd {
        &self.interrupt
    }

    /// Signalled when the guest has read all input.
    pub fn drained(&self) -> &EventFd {
        &self.drained
    }

    /// Registers as after power-on; input that the guest has not read is lost.
    pub fn reset(&self) {
        *self.lock() = Serial::with_events(
            self.interrupt.clone(),
            self.drained.clone(),
            self.output.clone(),
        );
    }

    /// Bytes of input that the port can take now.
    pub fn room(&self) -> usize {
        self.lock().fifo_capacity()
    }

    /// Gives the guest input; takes at most [`Uart::room`] bytes.
    pub fn input(&self, bytes: &[u8]) {
        if let Err(error) = self.lock().enqueue_raw_bytes(bytes) {
            tracing::debug!(?error, "serial input was lost");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Registers> {
        self.registers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registers of a 16550, and what it has received.
#[derive(Serialize, Deserialize)]
struct State {
    baud_divisor: [u8; 2],
    interrupt_enable: u8,
    interrupt_identification: u8,
    line_control: u8,
    line_status: u8,
    modem_control: u8,
    modem_status: u8,
    scratch: u8,
    received: Vec<u8>,
}

impl Persist for Uart {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        let state = self.lock().state();
        encode(&State {
            baud_divisor: [state.baud_divisor_low, state.baud_divisor_high],
            interrupt_enable: state.interrupt_enable,
            interrupt_identification: state.interrupt_identification,
            line_control: state.line_control,
            line_status: state.line_status,
            modem_control: state.modem_control,
            modem_status: state.modem_status,
            scratch: state.scratch,
            received: state.in_buffer,
        })
    }

    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        let state: State = decode(bytes)?;
        let [baud_divisor_low, baud_divisor_high] = state.baud_divisor;
        let state = SerialState {
            baud_divisor_low,
            baud_divisor_high,
            interrupt_enable: state.interrupt_enable,
            interrupt_identification: state.interrupt_identification,
            line_control: state.line_control,
            line_status: state.line_status,
            modem_control: state.modem_control,
            modem_status: state.modem_status,
            scratch: state.scratch,
            in_buffer: state.received,
        };
        // An interrupt that it has raised is raised once more, in case it did not reach the controller.
        *self.lock() = Serial::from_state(
            &state,
            self.interrupt.clone(),
            self.drained.clone(),
            self.output.clone(),
        )
        .map_err(|error| StateError::Unfit(format!("registers of a serial port: {error:?}")))?;
        Ok(())
    }
}

impl BusDevice for Uart {
    fn read(&self, offset: u64, data: &mut [u8]) {
        let mut registers = self.lock();
        for byte in data {
            *byte = registers.read((offset & 7) as u8);
        }
    }

    /// A repeated string access arrives as one slice: every byte of it goes to the same register.
    fn write(&self, offset: u64, data: &[u8]) {
        let mut registers = self.lock();
        for byte in data {
            if let Err(error) = registers.write((offset & 7) as u8, *byte) {
                tracing::debug!(?error, "a serial port could not signal");
            }
        }
    }
}

#[cfg(test)]
#[path = "device_test.rs"]
mod tests;
