//! The source's end of a data stream.

use std::io::BufWriter;

use dvs_migration::message::send;
use dvs_migration::pages::{Attempt, Compression, Data};
use dvs_migration::precopy::{Next, Pick, Sent};
use dvs_migration::source::Event;
use dvs_migration::stream::StreamWriter;

use super::channel::Writer;
use super::guest::Guest;
use super::pack::Buffer;
use super::source::Shared;

/// Bytes that are gathered before they are written.
const GATHER: usize = 16 << 10;

/// One data stream.
pub(super) struct Sender {
    pub(super) number: u16,
    pub(super) attempt: Attempt,
    pub(super) compression: Compression,
    pub(super) guest: Guest,
    pub(super) writer: Writer,
}

impl Sender {
    /// Sends what the state machine says, until the last page is sent or the migration is over.
    pub(super) fn run(self, shared: &Shared) {
        if let Err(why) = self.stream(shared) {
            shared.tell(Event::Failed(format!("a data stream broke off: {why}")));
        }
    }

    fn stream(self, shared: &Shared) -> Result<(), String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let stream = StreamWriter::begin(BufWriter::with_capacity(GATHER, self.writer));
        let mut stream = stream.map_err(|error| text(&error))?;
        let join = Data::Join {
            attempt: self.attempt,
            stream: self.number,
        };
        send(&mut stream, &join).map_err(|error| text(&error))?;
        let mut buffer = Buffer::new();
        while let Some(next) = shared.next(self.number) {
            match next {
                Next::Pages(pick) => {
                    let (guest, packed) = (&self.guest, self.compression);
                    let sent = pages(guest, &pick, packed, &mut buffer, &mut stream)?;
                    shared.sent(sent);
                }
                Next::RoundEnd { round, last } => {
                    send(&mut stream, &Data::RoundEnd { round, last })
                        .map_err(|error| text(&error))?;
                    if last {
                        stream.end().map_err(|error| text(&error))?;
                        shared.tell(Event::LastRoundSent);
                        return Ok(());
                    }
                }
                // These two were waited for.
                Next::Wait(_) | Next::Idle => {}
            }
        }
        Ok(())
    }
}

fn pages(
    guest: &Guest,
    pick: &Pick,
    compression: Compression,
    buffer: &mut Buffer,
    stream: &mut StreamWriter<BufWriter<Writer>>,
) -> Result<Sent, String> {
    use std::io::Write;
    // First the log, then the pages: what is written in between is sent twice, not missed.
    guest.clear_log(pick)?;
    let filled = buffer.fill(guest.memory(), pick.runs(), compression);
    let (batch, bytes) = filled.map_err(|error| error.to_string())?;
    let sent = Sent {
        data_pages: batch.data_pages().into(),
        zero_pages: batch.zero_pages().into(),
        bytes: bytes.len() as u64,
    };
    send(stream, &Data::Batch(batch)).map_err(|error| error.to_string())?;
    let written = stream.inner().write_all(bytes);
    written.map_err(|error| error.to_string())?;
    Ok(sent)
}
