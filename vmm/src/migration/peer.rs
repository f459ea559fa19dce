//! The other side, over the control connection.

use std::io::{BufReader, BufWriter};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dvs_migration::message::{Message, receive, send};
use dvs_migration::stream::{StreamReader, StreamWriter};

use super::channel::{Channel, Writer};
use super::worker::Worker;

/// What is said to the other side, in order and without holding anybody up.
#[derive(Debug)]
pub struct Peer {
    worker: Worker,
    stream: Arc<Mutex<StreamWriter<BufWriter<Writer>>>>,
}

impl Peer {
    /// Begins the stream of messages.
    pub fn begin(channel: &Channel) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let writer = BufWriter::new(channel.writer().map_err(|error| text(&error))?);
        let stream = StreamWriter::begin(writer).map_err(|error| text(&error))?;
        Ok(Self {
            worker: Worker::start("migration-peer").map_err(|error| text(&error))?,
            stream: Arc::new(Mutex::new(stream)),
        })
    }

    /// Says something; `lost` is told if it cannot be said.
    pub fn send(
        &self,
        message: impl Message + Send + 'static,
        lost: impl FnOnce(String) + Send + 'static,
    ) {
        let stream = self.stream.clone();
        self.worker.run(move || {
            let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = send(&mut *stream, &message) {
                lost(error.to_string());
            }
        });
    }

    /// Waits until all is said, or for as long as `limit`; says whether it is.
    pub fn finish(&self, limit: Duration) -> bool {
        self.worker.finish(limit)
    }
}

/// Hears what the other side says, on a thread of its own, until it says no more.
pub fn listen<M: Message>(
    channel: &Channel,
    heard: impl Fn(Result<M, String>) + Send + 'static,
) -> std::io::Result<()> {
    let reader = BufReader::new(channel.reader()?);
    std::thread::Builder::new()
        .name("from-peer".into())
        .spawn(move || {
            let mut stream = match StreamReader::begin(reader, M::KNOWN) {
                Ok(stream) => stream,
                Err(error) => return heard(Err(error.to_string())),
            };
            loop {
                match receive(&mut stream) {
                    Ok(message) => heard(Ok(message)),
                    Err(error) => return heard(Err(error.to_string())),
                }
            }
        })?;
    Ok(())
}
