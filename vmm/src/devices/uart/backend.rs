//! The host side of a serial port.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use virtio_dvs::socket::{Listener, SocketError};

use super::device::Uart;
use super::event_handler::{InputHandler, Source};
use super::output::Output;
use super::terminal::TerminalGuard;
use crate::api::config::{ConsoleConfig, ConsoleMode};

/// Why a serial port has no host side.
#[derive(Debug, thiserror::Error)]
pub enum UartError {
    /// Its file cannot be made.
    #[error("cannot open {path:?} for the {name} port: {source}")]
    Open {
        /// Which port.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its socket cannot be listened on.
    #[error("cannot open the {name} port: {source}")]
    Listen {
        /// Which port.
        name: &'static str,
        /// Why.
        source: SocketError,
    },
    /// The terminal, a thread or an event could not be set up.
    #[error("cannot set up the {name} port: {source}")]
    Setup {
        /// Which port.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// A serial port with its host side. It outlives resets and reboots of the machine.
#[derive(Debug)]
pub struct Backend {
    uart: Arc<Uart>,
    output: Output,
    _terminal: Option<TerminalGuard>,
}

impl Backend {
    /// Opens what `config` asks for; `None` for a port that is off. The handler carries the input, where there is any.
    pub fn open(
        name: &'static str,
        config: &ConsoleConfig,
    ) -> Result<Option<(Self, Option<InputHandler>)>, UartError> {
        let setup = |source| UartError::Setup { name, source };
        if config.mode == ConsoleMode::Off {
            return Ok(None);
        }
        let output = Output::start(name).map_err(setup)?;
        let uart = Arc::new(Uart::new(output.clone()).map_err(setup)?);
        let mut backend = Self {
            uart,
            output,
            _terminal: None,
        };
        let source = backend.connect(name, config)?;
        let handler = source
            .map(|source| InputHandler::new(source, backend.uart.clone(), backend.output.clone()));
        Ok(Some((backend, handler)))
    }

    fn connect(
        &mut self,
        name: &'static str,
        config: &ConsoleConfig,
    ) -> Result<Option<Source>, UartError> {
        let setup = |source| UartError::Setup { name, source };
        let open = |path: &Path| {
            let path = path.to_owned();
            move |source| UartError::Open { name, path, source }
        };
        match (config.mode, &config.file, &config.socket) {
            (ConsoleMode::Tty, ..) => {
                self._terminal = TerminalGuard::enter().map_err(setup)?;
                let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(setup)?;
                self.output.set_sink(Some(Arc::new(File::from(stdout))));
                let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(setup)?;
                Ok(Some(Source::Stream(File::from(stdin))))
            }
            (ConsoleMode::File, Some(path), _) => {
                let file = File::create(path).map_err(open(path))?;
                self.output.set_sink(Some(Arc::new(file)));
                Ok(None)
            }
            (ConsoleMode::Socket, _, Some(path)) => {
                let listener =
                    Listener::bind(path).map_err(|source| UartError::Listen { name, source })?;
                Ok(Some(Source::Listener(listener)))
            }
            _ => {
                let null = Path::new("/dev/null");
                let file = File::options().write(true).open(null).map_err(open(null))?;
                self.output.set_sink(Some(Arc::new(file)));
                Ok(None)
            }
        }
    }

    /// The device that the guest sees.
    pub fn uart(&self) -> &Arc<Uart> {
        &self.uart
    }

    /// Bytes of output that were lost because nobody read them.
    pub fn lost(&self) -> u64 {
        self.output.lost()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.output.close();
    }
}

/// One client as the sink of the output and the source of the input.
pub(super) fn split(stream: UnixStream) -> io::Result<(File, Arc<File>)> {
    let input = stream.try_clone()?;
    Ok((
        File::from(OwnedFd::from(input)),
        Arc::new(File::from(OwnedFd::from(stream))),
    ))
}
