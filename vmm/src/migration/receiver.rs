//! Connections that come to a destination: who they are, and what a data stream brings.

use std::io::{BufReader, Read};
use std::net::TcpStream;
use std::sync::Arc;

use dvs_migration::destination::Event;
use dvs_migration::message::{Message, ToDestination};
use dvs_migration::pages::{Compression, Data};
use dvs_migration::precopy::Sent;
use dvs_migration::stream::{Known, Section, StreamReader};

use super::channel::{Channel, Reader, Security};
use super::destination::{Arrival, Memory, Shared};
use super::pack::Buffer;

type Stream = StreamReader<'static, BufReader<Reader>>;

/// What may come over any connection; which kind it is the first section tells.
const KNOWN: &[Known] = &{
    let (control, data) = (ToDestination::KNOWN, Data::KNOWN);
    let mut all = [Known::v1(0, 0); 8];
    let mut at = 0;
    while at < control.len() {
        all[at] = control[at];
        at += 1;
    }
    let mut next = 0;
    while next < data.len() {
        all[at + next] = data[next];
        next += 1;
    }
    all
};

/// Takes a connection; what it is used for shows when its first section is there.
pub(super) fn welcome(socket: TcpStream, security: &Security, shared: &Arc<Shared>) {
    if let Err(why) = serve(socket, security, shared) {
        tracing::warn!("a connection of a migration is refused: {why}");
    }
}

fn serve(socket: TcpStream, security: &Security, shared: &Arc<Shared>) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let channel = Arc::new(Channel::accept(socket, security)?);
    let reader = channel.reader().map_err(|error| text(&error))?;
    let stream = StreamReader::begin(BufReader::new(reader), KNOWN);
    let mut stream = stream.map_err(|error| text(&error))?;
    let first = stream.section().map_err(|error| text(&error))?;
    let first = first.ok_or("it ends before it has begun")?;
    channel.be_patient().map_err(|error| text(&error))?;
    if let Ok(Data::Join {
        attempt,
        stream: number,
    }) = Data::read(&first)
    {
        let (memory, compression) = shared.join(attempt, number, &channel)?;
        if let Err(why) = pages(&mut stream, number, &memory, compression, shared) {
            shared.tell(Event::Failed(format!("a data stream broke off: {why}")));
        }
        return Ok(());
    }
    let message = ToDestination::read(&first).map_err(|error| text(&error))?;
    let ToDestination::Offer(offer) = message else {
        return Err("it does not begin with an offer".into());
    };
    if !channel.is_of(offer.place.node) {
        return Err(format!(
            "it offers a VM of node {}, but its certificate does not name that node",
            offer.place.node
        ));
    }
    shared.arrive(Arrival {
        channel: channel.clone(),
        offer,
    })?;
    control(&mut stream, shared);
    Ok(())
}

/// Passes on what the source says, until it says no more.
fn control(stream: &mut Stream, shared: &Shared) {
    loop {
        let message = match stream.section() {
            Ok(Some(section)) => ToDestination::read(&section).map_err(|error| error.to_string()),
            Ok(None) => Err("the source has ended the migration stream".into()),
            Err(error) => Err(error.to_string()),
        };
        match message {
            Ok(message) => shared.tell(Event::Peer(message)),
            Err(why) => return shared.tell(Event::PeerLost(why)),
        }
    }
}

/// Puts pages into memory until the last round has ended.
fn pages(
    stream: &mut Stream,
    number: u16,
    memory: &Memory,
    compression: Compression,
    shared: &Shared,
) -> Result<(), String> {
    let mut buffer = Buffer::new();
    loop {
        let section = stream.section().map_err(|error| error.to_string())?;
        let section: Section = section.ok_or("it ends too early")?;
        match Data::read(&section).map_err(|error| error.to_string())? {
            Data::Batch(batch) => {
                let checked = batch.check(&memory.layout, compression);
                checked.map_err(|error| error.to_string())?;
                let room = buffer.room(&batch);
                let read = stream.inner().read_exact(room);
                read.map_err(|error| error.to_string())?;
                let applied = buffer.apply(&batch, &memory.guest, &memory.touched);
                applied.map_err(|error| error.to_string())?;
                shared.applied(Sent {
                    data_pages: batch.data_pages().into(),
                    zero_pages: batch.zero_pages().into(),
                    bytes: batch.payload.into(),
                });
            }
            Data::RoundEnd { round, last } => {
                shared.tell(Event::RoundEnded {
                    stream: number,
                    round,
                    last,
                });
                if last {
                    return Ok(());
                }
            }
            Data::Join { .. } => return Err("it joins twice".into()),
        }
    }
}
