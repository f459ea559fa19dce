//! Runs commands in a guest for the test harness, over a serial line.
//!
//! Every byte on that line is an exit of the vCPU, so the protocol is terse. A message is a line.
//!
//! | from the host | meaning |
//! |---|---|
//! | `r ID COMMAND` | run the command by the shell, in a process group of its own |
//! | `k ID SIGNAL` | send the signal (a number) to the command's process group |
//!
//! | from the guest | meaning |
//! |---|---|
//! | `! RELEASE` | ready; the kernel's release |
//! | `ID o TEXT`, `ID e TEXT` | a line of standard output or standard error |
//! | `ID x CODE` | the command ended, 128 + signal if by a signal |
//! | `? TEXT` | a message was not understood |

mod protocol;
mod runner;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;

use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::protocol::Request;
use crate::runner::Runner;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(line), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: dvs-agent SERIAL_DEVICE");
        return ExitCode::from(2);
    };
    match serve(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dvs-agent: {line}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(device: &str) -> io::Result<()> {
    let line = open_raw(device)?;
    let runner = Runner::new(line.try_clone()?);
    runner.say(&format!(
        "! {}",
        rustix::system::uname().release().to_string_lossy()
    ));
    for message in BufReader::new(line).split(b'\n') {
        let message = String::from_utf8_lossy(&message?).into_owned();
        match Request::parse(&message) {
            Ok(Request::Run { id, command }) => runner.start(id, command),
            Ok(Request::Kill { id, signal }) => runner.kill(id, signal),
            Err(why) => runner.say(&format!("? {why}")),
        }
    }
    Ok(())
}

fn open_raw(device: &str) -> io::Result<File> {
    let line = OpenOptions::new().read(true).write(true).open(device)?;
    let mut settings = tcgetattr(&line)?;
    settings.make_raw();
    tcsetattr(&line, OptionalActions::Now, &settings)?;
    Ok(line)
}
