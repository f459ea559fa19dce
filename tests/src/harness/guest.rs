//! A Linux guest.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dvs_vmm::ctl::client::Client;

use super::agent::{Agent, Output, Task};
use super::hardware::{Attachment, Hardware, Hypervisor};
use super::network::Namespace;
use super::process::Process;
use super::{BOOT_LIMIT, COMMAND_LIMIT, Lab};

/// A guest to be started.
#[derive(Debug, Clone)]
pub struct GuestSpec {
    /// Its name in messages and logs.
    pub name: String,
    /// Who runs it.
    pub hypervisor: Hypervisor,
    /// What connects it.
    pub attachment: Attachment,
    /// Number of vCPUs.
    pub cpus: u8,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The network that its VMM finds its tap in; none: that of everybody.
    pub namespace: Option<PathBuf>,
    /// Context id of a socket device between guest and host (QEMU only).
    pub vsock: Option<u32>,
    /// Where the machine's memory comes from, if it is not booted (QEMU only).
    pub incoming: Option<String>,
}

impl GuestSpec {
    /// A guest of ours with one vCPU and 256 MiB.
    #[must_use]
    pub fn new(name: &str, attachment: Attachment) -> Self {
        Self {
            name: name.to_owned(),
            hypervisor: Hypervisor::Dvs,
            attachment,
            cpus: 1,
            memory_mib: 256,
            namespace: None,
            vsock: None,
            incoming: None,
        }
    }

    /// The same machine on QEMU.
    #[must_use]
    pub fn on_qemu(self) -> Self {
        Self {
            hypervisor: Hypervisor::Qemu,
            ..self
        }
    }

    /// With so many vCPUs.
    #[must_use]
    pub fn with_cpus(self, cpus: u8) -> Self {
        Self { cpus, ..self }
    }

    /// With so much memory.
    #[must_use]
    pub fn with_memory_mib(self, memory_mib: u64) -> Self {
        Self { memory_mib, ..self }
    }

    /// With a VMM on this network.
    #[must_use]
    pub fn on_network(self, namespace: &Namespace) -> Self {
        Self {
            namespace: Some(namespace.path()),
            ..self
        }
    }

    /// As the place where another of its kind comes to, at this address (QEMU only).
    #[must_use]
    pub fn receiving(self, address: &str) -> Self {
        Self {
            incoming: Some(address.to_owned()),
            ..self
        }
    }

    /// With a socket device of this context id.
    #[must_use]
    pub fn with_vsock(self, cid: u32) -> Self {
        Self {
            vsock: Some(cid),
            ..self
        }
    }
}

/// A VMM that was started, with or without a guest in it yet.
#[derive(Debug)]
pub(super) struct Vmm {
    pub process: Process,
    /// Its REST interface; of QEMU, the socket of its monitor.
    pub api: PathBuf,
    /// Where the second serial line leads.
    pub agent: PathBuf,
}

impl Vmm {
    /// Starts the machine of a guest; its files have the `name`.
    pub(super) fn start(lab: &Lab, spec: &GuestSpec, name: &str) -> Result<Self> {
        let files = Files::fresh(lab, name)?;
        let hardware = Hardware {
            hypervisor: spec.hypervisor,
            cpus: spec.cpus,
            memory_mib: spec.memory_mib,
            attachment: &spec.attachment,
            namespace: spec.namespace.as_deref(),
            vsock: spec.vsock,
            incoming: spec.incoming.as_deref(),
            serial_log: &files.serial_log,
            agent_socket: &files.agent,
            api_socket: &files.api,
            config: &files.config,
        };
        let command = hardware.command(lab.settings())?;
        Ok(Self {
            process: Process::start(&spec.name, command, &lab.log(&format!("{name}-vmm")))?,
            api: files.api,
            agent: files.agent,
        })
    }
}

/// The files of a VMM.
#[derive(Debug)]
pub(super) struct Files {
    pub api: PathBuf,
    pub agent: PathBuf,
    pub serial_log: PathBuf,
    config: PathBuf,
}

impl Files {
    /// Those of this name, of which none is there.
    pub(super) fn fresh(lab: &Lab, name: &str) -> Result<Self> {
        let file = |suffix: &str| lab.run_path(&format!("{name}.{suffix}"));
        let files = Self {
            api: file("api"),
            agent: file("agent"),
            serial_log: lab.log(&format!("{name}-serial")),
            config: file("json"),
        };
        for stale in [&files.agent, &files.api] {
            if stale.exists() {
                fs::remove_file(stale)?;
            }
        }
        Ok(files)
    }
}

/// A guest that was started. Dropping it kills its VMM.
#[derive(Debug)]
pub struct Guest {
    pub(super) name: String,
    pub(super) vmm: Process,
    pub(super) agent: Agent,
    pub(super) api: PathBuf,
    kernel: String,
    started: Instant,
    boot_seconds: f64,
    /// Which of its names for files is that of the place where it runs; 0: that of its boot.
    place: u8,
}

impl Guest {
    /// Starts the guest's VMM; [`Guest::wait_ready`] waits for the guest. So several boot at once.
    ///
    /// # Errors
    /// Fails if the VMM does not start.
    pub fn start(lab: &Lab, spec: &GuestSpec) -> Result<Self> {
        let started = Instant::now();
        let mut vmm = Vmm::start(lab, spec, &spec.name)?;
        let agent = match Agent::connect(&vmm.agent, COMMAND_LIMIT) {
            Ok(agent) => agent,
            Err(error) => match vmm.process.ended()? {
                Some(end) => bail!("{end}; its log says why"),
                None => return Err(error).with_context(|| format!("{} does not start", spec.name)),
            },
        };
        Ok(Self {
            name: spec.name.clone(),
            vmm: vmm.process,
            agent,
            api: vmm.api,
            kernel: String::new(),
            started,
            boot_seconds: 0.0,
            place: 0,
        })
    }

