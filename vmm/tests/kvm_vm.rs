//! What devices get from the real /dev/kvm: interrupts and doorbells.

use dvs_vmm::machine::kvm::{Doorbells, Interrupts, KvmVm, MsiMessage};
use dvs_vmm::machine::memory;
use vmm_sys_util::eventfd::EventFd;

#[test]
fn messages_get_numbers_above_the_pins_and_can_be_routed() {
    let vm = KvmVm::create(&memory::create(16 << 20).unwrap()).unwrap();
    let (a, b) = (vm.allocate().unwrap(), vm.allocate().unwrap());
    assert_eq!((a, b), (24, 25));
    let event = EventFd::new(libc::EFD_NONBLOCK).unwrap();
    let message = |data| MsiMessage {
        address: 0xfee0_0000,
        data,
    };
    vm.route(&[(a, message(0x41)), (b, message(0x42))]).unwrap();
    vm.connect(&event, a).unwrap();
    vm.disconnect(&event, a).unwrap();
}

#[test]
fn a_doorbell_port_has_one_owner() {
    let vm = KvmVm::create(&memory::create(16 << 20).unwrap()).unwrap();
    let event = EventFd::new(libc::EFD_NONBLOCK).unwrap();
    vm.ring_on_write(&event, 0xc000).unwrap();
    assert!(vm.ring_on_write(&event, 0xc000).is_err());
    vm.silence(&event, 0xc000).unwrap();
    vm.ring_on_write(&event, 0xc000).unwrap();
}
