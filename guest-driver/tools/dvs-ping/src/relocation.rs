//! A server that moves to another process: it saves what it knows, and the endpoint follows.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, ensure};
use dvs::{Address, Dvs, Endpoint, Error, MigrationToken, Timeout};
use serde::{Deserialize, Serialize};

use crate::report::Faults;
use crate::server::{Client, Server};

/// How long each step may take.
const STEP: Timeout = Timeout::After(Duration::from_secs(60));

/// How long nobody adopts.
const NOBODY: Timeout = Timeout::After(Duration::from_secs(1));

/// A request that is answered only after the move, by whoever has the endpoint then.
#[derive(Debug)]
pub struct Unanswered {
    pub to: Address,
    pub reply: Vec<u8>,
}

impl Unanswered {
    fn answer(&self, endpoint: &Endpoint) -> anyhow::Result<()> {
        let answered = endpoint.reply(self.to, &self.reply);
        answered.context("cannot answer what was asked before the move")
    }
}

/// All that the server knows.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    token: [u8; 8],
    clients: Vec<(i32, u32, Client)>,
    faults: Faults,
    rpcs: u64,
    finished: u64,
    refused: u64,
    unanswered: (i32, u32, Vec<u8>),
}

/// What is printed of it.
#[derive(Serialize)]
struct Moving<'a> {
    moving: &'a str,
}

/// Moves to whoever adopts the endpoint; returns when it has it.
pub fn leave(endpoint: &Endpoint, server: &Server, unanswered: &Unanswered) -> anyhow::Result<()> {
    let number = endpoint.address().number;
    let token = endpoint.device().migrate_start(number, STEP);
    let token = token.context("cannot begin to move")?;
    let saved = serde_json::to_string(&save(server, token, unanswered))?;
    println!("{}", serde_json::to_string(&Moving { moving: &saved })?);
    std::io::stdout().flush()?;
    let committed = endpoint.device().migrate_commit(number, None, STEP);
    committed.context("cannot move")
}

/// Begins to move, finds that nobody adopts, and goes on as before.
pub fn stay(endpoint: &Endpoint, unanswered: &Unanswered) -> anyhow::Result<()> {
    let number = endpoint.address().number;
    let device = endpoint.device();
    device
        .migrate_start(number, STEP)
        .context("cannot begin to move")?;
    let committed = device.migrate_commit(number, None, NOBODY);
    ensure!(
        matches!(committed, Err(Error::TimedOut)),
        "nobody knows of the move, but its end is {committed:?}"
    );
    device
        .migrate_rollback(number, STEP)
        .context("cannot take the move back")?;
    println!("{}", serde_json::json!({"stays": number}));
    std::io::stdout().flush()?;
    unanswered.answer(endpoint)
}

fn save(server: &Server, token: MigrationToken, unanswered: &Unanswered) -> Saved {
    let clients = server.clients.iter();
    let clients = clients.map(|(from, client)| (from.number, from.generation, client.clone()));
    let Unanswered { to, reply } = unanswered;
    Saved {
        token: token.to_bytes(),
        clients: clients.collect(),
        faults: server.faults,
        rpcs: server.rpcs,
        finished: server.finished,
        refused: server.refused,
        unanswered: (to.number, to.generation, reply.clone()),
    }
}

/// Goes on where the other process has left.
pub fn arrive(number: i32, saved: &str) -> anyhow::Result<(Endpoint, Server)> {
    let saved: Saved = serde_json::from_str(saved).context("this is not what --move-after says")?;
    let token = MigrationToken::from_bytes(saved.token);
    let endpoint = Endpoint::adopt(Dvs::open()?, number, token, STEP)
        .with_context(|| format!("cannot adopt endpoint {number}"))?;
    let address = |number, generation| Address { number, generation };
    let clients = saved.clients.into_iter();
    let server = Server {
        clients: clients
            .map(|(nr, gen_, it)| (address(nr, gen_), it))
            .collect(),
        faults: saved.faults,
        rpcs: saved.rpcs,
        finished: saved.finished,
        refused: saved.refused,
        ..Server::default()
    };
    let (nr, gen_, reply) = saved.unanswered;
    let to = address(nr, gen_);
    Unanswered { to, reply }.answer(&endpoint)?;
    Ok((endpoint, server))
}
