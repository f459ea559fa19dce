//! Networks of hosts: each a namespace, with wires between them that can be cut.

mod namespace;
mod wire;

pub use namespace::{Namespace, within};
pub use wire::Wire;

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Runs a program of iproute2 to its end.
fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("{program} could not be started; it is in Debian's iproute2"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{program} {}: {} (networks need root)",
            arguments.join(" "),
            said.trim_end()
        );
    }
    Ok(())
}
