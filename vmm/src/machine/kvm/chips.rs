//! The interrupt controllers and the timer of a PC, which KVM itself plays.

use std::sync::Arc;

use kvm_bindings::{
    KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, kvm_irqchip, kvm_pit_state2,
};
use serde::{Deserialize, Serialize};

use super::{KvmVm, failed};
use crate::machine::persist::{Persist, StateError, decode, encode};

/// In the order in which interrupts go from one to the next.
const CHIPS: [u32; 3] = [
    KVM_IRQCHIP_PIC_SLAVE,
    KVM_IRQCHIP_PIC_MASTER,
    KVM_IRQCHIP_IOAPIC,
];

/// The 8254, the 8259 pair and the I/O APIC of a machine.
#[derive(Debug)]
pub struct Chips(pub Arc<KvmVm>);

#[derive(Serialize, Deserialize)]
struct State {
    pit: kvm_pit_state2,
    chips: [kvm_irqchip; CHIPS.len()],
}

impl Persist for Chips {
    fn save(&self) -> Result<Vec<u8>, StateError> {
        let vm = &self.0.vm;
        // The timer first: a tick that comes meanwhile is then seen where it has arrived.
        let pit = vm.get_pit2().map_err(failed("read the 8254"))?;
        let mut chips = CHIPS.map(|chip_id| kvm_irqchip {
            chip_id,
            ..Default::default()
        });
        for chip in &mut chips {
            vm.get_irqchip(chip)
                .map_err(failed("read an interrupt controller"))?;
        }
        encode(&State { pit, chips })
    }

    fn load(&self, bytes: &[u8]) -> Result<(), StateError> {
        let State { pit, mut chips } = decode(bytes)?;
        for (chip, chip_id) in chips.iter_mut().zip(CHIPS).rev() {
            chip.chip_id = chip_id;
            self.0
                .vm
                .set_irqchip(chip)
                .map_err(failed("set an interrupt controller"))?;
        }
        self.0.vm.set_pit2(&pit).map_err(failed("set the 8254"))?;
        Ok(())
    }
}
