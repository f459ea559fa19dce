//! Endpoints that wait in a receive.

use std::io::{self, Write};
use std::thread;

use dvs::{Any, Calls, Dvs, Endpoint, Timeout};

use crate::Outcome;

/// Stack of a thread that only waits.
const STACK: usize = 64 << 10;

/// Has them wait until the program is killed. Those of users get the privilege to receive first.
pub fn run(first: i32, count: i32) -> Outcome {
    for number in first..first + count {
        let endpoint = Endpoint::bind(Dvs::open()?, number)?;
        let mut may = endpoint.device().privileges(number)?;
        may.calls |= Calls::RECEIVE;
        endpoint.device().set_privileges(number, &may)?;
        let wait = move || {
            // Whatever comes: it waits on.
            while endpoint.receive(Any, Timeout::Forever).is_ok() {}
        };
        thread::Builder::new().stack_size(STACK).spawn(wait)?;
    }
    println!("{count} endpoints wait");
    io::stdout().flush()?;
    loop {
        thread::park();
    }
}
