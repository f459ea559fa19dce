//! Copies: what a shell does for the core, with vectors as the memory of endpoints.

use crate::shell::{Place, Work, place_of};
use crate::{Addr, CallId, CopyRequest, Core, PENDING, errors, ffi};

const HEADER: usize = 80;
/// What `dvs_vcopy` returns when the caller is to do the work.
const RUN: i32 = 2;

impl Core {
    /// The memory of an endpoint, as far as copies are concerned; addresses are indexes into it.
    pub fn memory(&mut self, ep: i32) -> &mut Vec<u8> {
        self.shell.memory.entry(ep).or_default()
    }

    /// Copies memory of one endpoint to that of another.
    pub fn copy(&mut self, ep: i32, request: &CopyRequest, now: u64) -> CallId {
        let ep = self.ep(ep);
        let mut sides = None;
        // SAFETY: as in `send`; with RUN, the call has two sides.
        let id = self.start(&[], |core, call| unsafe {
            let result = ffi::dvs_vcopy(core, call, ep, request, now);
            if result != RUN {
                return result;
            }
            let mut pair = [std::ptr::null_mut(); 2];
            let [src, dst] = &mut pair;
            ffi::dvs_copy_sides(call, src, dst);
            sides = Some((pair, [place_of(&*pair[0]), place_of(&*pair[1])]));
            PENDING
        });
        if let Some((sides, places)) = sides {
            self.shell.work.push_back(Work::Run {
                sides,
                places,
                bytes: usize::try_from(request.bytes).unwrap_or(usize::MAX),
                begun: false,
            });
        }
        self.work_unless_held(now);
        id
    }

    /// Lends `bytes` of an endpoint's memory from `address` on; the grant, or why not.
    ///
    /// # Errors
    /// As `dvs_lend`.
    pub fn lend(
        &mut self,
        ep: i32,
        to: Addr,
        rights: u32,
        address: usize,
        bytes: u64,
        now: u64,
    ) -> Result<u64, i32> {
        let ep = self.ep(ep);
        let region = std::ptr::without_provenance_mut(address + 1);
        let mut grant = 0;
        // SAFETY: `ep` is bound here or null; the core only hands `region` back.
        let result = unsafe {
            ffi::dvs_lend(
                self.raw.as_ptr(),
                ep,
                to,
                rights,
                bytes,
                region,
                &raw mut grant,
                now,
            )
        };
        if result == 0 { Ok(grant) } else { Err(result) }
    }

    /// Takes a grant back; [`PENDING`]: a piece is just being copied, ask again.
    pub fn revoke(&mut self, ep: i32, grant: u64, now: u64) -> i32 {
        let ep = self.ep(ep);
        // SAFETY: `ep` is bound here or null.
        let result = unsafe { ffi::dvs_revoke(self.raw.as_ptr(), ep, grant, now) };
        self.collect();
        result
    }

    /// The device takes the next frame from the bulk transmit ring.
    pub fn take_bulk(&mut self, now: u64) -> Option<Vec<u8>> {
        let post = self.shell.bulk.pop_front()?;
        // SAFETY: the core posted this slot; its header stays as it is while it is posted.
        let header = unsafe {
            let header = ffi::dvs_core_bulk_header(self.raw.as_ptr(), post.slot);
            std::slice::from_raw_parts(header.cast::<u8>(), HEADER)
        };
        let mut frame = header.to_vec();
        let data = post.from.and_then(|p| self.shell.bytes(p, post.len));
        frame.extend_from_slice(data.unwrap_or_default());
        assert_eq!(frame.len(), HEADER + post.len, "an open side has its bytes");
        if std::mem::take(&mut self.shell.ring_was_full) {
            self.room(now);
        }
        Some(frame)
    }

    /// From now on the shell's own work for copies is done by [`Core::copy_step`] only.
    pub fn hold_copies(&mut self) {
        self.copies_held = true;
    }

    /// Does one piece of the shell's work for copies; false: there was none.
    pub fn copy_step(&mut self, now: u64) -> bool {
        let Some(work) = self.shell.work.pop_front() else {
            return false;
        };
        match work {
            Work::Open { side, bytes } => self.open(side, bytes, now),
            Work::Run {
                sides,
                places,
                bytes,
                begun,
            } => self.run(sides, places, bytes, begun, now),
            Work::Write { side, to, data } => {
                if let Some(memory) = self.shell.bytes(to, data.len()) {
                    memory.copy_from_slice(&data);
                }
                // SAFETY: the core named this side for this data.
                unsafe { ffi::dvs_bulk_written(self.raw.as_ptr(), side, now) };
            }
        }
        self.collect();
        true
    }

    pub(crate) fn work_unless_held(&mut self, now: u64) {
        while !self.copies_held && self.copy_step(now) {}
    }

    fn open(&mut self, side: *mut ffi::Side, bytes: usize, now: u64) {
        let place = self.shell.open[&side];
        let there = self.shell.bytes(place, bytes).is_some();
        if !there {
            self.shell.open.remove(&side);
        }
        let result = if there { 0 } else { errors::EINVAL };
        // SAFETY: the core asked for this side to be opened.
        unsafe { ffi::dvs_copy_opened(self.raw.as_ptr(), side, result, now) };
    }

    /// A copy within this VM, in two steps, between which everything else may happen.
    fn run(
        &mut self,
        sides: [*mut ffi::Side; 2],
        places: [Place; 2],
        bytes: usize,
        begun: bool,
        now: u64,
    ) {
        let [src, dst] = sides;
        // SAFETY: the core asked for a copy between these two sides.
        if !begun && unsafe { ffi::dvs_copy_begin(src, dst) } != 0 {
            self.shell.work.push_front(Work::Run {
                sides,
                places,
                bytes,
                begun: true,
            });
            return;
        }
        let data = self.shell.bytes(places[0], bytes).map(|b| b.to_vec());
        let result = match (data, self.shell.bytes(places[1], bytes)) {
            (Some(data), Some(to)) if begun => {
                to.copy_from_slice(&data);
                0
            }
            _ => errors::EINVAL,
        };
        // SAFETY: as above; the piece was begun.
        unsafe {
            if begun {
                ffi::dvs_copy_end(self.raw.as_ptr(), src, dst, now);
            }
            ffi::dvs_copy_ran(self.raw.as_ptr(), src, dst, result, now);
        }
    }

    pub(crate) fn bulk_frame(&mut self, frame: &[u8], now: u64) {
        let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let mut offset = 0;
        // SAFETY: a bulk frame has its header at least, or `len` says that it has not.
        let side = unsafe {
            ffi::dvs_core_bulk(
                self.raw.as_ptr(),
                frame.as_ptr().cast(),
                len,
                &raw mut offset,
                now,
            )
        };
        self.collect();
        if side.is_null() {
            return;
        }
        let start = self.shell.open[&side];
        self.shell.work.push_back(Work::Write {
            side,
            to: Place {
                at: start.at + usize::try_from(offset).unwrap_or(0),
                ..start
            },
            data: frame[HEADER..].to_vec(),
        });
    }
}
