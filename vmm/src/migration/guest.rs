//! The machine that moves, as both sides of a migration handle it.

use std::sync::Arc;

use dvs_migration::bitmap::PageBitmap;
use dvs_migration::layout::Layout;
use dvs_migration::message::{Part, Piece};
use dvs_migration::precopy::Pick;
use dvs_migration::text::Text;

use crate::devices::dvs::{Dvs, DvsState};
use crate::machine::Machine;
use crate::machine::memory::GuestMemory;

/// Version of the state of the connection to the node.
const PORT_VERSION: u16 = 1;
/// Name of that state.
const PORT: &str = "dvs";

/// A machine and its device. Cheap to copy.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The machine.
    pub machine: Arc<Machine>,
    /// Its virtio-dvs device.
    pub dvs: Arc<Dvs>,
}

impl Guest {
    /// Its memory.
    pub fn memory(&self) -> &GuestMemory {
        self.machine.memory()
    }

    /// Where its memory is.
    pub fn layout(&self) -> &Layout {
        self.machine.layout()
    }

    /// Logs from now on who writes to memory; gives the pages that are populated.
    pub fn start_log(&self) -> Result<PageBitmap, String> {
        self.dvs.start_log(self.memory()).map_err(text)?;
        self.machine.start_log().map_err(text)
    }

    /// What was written since the last time.
    pub fn collect_log(&self) -> Result<PageBitmap, String> {
        let mut dirty = self.machine.collect_log().map_err(text)?;
        let layout = self.layout();
        self.dvs.collect_log(&mut |frame| {
            for (number, slot) in layout.slots().iter().enumerate() {
                let page = frame.checked_sub(slot.first_frame());
                if let Some(page) = page.filter(|page| *page < slot.pages())
                    && let Ok(word) = usize::try_from(page / 64)
                    && let Some(word) = dirty.slot_mut(number).get_mut(word)
                {
                    *word |= 1 << (page % 64);
                }
            }
        });
        Ok(dirty)
    }

    /// These pages are about to be read: what is written to them from now on counts again.
    pub fn clear_log(&self, pick: &Pick) -> Result<(), String> {
        let cleared = self
            .machine
            .clear_log(pick.slot, pick.first_page, &pick.words);
        cleared.map_err(text)
    }

    /// Logs no more.
    pub fn stop_log(&self) {
        if let Err(error) = self.machine.stop_log() {
            tracing::warn!(%error, "KVM goes on logging writes, which costs some time");
        }
        self.dvs.stop_log();
    }

    /// The state of everything but memory.
    pub fn save(&self) -> Result<Vec<Piece>, String> {
        // The guest stands still meanwhile: nobody waits for anybody.
        let (pieces, port) = both(|| self.machine.save(), || self.dvs.save())?;
        let (mut pieces, port) = (pieces.map_err(text)?, port.map_err(text)?);
        pieces.push(Piece {
            part: Part::Port,
            name: Text::from(PORT),
            version: PORT_VERSION,
            bytes: postcard::to_allocvec(&port).map_err(text)?,
        });
        Ok(pieces)
    }

    /// Loads that state.
    pub fn load(&self, pieces: &[Piece]) -> Result<(), String> {
        let (ports, machine): (Vec<_>, Vec<_>) = pieces
            .iter()
            .cloned()
            .partition(|piece| piece.part == Part::Port);
        let [port] = ports.as_slice() else {
            return Err(format!("{} states of ports instead of one", ports.len()));
        };
        if (port.name.as_str(), port.version) != (PORT, PORT_VERSION) {
            return Err(format!(
                "the state of port {} in version {} is not known here: use the same release on both hosts",
                port.name, port.version
            ));
        }
        let state: DvsState = postcard::from_bytes(&port.bytes).map_err(text)?;
        let (loaded, restored) = both(
            || self.machine.restore(&machine),
            || self.dvs.restore(&state),
        )?;
        restored.map_err(text)?;
        loaded.map_err(text)
    }
}

/// Does both at once.
fn both<A, B: Send>(
    this: impl FnOnce() -> A,
    that: impl FnOnce() -> B + Send,
) -> Result<(A, B), String> {
    std::thread::scope(|scope| {
        let beside = std::thread::Builder::new().name("migration-port".into());
        let that = beside.spawn_scoped(scope, that).map_err(text)?;
        let this = this();
        match that.join() {
            Ok(that) => Ok((this, that)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
