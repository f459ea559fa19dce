//! State as a stream of named, versioned sections.
//!
//! ```text
//! stream   "DVSM" | format u16 | 0 u16
//! section  kind u16 | version u16 | length u32 | bytes … | crc32 of header and bytes u32
//! end      a section of kind 0 without bytes
//! ```
//!
//! All numbers are little-endian. The peer may be hostile: a kind, version or
//! length that the reader does not expect is refused before any byte of it is
//! read, and memory grows with what has arrived, never with what was announced.

use std::io::{self, Read, Write};

use thiserror::Error;

const MAGIC: [u8; 4] = *b"DVSM";
/// Version of the framing itself.
pub const FORMAT: u16 = 1;
const END: u16 = 0;
const HEADER: usize = 8;
/// Bytes read at once: the most that a lying length can cost.
const STEP: usize = 64 * 1024;

/// Why a stream cannot be read or written.
#[derive(Debug, Error)]
pub enum StreamError {
    /// The connection or file failed, or ended in the middle of a section.
    #[error("the migration stream broke off: {0}")]
    Io(#[from] io::Error),
    /// The first bytes are those of something else.
    #[error("this is no migration stream")]
    NotAStream,
    /// A stream of a framing that this program does not know.
    #[error(
        "the migration stream has format {0}, this program reads format {FORMAT}: use the same release on both hosts"
    )]
    Format(u16),
    /// A section that the reader does not know.
    #[error(
        "the migration stream has a section of unknown kind {kind}, version {version}: use the same release on both hosts"
    )]
    Unknown {
        /// Kind found.
        kind: u16,
        /// Version found.
        version: u16,
    },
    /// A section is longer than its kind may be.
    #[error("section {kind} has {length} bytes, at most {limit} are allowed")]
    TooLong {
        /// Kind found.
        kind: u16,
        /// Bytes announced, or given to the writer.
        length: u64,
        /// Most that the kind may have.
        limit: u32,
    },
    /// What arrived is not what was sent.
    #[error("section {kind} was damaged on its way")]
    Damaged {
        /// Kind found.
        kind: u16,
    },
}

/// A kind of section that both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Names the section; 0 is the end of the stream.
    pub kind: u16,
    /// Oldest and newest version that can be read.
    pub versions: (u16, u16),
    /// Most bytes that it may have.
    pub limit: u32,
}

impl Known {
    /// A kind of which there is one version so far.
    pub const fn v1(kind: u16, limit: u32) -> Known {
        Known {
            kind,
            versions: (1, 1),
            limit,
        }
    }
}

/// A section as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Names it.
    pub kind: u16,
    /// Version of its bytes.
    pub version: u16,
    /// The state.
    pub bytes: Vec<u8>,
}

/// Writes sections.
#[derive(Debug)]
pub struct StreamWriter<W> {
    to: W,
}

impl<W: Write> StreamWriter<W> {
    /// Begins a stream.
    ///
    /// # Errors
    /// [`StreamError::Io`] if the bytes cannot be written.
    pub fn begin(mut to: W) -> Result<Self, StreamError> {
        to.write_all(&MAGIC)?;
        to.write_all(&FORMAT.to_le_bytes())?;
        to.write_all(&[0, 0])?;
        Ok(StreamWriter { to })
    }

    /// Writes one section.
    ///
    /// # Errors
    /// [`StreamError::TooLong`] over 4 GiB − 1 bytes; [`StreamError::Io`].
    pub fn section(&mut self, kind: u16, version: u16, bytes: &[u8]) -> Result<(), StreamError> {
        let length = u32::try_from(bytes.len()).map_err(|_| StreamError::TooLong {
            kind,
            length: bytes.len() as u64,
            limit: u32::MAX,
        })?;
        let header = header(kind, version, length);
        self.to.write_all(&header)?;
        self.to.write_all(bytes)?;
        self.to.write_all(&checksum(&header, bytes).to_le_bytes())?;
        Ok(())
    }

    /// What is written to: for flushing, and for raw bytes that a section has announced.
    pub fn inner(&mut self) -> &mut W {
        &mut self.to
    }

    /// Ends the stream and gives back what it was written to.
    ///
    /// # Errors
    /// [`StreamError::Io`] if the bytes cannot be written.
    pub fn end(mut self) -> Result<W, StreamError> {
        self.section(END, 0, &[])?;
        self.to.flush()?;
        Ok(self.to)
    }
}

/// Reads sections.
#[derive(Debug)]
pub struct StreamReader<'a, R> {
    from: R,
    known: &'a [Known],
}

impl<'a, R: Read> StreamReader<'a, R> {
    /// Reads the beginning of a stream that may hold the `known` sections.
    ///
    /// # Errors
    /// [`StreamError::NotAStream`], [`StreamError::Format`], [`StreamError::Io`].
    pub fn begin(mut from: R, known: &'a [Known]) -> Result<Self, StreamError> {
        let mut start = [0; HEADER];
        from.read_exact(&mut start)?;
        let [m0, m1, m2, m3, f0, f1, _, _] = start;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(StreamError::NotAStream);
        }
        match u16::from_le_bytes([f0, f1]) {
            FORMAT => Ok(StreamReader { from, known }),
            other => Err(StreamError::Format(other)),
        }
    }

    /// The next section; `None` at the end of the stream.
    ///
    /// # Errors
    /// Any [`StreamError`]; the stream cannot be read further then.
    pub fn section(&mut self) -> Result<Option<Section>, StreamError> {
        let mut head = [0; HEADER];
        self.from.read_exact(&mut head)?;
        let [k0, k1, v0, v1, l0, l1, l2, l3] = head;
        let kind = u16::from_le_bytes([k0, k1]);
        let version = u16::from_le_bytes([v0, v1]);
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let limit = self.limit(kind, version)?;
        if length > limit {
            return Err(StreamError::TooLong {
                kind,
                length: length.into(),
                limit,
            });
        }
        let bytes = self.bytes(length as usize)?;
        let mut sum = [0; 4];
        self.from.read_exact(&mut sum)?;
        if u32::from_le_bytes(sum) != checksum(&head, &bytes) {
            return Err(StreamError::Damaged { kind });
        }
        let section = Section {
            kind,
            version,
            bytes,
        };
        Ok((kind != END).then_some(section))
    }

    /// What is read from: for raw bytes that the last section has announced.
    pub fn inner(&mut self) -> &mut R {
        &mut self.from
    }

    fn limit(&self, kind: u16, version: u16) -> Result<u32, StreamError> {
        if kind == END && version == 0 {
            return Ok(0);
        }
        self.known
            .iter()
            .find(|k| k.kind == kind && (k.versions.0..=k.versions.1).contains(&version))
            .map(|k| k.limit)
            .ok_or(StreamError::Unknown { kind, version })
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, StreamError> {
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let had = bytes.len();
            bytes.resize(had + STEP.min(length - had), 0);
            self.from.read_exact(&mut bytes[had..])?;
        }
        Ok(bytes)
    }
}

fn header(kind: u16, version: u16, length: u32) -> [u8; HEADER] {
    let [k0, k1] = kind.to_le_bytes();
    let [v0, v1] = version.to_le_bytes();
    let [l0, l1, l2, l3] = length.to_le_bytes();
    [k0, k1, v0, v1, l0, l1, l2, l3]
}

fn checksum(header: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
#[path = "stream_test.rs"]
mod tests;
