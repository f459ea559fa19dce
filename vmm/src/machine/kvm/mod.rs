//! The virtual machine as KVM holds it: memory slots, interrupt controllers, interrupt routes, doorbells.

mod chips;
mod clock;
mod log;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use kvm_bindings::{
    CpuId, KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQ_ROUTING_MSI, KVM_IRQCHIP_IOAPIC,
    KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_MAX_CPUID_ENTRIES, KVM_PIT_SPEAKER_DUMMY,
    KvmIrqRouting, kvm_irq_routing_entry, kvm_pit_config, kvm_userspace_memory_region,
};
use kvm_ioctls::{Cap, IoEventAddress, Kvm, NoDatamatch, VcpuFd, VmFd};
use vm_memory::{GuestMemoryBackend, GuestMemoryRegion, GuestRegionMmap, MemoryRegionAddress};
use vmm_sys_util::eventfd::EventFd;

use super::cpu::{cpuid, msrs};
use super::layout;
use super::memory::GuestMemory;

pub use chips::Chips;
pub use clock::ClockReading;

/// Why KVM does not give a machine.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// No /dev/kvm, or no right to use it.
    #[error(
        "cannot open /dev/kvm: {0} (is the kvm module loaded, and may this user open the device?)"
    )]
    Open(kvm_ioctls::Error),
    /// The host's KVM lacks a feature that the machine needs.
    #[error("this host's KVM lacks {0}, which the machine needs")]
    Missing(&'static str),
    /// A request failed.
    #[error("KVM cannot {what}: {source}")]
    Failed {
        /// What was asked.
        what: &'static str,
        /// KVM's answer.
        source: kvm_ioctls::Error,
    },
    /// A part of guest memory is not mapped as expected.
    #[error("guest memory is not mapped: {0}")]
    Memory(#[from] vm_memory::GuestMemoryError),
    /// All interrupt numbers are taken.
    #[error("no interrupt number is left for another device")]
    NoInterrupts,
}

/// Says what KVM could not do.
pub(in crate::machine) fn failed(what: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> KvmError {
    move |source| KvmError::Failed { what, source }
}

/// Address and data that a device writes to raise a message-signalled interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsiMessage {
    /// Where the write goes.
    pub address: u64,
    /// What is written.
    pub data: u32,
}

/// Delivers message-signalled interrupts of devices to the guest.
pub trait Interrupts: Send + Sync {
    /// Reserves an interrupt number.
    fn allocate(&self) -> Result<u32, KvmError>;
    /// Sends these numbers to where their messages say from now on. All at once, since KVM waits each time until every
    /// processor has seen it.
    fn route(&self, messages: &[(u32, MsiMessage)]) -> Result<(), KvmError>;
    /// Every signal of `event` raises `gsi`; one that is pending already raises it now.
    fn connect(&self, event: &EventFd, gsi: u32) -> Result<(), KvmError>;
    /// Signals of `event` stay pending in it.
    fn disconnect(&self, event: &EventFd, gsi: u32) -> Result<(), KvmError>;
}

/// Turns the guest's writes to a port into signals, without an exit to the VMM.
pub trait Doorbells: Send + Sync {
    /// A write to `port` signals `event`.
    fn ring_on_write(&self, event: &EventFd, port: u64) -> Result<(), KvmError>;
    /// Undoes [`Doorbells::ring_on_write`].
    fn silence(&self, event: &EventFd, port: u64) -> Result<(), KvmError>;
}

/// A virtual machine of KVM.
#[derive(Debug)]
pub struct KvmVm {
    vm: VmFd,
    cpuid: CpuId,
    deadline_timer: bool,
    /// MSRs that make up a vCPU's state.
    msrs: Vec<u32>,
    /// A page is watched only once its bit in the log was cleared.
    logs_by_hand: bool,
    routes: Mutex<BTreeMap<u32, Option<MsiMessage>>>,
}

/// True where the host's processor can run stock kernels as guests (VMX or SVM in /proc/cpuinfo).
pub fn has_hardware_virtualization(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| {
            line.split_ascii_whitespace()
                .any(|flag| flag == "vmx" || flag == "svm")
        })
}

