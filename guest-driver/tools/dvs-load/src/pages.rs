//! Memory of which each page says how often it was written.

use std::hint::black_box;

/// A page: numbers at both ends that change with each write, and contents between them that stay.
#[repr(C, align(4096))]
#[derive(Debug, Clone, Copy)]
struct Page {
    count: u64,
    sum: u64,
    body: [u64; 509],
    last: u64,
}

/// A number that follows from two others and looks like none of them.
fn mix(one: u64, other: u64) -> u64 {
    let mut x = one.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ other;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Page {
    fn new(number: u64) -> Self {
        let mut page = Self {
            count: 0,
            sum: 0,
            body: [0; 509],
            last: 0,
        };
        for (word, at) in page.body.iter_mut().zip(0..) {
            *word = mix(number, at);
        }
        page.write(number, 0);
        page
    }

    fn write(&mut self, number: u64, count: u64) {
        self.count = count;
        self.sum = mix(number, count);
        self.last = !self.sum;
    }

    /// Whether it was written last for this time.
    fn is(&self, number: u64, count: u64) -> bool {
        let sum = mix(number, count);
        self.count == count && self.sum == sum && self.last == !sum
    }

    fn has_its_contents(&self, number: u64) -> bool {
        (0..)
            .zip(&self.body)
            .all(|(at, word)| *word == mix(number, at))
    }
}

/// Pages that are written one after the other, round and round, so that what each must hold follows
/// from the number of writes.
#[derive(Debug)]
pub struct Pages {
    pages: Vec<Page>,
    writes: u64,
}

impl Pages {
    /// So many pages, at least one.
    pub fn new(count: u32) -> Self {
        Self {
            pages: (0..u64::from(count.max(1))).map(Page::new).collect(),
            writes: 0,
        }
    }

    /// So many writes were made.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// Page and the count that it has now, of the write with this number.
    fn place(&self, write: u64) -> (u64, u64) {
        let count = u64::try_from(self.pages.len()).unwrap_or(u64::MAX);
        (write % count, write / count)
    }

    /// Writes the next page; false: it was not as it was left.
    pub fn write(&mut self) -> bool {
        let (number, count) = self.place(self.writes);
        self.writes += 1;
        let page = usize::try_from(number).ok();
        let Some(page) = page.and_then(|number| self.pages.get_mut(number)) else {
            return false;
        };
        // Others than this program may have changed it.
        let whole = black_box(&mut *page).is(number, count);
        page.write(number, count + 1);
        whole
    }

    /// So many pages are not as they were left, of all, with all their contents.
    pub fn wrong(&self) -> u64 {
        let (next, rounds) = self.place(self.writes);
        let mut wrong = 0;
        for (page, number) in self.pages.iter().zip(0..) {
            let count = rounds + u64::from(number < next);
            let page = black_box(page);
            wrong += u64::from(!page.is(number, count) || !page.has_its_contents(number));
        }
        wrong
    }
}

#[cfg(test)]
#[path = "pages_test.rs"]
mod tests;
