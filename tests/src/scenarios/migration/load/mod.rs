//! What runs while a guest moves: it serves and writes; clients call it and copy to it.

mod caller;
mod copier;
mod writer;

use anyhow::{Context, Result, bail, ensure};

pub use self::caller::{Called, Caller};
pub use self::copier::{Copied, Copier};
pub use self::writer::{Writer, Written};
use crate::harness::{Guest, Lab, Task};
use crate::scenarios::ping;

/// SIGTERM.
pub const TERMINATE: i32 = 15;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// MiB that are written.
    pub mib: u32,
    /// Pages a second; none: as fast as it goes.
    pub pages_per_second: Option<u32>,
    /// Calls a second of each client.
    pub calls_per_second: u32,
}

/// The usual amount.
pub const USUAL: Amount = Amount {
    mib: 64,
    pages_per_second: Some(2000),
    calls_per_second: 40,
};

/// All of it.
#[derive(Debug)]
pub struct Load {
    server: Task,
    writer: Writer,
    callers: Vec<Caller>,
    copier: Copier,
}

/// What has come of it.
#[derive(Debug)]
pub struct Done {
    pub written: Written,
    pub called: Vec<Called>,
    pub copied: Copied,
    /// What the server tells if it has seen something that is wrong.
    pub complaint: Option<String>,
}

impl Load {
    /// Starts it: a client in each of `calling`, one that copies in the last.
    pub fn start(
        lab: &Lab,
        serving: &mut Guest,
        calling: &mut [Guest],
        amount: Amount,
    ) -> Result<Self> {
        let server = ping::serve(lab, serving, u32::try_from(calling.len())?)?;
        let writer = Writer::start(serving, amount.mib, amount.pages_per_second)?;
        let mut callers = Vec::new();
        for (guest, number) in calling.iter_mut().zip(0..) {
            callers.push(Caller::start(guest, number, amount.calls_per_second)?);
        }
        let copying = calling.last_mut().context("nobody is to call")?;
        let copier = Copier::start(serving, copying)?;
        Ok(Self {
            server,
            writer,
            callers,
            copier,
        })
    }

    /// The clients.
    pub fn callers(&mut self) -> &mut [Caller] {
        &mut self.callers
    }

    /// Waits until each client has made calls from now on.
    pub fn wait_calls(&mut self) -> Result<()> {
        self.callers.iter_mut().try_for_each(Caller::wait_calls)
    }

    /// Ends it.
    pub fn end(self) -> Result<Done> {
        let mut called = Vec::new();
        for caller in self.callers {
            called.push(caller.end()?);
        }
        let copied = self.copier.end()?;
        let written = self.writer.end()?;
        // It has heard that all clients have finished.
        let served = self.server.finish(ping::RUN_LIMIT)?;
        let complaint = (served.code != 0).then(|| format!("{:?}, {}", served.out, served.tail()));
        Ok(Done {
            written,
            called,
            copied,
            complaint,
        })
    }
}

impl Done {
    /// Sum of a figure over the clients.
    pub fn sum(&self, figure: impl Fn(&ping::Report) -> u64) -> u64 {
        self.called
            .iter()
            .map(|called| figure(&called.report))
            .sum()
    }

    /// Calls and copies that failed, and whatever had other contents than it should.
    pub fn errors(&self) -> u64 {
        self.sum(|report| report.errors) + self.copied.errors + self.written.wrong
    }

    /// Nothing went wrong, and something was done.
    pub fn expect_clean(&self) -> Result<()> {
        for Called { guest, report, .. } in &self.called {
            let wrong = report.lost + report.duplicated + report.out_of_order + report.errors;
            ensure!(wrong == 0 && report.rpcs > 0, "{guest}: {report:?}");
        }
        ensure!(
            self.copied.errors == 0 && self.copied.copies > 0,
            "of {} copies {} went wrong",
            self.copied.copies,
            self.copied.errors
        );
        let Written { writes, wrong, .. } = self.written;
        ensure!(
            wrong == 0 && writes > 0,
            "{wrong} pages of the guest hold something else than was written"
        );
        if let Some(complaint) = &self.complaint {
            bail!("the server has seen what is wrong: {complaint}");
        }
        Ok(())
    }
}

/// What a client tells when it begins.
fn started(line: &str) -> Option<()> {
    line.contains("\"started\"").then_some(())
}