impl KvmVm {
    /// Creates a virtual machine with `memory` in it.
    pub fn create(memory: &GuestMemory) -> Result<Self, KvmError> {
        let kvm = Kvm::new().map_err(KvmError::Open)?;
        const NEEDED: [(Cap, &str); 6] = [
            (Cap::Irqchip, "the in-kernel interrupt controllers"),
            (Cap::Ioeventfd, "ioeventfd"),
            (Cap::Irqfd, "irqfd"),
            (Cap::IrqRouting, "interrupt routing"),
            (Cap::ImmediateExit, "immediate exit"),
            (Cap::UserMemory, "user memory"),
        ];
        if let Some((_, name)) = NEEDED.iter().find(|(cap, _)| !kvm.check_extension(*cap)) {
            return Err(KvmError::Missing(name));
        }
        let cpuid = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(failed("tell the host's CPUID"))?;
        let deadline_timer = kvm.check_extension(Cap::TscDeadlineTimer);
        let vm = create_vm(&kvm)?;
        let logs_by_hand = log::protect_by_hand(&vm)?;
        let this = Self {
            vm,
            cpuid,
            deadline_timer,
            msrs: msrs::indices(&kvm)?,
            logs_by_hand,
            routes: Mutex::default(),
        };
        this.create_irqchips()?;
        this.add_memory(memory)?;
        Ok(this)
    }

    fn create_irqchips(&self) -> Result<(), KvmError> {
        self.vm
            .set_tss_address(layout::KVM_TSS)
            .map_err(failed("place its task segment"))?;
        self.vm
            .set_identity_map_address(layout::KVM_IDENTITY_MAP)
            .map_err(failed("place its identity map"))?;
        self.vm
            .create_irq_chip()
            .map_err(failed("create interrupt controllers"))?;
        let pit = kvm_pit_config {
            flags: KVM_PIT_SPEAKER_DUMMY,
            ..Default::default()
        };
        self.vm.create_pit2(pit).map_err(failed("create a timer"))
    }

    fn add_memory(&self, memory: &GuestMemory) -> Result<(), KvmError> {
        (0u32..)
            .zip(memory.iter())
            .try_for_each(|(slot, region)| self.set_slot(slot, region, 0))
    }

    /// Makes `region` the memory of `slot`, or changes the flags of a slot that it is the memory of already.
    fn set_slot(
        &self,
        slot: u32,
        region: &GuestRegionMmap<()>,
        flags: u32,
    ) -> Result<(), KvmError> {
        let host = region.get_host_address(MemoryRegionAddress(0))?;
        let region = kvm_userspace_memory_region {
            slot,
            flags,
            guest_phys_addr: region.start_addr().0,
            memory_size: region.len(),
            userspace_addr: host as u64,
        };
        // SAFETY: the mapping is guest memory that the machine keeps for as long as this virtual machine, and it
        // overlaps nothing else: it is a region of its own file.
        unsafe { self.vm.set_user_memory_region(region) }.map_err(failed("take the guest's memory"))
    }

    /// Creates vCPU `id` of `count`.
    pub fn create_vcpu(&self, id: u8, count: u8) -> Result<VcpuFd, KvmError> {
        let vcpu = self
            .vm
            .create_vcpu(u64::from(id))
            .map_err(failed("create a vCPU"))?;
        let cpuid = cpuid::for_vcpu(&self.cpuid, id, count, self.deadline_timer);
        vcpu.set_cpuid2(&cpuid)
            .map_err(failed("set the CPUID of a vCPU"))?;
        Ok(vcpu)
    }

    /// The MSRs that make up a vCPU's state, as KVM lists them.
    pub fn msrs(&self) -> &[u32] {
        &self.msrs
    }

    /// Drives an interrupt line of the I/O APIC.
    pub fn set_line(&self, line: u32, active: bool) -> Result<(), KvmError> {
        self.vm
            .set_irq_line(line, active)
            .map_err(failed("drive an interrupt line"))
    }

    /// Every signal of `event` raises interrupt line `line` as an edge.
    pub fn connect_line(&self, event: &EventFd, line: u32) -> Result<(), KvmError> {
        self.vm
            .register_irqfd(event, line)
            .map_err(failed("connect an interrupt line"))
    }

    /// Gives KVM the whole routing table: the legacy lines and every routed message.
    fn push_routes(&self, routes: &BTreeMap<u32, Option<MsiMessage>>) -> Result<(), KvmError> {
        let messages = routes
            .iter()
            .filter_map(|(gsi, message)| message.map(|m| msi_entry(*gsi, m)));
        let entries: Vec<_> = legacy_routes().chain(messages).collect();
        let table = KvmIrqRouting::from_entries(&entries).map_err(|_| KvmError::NoInterrupts)?;
        self.vm
            .set_gsi_routing(&table)
            .map_err(failed("route interrupts"))
    }
}

