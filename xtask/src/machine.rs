//! The emulated machine: a host with KVM where this machine has none that runs stock kernels.
//!
//! QEMU emulates an AMD processor with SVM; Debian's cloud kernel runs on it from an initramfs.
//! The job's standard output comes back as QEMU's own; files below /run/logs as an archive.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, ensure};
use dvs_report::Event;
use tempfile::TempDir;

use crate::child::{Interrupt, Limits, Stuck, run_lines};
use crate::command;
use crate::image::{Image, base};
use crate::initramfs::{Archive, join};
use crate::packages;
use crate::programs;
use crate::stamp::{Inputs, when_changed};
use crate::workspace::Workspace;

/// What the machine loads: KVM, its ports to us, and what hosts and peers need.
const MODULES: &[&str] = &[
    "kvm-amd",
    "virtio_pci",
    "virtio_console",
    "tun",
    "bridge",
    "veth",
    "vhost_net",
    "vhost_vsock",
    "sch_netem",
];
/// Two processors for the job, as most continuous integration machines have, and the first one,
/// on which no guest may run (see machine-init.sh).
const PROCESSORS: &str = "3";
/// Room for four guests, QEMU and the archives.
const MEMORY_MIB: &str = "6144";
/// QEMU loses an interrupt now and then that comes while a processor enters a guest (VMRUN changes
/// the word of what is pending without a lock); the next one brings it along. With periodic ticks
/// there is a next one soon, and a machine that has stopped for good can be told from one that
/// waits: ticking takes some percent of a processor.
const TICK: &str = "nohz=off highres=off";
/// Two processors that run guests wait for each other for ever now and then, busily. Such a machine
/// dies after 50 seconds, in place of keeping everybody waiting for longer.
const LOCKED_UP: &str = "softlockup_panic=1 watchdog_thresh=25";
/// A machine that says nothing and uses no processor for this long has stopped for good.
const IDLE: Duration = Duration::from_secs(30);
/// Neither the job nor the machine itself has said anything for this long: it has stopped, busily. The
/// machine says that it is alive every 15 seconds (machine-init.sh).
const ALIVE: Duration = Duration::from_secs(90);
/// Lines of its console that are shown when it does not finish its job.
const CONSOLE_TAIL: usize = 80;
/// Where our programs and the guest image are in the machine.
pub const HOME: &str = "/opt/dvs";

/// What makes networks between hosts, and the directory that they share.
const NETWORK_PROGRAMS: &[&str] = &["/usr/sbin/ip", "/usr/sbin/tc", "/usr/bin/etcd"];
/// QEMU and what it reads when it starts a guest from a kernel file.
const PEER_PROGRAMS: &[&str] = &["/usr/bin/qemu-system-x86_64"];
const PEER_FILES: &[&str] = &[
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu/linuxboot_dma.bin",
    "/usr/share/qemu/kvmvapic.bin",
];

/// What the machine shall do.
#[derive(Debug, Default)]
pub struct Job {
    /// A shell script.
    pub script: String,
    /// Further files: absolute path there, path here.
    pub files: Vec<(String, PathBuf)>,
    /// Give the script the terminal.
    pub interactive: bool,
    /// Have QEMU there too.
    pub peers: bool,
}

/// The machine, ready to be booted.
#[derive(Debug)]
pub struct Machine<'a> {
    image: &'a Image,
    dir: PathBuf,
    system: PathBuf,
    peers: PathBuf,
}

impl<'a> Machine<'a> {
    /// Makes what is missing or out of date.
    pub fn up_to_date(workspace: &Workspace, image: &'a Image) -> Result<Self> {
        packages::require(packages::FOR_MACHINE)?;
        packages::require(packages::FOR_HOSTS)?;
        let dir = workspace.image_dir();
        let init = workspace.source("resources/image/machine-init.sh");
        let system = dir.join("machine.cpio");
        let mut inputs = Inputs::default()
            .word(image.kernel.release())
            .word(&MODULES.join(" "))
            .path(&init)?;
        for program in NETWORK_PROGRAMS {
            inputs = inputs.path(&fs::canonicalize(program)?)?;
        }
        when_changed(&system, inputs, || {
            let mut archive = Archive::create(&system)?;
            base(&mut archive, &image.kernel, MODULES, &[], &init)?;
            with_libraries(&mut archive, NETWORK_PROGRAMS)?;
            archive.finish()
        })?;
        Ok(Self {
            image,
            system,
            peers: dir.join("machine-peers.cpio"),
            dir,
        })
    }

