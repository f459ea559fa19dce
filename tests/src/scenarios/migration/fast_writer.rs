//! A guest that writes faster than the link carries.

use anyhow::{Result, ensure};
use dvs_migration::progress::State;

use super::field::Field;
use super::load::{Amount, USUAL};
use crate::harness::{Lab, Privacy, Strategy, Wishes};

/// A link that carries less than the guest writes, even when it is slowed down.
const LINK: u64 = 4 << 20;
/// Memory is written as fast as it goes.
const LOAD: Amount = Amount {
    mib: 64,
    pages_per_second: None,
    ..USUAL
};

/// First the move is given up when its time is over, then it is enforced.
pub fn cancelled_and_forced(lab: &Lab) -> Result<()> {
    let mut field = Field::start(lab, "fast", 2, Privacy::Plain)?;
    let mut load = field.load(lab, LOAD)?;
    let wishes = Wishes {
        bandwidth_bytes_per_s: Some(LINK),
        timeout_s: 10,
        timeout_strategy: Strategy::Cancel,
        ..Wishes::default()
    };
    let stayed = field
        .start_move(lab, 2, &wishes)?
        .finish(&mut |_| {})?
        .stayed()?;
    ensure!(stayed.state == State::Failed || stayed.state == State::Cancelled);
    lab.say("its time is over: the server stays");
    load.wait_calls()?;
    let wishes = Wishes {
        timeout_strategy: Strategy::Force,
        ..wishes
    };
    field.migrate(lab, 2, &wishes, &mut |_| {})?;
    load.wait_calls()?;
    load.end()?.expect_clean()?;
    field.no_complaints()
}