    /// A name for the files of the next place of the guest, which are not those of the place where
    /// it runs. Older ones are written over, however often it moves.
    pub(super) fn next_name(&self) -> String {
        format!("{}-{}", self.name, self.next_place())
    }

    fn next_place(&self) -> u8 {
        match self.place {
            1 => 2,
            _ => 1,
        }
    }

    /// The guest runs in another VMM; the one that it has left is given back.
    pub(super) fn moved_to(&mut self, vmm: Vmm) -> Process {
        self.agent.moved();
        self.place = self.next_place();
        self.api = vmm.api;
        std::mem::replace(&mut self.vmm, vmm.process)
    }

    /// Waits until the guest runs commands.
    ///
    /// # Errors
    /// Fails if that takes longer than [`BOOT_LIMIT`] or the guest ends.
    pub fn wait_ready(&mut self) -> Result<()> {
        let limit = BOOT_LIMIT.saturating_sub(self.started.elapsed());
        self.kernel = self
            .agent
            .wait_ready(limit)
            .with_context(|| format!("{} did not boot", self.name))?;
        self.boot_seconds = self.started.elapsed().as_secs_f64();
        Ok(())
    }

    /// Starts guests at once, waits for all, and says so.
    ///
    /// # Errors
    /// Fails if one does not boot.
    pub fn boot_all(lab: &Lab, specs: &[GuestSpec]) -> Result<Vec<Self>> {
        let mut guests = Vec::new();
        for spec in specs {
            guests.push(Self::start(lab, spec)?);
        }
        for guest in &mut guests {
            guest.wait_ready()?;
            lab.say(format!(
                "{} is up: Linux {} after {:.1} s",
                guest.name, guest.kernel, guest.boot_seconds
            ));
        }
        Ok(guests)
    }

    /// Starts one guest and waits for it.
    ///
    /// # Errors
    /// Fails if it does not boot.
    pub fn boot(lab: &Lab, spec: &GuestSpec) -> Result<Self> {
        Self::boot_all(lab, std::slice::from_ref(spec))?
            .pop()
            .context("one guest was started")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Release of its kernel.
    #[must_use]
    pub fn kernel(&self) -> &str {
        &self.kernel
    }

    /// Its VMM's process.
    pub fn vmm(&mut self) -> &mut Process {
        &mut self.vmm
    }

    /// The VMM's REST interface.
    #[must_use]
    pub fn api(&self) -> Client {
        Client::new(&self.api)
    }

    /// Starts a command in the guest.
    ///
    /// # Errors
    /// Fails if the guest has gone.
    pub fn spawn(&mut self, command: &str) -> Result<Task> {
        self.agent.start(command).with_context(|| self.name.clone())
    }

    /// Runs a command in the guest to its end; it must succeed.
    ///
    /// # Errors
    /// Fails if it does not, or not within `limit`.
    pub fn run(&mut self, command: &str, limit: Duration) -> Result<Output> {
        let output = self.spawn(command)?.finish(limit);
        output
            .and_then(Output::success)
            .with_context(|| format!("{}: {command}", self.name))
    }

    /// Exits of all vCPUs so far, as KVM counts them.
    ///
    /// # Errors
    /// Fails if the VMM does not answer or KVM does not count.
    pub fn exits(&self) -> Result<u64> {
        let counters = self.api().get("vm.counters")?;
        let vcpus = counters.as_object().context("vm.counters is no object")?;
        let mut exits = 0;
        for (_, vcpu) in vcpus.iter().filter(|(name, _)| name.starts_with("vcpu")) {
            exits += vcpu["exits"]
                .as_u64()
                .context("this KVM does not count exits")?;
        }
        Ok(exits)
    }

    /// Warnings and worse in the kernel's log since our module was loaded.
    ///
    /// # Errors
    /// Fails if the guest has gone.
    pub fn kernel_complaints(&mut self) -> Result<Vec<String>> {
        // The raw log tells the level. That a module from outside the tree taints is no complaint,
        // nor is what an emulated machine's clocks and processors draw from the kernel.
        let since = "dmesg -r | sed -n '/virtio_dvs: loading out-of-tree/,$p' | grep '^<[0-4]>'";
        let ours = "WARNING|BUG|Oops|Call Trace|dvs|refcount|hung|stall|lock|protection";
        let command =
            format!("{since} | grep -v -E 'taint|clocksource' | grep -E '{ours}' | head -20");
        Ok(self.spawn(&command)?.finish(COMMAND_LIMIT)?.out)
    }

    /// Has the guest reboot, and waits until it is up again.
    ///
    /// # Errors
    /// Fails if it does not come back.
    pub fn reboot(&mut self) -> Result<()> {
        // The agent goes before it can tell how the command ended.
        drop(self.agent.start("reboot -f")?);
        self.started = Instant::now();
        self.wait_ready()
    }

    /// Has the guest power itself off, and waits for its VMM to end well.
    ///
    /// # Errors
    /// Fails if it does not.
    pub fn power_off(mut self) -> Result<()> {
        // The agent may go before it can tell how the command ended.
        drop(self.agent.start("poweroff -f")?);
        let status = self.vmm.wait(COMMAND_LIMIT)?;
        if !status.success() {
            bail!(
                "{}: its VMM ended with {status} after a power-off",
                self.name
            );
        }
        Ok(())
    }
}
