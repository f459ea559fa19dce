//! Hosts that a guest cannot move to: it is told why, and stays.

use anyhow::{Context, Result, ensure};

use super::field::Field;
use super::load::USUAL;
use crate::harness::{Destination, Lab, Privacy, Wishes};

/// Less than the guest has.
const SMALL: u64 = 256 << 20;

/// A host whose certificate is another authority's, one that encrypts nothing, one without room.
pub fn refused(lab: &Lab) -> Result<()> {
    let mut field = Field::start(lab, "refused", 2, Privacy::Tls)?;
    let mut load = field.load(lab, USUAL)?;
    let right = field.cluster.destination(2)?;
    let strange = Destination {
        certificates: Some(field.cluster.strange_certificates(lab)?),
        ..right.clone()
    };
    refuse(lab, &mut field, "a strange certificate", &strange)?;
    let plain = Destination {
        certificates: None,
        ..right.clone()
    };
    refuse(lab, &mut field, "no certificate", &plain)?;
    let small = Destination {
        memory_max: Some(SMALL),
        ..right
    };
    refuse(lab, &mut field, "a small host", &small)?;
    load.wait_calls()?;
    // The right one is none of these.
    field.migrate(lab, 2, &Wishes::default(), &mut |_| {})?;
    load.wait_calls()?;
    load.end()?.expect_clean()?;
    field.no_complaints()
}

fn refuse(lab: &Lab, field: &mut Field, name: &str, to: &Destination) -> Result<()> {
    let wishes = Wishes {
        tls_dir: field.cluster.certificates(),
        ..Wishes::default()
    };
    let moving = field.server.start_move(lab, to, &wishes)?;
    let stayed = moving
        .finish(&mut |_| {})?
        .stayed()
        .context(name.to_owned())?;
    ensure!(
        stayed.data_pages == 0,
        "{name}: pages were sent: {stayed:?}"
    );
    let why = stayed.error.as_ref().map(|error| error.as_str());
    lab.say(format!("{name}: {}", why.context("it does not say why")?));
    Ok(())
}
