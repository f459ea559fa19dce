//! A cable between two namespaces.

use std::cell::Cell;

use anyhow::Result;

use super::{Namespace, run};

/// One end of a wire.
#[derive(Debug)]
struct End {
    namespace: String,
    device: String,
}

/// A wire: a device in each of two namespaces. It goes with either of them.
#[derive(Debug)]
pub struct Wire {
    ends: [End; 2],
    cut: Cell<bool>,
}

impl Wire {
    /// Connects two namespaces by devices of these names.
    ///
    /// # Errors
    /// Fails if devices of these names exist.
    pub fn new(one: (&Namespace, &str), other: (&Namespace, &str)) -> Result<Self> {
        let end = |(namespace, device): (&Namespace, &str)| End {
            namespace: namespace.name().to_owned(),
            device: device.to_owned(),
        };
        let ends = [end(one), end(other)];
        let [a, b] = &ends;
        run(
            "ip",
            &[
                "link",
                "add",
                &a.device,
                "netns",
                &a.namespace,
                "type",
                "veth",
                "peer",
                "name",
                &b.device,
                "netns",
                &b.namespace,
            ],
        )?;
        for (namespace, device) in [one, other] {
            namespace.ip(&["link", "set", device, "up"])?;
        }
        Ok(Self {
            ends,
            cut: Cell::new(false),
        })
    }

    /// From now on it loses whatever it is given, and neither side is told.
    ///
    /// # Errors
    /// Fails if it is cut already.
    pub fn cut(&self) -> Result<()> {
        self.at_both(&["qdisc", "add"], &["root", "netem", "loss", "100%"])?;
        self.cut.set(true);
        Ok(())
    }

    /// It carries again.
    ///
    /// # Errors
    /// Fails if it was not cut.
    pub fn heal(&self) -> Result<()> {
        self.at_both(&["qdisc", "delete"], &["root"])?;
        self.cut.set(false);
        Ok(())
    }

    /// Whether it is cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut.get()
    }

    fn at_both(&self, what: &[&str], how: &[&str]) -> Result<()> {
        for End { namespace, device } in &self.ends {
            let namespace = ["-netns", namespace.as_str()];
            run(
                "tc",
                &[&namespace, what, &["dev", device.as_str()], how].concat(),
            )?;
        }
        Ok(())
    }
}
