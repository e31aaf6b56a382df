// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_Read` (Part 3, "TPM2_NV_Read").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvRead, NvReadHandles, NvReadResponse};
use evtpm_tpm_wire::{Buf, MAX_NV_BUFFER, Overflow, Rc, Subject};

impl Execute for NvRead {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvReadHandles) -> Result<NvReadResponse, Rc> {
        let (size, offset) = (usize::from(self.size), usize::from(self.offset));
        let index = tpm.nv_readable(handles.auth_handle, handles.nv_index)?;
        if size > MAX_NV_BUFFER {
            return Err(Rc::VALUE.at(Subject::Parameter(1)));
        }
        // "offset and the size field of data add to a value that is greater than the dataSize field of the NV Index"
        let range = offset..offset.saturating_add(size);
        let data = index.data.as_slice().get(range).ok_or(Rc::NV_RANGE)?;

        Ok(NvReadResponse { data: Buf::new(data).map_err(|Overflow| Rc::NV_RANGE)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{
        AUTH, INDEX, OWNER, define, public, read, with_index, with_large_indices, write,
    };
    use evtpm_tpm_wire::{Handle, NvType, TpmaNv};

    #[test]
    fn a_part_of_an_index_is_read_at_its_offset() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        write(&mut tpm, Handle::OWNER, b"", b"12345678", 0).unwrap();
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 3, 5).unwrap(), b"678");
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 0, 8).unwrap(), b"");
    }

    #[test]
    fn a_read_past_the_end_is_a_range_error() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        write(&mut tpm, Handle::OWNER, b"", b"x", 0).unwrap();
        for (size, offset) in [(9, 0), (1, 8), (0, 9), (2, u16::MAX)] {
            assert_eq!(read(&mut tpm, Handle::OWNER, b"", size, offset), Err(Rc::NV_RANGE));
        }
    }

    #[test]
    fn more_than_one_buffer_is_a_value_error() {
        let mut tpm = with_large_indices();
        define(&mut tpm, public(OWNER, 4096), b"");
        write(&mut tpm, Handle::OWNER, b"", b"x", 0).unwrap();
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 2049, 0), Err(Rc::VALUE.at(Subject::Parameter(1))));
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 2048, 2048).unwrap(), [0xFF; 2048]);
    }

    #[test]
    fn an_unwritten_index_reads_nothing_even_of_size_zero() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 0, 0), Err(Rc::NV_UNINITIALIZED));
    }

    #[test]
    fn a_wrong_password_for_an_unwritten_index_is_not_counted() {
        let mut tpm = with_index(AUTH, NvType::Ordinary, b"pw");
        assert_eq!(read(&mut tpm, INDEX, b"no", 0, 0), Err(Rc::NV_UNINITIALIZED));
        assert_eq!(tpm.da.failed_tries(), 0);
    }

    #[test]
    fn each_authorization_needs_its_attribute() {
        let mut tpm = with_index(OWNER | TpmaNv::AUTHWRITE, NvType::Ordinary, b"pw");
        write(&mut tpm, INDEX, b"pw", b"x", 0).unwrap();
        assert_eq!(read(&mut tpm, INDEX, b"pw", 1, 0), Err(Rc::AUTH_UNAVAILABLE));
        assert_eq!(read(&mut tpm, Handle::PLATFORM, b"", 1, 0), Err(Rc::NV_AUTHORIZATION));
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 1, 0).unwrap(), b"x");
    }
}
