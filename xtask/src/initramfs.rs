//! Archives that a kernel unpacks into its root file system at boot.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc::{Builder, trailer};

const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// Writes one archive. Several archives one after the other in one file are an initramfs too.
#[derive(Debug)]
pub struct Archive {
    out: BufWriter<File>,
    directories: BTreeSet<String>,
}

impl Archive {
    /// Starts an archive in a new file.
    pub fn create(path: &Path) -> Result<Self> {
        let file =
            File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self {
            out: BufWriter::new(file),
            directories: BTreeSet::new(),
        })
    }

    /// Adds the device that the first process has as its standard input and output.
    pub fn console(&mut self) -> Result<()> {
        self.parents("/dev/console")?;
        let entry = Builder::new("dev/console")
            .mode(CHARACTER_DEVICE)
            .rdev_major(5)
            .rdev_minor(1);
        self.entry(entry, &mut io::empty(), 0)
    }

    /// Adds a file with its permissions, under the absolute path `name`.
    pub fn file(&mut self, name: &str, source: &Path) -> Result<()> {
        let told = || format!("{} cannot be read", source.display());
        let mut file = File::open(source).with_context(told)?;
        let metadata = file.metadata().with_context(told)?;
        let size = u32::try_from(metadata.len())
            .with_context(|| format!("{} is too large", source.display()))?;
        self.parents(name)?;
        let mode = REGULAR | (metadata.permissions().mode() & 0o777);
        self.entry(Builder::new(relative(name)).mode(mode), &mut file, size)
    }

    /// Adds a file with these contents.
    pub fn text(&mut self, name: &str, permissions: u32, text: &str) -> Result<()> {
        let size = u32::try_from(text.len()).context("the text is too large")?;
        self.parents(name)?;
        let entry = Builder::new(relative(name)).mode(REGULAR | permissions);
        self.entry(entry, &mut text.as_bytes(), size)
    }

    /// Ends the archive, padded so that another may follow.
    pub fn finish(self) -> Result<()> {
        let mut out = trailer(self.out)?;
        out.flush()?;
        Ok(())
    }

    fn parents(&mut self, name: &str) -> Result<()> {
        let name = relative(name);
        for (at, _) in name.match_indices('/') {
            let parent = &name[..at];
            if self.directories.insert(parent.to_owned()) {
                self.entry(Builder::new(parent).mode(DIRECTORY), &mut io::empty(), 0)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: Builder, content: &mut dyn io::Read, size: u32) -> Result<()> {
        let mut writer = entry.write(&mut self.out, size);
        io::copy(content, &mut writer)?;
        writer.finish()?;
        Ok(())
    }
}

/// One file out of several archives.
pub fn join(parts: &[&Path], into: &Path) -> Result<()> {
    let mut out =
        File::create(into).with_context(|| format!("{} cannot be written", into.display()))?;
    for part in parts {
        let mut part =
            File::open(part).with_context(|| format!("{} cannot be read", part.display()))?;
        let length = io::copy(&mut part, &mut out)?;
        // The kernel looks for the next archive at a multiple of four.
        let padding = length.next_multiple_of(4) - length;
        out.write_all(&vec![0; usize::try_from(padding)?])?;
    }
    Ok(())
}

fn relative(name: &str) -> &str {
    name.trim_start_matches('/')
}

#[cfg(test)]
#[path = "initramfs_test.rs"]
mod tests;
