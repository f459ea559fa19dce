//! A bridge with taps, for the guests of peers.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// A bridge with its taps. Dropping it removes them.
#[derive(Debug)]
pub struct Bridge {
    links: Vec<String>,
}

impl Bridge {
    /// Makes a bridge with so many taps, all up.
    ///
    /// # Errors
    /// Fails if we may not, or links of these names exist.
    pub fn with_taps(name: &str, taps: usize) -> Result<Self> {
        let mut bridge = Self { links: Vec::new() };
        ip(&["link", "add", name, "type", "bridge"])?;
        bridge.links.push(name.to_owned());
        ip(&["link", "set", name, "up"])?;
        for number in 0..taps {
            let tap = format!("{name}t{number}");
            ip(&["tuntap", "add", &tap, "mode", "tap"])?;
            bridge.links.push(tap.clone());
            ip(&["link", "set", &tap, "master", name])?;
            ip(&["link", "set", &tap, "up"])?;
        }
        Ok(bridge)
    }

    /// The taps.
    #[must_use]
    pub fn taps(&self) -> &[String] {
        self.links.get(1..).unwrap_or_default()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        for link in self.links.iter().rev() {
            // A link that has gone already needs no removal.
            ip(&["link", "delete", link]).ok();
        }
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("ip could not be started")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "ip {}: {} (networks need root)",
            arguments.join(" "),
            said.trim_end()
        );
    }
    Ok(())
}
