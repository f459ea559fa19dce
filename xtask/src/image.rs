//! The guest image: kernel, and an initramfs with our module and programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::initramfs::Archive;
use crate::kernel::Kernel;
use crate::stamp::{Inputs, when_changed};
use crate::workspace::Workspace;
use crate::{driver, packages, programs};

/// What a guest loads before our module: its transport, and the network card and the line to the
/// host of a peer's guest.
const GUEST_MODULES: &[&str] = &["virtio_pci", "virtio_net", "vmw_vsock_virtio_transport"];

/// Everything a guest needs.
#[derive(Debug)]
pub struct Image {
    /// The kernel that guests and the emulated machine run.
    pub kernel: Kernel,
    /// The guests' initramfs.
    pub initramfs: PathBuf,
}

impl Image {
    /// Makes what is missing or out of date.
    pub fn up_to_date(workspace: &Workspace) -> Result<Self> {
        packages::require(packages::FOR_IMAGE)?;
        let dir = workspace.image_dir();
        fs::create_dir_all(&dir)?;
        let kernel = Kernel::unpacked(&dir)?;
        let module = driver::build(workspace, &kernel)?;
        let programs = programs::build_guest(workspace)?;
        let init = workspace.source("resources/image/guest-init.sh");
        let initramfs = dir.join("guest-initramfs.cpio");
        let mut inputs = Inputs::default()
            .word(kernel.release())
            .word(&GUEST_MODULES.join(" "))
            .path(&init)?
            .path(&module)?;
        for program in programs.values() {
            inputs = inputs.word(&program.to_string_lossy()).path(program)?;
        }
        when_changed(&initramfs, inputs, || {
            eprintln!("packing {}", initramfs.display());
            let mut archive = Archive::create(&initramfs)?;
            base(&mut archive, &kernel, GUEST_MODULES, &[&module], &init)?;
            for (name, program) in &programs {
                archive.file(&format!("/bin/{name}"), program)?;
            }
            archive.finish()
        })?;
        Ok(Self { kernel, initramfs })
    }
}

/// What every initramfs has: busybox, modules in the order of loading, and an init.
pub fn base(
    archive: &mut Archive,
    kernel: &Kernel,
    modules: &[&str],
    own: &[&Path],
    init: &Path,
) -> Result<()> {
    archive.console()?;
    archive.file("/bin/busybox", &kernel.busybox())?;
    let mut load = String::new();
    let stock = kernel.closure(modules)?;
    let paths = stock
        .iter()
        .map(|module| kernel.module(module))
        .chain(own.iter().map(|path| path.to_path_buf()));
    for path in paths {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .context("a module has a name")?;
        archive.file(&format!("/lib/modules/{name}"), &path)?;
        load.push_str(name);
        load.push('\n');
    }
    archive.text("/lib/modules/load", 0o644, &load)?;
    archive.text("/init", 0o755, &fs::read_to_string(init)?)
}
