//! A server that moves to another process: it saves what it knows, and the endpoint follows.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use dvs::{Address, Dvs, Endpoint, MigrationToken, Timeout};
use serde::{Deserialize, Serialize};

use crate::report::Faults;
use crate::server::{Client, Server};

/// How long each step may take.
const STEP: Timeout = Timeout::After(Duration::from_secs(60));

/// A request that the new process is to answer.
#[derive(Debug)]
pub struct Unanswered {
    pub to: Address,
    pub reply: Vec<u8>,
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
    endpoint
        .reply(address(nr, gen_), &reply)
        .context("cannot answer what was asked before")?;
    Ok((endpoint, server))
}
