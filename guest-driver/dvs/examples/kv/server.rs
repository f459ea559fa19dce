//! The side that keeps the values.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use dvs::{CopyError, Dvs, Endpoint, GrantKey, Message, Timeout};

use super::protocol::{Action, Reply, Request};

/// How long a client may hold up the server by a copy.
const COPY_TIME: Timeout = Timeout::After(Duration::from_secs(10));

/// Of `dvs-kv server`.
#[derive(Debug, Args)]
pub struct Options {
    /// Endpoint number to serve.
    #[arg(long, default_value_t = 11, allow_negative_numbers = true)]
    ep: i32,
    /// Bytes that all keys and values together may have.
    #[arg(long, default_value_t = 64 << 20)]
    room: u64,
}

/// The values. What clients say is not to be trusted.
struct Store<'e> {
    endpoint: &'e Endpoint,
    values: HashMap<Vec<u8>, Vec<u8>>,
    /// Bytes that are left.
    room: u64,
}

fn copied(outcome: Result<(), CopyError>, grant: GrantKey) -> bool {
    if let Err(error) = &outcome {
        eprintln!("copy with {}: {error}", grant.owner);
    }
    outcome.is_ok()
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl Store<'_> {
    fn answer(&mut self, message: &Message) -> Reply {
        let Some(request) = Request::decode(message.bytes()) else {
            return Reply::Refused;
        };
        match request.action {
            // A client could name what another one has lent.
            Action::Put(Some(grant)) | Action::Get(Some(grant))
                if grant.owner != message.from() =>
            {
                Reply::Refused
            }
            Action::Put(grant) => self.put(request.key, grant),
            Action::Get(grant) => self.get(request.key, grant),
            Action::Delete => self.delete(request.key),
        }
    }

    fn put(&mut self, key: &[u8], grant: Option<GrantKey>) -> Reply {
        let old = self.values.get(key);
        let freed = old.map_or(0, |old| size(key) + size(old));
        let bytes = grant.map_or(0, |grant| grant.bytes);
        let needed = bytes.saturating_add(size(key));
        let Ok(length) = usize::try_from(bytes) else {
            return Reply::Full;
        };
        if needed > self.room + freed {
            return Reply::Full;
        }
        let mut value = vec![0; length];
        if let Some(grant) = grant
            && !copied(self.endpoint.copy_from(grant, &mut value, COPY_TIME), grant)
        {
            return Reply::Refused;
        }
        self.room = self.room + freed - needed;
        self.values.insert(key.to_vec(), value);
        Reply::Done(bytes)
    }

    fn get(&self, key: &[u8], grant: Option<GrantKey>) -> Reply {
        let Some(value) = self.values.get(key) else {
            return Reply::NotFound;
        };
        match grant {
            _ if value.is_empty() => Reply::Done(0),
            Some(grant) if size(value) <= grant.bytes => {
                match copied(self.endpoint.copy_to(grant, value, COPY_TIME), grant) {
                    true => Reply::Done(size(value)),
                    false => Reply::Refused,
                }
            }
            _ => Reply::NoRoom(size(value)),
        }
    }

    fn delete(&mut self, key: &[u8]) -> Reply {
        match self.values.remove(key) {
            Some(value) => {
                self.room += size(key) + size(&value);
                Reply::Done(size(&value))
            }
            None => Reply::NotFound,
        }
    }
}

/// Serves.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let endpoint = Endpoint::bind(Dvs::open()?, options.ep)
        .with_context(|| format!("cannot bind endpoint {}", options.ep))?;
    println!("endpoint {} bound", endpoint.address());
    let mut store = Store {
        endpoint: &endpoint,
        values: HashMap::new(),
        room: options.room,
    };
    endpoint
        .serve(|request| store.answer(request).encode())
        .context("cannot receive")
}