    /// The command that boots the machine and runs the job, with its console and the job's
    /// standard streams on this terminal. `run` is an empty directory for this boot.
    pub fn terminal(&self, job: &Job, run: &Path) -> Result<Command> {
        let mut qemu = self.boot(job, run)?;
        qemu.args(["-serial", "mon:stdio"]);
        Ok(qemu)
    }

    /// The same with the job's output as standard output, the machine's console in the file
    /// `console`, and an archive of what the job left in /run/logs in `archive`.
    fn batch(&self, job: &Job, run: &Path, console: &Path, archive: &Path) -> Result<Command> {
        let mut qemu = self.boot(job, run)?;
        qemu.stdin(Stdio::null());
        qemu.args(["-serial", &format!("file:{}", console.display())]);
        qemu.args(["-chardev", "file,id=events,path=/dev/stdout"]);
        qemu.args(["-device", "virtserialport,chardev=events,name=events"]);
        qemu.args([
            "-chardev",
            &format!("file,id=logs,path={}", archive.display()),
        ]);
        qemu.args(["-device", "virtserialport,chardev=logs,name=logs"]);
        Ok(qemu)
    }

    fn boot(&self, job: &Job, run: &Path) -> Result<Command> {
        let own = run.join("job.cpio");
        self.pack_job(job, &own)?;
        let initramfs = run.join("initramfs.cpio");
        if job.peers {
            self.pack_peers()?;
            join(&[&self.system, &self.peers, &own], &initramfs)?;
        } else {
            join(&[&self.system, &own], &initramfs)?;
        }
        fs::remove_file(&own)?;
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args([
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
        ]);
        qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max,+svm,+npt"]);
        qemu.args(["-smp", PROCESSORS, "-m", MEMORY_MIB]);
        qemu.arg("-kernel")
            .arg(self.image.kernel.bz_image())
            .arg("-initrd")
            .arg(initramfs);
        qemu.args([
            "-append",
            &format!("console=ttyS0 quiet panic=-1 {TICK} {LOCKED_UP}"),
        ]);
        qemu.args(["-device", "virtio-serial-pci"]);
        Ok(qemu)
    }

    /// Boots the machine, gives each line of the job's output to `on_line`, and returns the job's
    /// exit status. `limits`: for the whole, and for silence of the job. What the job left in /run/logs is
    /// unpacked into `logs`, the machine's console is written there too.
    pub fn run(
        &self,
        job: &Job,
        logs: &Path,
        interrupt: &Interrupt,
        limits: (Duration, Duration),
        mut on_line: impl FnMut(&str),
    ) -> Result<i32> {
        let run = run_dir()?;
        fs::create_dir_all(logs)?;
        let (console, archive) = (logs.join("machine.log"), run.path().join("logs.tar"));
        let qemu = self.batch(job, run.path(), &console, &archive)?;
        let (whole, silence) = limits;
        let limits = Limits {
            whole,
            silence: silence.min(ALIVE),
            idle: Some(IDLE),
        };
        let mut code = None;
        let mut heard = Instant::now();
        let ended = run_lines(qemu, interrupt, limits, |line| {
            if line.is_empty() {
                ensure!(heard.elapsed() < silence, Stuck::Silent(silence));
                return Ok(());
            }
            heard = Instant::now();
            match Event::from_line(line) {
                Some(Event::Exit { code: status }) => code = Some(status),
                _ => on_line(line),
            }
            Ok(())
        });
        unpack_logs(&archive, logs)?;
        match (ended, code) {
            (Ok(_), Some(code)) => Ok(code),
            (ended, _) => Err(lost(ended, &console)),
        }
    }

    /// The script, the host's programs with their libraries, and the guest image.
    fn pack_job(&self, job: &Job, into: &Path) -> Result<()> {
        let mut archive = Archive::create(into)?;
        archive.text("/job", 0o755, &job.script)?;
        if job.interactive {
            archive.text("/interactive", 0o644, "")?;
        }
        archive.file(&format!("{HOME}/vmlinuz"), &self.image.kernel.bz_image())?;
        archive.file(&format!("{HOME}/initramfs"), &self.image.initramfs)?;
        let mut libraries = Libraries::default();
        for (name, source) in &job.files {
            let elf = is_elf(source)?;
            let file = if elf {
                programs::stripped(source, &self.dir.join("host"))?
            } else {
                source.clone()
            };
            archive.file(name, &file)?;
            if elf {
                libraries.add(&mut archive, source)?;
            }
        }
        archive.finish()
    }

