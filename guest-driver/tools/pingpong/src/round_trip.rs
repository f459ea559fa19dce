//! Round trips: a message there, one of the same size back.

use std::error::Error;

use dvs::{Dvs, Endpoint, Timeout};

use crate::Outcome;
use crate::line::{Address, Line};
use crate::measure::Job;

/// Tells that clients may come.
pub fn announce() {
    println!("listening");
}

/// Answers.
pub fn serve(address: &Address, size: usize) -> Outcome {
    if let Address::Dvs(number) = address {
        let endpoint = Endpoint::bind(Dvs::open()?, *number)?;
        announce();
        let answer = vec![0; size];
        return Ok(endpoint.serve(|_| &answer)?);
    }
    let mut message = vec![0; size];
    let listener = address.listen()?;
    announce();
    let mut line = listener.accept()?;
    while line.receive(&mut message)? {
        line.send(&message)?;
    }
    Ok(())
}

/// Calls.
pub fn call(address: &Address, job: &Job, own: i32) -> Outcome {
    job.measure(caller(address, job.size, own)?)
}

/// What makes a round trip.
pub type Caller = Box<dyn FnMut() -> Outcome>;

/// Connects to the server, or binds an endpoint.
pub fn caller(address: &Address, size: usize, own: i32) -> Result<Caller, Box<dyn Error>> {
    let mut message = vec![0; size];
    if let Address::Dvs(number) = *address {
        let endpoint = Endpoint::bind(Dvs::open()?, own)?;
        let mut answer = message.clone();
        return Ok(Box::new(move || {
            match endpoint.sendrec_into(number, &message, &mut answer, Timeout::Forever)? {
                length if length == answer.len() => Ok(()),
                length => Err(format!("the answer has {length} bytes").into()),
            }
        }));
    }
    let mut line = address.connect()?;
    Ok(Box::new(move || round_trip(&mut line, &mut message)))
}

fn round_trip(line: &mut Line, message: &mut [u8]) -> Outcome {
    line.send(message)?;
    if !line.receive(message)? {
        return Err("the server has gone".into());
    }
    Ok(())
}
