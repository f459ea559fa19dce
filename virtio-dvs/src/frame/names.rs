//! Names of the kinds, for people.

use super::kind;

/// The name of a kind of frame, as the specification has it; `None` for a kind that nobody knows.
pub const fn kind_name(kind: u8) -> Option<&'static str> {
    let name = match kind {
        kind::RETRY => "RETRY",
        kind::GONE => "GONE",
        kind::BOUND => "BOUND",
        kind::UNBOUND => "UNBOUND",
        kind::FOUND => "FOUND",
        kind::ASK => "ASK",
        kind::ORDER => "ORDER",
        kind::PRIVILEGED => "PRIVILEGED",
        kind::OFFERED => "OFFERED",
        kind::ACK => "ACK",
        kind::REFUSED => "REFUSED",
        kind::TELL => "TELL",
        kind::ORDERED => "ORDERED",
        kind::MSG => "MSG",
        kind::REQ => "REQ",
        kind::NTF => "NTF",
        kind::COPY_IN => "COPY_IN",
        kind::COPY_OUT => "COPY_OUT",
        kind::WATCH => "WATCH",
        kind::FETCH => "FETCH",
        kind::ADOPT => "ADOPT",
        kind::CANCEL => "CANCEL",
        kind::DIED => "DIED",
        kind::NOP => "NOP",
        kind::MOVED => "MOVED",
        kind::BOUNCED => "BOUNCED",
        kind::ADOPTED => "ADOPTED",
        kind::ELSEWHERE => "ELSEWHERE",
        kind::TAKEN => "TAKEN",
        kind::RPL => "RPL",
        kind::CANCELLED => "CANCELLED",
        kind::FAILED => "FAILED",
        kind::NOTHERE => "NOTHERE",
        kind::REDIRECT => "REDIRECT",
        kind::COPIED => "COPIED",
        kind::HAND => "HAND",
        kind::BULK_DATA => "BULK_DATA",
        kind::BULK_NOP => "BULK_NOP",
        _ => return None,
    };
    Some(name)
}

#[cfg(test)]
#[path = "names_test.rs"]
mod tests;
