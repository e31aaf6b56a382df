// SPDX-License-Identifier: Apache-2.0 OR MIT
//! [`Tpm2b`]: a structure behind a 16-bit size (`TPM2B_PUBLIC` and its like).
use crate::{Marshal, Overflow, Rc, Reader, Unmarshal, Writer};

/// A structure behind a 16-bit size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tpm2b<T>(pub T);

/// "#TPM_RC_SIZE error returned if the unmarshaled size of the structure is not exactly equal to the size of the
/// TPM2B". The structure is read from all that follows, as the size is a claim to be checked and not a fence; an empty
/// one is a size error before the structure is looked at.
impl<'a, T: Unmarshal<'a>> Unmarshal<'a> for Tpm2b<T> {
    const SIZED: bool = true;

    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let size = usize::from(reader.read::<u16>()?);
        if size == 0 {
            return Err(Rc::SIZE);
        }
        let before = reader.remaining().len();
        let value = reader.read()?;
        if before.checked_sub(reader.remaining().len()) == Some(size) { Ok(Self(value)) } else { Err(Rc::SIZE) }
    }
}

impl<T: Marshal> Marshal for Tpm2b<T> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.sized(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    type Sized16 = Tpm2b<u16>;

    #[test]
    fn a_wrong_size_is_a_size_error() {
        assert_eq!(from_bytes::<Sized16>(&[0, 2, 7, 8], &Supported::ALL), Ok(Tpm2b(0x0708)));
        for size in [0, 1, 3] {
            assert_eq!(from_bytes::<Sized16>(&[0, size, 7, 8], &Supported::ALL), Err(Rc::SIZE));
        }
    }

    #[test]
    fn a_cut_structure_is_insufficient() {
        assert_eq!(from_bytes::<Sized16>(&[0, 2, 7], &Supported::ALL), Err(Rc::INSUFFICIENT));
    }
}
