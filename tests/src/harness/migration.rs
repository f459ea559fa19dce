//! Moves of our guests between hosts of a cluster.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dvs_migration::progress::{Progress, State};
use dvs_vmm::ctl::client::Client;
use serde::Serialize;
use serde_json::{Value, json};

use super::guest::{Files, Vmm};
use super::hardware::{console, serial};
use super::network::within;
use super::process::Process;
use super::socket::connect;
use super::{COMMAND_LIMIT, Destination, Guest, Lab, Late};

/// Between looks at how far a move is. That the guest has gone is told at once.
const PERIOD: Duration = Duration::from_millis(100);
/// The same while something is measured.
const SELDOM: Duration = Duration::from_secs(5);

/// What shall be done when the time for a move is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The guest stays.
    Cancel,
    /// It stands still for as long as it takes.
    Force,
}

/// What is asked of a move; the fields are those of the request.
#[derive(Debug, Clone, Serialize)]
pub struct Wishes {
    /// For how long the guest may stand still.
    pub downtime_ms: u64,
    /// Seconds that the move may take.
    pub timeout_s: u64,
    /// What happens then.
    pub timeout_strategy: Strategy,
    /// Data streams.
    pub connections: u16,
    /// The most that it may send; none: no limit.
    pub bandwidth_bytes_per_s: Option<u64>,
    /// "none", "lz4" or "zstd".
    pub compression: &'static str,
    /// Certificates of the host that the guest leaves; none: it trusts everybody.
    pub tls_dir: Option<PathBuf>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            downtime_ms: 300,
            timeout_s: 600,
            timeout_strategy: Strategy::Cancel,
            connections: 2,
            bandwidth_bytes_per_s: None,
            compression: "none",
            tls_dir: None,
        }
    }
}

/// How a move has ended.
#[derive(Debug)]
pub enum Outcome {
    /// The guest runs at the destination.
    Moved(Box<Migrated>),
    /// It runs where it was.
    Stayed(Box<Progress>),
    /// Its VMM has ended, and it runs nowhere.
    Lost,
}

/// A guest that has moved.
#[derive(Debug)]
pub struct Migrated {
    /// When the move was asked for.
    pub began: Instant,
    /// When its former VMM had ended.
    pub ended: Instant,
    /// The last that was seen of the source.
    pub source: Option<Progress>,
    /// What the destination tells at the end.
    pub destination: Progress,
}

impl Outcome {
    /// The figures of a guest that has moved.
    ///
    /// # Errors
    /// Fails if it has not.
    pub fn moved(self) -> Result<Migrated> {
        match self {
            Self::Moved(migrated) => Ok(*migrated),
            Self::Stayed(progress) => bail!("the guest has not moved: {progress:?}"),
            Self::Lost => bail!("the guest runs nowhere"),
        }
    }

    /// What the source tells of a guest that has stayed.
    ///
    /// # Errors
    /// Fails if it has not.
    pub fn stayed(self) -> Result<Progress> {
        match self {
            Self::Stayed(progress) => Ok(*progress),
            Self::Moved(migrated) => bail!("the guest has moved: {migrated:?}"),
            Self::Lost => bail!("the guest runs nowhere"),
        }
    }
}

/// A move under way.
#[derive(Debug)]
pub struct Moving<'g> {
    guest: &'g mut Guest,
    there: Vmm,
    /// Whether the guest is heard where it goes.
    followed: bool,
    began: Instant,
    seen: Option<Progress>,
    /// Between looks at it.
    period: Duration,
    limit: Instant,
}

impl Guest {
    /// Starts a VMM at the destination and has the guest sent there.
    ///
    /// # Errors
    /// Fails if one of the VMMs refuses.
    pub fn start_move(
        &mut self,
        lab: &Lab,
        to: &Destination,
        wishes: &Wishes,
    ) -> Result<Moving<'_>> {
        let (there, url) = self.receiver(lab, to)?;
        let mut order = serde_json::to_value(wishes)?;
        order["destination_url"] = url;
        order["destination_node"] = json!(to.number);
        order["plaintext"] = json!(wishes.tls_dir.is_none());
        let began = Instant::now();
        self.agent.announce_move();
        if let Err(error) = self.api().put("vm.send-migration", Some(&order)) {
            self.agent.stays();
            return Err(error).with_context(|| self.name.clone());
        }
        Ok(Moving {
            guest: self,
            there,
            followed: false,
            began,
            seen: None,
            period: PERIOD,
            limit: began + Duration::from_secs(wishes.timeout_s) + 2 * COMMAND_LIMIT,
        })
    }

    /// Moves the guest; `on_progress` is told how far it is.
    ///
    /// # Errors
    /// Fails if it does not arrive.
    pub fn migrate(
        &mut self,
        lab: &Lab,
        to: &Destination,
        wishes: &Wishes,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Migrated> {
        let moving = self.start_move(lab, to, wishes)?;
        moving.finish(on_progress)?.moved()
    }

    /// After a move, wherever it has led, the guest runs as soon as its VMM has put away what it
    /// needed for that.
    fn wait_running(&mut self) -> Result<()> {
        let end = Instant::now() + COMMAND_LIMIT;
        loop {
            let state = self.api().get("vm.info")?["state"].clone();
            if state == "Running" {
                return Ok(());
            }
            ensure!(
                Instant::now() < end && self.vmm.wait_at_most(PERIOD)?.is_none(),
                "after a move the guest is {state}"
            );
        }
    }

    /// A VMM that waits for the guest, and where.
    fn receiver(&mut self, lab: &Lab, to: &Destination) -> Result<(Vmm, Value)> {
        let name = self.next_name();
        let files = Files::fresh(lab, &name)?;
        let mut vmm = within(&to.network, &lab.settings().program("dvs-vmm"));
        vmm.arg("--api-socket").arg(&files.api);
        let process = Process::start(&self.name, vmm, &lab.log(&format!("{name}-vmm")))?;
        connect(&files.api, COMMAND_LIMIT)?;
        let order = json!({
            "receiver_url": format!("tcp:{}:0", to.address),
            "node": to.node,
            "serial": serial(&files.serial_log),
            "console": console(&files.agent),
            "memory_max": to.memory_max,
            "tls_dir": to.certificates,
            "plaintext": to.certificates.is_none(),
        });
        let answer = Client::new(&files.api).put("vm.receive-migration", Some(&order))?;
        let url = answer.context("the receiver does not say where it waits")?["url"].clone();
        let vmm = Vmm {
            process,
            api: files.api,
            agent: files.agent,
        };
        Ok((vmm, url))
    }
}