    fn pack_peers(&self) -> Result<()> {
        packages::require(packages::FOR_PEERS)?;
        let mut inputs = Inputs::default().word("1");
        for file in PEER_PROGRAMS.iter().chain(PEER_FILES) {
            inputs = inputs.path(&fs::canonicalize(file)?)?;
        }
        when_changed(&self.peers, inputs, || {
            eprintln!("packing QEMU for the peers' guests");
            let mut archive = Archive::create(&self.peers)?;
            with_libraries(&mut archive, PEER_PROGRAMS)?;
            for file in PEER_FILES {
                archive.file(file, Path::new(file))?;
            }
            archive.finish()
        })?;
        Ok(())
    }
}

/// Adds installed programs and what they load.
fn with_libraries(archive: &mut Archive, programs: &[&str]) -> Result<()> {
    let mut libraries = Libraries::default();
    for program in programs {
        archive.file(program, Path::new(program))?;
        libraries.add(archive, Path::new(program))?;
    }
    Ok(())
}

/// Shared libraries, each added once.
#[derive(Debug, Default)]
struct Libraries(BTreeSet<String>);

impl Libraries {
    fn add(&mut self, archive: &mut Archive, program: &Path) -> Result<()> {
        for library in programs::libraries(program)? {
            if self.0.insert(library.clone()) {
                archive.file(&library, Path::new(&library))?;
            }
        }
        Ok(())
    }
}

fn is_elf(path: &Path) -> Result<bool> {
    let mut magic = [0; 4];
    let mut file =
        fs::File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let read = std::io::Read::read(&mut file, &mut magic)?;
    Ok(read == magic.len() && &magic == b"\x7fELF")
}

/// The host's programs and where they are in the machine.
pub fn host_files(programs: &Path) -> Vec<(String, PathBuf)> {
    programs::HOST_PROGRAMS
        .iter()
        .map(|name| (format!("{HOME}/bin/{name}"), programs.join(name)))
        .collect()
}

/// Whether this machine's own KVM can run a stock kernel.
pub fn native() -> bool {
    let Ok(cpu) = fs::read_to_string("/proc/cpuinfo") else {
        return false;
    };
    let flags = cpu
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap_or_default();
    let virtualization = flags
        .split_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm");
    virtualization
        && fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm")
            .is_ok()
}

/// The machine did not come to the end of its job: shows what its console said last.
fn lost(ended: Result<ExitStatus>, console: &Path) -> Error {
    let text = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.len().saturating_sub(CONSOLE_TAIL);
    eprintln!("---- console of the emulated machine ----");
    for line in lines.iter().skip(tail) {
        eprintln!("{line}");
    }
    eprintln!("----");
    match (ended, death(&text)) {
        (Ok(_), Some(word)) => Error::from(Stuck::Dead(word.to_owned()))
            .context("the emulated machine did not finish its job"),
        (Ok(status), None) => {
            anyhow!("the emulated machine ended in the middle of its job ({status})")
        }
        (Err(error), _) => error.context("the emulated machine did not finish its job"),
    }
}

/// What the kernel of the emulated machine said when it died of itself. That its first process ended
/// or its memory ran out is what programs can do, and is not meant.
fn death(console: &str) -> Option<&str> {
    let (_, word) = console
        .lines()
        .find_map(|line| line.split_once("Kernel panic - not syncing: "))?;
    let by_programs = word.contains("kill init") || word.to_lowercase().contains("memory");
    (!by_programs).then_some(word)
}

/// An empty directory, removed when it is dropped.
pub fn run_dir() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("dvs-")
        .tempdir()
        .context("a temporary directory cannot be made")
}

fn unpack_logs(archive: &Path, into: &Path) -> Result<()> {
    if fs::metadata(archive).map_or(0, |metadata| metadata.len()) == 0 {
        return Ok(());
    }
    fs::create_dir_all(into)?;
    command::run(
        Command::new("tar")
            .arg("-x")
            .arg("-f")
            .arg(archive)
            .arg("-C")
            .arg(into),
    )
    .map(|_| ())
}

#[cfg(test)]
#[path = "machine_test.rs"]
mod tests;
