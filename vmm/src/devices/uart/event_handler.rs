//! Input of a serial port: from the terminal, or from whoever is connected to its socket.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use event_manager::{EventOps, EventSet, Events, MutEventSubscriber};

use virtio_dvs::socket::Listener;

use super::backend::split;
use super::device::Uart;
use super::output::Output;

const LISTENER: u32 = 0;
const STREAM: u32 = 1;
const DRAINED: u32 = 2;

/// Where input comes from.
#[derive(Debug)]
pub enum Source {
    /// One stream, from the start.
    Stream(File),
    /// Clients of a socket, one at a time; a new one takes the place of the last.
    Listener(Listener),
}

/// Carries input to a serial port.
#[derive(Debug)]
pub struct InputHandler {
    listener: Option<Listener>,
    stream: Option<File>,
    /// The stream is being watched. It is not while the port has no room.
    watching: bool,
    uart: Arc<Uart>,
    output: Output,
}

impl InputHandler {
    /// Carries what comes from `source` to `uart`; its output goes to a socket's clients.
    pub fn new(source: Source, uart: Arc<Uart>, output: Output) -> Self {
        let (listener, stream) = match source {
            Source::Stream(stream) => (None, Some(stream)),
            Source::Listener(listener) => (Some(listener), None),
        };
        Self {
            listener,
            stream,
            watching: false,
            uart,
            output,
        }
    }

    fn watch(&mut self, ops: &mut EventOps) {
        let Some(stream) = &self.stream else { return };
        match ops.add(Events::with_data(stream, STREAM, EventSet::IN)) {
            Ok(()) => self.watching = true,
            // A regular file or /dev/null as standard input: nobody types there.
            Err(error) => {
                tracing::debug!(?error, "this input cannot be waited for");
                self.stream = None;
            }
        }
    }

    fn unwatch(&mut self, ops: &mut EventOps) {
        if let Some(stream) = &self.stream
            && std::mem::take(&mut self.watching)
            && let Err(error) = ops.remove(Events::with_data(stream, STREAM, EventSet::IN))
        {
            tracing::warn!(?error, "cannot stop waiting for serial input");
        }
    }

    fn accept(&mut self, ops: &mut EventOps) {
        let Some(listener) = &self.listener else {
            return;
        };
        match listener
            .socket()
            .accept()
            .and_then(|(stream, _)| split(stream))
        {
            Ok((input, output)) => {
                self.unwatch(ops);
                self.stream = Some(input);
                self.output.set_sink(Some(output));
                self.watch(ops);
            }
            Err(error) => tracing::debug!(%error, "a client of a serial port came and went"),
        }
    }

    fn read(&mut self, ops: &mut EventOps) {
        let room = self.uart.room();
        if room == 0 {
            self.unwatch(ops);
            return;
        }
        let Some(stream) = &mut self.stream else {
            return;
        };
        let mut bytes = vec![0; room];
        match stream.read(&mut bytes) {
            Ok(0) => self.hang_up(ops),
            Ok(len) => self.uart.input(bytes.get(..len).unwrap_or_default()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Err(error) => {
                tracing::debug!(%error, "serial input ended");
                self.hang_up(ops);
            }
        }
    }

    /// The client left. Its output end stays until a write to it fails: it may only have closed its sending side.
    fn hang_up(&mut self, ops: &mut EventOps) {
        self.unwatch(ops);
        self.stream = None;
    }
}

impl MutEventSubscriber for InputHandler {
    fn process(&mut self, events: Events, ops: &mut EventOps) {
        match events.data() {
            LISTENER => self.accept(ops),
            STREAM => self.read(ops),
            _ => {
                if let Err(error) = self.uart.drained().read() {
                    tracing::debug!(%error, "the port was drained twice");
                }
                if !self.watching {
                    self.watch(ops);
                }
            }
        }
    }

    fn init(&mut self, ops: &mut EventOps) {
        let drained = Events::with_data(self.uart.drained(), DRAINED, EventSet::IN);
        let listener = self
            .listener
            .as_ref()
            .map(|l| Events::with_data(l, LISTENER, EventSet::IN));
        for events in [Some(drained), listener].into_iter().flatten() {
            if let Err(error) = ops.add(events) {
                tracing::error!(?error, "cannot wait for serial input");
            }
        }
        self.watch(ops);
    }
}
