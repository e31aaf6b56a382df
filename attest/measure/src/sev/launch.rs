// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch digest: SHA-256 over all that is loaded, in order (AMD 55766, "LAUNCH_UPDATE_DATA", "LAUNCH_UPDATE_VMSA").

use core::fmt;

use evtpm_crypto::{Crypto, HashAlg, RustCrypto, StreamingHash};
use evtpm_snp::vmsa::Vmsa;

use crate::{Error, bytes::array_of_digest};

/// The most bytes of one launch.
const MAX_BYTES: u64 = 1 << 32;

type Hasher = <RustCrypto as Crypto>::Hasher;

/// GCTX.LD: the digest of everything that was loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SevDigest(pub [u8; 32]);

impl fmt::Display for SevDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SevDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is loaded, in order.
///
/// ```
/// use evtpm_measure::SevLaunch;
///
/// let mut launch = SevLaunch::new();
/// launch.add_data(0xffe0_0000, b"a firmware")?;
/// let digest = launch.digest();
/// launch.add_zeros(0x1000, 4096)?;
/// assert_ne!(launch.digest(), digest);
/// # Ok::<(), evtpm_measure::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SevLaunch {
    pieces: Vec<Piece>,
    bytes: u64,
}

/// Adjacent bytes that are loaded by one kind of command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The kind.
    pub kind: PieceKind,
    /// The guest physical address, which is not hashed; of a state there is none.
    pub gpa: Option<u64>,
    /// The bytes.
    pub contents: Contents,
}

/// By which command bytes are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceKind {
    /// LAUNCH_UPDATE_DATA.
    Data,
    /// LAUNCH_UPDATE_VMSA.
    Vmsa,
}

/// The bytes of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// These.
    Bytes(Vec<u8>),
    /// So many zeros.
    Zeros(u64),
}

/// What one piece makes of the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SevStep<'a> {
    /// The piece.
    pub piece: &'a Piece,
    /// The digest of a launch that ends before it.
    pub before: SevDigest,
    /// The digest of a launch that ends after it.
    pub after: SevDigest,
}

impl SevLaunch {
    /// Starts with nothing loaded.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn add_data(&mut self, gpa: u64, bytes: &[u8]) -> Result<(), Error> {
        self.add(Piece { kind: PieceKind::Data, gpa: Some(gpa), contents: Contents::Bytes(bytes.to_vec()) })
    }

    /// Adds zeros.
    pub fn add_zeros(&mut self, gpa: u64, count: u64) -> Result<(), Error> {
        self.add(Piece { kind: PieceKind::Data, gpa: Some(gpa), contents: Contents::Zeros(count) })
    }

    /// Adds the state of a processor.
    pub fn add_vmsa(&mut self, vmsa: &Vmsa) -> Result<(), Error> {
        self.add_state(vmsa.as_bytes())
    }

    /// Adds the state of a processor as it is stored.
    pub(crate) fn add_state(&mut self, page: &[u8]) -> Result<(), Error> {
        self.add(Piece { kind: PieceKind::Vmsa, gpa: None, contents: Contents::Bytes(page.to_vec()) })
    }

    fn add(&mut self, piece: Piece) -> Result<(), Error> {
        let bytes = self.bytes.saturating_add(piece.contents.length());
        if bytes > MAX_BYTES {
            return Err(Error::TooLarge { pages: bytes.div_ceil(4096), limit: MAX_BYTES.div_ceil(4096) });
        }
        self.bytes = bytes;
        match self.pieces.last_mut() {
            Some(last) if last.is_continued_by(&piece) => last.contents.extend(piece.contents),
            _ => self.pieces.push(piece),
        }
        Ok(())
    }

    /// Computes the launch digest.
    pub fn digest(&self) -> SevDigest {
        let mut hasher = Hasher::new(HashAlg::Sha256);
        self.pieces.iter().for_each(|piece| piece.contents.hash_into(&mut hasher));
        finish(&hasher)
    }

    /// Goes through the pieces with the digests before and after each.
    pub fn steps(&self) -> impl Iterator<Item = SevStep<'_>> {
        self.pieces.iter().scan(Hasher::new(HashAlg::Sha256), |hasher, piece| {
            let before = finish(hasher);
            piece.contents.hash_into(hasher);
            Some(SevStep { piece, before, after: finish(hasher) })
        })
    }
}

fn finish(hasher: &Hasher) -> SevDigest {
    SevDigest(array_of_digest(&hasher.clone().finish()))
}

impl Piece {
    /// Tells whether the other piece begins where this one ends, with contents of the same kind.
    fn is_continued_by(&self, next: &Self) -> bool {
        let end = self.gpa.map(|gpa| gpa.saturating_add(self.contents.length()));
        let same_contents = core::mem::discriminant(&self.contents) == core::mem::discriminant(&next.contents);
        self.kind == PieceKind::Data && next.kind == PieceKind::Data && end == next.gpa && same_contents
    }
}

impl Contents {
    /// Returns the number of bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Zeros(count) => *count,
        }
    }

    fn extend(&mut self, next: Self) {
        match (self, next) {
            (Self::Bytes(bytes), Self::Bytes(more)) => bytes.extend(more),
            (Self::Zeros(count), Self::Zeros(more)) => *count = count.saturating_add(more),
            (Self::Bytes(_), Self::Zeros(_)) | (Self::Zeros(_), Self::Bytes(_)) => {}
        }
    }

    fn hash_into(&self, hasher: &mut Hasher) {
        match self {
            Self::Bytes(bytes) => hasher.update(bytes),
            Self::Zeros(count) => {
                let mut left = *count;
                while left > 0 {
                    let now = left.min(ZEROS.len() as u64);
                    hasher.update(ZEROS.get(..usize::try_from(now).unwrap_or(0)).unwrap_or_default());
                    left = left.saturating_sub(now);
                }
            }
        }
    }
}

const ZEROS: [u8; 4096] = [0; 4096];

#[cfg(test)]
mod tests {
    use super::*;

    fn sha256(bytes: &[u8]) -> SevDigest {
        SevDigest(array_of_digest(&RustCrypto::hash(HashAlg::Sha256, &[bytes])))
    }

    #[test]
    fn only_the_bytes_count_and_not_where_they_are_loaded() {
        let mut launch = SevLaunch::new();
        launch.add_data(0x1000, b"firmware").unwrap();
        launch.add_zeros(0x9000, 5000).unwrap();
        assert_eq!(launch.digest(), sha256(&[b"firmware".as_slice(), &[0; 5000]].concat()));
    }

    #[test]
    fn adjacent_bytes_are_one_piece_and_every_step_begins_where_the_last_one_ended() {
        let mut launch = SevLaunch::new();
        launch.add_data(0x1000, &[1; 0x1000]).unwrap();
        launch.add_data(0x2000, &[2; 0x1000]).unwrap();
        launch.add_state(&[3; 0x1000]).unwrap();
        launch.add_state(&[3; 0x1000]).unwrap();
        let steps: Vec<_> = launch.steps().collect();
        assert_eq!(steps.iter().map(|step| step.piece.contents.length()).collect::<Vec<_>>(), [0x2000, 0x1000, 0x1000]);
        assert_eq!(steps[0].before, sha256(b""));
        assert!(steps.windows(2).all(|pair| pair[0].after == pair[1].before));
        assert_eq!(steps[2].after, launch.digest());
    }

    #[test]
    fn more_than_the_limit_is_refused() {
        assert!(matches!(SevLaunch::new().add_zeros(0, u64::MAX), Err(Error::TooLarge { .. })));
    }
}
