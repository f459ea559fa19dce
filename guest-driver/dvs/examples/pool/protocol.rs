//! What client, coordinator and worker say to each other: a letter and numbers.

/// To the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A client: count the primes below this.
    Submit(u64),
    /// A worker: a job, please.
    Next,
    /// A worker: the result of its job; and another job, please.
    Result(u64),
}

/// From the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a client: so many.
    Answer(u64),
    /// To a client: too many jobs wait.
    Full,
    /// To a worker: do this.
    Job(u64),
    /// To a worker: nothing to do until a notification comes.
    Wait,
    /// The request makes no sense.
    Refused,
}

/// The greatest job: it takes seconds.
pub const BELOW_MAX: u64 = 10_000_000;

/// Bytes of all messages.
pub const SIZE: usize = 9;

fn encode(letter: u8, number: u64) -> [u8; SIZE] {
    let mut bytes = [letter; SIZE];
    bytes[1..].copy_from_slice(&number.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u8, u64)> {
    let (letter, number) = bytes.split_first()?;
    Some((*letter, u64::from_le_bytes(number.try_into().ok()?)))
}

impl Request {
    /// As a message.
    pub fn encode(self) -> [u8; SIZE] {
        match self {
            Self::Submit(below) => encode(b'S', below),
            Self::Next => encode(b'N', 0),
            Self::Result(primes) => encode(b'R', primes),
        }
    }

    /// Of a message; None: it makes no sense.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match decode(bytes)? {
            (b'S', below) => Some(Self::Submit(below)),
            (b'N', _) => Some(Self::Next),
            (b'R', primes) => Some(Self::Result(primes)),
            _ => None,
        }
    }
}

impl Reply {
    /// As a message.
    pub fn encode(self) -> [u8; SIZE] {
        match self {
            Self::Answer(primes) => encode(b'A', primes),
            Self::Full => encode(b'F', 0),
            Self::Job(below) => encode(b'J', below),
            Self::Wait => encode(b'W', 0),
            Self::Refused => encode(b'X', 0),
        }
    }

    /// Of a message; None: it makes no sense.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match decode(bytes)? {
            (b'A', primes) => Some(Self::Answer(primes)),
            (b'F', _) => Some(Self::Full),
            (b'J', below) => Some(Self::Job(below)),
            (b'W', _) => Some(Self::Wait),
            (b'X', _) => Some(Self::Refused),
            _ => None,
        }
    }
}

/// How many primes are below a number: what the jobs are about.
pub fn primes_below(number: u64) -> u64 {
    let prime = |n: &u64| {
        (2..)
            .take_while(|d| d * d <= *n)
            .all(|d| !n.is_multiple_of(d))
    };
    (2..number).filter(prime).map(|_| 1).sum()
}

#[cfg(test)]
#[path = "protocol_test.rs"]
mod tests;
