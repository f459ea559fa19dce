//! The thread of a vCPU: it runs the guest, answers its accesses, and parks or ends when told.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use kvm_ioctls::{VcpuExit, VcpuFd};
use vmm_sys_util::signal::{Killable, SIGRTMIN, register_signal_handler};

use super::super::bus::Bus;
use super::super::event::{GuestEvent, GuestEvents};
use super::throttle::Hold;

/// What a vCPU shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Run,
    Park,
    End,
}

/// What a vCPU needs around it.
#[derive(Clone)]
pub struct Surroundings {
    /// Devices on ports.
    pub ports: Arc<Bus>,
    /// Devices in memory.
    pub mmio: Arc<Bus>,
    /// Where power-off, reset and failures are reported.
    pub events: Arc<dyn GuestEvents>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings")
            .field("ports", &self.ports)
            .field("mmio", &self.mmio)
            .finish_non_exhaustive()
    }
}

/// A running, parked or ended vCPU.
#[derive(Debug)]
pub struct Vcpu {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    id: u8,
    /// Held by the thread while it runs the guest, free while it is parked.
    fd: Mutex<VcpuFd>,
    exit_flag: ExitFlag,
    /// Whether `state` wants the vCPU out of the guest, for the run loop to look at without the lock.
    out: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    wanted: Wanted,
    /// Loses a share of its time just now.
    held: bool,
    /// The thread is out of the guest and goes in only with this lock.
    parked: bool,
}

/// `immediate_exit` of the vCPU's shared page: while it is not 0, KVM_RUN returns at once.
#[derive(Debug)]
struct ExitFlag(*mut u8);

// SAFETY: the byte lives in the mapping that `Shared::fd` owns, next to this flag, and is only used as an atomic.
unsafe impl Send for ExitFlag {}
// SAFETY: as above.
unsafe impl Sync for ExitFlag {}

impl ExitFlag {
    fn of(fd: &mut VcpuFd) -> Self {
        Self(&raw mut fd.get_kvm_run().immediate_exit)
    }

