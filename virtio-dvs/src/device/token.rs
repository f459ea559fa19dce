//! What the events of the event loop are about.

/// What an event is about, packed into the number that comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Kick(usize, usize),
    Connection(usize),
    Adoption,
    Throttle,
    Directory,
    Link(u32),
    LinkTimer,
    Orphans,
}

const TOKEN_CODE_BITS: u32 = 4;
const TOKEN_THROTTLE: u32 = 5;
const TOKEN_CONNECTION: u32 = 6;
const TOKEN_ADOPTION: u32 = 7;
const TOKEN_DIRECTORY: u32 = 8;
const TOKEN_LINK: u32 = 9;
const TOKEN_LINK_TIMER: u32 = 10;
const TOKEN_ORPHANS: u32 = 11;

impl Token {
    pub(super) fn pack(self) -> u32 {
        let (port, code) = match self {
            Token::Kick(port, queue) => (port, u32::try_from(queue).unwrap_or(0)),
            Token::Connection(port) => (port, TOKEN_CONNECTION),
            Token::Adoption => (0, TOKEN_ADOPTION),
            Token::Throttle => (0, TOKEN_THROTTLE),
            Token::Directory => (0, TOKEN_DIRECTORY),
            Token::Link(token) => (token as usize, TOKEN_LINK),
            Token::LinkTimer => (0, TOKEN_LINK_TIMER),
            Token::Orphans => (0, TOKEN_ORPHANS),
        };
        u32::try_from(port).unwrap_or(0) << TOKEN_CODE_BITS | code
    }

    pub(super) fn unpack(data: u32) -> Token {
        let port = usize::try_from(data >> TOKEN_CODE_BITS).unwrap_or(0);
        match data & ((1 << TOKEN_CODE_BITS) - 1) {
            TOKEN_CONNECTION => Token::Connection(port),
            TOKEN_ADOPTION => Token::Adoption,
            TOKEN_THROTTLE => Token::Throttle,
            TOKEN_DIRECTORY => Token::Directory,
            TOKEN_LINK => Token::Link(data >> TOKEN_CODE_BITS),
            TOKEN_LINK_TIMER => Token::LinkTimer,
            TOKEN_ORPHANS => Token::Orphans,
            queue => Token::Kick(port, usize::try_from(queue).unwrap_or(0)),
        }
    }
}
