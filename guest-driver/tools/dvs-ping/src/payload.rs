//! What is in a message: a header and a pattern that follows from it, so that one misplaced,
//! stale or changed byte is seen.

/// Bytes of the header: the smallest message.
pub const HEADER: usize = 24;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asks for a reply.
    Request,
    /// Answers a request.
    Reply,
    /// By send.
    Message,
    /// Asks for the server's counts; the client's last request.
    Finish,
}

const KINDS: [(Kind, u32); 4] = [
    (Kind::Request, 0x5150_4e01),
    (Kind::Reply, 0x5150_4e02),
    (Kind::Message, 0x5150_4e03),
    (Kind::Finish, 0x5150_4e04),
];

/// The part of a message that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is for.
    pub kind: Kind,
    /// Number among those of its kind, from 0; of a reply: of its request.
    pub sequence: u64,
    /// Messages by send between these two before this one, as its sender counts them.
    pub sends: u32,
    /// Notifications likewise.
    pub notifies: u32,
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The bytes after the header.
fn pattern(header: &[u8; HEADER]) -> impl Iterator<Item = u8> {
    let seed = header
        .iter()
        .fold(0x9e37_79b9_7f4a_7c15, |seed: u64, byte| {
            mix(seed ^ u64::from(*byte))
        });
    (0..).flat_map(move |n: u64| mix(seed.wrapping_add(n)).to_le_bytes())
}

impl Header {
    fn encode(&self) -> [u8; HEADER] {
        let magic = KINDS.iter().find(|(kind, _)| *kind == self.kind);
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&magic.map_or(0, |(_, magic)| *magic).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.sends.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.notifies.to_le_bytes());
        bytes[16..].copy_from_slice(&self.sequence.to_le_bytes());
        bytes
    }

    /// A message of `size` bytes; at least the header.
    pub fn message(&self, size: usize) -> Vec<u8> {
        let header = self.encode();
        let mut bytes = header.to_vec();
        bytes.extend(pattern(&header).take(size.saturating_sub(HEADER)));
        bytes
    }

    /// The header of a message, if all of it is what its sender put there.
    pub fn check(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEADER>()?;
        let word = |at: usize| {
            head[at..]
                .first_chunk()
                .map_or(0, |four| u32::from_le_bytes(*four))
        };
        let magic = word(0);
        let header = Self {
            kind: KINDS.iter().find(|(_, m)| *m == magic)?.0,
            sequence: u64::from_le_bytes(*head.last_chunk()?),
            sends: word(4),
            notifies: word(8),
        };
        (header.encode() == *head && pattern(head).take(rest.len()).eq(rest.iter().copied()))
            .then_some(header)
    }
}

#[cfg(test)]
#[path = "payload_test.rs"]
mod tests;