    fn set(&self, on: bool) {
        // SAFETY: the mapping outlives this flag (see above); the kernel reads the byte as a whole.
        unsafe { AtomicU8::from_ptr(self.0) }.store(u8::from(on), Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock means that a vCPU thread panicked; its state is still the best there is.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the signal that brings a vCPU thread out of KVM_RUN; it needs no action of its own.
extern "C" fn on_kick(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

/// Installs the handler of the signal by which vCPU threads are brought out of the guest.
pub fn install_kick_handler() -> io::Result<()> {
    register_signal_handler(SIGRTMIN(), on_kick).map_err(io::Error::from)
}

impl Vcpu {
    /// Starts the thread of vCPU `id`; it stays parked until [`Vcpu::resume`].
    pub fn spawn(id: u8, mut fd: VcpuFd, around: Surroundings) -> io::Result<Self> {
        let exit_flag = ExitFlag::of(&mut fd);
        let shared = Arc::new(Shared {
            id,
            fd: Mutex::new(fd),
            exit_flag,
            out: AtomicBool::new(true),
            state: Mutex::new(State {
                wanted: Wanted::Park,
                held: false,
                parked: false,
            }),
            changed: Condvar::new(),
        });
        let thread = std::thread::Builder::new()
            .name(format!("vcpu{id}"))
            .spawn({
                let shared = shared.clone();
                move || shared.run(&around)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Lets the guest run.
    pub fn resume(&self) {
        self.shared.want(Wanted::Run);
    }

    /// Asks the vCPU to leave the guest; [`Vcpu::wait_parked`] waits for it.
    pub fn request_park(&self) {
        self.shared.want(Wanted::Park);
        self.kick();
    }

    /// Waits until the vCPU is out of the guest and its accesses are complete.
    pub fn wait_parked(&self) {
        let mut state = lock(&self.shared.state);
        while !state.parked {
            state = self
                .shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Does something with the vCPU, which must be parked and stay so meanwhile.
    pub fn with<T>(&self, act: impl FnOnce(&VcpuFd) -> T) -> T {
        act(&lock(&self.shared.fd))
    }

    fn kick(&self) {
        if let Some(thread) = &self.thread
            && let Err(error) = thread.kill(SIGRTMIN())
        {
            tracing::debug!(vcpu = self.shared.id, %error, "the thread is gone already");
        }
    }
}

impl Hold for Vcpu {
    fn hold(&self, on: bool) {
        self.shared.change(|state| state.held = on);
        if on {
            self.kick();
        }
    }
}

impl Drop for Vcpu {
    /// Takes the vCPU out of the guest and ends its thread.
    fn drop(&mut self) {
        self.shared.want(Wanted::End);
        self.kick();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(vcpu = self.shared.id, "the vCPU thread panicked");
        }
    }
}

impl Shared {
    fn want(&self, wanted: Wanted) {
        self.change(|state| {
            // The end is final.
            if state.wanted != Wanted::End {
                state.wanted = wanted;
            }
        });
    }

    fn change(&self, act: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        act(&mut state);
        let out = state.held || state.wanted != Wanted::Run;
        self.out.store(out, Ordering::SeqCst);
        // Together with the signal this cannot be missed: the flag covers the moment before KVM_RUN.
        self.exit_flag.set(out);
        self.changed.notify_all();
    }

    fn run(&self, around: &Surroundings) {
        while let Some(turn) = self.await_turn() {
            if turn == Turn::AfterPause {
                self.excuse_pause();
            }
            if let Some(event) = self.run_guest(around) {
                self.want(Wanted::Park);
                around.events.report(event);
            }
        }
        self.mark_parked();
    }

    /// Tells the guest that it stood still, so that it does not take that for a hang of its own.
    fn excuse_pause(&self) {
        match lock(&self.fd).kvmclock_ctrl() {
            Ok(()) => {}
            // The guest does not use KVM's clock (yet).
            Err(error) if error.errno() == libc::EINVAL => {}
            Err(error) => tracing::debug!(vcpu = self.id, %error, "the guest may notice its pause"),
        }
    }

    /// Runs the guest until the vCPU shall come out, or (`Some`) the guest cannot go on.
    fn run_guest(&self, around: &Surroundings) -> Option<GuestEvent> {
        let mut fd = lock(&self.fd);
        loop {
            let stop = self.out.load(Ordering::SeqCst);
            match run_once(&mut fd, around) {
                Step::Answered => {}
                // With the exit flag set KVM first completes the access answered last, so nothing is half done here.
                Step::Interrupted if stop => return None,
                Step::Interrupted => {}
                Step::Over(event) => return Some(event),
            }
        }
    }

    /// Waits, parked, until the vCPU shall run; `None` when it shall end.
    fn await_turn(&self) -> Option<Turn> {
        let mut state = lock(&self.state);
        let mut turn = Turn::GoOn;
        while state.wanted == Wanted::Park || state.wanted == Wanted::Run && state.held {
            if state.wanted == Wanted::Park {
                turn = Turn::AfterPause;
            }
            state.parked = true;
            self.changed.notify_all();
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.parked = false;
        (state.wanted == Wanted::Run).then_some(turn)
    }

    fn mark_parked(&self) {
        lock(&self.state).parked = true;
        self.changed.notify_all();
    }
}

/// How a vCPU comes to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It was out of the guest for a moment, or not at all.
    GoOn,
    /// It was parked.
    AfterPause,
}

/// Why KVM came back from the guest.
enum Step {
    /// The guest accessed a device and has its answer.
    Answered,
    /// A signal or the exit flag.
    Interrupted,
    /// The guest cannot go on.
    Over(GuestEvent),
}

/// Runs the guest until it needs the VMM.
fn run_once(fd: &mut VcpuFd, around: &Surroundings) -> Step {
    let failed = |reason: String| Step::Over(GuestEvent::Failed(reason));
    match fd.run() {
        Ok(VcpuExit::IoIn(port, data)) => around.ports.read(u64::from(port), data),
        Ok(VcpuExit::IoOut(port, data)) => around.ports.write(u64::from(port), data),
        Ok(VcpuExit::MmioRead(address, data)) => around.mmio.read(address, data),
        Ok(VcpuExit::MmioWrite(address, data)) => around.mmio.write(address, data),
        Ok(VcpuExit::Intr | VcpuExit::IrqWindowOpen) => return Step::Interrupted,
        // A triple fault: on a real machine the processor asks for a reset.
        Ok(VcpuExit::Shutdown) => {
            tracing::warn!("triple fault of a vCPU, the guest is reset: {}", state(fd));
            return Step::Over(GuestEvent::Reset);
        }
        Ok(VcpuExit::InternalError) => return failed(internal_error(fd)),
        Ok(VcpuExit::FailEntry(reason, _)) => {
            return failed(format!(
                "the processor refused to enter the guest (reason {reason:#x})"
            ));
        }
        Ok(exit) => {
            return failed(format!(
                "KVM stopped the guest for an unknown reason: {exit:?}"
            ));
        }
        Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => {
            return Step::Interrupted;
        }
        Err(error) => return failed(format!("KVM cannot run the guest: {error}")),
    }
    Step::Answered
}

/// What tells how the guest came to where it is: a guest that faults thrice has no word left. On
/// AMD processors it is the state after the reset, which KVM has made by then.
fn state(fd: &VcpuFd) -> String {
    match (fd.get_regs(), fd.get_sregs()) {
        (Ok(regs), Ok(sregs)) => format!(
            "rip {:#x} rsp {:#x} rflags {:#x} cs {:#x} ss {:#x} cr0 {:#x} cr2 {:#x} cr3 {:#x} \
             cr4 {:#x} efer {:#x} idt {:#x}+{:#x} gdt {:#x}+{:#x} tss {:#x}+{:#x} gs {:#x}",
            regs.rip,
            regs.rsp,
            regs.rflags,
            sregs.cs.selector,
            sregs.ss.selector,
            sregs.cr0,
            sregs.cr2,
            sregs.cr3,
            sregs.cr4,
            sregs.efer,
            sregs.idt.base,
            sregs.idt.limit,
            sregs.gdt.base,
            sregs.gdt.limit,
            sregs.tr.base,
            sregs.tr.limit,
            sregs.gs.base,
        ),
        (Err(error), _) | (_, Err(error)) => format!("its state cannot be read: {error}"),
    }
}

fn internal_error(fd: &mut VcpuFd) -> String {
    let rip = fd.get_regs().map(|regs| regs.rip).unwrap_or_default();
    // SAFETY: KVM_EXIT_INTERNAL_ERROR was just returned, so `internal` is the valid member of the union.
    let internal = unsafe { fd.get_kvm_run().__bindgen_anon_1.internal };
    let what = match internal.suberror {
        kvm_bindings::KVM_INTERNAL_ERROR_EMULATION => {
            "it cannot emulate an instruction of the guest"
        }
        _ => "internal error",
    };
    format!(
        "KVM gave up on the guest at {rip:#x}: {what} (suberror {})",
        internal.suberror
    )
}