fn progress(api: &Path) -> Result<Progress> {
    let told = Client::new(api).get("vm.migration-progress")?;
    serde_json::from_value(told).context("vm.migration-progress is not understood")
}

impl Moving<'_> {
    /// Looks seldom how far it is: for whoever measures, since each look costs time of the processors.
    #[must_use]
    pub fn seldom(self) -> Self {
        Self {
            period: SELDOM,
            ..self
        }
    }

    /// Waits until the source tells what is `wanted`.
    ///
    /// # Errors
    /// Fails if it ends before, or the time is over.
    pub fn until(&mut self, wanted: impl Fn(&Progress) -> bool) -> Result<()> {
        loop {
            if let Some(status) = self.step()? {
                bail!("the source has ended before: {status}");
            }
            let seen = self.seen.as_ref();
            if seen.is_some_and(&wanted) {
                return Ok(());
            }
            ensure!(
                !seen.is_some_and(Progress::is_over),
                "it was over before: {seen:?}"
            );
        }
    }

    /// The VMM that the guest leaves.
    pub fn here(&mut self) -> &mut Process {
        &mut self.guest.vmm
    }

    /// The VMM that it goes to.
    pub fn there(&mut self) -> &mut Process {
        &mut self.there.process
    }

    /// Has the source give the move up.
    ///
    /// # Errors
    /// Fails if it refuses.
    pub fn cancel(&self) -> Result<()> {
        self.guest.api().put("vm.migration-cancel", None)?;
        Ok(())
    }

    /// Has the destination give it up.
    ///
    /// # Errors
    /// Fails if it refuses.
    pub fn cancel_there(&self) -> Result<()> {
        Client::new(&self.there.api).put("vm.migration-cancel", None)?;
        Ok(())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// Fails if it does not come in time, or the two sides do not agree.
    pub fn finish(mut self, on_progress: &mut dyn FnMut(&Progress)) -> Result<Outcome> {
        loop {
            if let Some(status) = self.step()? {
                return self.left(status);
            }
            let Some(seen) = self.seen.as_ref() else {
                continue;
            };
            on_progress(seen);
            if matches!(seen.state, State::Failed | State::Cancelled) {
                let seen = seen.clone();
                return self.stayed(seen);
            }
        }
    }

    /// Waits a while for the end of the source and looks at what it tells; gives how it ended.
    fn step(&mut self) -> Result<Option<ExitStatus>> {
        self.follow(Duration::ZERO);
        if let Some(status) = self.guest.vmm.wait_at_most(self.period)? {
            return Ok(Some(status));
        }
        // A source that is about to end does not answer any more.
        if let Ok(told) = progress(&self.guest.api) {
            self.seen = Some(told);
        }
        if Instant::now() >= self.limit {
            let text = format!("the move does not end: {:?}", self.seen);
            return Err(Late(text).into());
        }
        Ok(None)
    }

    /// Listens at the destination, as soon as there is something to listen to.
    fn follow(&mut self, limit: Duration) {
        if !self.followed {
            let heard = self.guest.agent.follow(&self.there.agent, limit);
            self.followed = heard.is_ok();
        }
    }

    /// The source's VMM has ended: has the guest arrived?
    fn left(mut self, status: ExitStatus) -> Result<Outcome> {
        let ended = Instant::now();
        let destination = loop {
            match progress(&self.there.api) {
                Ok(told) if told.is_over() => break told,
                Ok(_) => {}
                Err(error) if status.success() => return Err(error),
                Err(_) => return Ok(Outcome::Lost),
            }
            if self.there.process.wait_at_most(PERIOD)?.is_some() || ended >= self.limit {
                return Ok(Outcome::Lost);
            }
        };
        if destination.state != State::Completed {
            ensure!(
                !status.success(),
                "the source has ended, and the destination tells {destination:?}"
            );
            return Ok(Outcome::Lost);
        }
        self.follow(COMMAND_LIMIT);
        self.guest.moved_to(self.there);
        self.guest.wait_running()?;
        Ok(Outcome::Moved(Box::new(Migrated {
            began: self.began,
            ended,
            source: self.seen,
            destination,
        })))
    }

    fn stayed(self, seen: Progress) -> Result<Outcome> {
        self.guest.agent.stays();
        self.guest.wait_running()?;
        Ok(Outcome::Stayed(Box::new(seen)))
    }
}