/// What this host gives to the first of `vcpus` virtual CPUs: CPUID, the frequency of its time stamp counter in kHz,
/// and whether that can be changed.
pub fn host_cpu(vcpus: u8) -> Result<(CpuId, u32, bool), KvmError> {
    let kvm = Kvm::new().map_err(KvmError::Open)?;
    let supported = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(failed("tell the host's CPUID"))?;
    let cpuid = cpuid::for_vcpu(
        &supported,
        0,
        vcpus,
        kvm.check_extension(Cap::TscDeadlineTimer),
    );
    let vcpu = create_vm(&kvm)?
        .create_vcpu(0)
        .map_err(failed("create a vCPU"))?;
    // KVM may change what it is given: what the guest would see is what is compared.
    vcpu.set_cpuid2(&cpuid)
        .map_err(failed("give a vCPU its CPUID"))?;
    let cpuid = vcpu
        .get_cpuid2(KVM_MAX_CPUID_ENTRIES)
        .map_err(failed("tell the CPUID of a vCPU"))?;
    let tsc_khz = vcpu
        .get_tsc_khz()
        .map_err(failed("tell the frequency of the time stamp counter"))?;
    Ok((cpuid, tsc_khz, kvm.check_extension(Cap::TscControl)))
}

/// Creates the virtual machine; KVM asks to try again when a signal came in between.
fn create_vm(kvm: &Kvm) -> Result<VmFd, KvmError> {
    loop {
        match kvm.create_vm() {
            Err(error) if error.errno() == libc::EINTR => {}
            result => return result.map_err(failed("create a virtual machine")),
        }
    }
}

/// KVM's default routes: the 16 lines of the 8259 pair, and the 24 pins of the I/O APIC.
fn legacy_routes() -> impl Iterator<Item = kvm_irq_routing_entry> {
    let irqchip = |gsi: u32, irqchip: u32, pin: u32| {
        let mut entry = kvm_irq_routing_entry {
            gsi,
            type_: KVM_IRQ_ROUTING_IRQCHIP,
            ..Default::default()
        };
        entry.u.irqchip = kvm_bindings::kvm_irq_routing_irqchip { irqchip, pin };
        entry
    };
    let pics = (0..16).map(move |gsi| match gsi {
        0..8 => irqchip(gsi, KVM_IRQCHIP_PIC_MASTER, gsi),
        _ => irqchip(gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - 8),
    });
    // The timer's line 0 arrives at pin 2 of the I/O APIC, as on a PC (the MADT says so to the guest).
    let pin = |gsi| if gsi == 0 { 2 } else { gsi };
    let io_apic = (0..layout::FIRST_MSI_GSI).filter(|gsi| *gsi != 2);
    pics.chain(io_apic.map(move |gsi| irqchip(gsi, KVM_IRQCHIP_IOAPIC, pin(gsi))))
}

fn msi_entry(gsi: u32, message: MsiMessage) -> kvm_irq_routing_entry {
    let mut entry = kvm_irq_routing_entry {
        gsi,
        type_: KVM_IRQ_ROUTING_MSI,
        ..Default::default()
    };
    entry.u.msi = kvm_bindings::kvm_irq_routing_msi {
        address_lo: (message.address & 0xffff_ffff) as u32,
        address_hi: (message.address >> 32) as u32,
        data: message.data,
        ..Default::default()
    };
    entry
}

impl Interrupts for KvmVm {
    fn allocate(&self) -> Result<u32, KvmError> {
        /// Far below KVM's limit of 4,096 routes.
        const MAX_MESSAGES: usize = 1024;
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if routes.len() >= MAX_MESSAGES {
            return Err(KvmError::NoInterrupts);
        }
        let gsi = routes
            .last_key_value()
            .map_or(layout::FIRST_MSI_GSI, |(last, _)| last + 1);
        routes.insert(gsi, None);
        Ok(gsi)
    }

    fn route(&self, messages: &[(u32, MsiMessage)]) -> Result<(), KvmError> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        for (gsi, message) in messages {
            changed |= routes.insert(*gsi, Some(*message)) != Some(Some(*message));
        }
        if changed {
            self.push_routes(&routes)?;
        }
        Ok(())
    }

    fn connect(&self, event: &EventFd, gsi: u32) -> Result<(), KvmError> {
        self.vm
            .register_irqfd(event, gsi)
            .map_err(failed("connect an interrupt"))
    }

    fn disconnect(&self, event: &EventFd, gsi: u32) -> Result<(), KvmError> {
        self.vm
            .unregister_irqfd(event, gsi)
            .map_err(failed("disconnect an interrupt"))
    }
}

impl Doorbells for KvmVm {
    fn ring_on_write(&self, event: &EventFd, port: u64) -> Result<(), KvmError> {
        let address = IoEventAddress::Pio(port);
        self.vm
            .register_ioevent(event, &address, NoDatamatch)
            .map_err(failed("connect a doorbell"))
    }

    fn silence(&self, event: &EventFd, port: u64) -> Result<(), KvmError> {
        let address = IoEventAddress::Pio(port);
        self.vm
            .unregister_ioevent(event, &address, NoDatamatch)
            .map_err(failed("disconnect a doorbell"))
    }
}

#[cfg(test)]
#[path = "mod_test.rs"]
mod tests;
