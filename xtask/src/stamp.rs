//! Rebuilding only what has changed: a stamp is the hash of all that went into a product.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Collects inputs.
#[derive(Debug, Default)]
pub struct Inputs(Sha256);

impl Inputs {
    /// Adds a word: a version, an option, a path.
    #[must_use]
    pub fn word(mut self, word: &str) -> Self {
        self.0.update((word.len() as u64).to_le_bytes());
        self.0.update(word);
        self
    }

    /// Adds the contents of a file, or of all files below a directory with their names.
    pub fn path(mut self, path: &Path) -> Result<Self> {
        for file in files_below(path)? {
            let name = file
                .strip_prefix(path)
                .unwrap_or(&file)
                .to_string_lossy()
                .into_owned();
            self = self.word(&name);
            let mut reader = fs::File::open(&file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            io::copy(&mut reader, &mut self.0)?;
        }
        Ok(self)
    }

    fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

/// Runs `build` unless `product` exists and was made from the same inputs.
///
/// Whatever was there is removed first, so that nothing old is mistaken for new when it fails.
pub fn when_changed(
    product: &Path,
    inputs: Inputs,
    build: impl FnOnce() -> Result<()>,
) -> Result<bool> {
    let stamp = stamp_of(product);
    let now = inputs.finish();
    if product.exists() && fs::read_to_string(&stamp).is_ok_and(|before| before == now) {
        return Ok(false);
    }
    if stamp.exists() {
        fs::remove_file(&stamp)
            .with_context(|| format!("{} cannot be removed", stamp.display()))?;
    }
    if let Some(parent) = product.parent() {
        fs::create_dir_all(parent)?;
    }
    build()?;
    fs::write(&stamp, now).with_context(|| format!("{} cannot be written", stamp.display()))?;
    Ok(true)
}

/// All regular files below `path` (or `path` itself), sorted; links are not followed into directories.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    let told = || format!("{} cannot be read", path.display());
    if !fs::symlink_metadata(path).with_context(told)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).with_context(told)? {
        entries.push(entry?.path());
    }
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        files.extend(files_below(&entry)?);
    }
    Ok(files)
}

fn stamp_of(product: &Path) -> PathBuf {
    let mut name = product.file_name().unwrap_or_default().to_os_string();
    name.push(".stamp");
    product.with_file_name(name)
}

#[cfg(test)]
#[path = "stamp_test.rs"]
mod tests;
