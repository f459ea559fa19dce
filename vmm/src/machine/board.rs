//! What is plugged where: the devices of a machine on its buses.

use std::sync::Arc;

use dvs_migration::message::Part;

use super::bus::{Bus, Overlap};
use super::event::GuestEvents;
use super::kvm::KvmVm;
use super::memory::GuestMemory;
use super::persist::Named;
use super::{MachineError, Parts, layout, pci};
use crate::devices::dvs::Dvs;
use crate::devices::power::{I8042, PowerControl, SciLine};
use crate::devices::uart::Uart;
use crate::devices::virtio::{Place, VirtioPci, Wiring};

/// Name of the virtio-dvs device.
pub const DVS: &str = "dvs";
/// The serial ports: name, first port, interrupt line.
pub const SERIAL_PORTS: [(&str, u64, u32); 2] = [
    ("com1", layout::COM1, layout::COM1_IRQ),
    ("com2", layout::COM2, layout::COM2_IRQ),
];

/// The buses with everything on them.
#[derive(Debug)]
pub struct Board {
    /// Devices on ports.
    pub ports: Bus,
    /// Devices in memory.
    pub mmio: Bus,
    /// The power button and its like.
    pub power: Arc<PowerControl>,
    /// What of all this has a state.
    pub parts: Vec<Named>,
}

impl Board {
    /// Plugs everything in.
    pub fn build(
        parts: &Parts,
        vm: &Arc<KvmVm>,
        memory: &GuestMemory,
        events: Arc<dyn GuestEvents>,
    ) -> Result<Self, MachineError> {
        let power = Arc::new(PowerControl::new(sci_line(vm.clone()), events.clone()));
        let mut board = Self {
            ports: Bus::default(),
            mmio: Bus::default(),
            parts: vec![Named::new(Part::Machine, "acpi", power.clone())],
            power,
        };
        board.add_power(events)?;
        board.add_uarts(&parts.uarts, vm)?;
        board.add_pci(parts.dvs.as_ref(), vm, memory)?;
        Ok(board)
    }

    fn add_power(&mut self, events: Arc<dyn GuestEvents>) -> Result<(), Overlap> {
        self.ports.insert(
            "ACPI power management",
            layout::PM,
            layout::PM_SIZE,
            self.power.clone(),
        )?;
        self.ports.insert(
            "keyboard controller",
            layout::I8042,
            layout::I8042_SIZE,
            Arc::new(I8042::new(events)),
        )
    }

    fn add_uarts(
        &mut self,
        uarts: &[Option<Arc<Uart>>; 2],
        vm: &KvmVm,
    ) -> Result<(), MachineError> {
        for (uart, (name, start, line)) in uarts.iter().zip(SERIAL_PORTS) {
            if let Some(uart) = uart {
                uart.reset();
                vm.connect_line(uart.interrupt(), line)?;
                self.ports
                    .insert(name, start, layout::COM_SIZE, uart.clone())?;
                self.parts
                    .push(Named::new(Part::Device, name, uart.clone()));
            }
        }
        Ok(())
    }

    /// The PCI bus with its devices.
    fn add_pci(
        &mut self,
        dvs: Option<&Arc<Dvs>>,
        vm: &Arc<KvmVm>,
        memory: &GuestMemory,
    ) -> Result<(), MachineError> {
        let mut root = pci::Root::default();
        let bridge = Arc::new(pci::HostBridge::default());
        root.add(bridge.clone());
        self.parts
            .push(Named::new(Part::Machine, "host-bridge", bridge));
        if let Some(dvs) = dvs {
            let wiring = Wiring {
                interrupts: vm.clone(),
                doorbells: vm.clone(),
                memory: memory.clone(),
            };
            let function = VirtioPci::new(dvs.clone(), Place::first(), wiring)?;
            root.add(function.clone());
            self.parts.push(Named::new(Part::Device, DVS, function));
        }
        let root = Arc::new(root);
        root.clone().connect(&mut self.ports, &mut self.mmio)?;
        self.parts.push(Named::new(Part::Machine, "pci", root));
        Ok(())
    }
}

fn sci_line(vm: Arc<KvmVm>) -> SciLine {
    Box::new(move |active| {
        if let Err(error) = vm.set_line(layout::SCI_IRQ, active) {
            tracing::error!(%error, "the guest misses an ACPI event");
        }
    })
}
