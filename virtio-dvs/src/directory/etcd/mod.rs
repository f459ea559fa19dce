//! The directory of a cluster, on etcd.
//!
//! A node is there as long as its key is, which is under a lease. The revision that created the key
//! names its tenure, and a life of a VM goes on only in the tenure that it was begun in: a node
//! whose lease ran out has lost all of them at once, for everybody. An endpoint is bound if its
//! record says so and that life of the VM goes on; so a life and all that it has bound end with one
//! write, and what is left behind may be replaced. Every change is one transaction, made only if
//! all that was read for it is still so.
//!
//! All of it runs in a thread of its own.

mod attributes;
mod config;
mod connection;
mod endpoints;
mod hands;
mod history;
mod inbox;
mod keys;
mod moves;
mod nodes;
mod opening;
mod recall;
mod records;
mod requests;
mod session;
mod shared;
mod snapshot;
mod stream;
mod vms;
mod watches;

pub use config::{EtcdConfig, EtcdConfigError};

use crate::directory::{
    Answer, Directory, DirectoryError, Interest, News, NodeId, Request, RequestId, Seen,
};
use etcd_client::ConnectOptions;
use inbox::Inbox;
use opening::Opening;
use requests::Command;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::JoinHandle;
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

/// Who a node is in its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Its number, which no other node has.
    pub node: NodeId,
    /// Where the others reach it, at most 512 bytes. The caller listens there already: that it can
    /// tells an earlier run of this node from another node with the same number.
    pub address: String,
    /// Names the host's current boot: lives of an earlier one are over.
    pub boot: String,
}

/// Why the directory cannot be opened.
#[derive(Debug, Error)]
pub enum EtcdError {
    /// The configuration is wrong.
    #[error("the configuration of etcd is wrong: {0}")]
    Config(#[from] EtcdConfigError),
    /// The address is too long.
    #[error("the address of this node is {0} bytes long; it may have {max}", max = records::ADDRESS_MAX)]
    Address(usize),
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The system refuses a thread or what it needs.
    #[error("the directory's thread cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// Nobody answers.
    #[error("etcd at {endpoints} did not answer within {timeout_ms} ms: {last}")]
    Silent {
        /// Who was asked.
        endpoints: String,
        /// For how long.
        timeout_ms: u64,
        /// What went wrong at last.
        last: String,
    },
    /// etcd refuses.
    #[error("etcd refuses: {0}")]
    Refused(String),
    /// etcd is too old.
    #[error("etcd is of version {0}; it must be 3.4 or later")]
    TooOld(String),
    /// Another node has this number.
    #[error("{node} is running at {address}; give this node a number of its own")]
    NodeInUse {
        /// The number.
        node: NodeId,
        /// Where the other one listens.
        address: String,
    },
    /// Something in etcd is not understood.
    #[error("{0}")]
    Broken(DirectoryError),
}

/// The directory of a cluster, on etcd. Dropping it leaves the lease to run out, so that a node that
/// is started again finds its VMs alive.
#[derive(Debug)]
pub struct Etcd {
    records: Vec<Seen>,
    inbox: Arc<Inbox>,
    /// Dropped to end the thread.
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Etcd {
    /// Connects, claims this node's number and reads what is known of its VMs. Waits for that, as
    /// long as the configuration says, and longer only for another node of this number to be gone.
    pub fn open(config: &EtcdConfig, me: Me) -> Result<Etcd, EtcdError> {
        config.validate()?;
        if me.address.len() > records::ADDRESS_MAX {
            return Err(EtcdError::Address(me.address.len()));
        }
        let options = connection::options(config)?;
        let inbox = Arc::new(Inbox::new()?);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (commands, receiver) = mpsc::unbounded_channel();
        let (opened, opening) = std_mpsc::channel();
        let task = Task {
            config: config.clone(),
            me,
            options,
            inbox: inbox.clone(),
            commands: receiver,
            opened,
        };
        let thread = std::thread::Builder::new()
            .name("directory".to_owned())
            .spawn(move || task.run(runtime))?;
        let gone = || io::Error::other("it ended");
        let records = opening.recv().map_err(|_| gone())??;
        Ok(Etcd {
            records,
            inbox,
            commands: Some(commands),
            thread: Some(thread),
        })
    }

    fn command(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // The thread ends after us.
            let _ = commands.send(command);
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked it has said so.
            let _ = thread.join();
        }
    }
}

impl Directory for Etcd {
    fn records(&self) -> Vec<Seen> {
        self.records.clone()
    }

    fn submit(&mut self, id: RequestId, request: Request) {
        self.command(Command::Ask(id, request));
    }

    fn next_answer(&mut self) -> Option<(RequestId, Answer)> {
        self.inbox.next_answer()
    }

    fn unwatch(&mut self, interest: Interest) {
        self.command(Command::Unwatch(interest));
    }

    fn next_news(&mut self) -> Option<News> {
        self.inbox.next_news()
    }

    fn signal(&self) -> Option<BorrowedFd<'_>> {
        Some(self.inbox.as_fd())
    }
}

/// What the directory's thread does.
struct Task {
    config: EtcdConfig,
    me: Me,
    options: ConnectOptions,
    inbox: Arc<Inbox>,
    commands: mpsc::UnboundedReceiver<Command>,
    opened: std_mpsc::Sender<Result<Vec<Seen>, EtcdError>>,
}

impl Task {
    fn run(self, runtime: Runtime) {
        LocalSet::new().block_on(&runtime, self.serve());
        // A look-up of a host's name may still be under way; nobody waits for it.
        runtime.shutdown_background();
    }

    async fn serve(self) {
        let opening = Opening::new(&self.config);
        let (orders, obeyed) = mpsc::unbounded_channel();
        let claimed = opening
            .claim(&self.me, &self.options, self.inbox.clone(), orders)
            .await;
        let (shared, records) = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                let _ = self.opened.send(Err(error));
                return;
            }
        };
        if self.opened.send(Ok(records)).is_err() {
            return;
        }
        tokio::task::spawn_local(stream::run(shared.clone(), obeyed));
        requests::serve(shared, self.commands).await;
    }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
