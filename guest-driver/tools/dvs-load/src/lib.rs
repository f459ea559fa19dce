//! What programs share that work for as long as somebody else has something to do.

mod stop;
mod timeline;

pub use stop::Stop;
pub use timeline::Timeline;
