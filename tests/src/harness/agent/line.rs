//! The line to a guest: a socket, and another one when the guest has moved.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What comes where the present socket has ended.
#[derive(Debug)]
enum Next {
    /// Nothing: the guest has gone.
    Nothing,
    /// Another socket that is not there yet.
    Announced,
    /// This one.
    Here(UnixStream),
}

type Successor = Arc<(Mutex<Next>, Condvar)>;

/// The side that is written to.
#[derive(Debug, Clone)]
pub struct Line {
    present: Arc<Mutex<UnixStream>>,
    successor: Successor,
}

/// The side that is read from.
#[derive(Debug)]
pub struct Reading {
    present: UnixStream,
    successor: Successor,
}

impl Line {
    /// Both sides of the line by this socket.
    pub fn new(socket: UnixStream) -> io::Result<(Self, Reading)> {
        let successor = Successor::new((Mutex::new(Next::Nothing), Condvar::new()));
        let reading = Reading {
            present: socket.try_clone()?,
            successor: successor.clone(),
        };
        let line = Self {
            present: Arc::new(Mutex::new(socket)),
            successor,
        };
        Ok((line, reading))
    }

    /// Sends a line.
    pub fn send(&self, text: &str) -> io::Result<()> {
        held(&self.present).write_all(format!("{text}\n").as_bytes())
    }

    /// The end of the socket will not be that of the line.
    pub fn announce(&self) {
        self.next(Next::Announced);
    }

    /// What the guest says goes on at this socket where the present one ends.
    pub fn go_on(&self, socket: UnixStream) {
        self.next(Next::Here(socket));
    }

    /// What is sent goes to this socket from now on.
    pub fn send_to(&self, socket: UnixStream) {
        *held(&self.present) = socket;
    }

    /// Nothing comes where the present socket ends.
    pub fn stay(&self) {
        self.next(Next::Nothing);
    }

    /// Ends the line; an error means that the guest has closed it first.
    pub fn close(&self) {
        self.stay();
        held(&self.present).shutdown(Shutdown::Both).ok();
    }

    fn next(&self, next: Next) {
        let (place, changed) = &*self.successor;
        *held(place) = next;
        changed.notify_all();
    }
}

impl Reading {
    /// Goes over to the next socket; false: there is none.
    fn follow(&mut self) -> bool {
        let (place, changed) = &*self.successor;
        let announced = |next: &mut Next| matches!(next, Next::Announced);
        let next = changed.wait_while(held(place), announced);
        let mut next = next.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *next, Next::Nothing) {
            Next::Here(socket) => {
                self.present = socket;
                true
            }
            Next::Nothing | Next::Announced => false,
        }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.present.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Ok(length) if length > 0 => return Ok(length),
                // A VMM that was killed resets its connections.
                Ok(_) | Err(_) => {
                    if !self.follow() {
                        return Ok(0);
                    }
                }
            }
        }
    }
}

/// The contents, whatever became of another thread that held them.
pub fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "line_test.rs"]
mod tests;
