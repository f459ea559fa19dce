//! The side that asks.

use std::io::{Read, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use dvs::{Access, Dvs, Endpoint, Timeout};

use super::protocol::{Action, KEY_MAX, Reply, Request};

/// Of all that a client does.
#[derive(Debug, Args)]
pub struct Options {
    /// Endpoint number of this client.
    #[arg(long, default_value_t = 41, allow_negative_numbers = true)]
    ep: i32,
    /// Endpoint number of the server; it is waited for.
    #[arg(long, default_value_t = 11, allow_negative_numbers = true)]
    to: i32,
    /// Milliseconds that a call may take.
    #[arg(long, default_value_t = 30_000)]
    timeout_ms: u64,
}

/// Of `dvs-kv put`, `get` and `delete`.
#[derive(Debug, Args)]
pub struct Key {
    #[command(flatten)]
    options: Options,
    /// Name of the value.
    #[arg(value_parser = key)]
    key: String,
}

/// Of `dvs-kv check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    options: Options,
    /// Bytes of the longest value; the others double from 1 on.
    #[arg(long, default_value_t = 4 << 20)]
    size: usize,
    /// How often to do it all.
    #[arg(long, default_value_t = 1)]
    rounds: u64,
}

fn key(text: &str) -> Result<String, String> {
    if text.len() > KEY_MAX {
        return Err(format!("a key has {KEY_MAX} bytes at most"));
    }
    Ok(text.to_owned())
}

struct Client {
    endpoint: Endpoint,
    server: dvs::Address,
    time: Timeout,
}

impl Client {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let endpoint = Endpoint::bind(Dvs::open()?, options.ep)
            .with_context(|| format!("cannot bind endpoint {}", options.ep))?;
        let time = Timeout::After(Duration::from_millis(options.timeout_ms));
        let server = endpoint
            .device()
            .await_bound(options.to, time)
            .with_context(|| format!("endpoint {} is not bound", options.to))?;
        Ok(Self {
            endpoint,
            server,
            time,
        })
    }

    fn call(&self, action: Action, key: &str) -> anyhow::Result<Reply> {
        let key = key.as_bytes();
        let request = Request { action, key }.encode();
        let reply = self.endpoint.sendrec(self.server, &request, self.time)?;
        match Reply::decode(reply.bytes()) {
            None => bail!("the server's reply makes no sense"),
            Some(Reply::Refused) => bail!("the server refused the request"),
            Some(Reply::Full) => bail!("the server has no room for the value"),
            Some(reply) => Ok(reply),
        }
    }

    fn put(&self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        let reply = if value.is_empty() {
            self.call(Action::Put(None), key)?
        } else {
            let grant = self.endpoint.lend(value, self.server)?;
            self.call(Action::Put(Some(grant.key())), key)?
        };
        match reply {
            Reply::Done(_) => Ok(()),
            other => bail!("the server says {other:?} to a put"),
        }
    }

    fn get(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        // The first request tells the size.
        let mut reply = self.call(Action::Get(None), key)?;
        let mut value = Vec::new();
        // Somebody else may make it longer in the meantime.
        while let Reply::NoRoom(size) = reply {
            value = vec![0; usize::try_from(size)?];
            let room = value.as_mut_slice();
            reply = self
                .endpoint
                .lend_mut(room, Access::Write, self.server, |grant| {
                    self.call(Action::Get(Some(grant)), key)
                })??;
        }
        match reply {
            Reply::Done(size) => {
                value.truncate(usize::try_from(size)?);
                Ok(Some(value))
            }
            _ => Ok(None),
        }
    }

    fn delete(&self, key: &str) -> anyhow::Result<bool> {
        let reply = self.call(Action::Delete, key)?;
        Ok(matches!(reply, Reply::Done(_)))
    }
}

/// Stores standard input.
pub fn put(key: &Key) -> anyhow::Result<bool> {
    let mut value = Vec::new();
    std::io::stdin().lock().read_to_end(&mut value)?;
    Client::new(&key.options)?.put(&key.key, &value)?;
    Ok(true)
}

/// Prints a value; false: there is none.
pub fn get(key: &Key) -> anyhow::Result<bool> {
    let Some(value) = Client::new(&key.options)?.get(&key.key)? else {
        return Ok(false);
    };
    let mut out = std::io::stdout().lock();
    out.write_all(&value)?;
    out.flush()?;
    Ok(true)
}

/// Removes a key; false: there is none.
pub fn delete(key: &Key) -> anyhow::Result<bool> {
    Client::new(&key.options)?.delete(&key.key)
}

/// Bytes that differ by place and value.
fn pattern(seed: usize, size: usize) -> Vec<u8> {
    let byte = |i: usize| i.wrapping_mul(31).wrapping_add(i >> 8).wrapping_add(seed);
    (0..size).map(|i| byte(i).to_le_bytes()[0]).collect()
}

/// Stores, reads and removes values; false: one was not what it had been.
pub fn check(check: &Check) -> anyhow::Result<bool> {
    let client = Client::new(&check.options)?;
    let sizes = std::iter::successors(Some(1_usize), |size| size.checked_mul(2));
    let sizes: Vec<usize> = sizes.take_while(|size| *size < check.size).collect();
    let mut wrong = 0;
    let mut bytes = 0;
    for round in 0..check.rounds {
        for size in sizes.iter().copied().chain([0, check.size]) {
            let key = format!("check-{}-{size}", check.options.ep);
            let value = pattern(size.wrapping_add(usize::try_from(round)?), size);
            client.put(&key, &value)?;
            wrong += u64::from(client.get(&key)?.as_deref() != Some(&value));
            wrong += u64::from(!client.delete(&key)?);
            wrong += u64::from(client.get(&key)?.is_some());
            bytes += size;
        }
    }
    println!("{bytes} bytes stored and read; {wrong} wrong");
    Ok(wrong == 0)
}
