//! A 16550 serial port whose host side is the terminal, a file, a Unix socket, or nothing.

mod backend;
mod device;
mod event_handler;
mod output;
mod terminal;

pub use backend::{Backend, UartError};
pub use device::Uart;
pub use event_handler::InputHandler;
pub use output::Output;
