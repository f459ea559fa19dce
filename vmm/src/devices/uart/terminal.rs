//! The terminal of the VMM while a guest uses it: keys reach the guest one by one and are not echoed by the host.

use std::io::{self, IsTerminal};
use std::mem::MaybeUninit;

/// Restores the terminal's modes when dropped.
pub struct TerminalGuard {
    saved: libc::termios,
}

impl std::fmt::Debug for TerminalGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminalGuard").finish_non_exhaustive()
    }
}

impl TerminalGuard {
    /// Turns line mode and echo of standard input off. `None` where it is no terminal. Ctrl-C still ends the VMM.
    pub fn enter() -> io::Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let mut saved = MaybeUninit::<libc::termios>::zeroed();
        // SAFETY: the pointer is to a termios of our own.
        if unsafe { libc::tcgetattr(libc::STDIN_FILENO, saved.as_mut_ptr()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: tcgetattr succeeded, so the structure is filled.
        let saved = unsafe { saved.assume_init() };
        let mut modes = saved;
        modes.c_lflag &= !(libc::ICANON | libc::ECHO);
        modes.c_iflag &= !libc::ICRNL;
        set(&modes)?;
        Ok(Some(Self { saved }))
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        if let Err(error) = set(&self.saved) {
            tracing::warn!(%error, "cannot restore the terminal");
        }
    }
}

fn set(modes: &libc::termios) -> io::Result<()> {
    // SAFETY: the pointer is to a filled termios that lives through the call.
    if unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, modes) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
