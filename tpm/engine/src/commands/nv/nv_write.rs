// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_Write` (Part 3, "TPM2_NV_Write").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvWrite, NvWriteHandles};
use evtpm_tpm_wire::{NvType, Rc, TpmaNv};

impl Execute for NvWrite<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvWriteHandles) -> Result<(), Rc> {
        let (data, offset) = (self.data.as_bytes(), usize::from(self.offset));
        let index = tpm.nv_writable(handles.auth_handle, handles.nv_index)?;
        // "If nvIndexType is TPM_NT_COUNTER, TPM_NT_BITS or TPM_NT_EXTEND, then the TPM shall return TPM_RC_ATTRIBUTES."
        if matches!(index.kind(), Some(NvType::Counter | NvType::Bits | NvType::Extend)) {
            return Err(Rc::ATTRIBUTES);
        }
        // "offset and the size field of data add to a value that is greater than the dataSize field of the NV Index"
        if offset.saturating_add(data.len()) > index.data.len() {
            return Err(Rc::NV_RANGE);
        }
        // "the size of the data parameter of the command is not the same as the data field of the NV Index"
        if index.has(TpmaNv::WRITEALL) && data.len() != index.data.len() {
            return Err(Rc::NV_RANGE);
        }

        tpm.nv_mut(handles.nv_index)?.write(offset, data).map_err(|_| Rc::NV_RANGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{AUTH, INDEX, OWNER, attributes, define, public, read, with_index, write};
    use crate::host::Ek;
    use crate::testing::started;
    use evtpm_tpm_wire::{Handle, Subject, TpmSu, commands};

    #[test]
    fn the_first_write_fills_the_rest_with_ones() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        write(&mut tpm, Handle::OWNER, b"", &[1, 2], 3).unwrap();
        let data = read(&mut tpm, Handle::OWNER, b"", 8, 0).unwrap();
        assert_eq!(data, [0xFF, 0xFF, 0xFF, 1, 2, 0xFF, 0xFF, 0xFF]);
        write(&mut tpm, Handle::OWNER, b"", &[9], 7).unwrap();
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 4, 4).unwrap(), [2, 0xFF, 0xFF, 9]);
    }

    #[test]
    fn a_write_of_nothing_makes_the_index_written() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        write(&mut tpm, Handle::OWNER, b"", b"", 8).unwrap();
        assert_eq!(attributes(&mut tpm), OWNER | TpmaNv::WRITTEN);
    }

    #[test]
    fn a_write_past_the_end_is_a_range_error() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        for (data, offset) in [(&[0; 9][..], 0), (&[0; 2], 7), (&[], 9), (&[0], u16::MAX)] {
            let before = tpm.state.clone();
            assert_eq!(write(&mut tpm, Handle::OWNER, b"", data, offset), Err(Rc::NV_RANGE));
            assert!(tpm.state == before);
        }
    }

    #[test]
    fn an_index_that_is_written_whole_takes_no_part() {
        let mut tpm = with_index(OWNER | TpmaNv::WRITEALL, NvType::Ordinary, b"");
        assert_eq!(write(&mut tpm, Handle::OWNER, b"", &[0; 7], 0), Err(Rc::NV_RANGE));
        write(&mut tpm, Handle::OWNER, b"", &[0; 8], 0).unwrap();
    }

    #[test]
    fn numbers_and_extended_digests_are_not_written() {
        for kind in [NvType::Counter, NvType::Bits, NvType::Extend] {
            let mut tpm = with_index(OWNER, kind, b"");
            let result = write(&mut tpm, Handle::OWNER, b"", &[0; 8], 0);
            assert_eq!(result, Err(Rc::ATTRIBUTES), "{kind:?}");
        }
    }

    #[test]
    fn each_authorization_needs_its_attribute() {
        let mut tpm = with_index(AUTH, NvType::Ordinary, b"pw");
        for by in [Handle::OWNER, Handle::PLATFORM] {
            assert_eq!(write(&mut tpm, by, b"", b"x", 0), Err(Rc::NV_AUTHORIZATION), "{by:?}");
        }
        write(&mut tpm, INDEX, b"pw", b"x", 0).unwrap();
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"pw");
        assert_eq!(write(&mut tpm, INDEX, b"pw", b"x", 0), Err(Rc::AUTH_UNAVAILABLE));
    }

    #[test]
    fn another_index_authorizes_nothing_here() {
        let mut tpm = with_index(AUTH, NvType::Ordinary, b"pw");
        let mut other = public(AUTH, 8);
        other.nv_index = crate::commands::nv::testing::index(0x0180_0002);
        define(&mut tpm, other, b"mine");
        assert_eq!(write(&mut tpm, Handle(0x0180_0002), b"mine", b"x", 0), Err(Rc::NV_AUTHORIZATION));
    }

    #[test]
    fn a_wrong_authorization_value_counts_unless_the_index_says_no() {
        let mut tpm = with_index(AUTH, NvType::Ordinary, b"pw");
        assert_eq!(write(&mut tpm, INDEX, b"no", b"x", 0), Err(Rc::AUTH_FAIL.at(Subject::Session(1))));
        assert_eq!(tpm.da.failed_tries(), 1);
        let mut tpm = with_index(AUTH | TpmaNv::NO_DA, NvType::Ordinary, b"pw");
        assert_eq!(write(&mut tpm, INDEX, b"no", b"x", 0), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
        assert_eq!(tpm.da.failed_tries(), 0);
    }

    #[test]
    fn what_a_startup_forgot_does_not_come_back() {
        let mut tpm = with_index(OWNER | TpmaNv::CLEAR_STCLEAR, NvType::Ordinary, b"");
        write(&mut tpm, Handle::OWNER, b"", b"secrets!", 0).unwrap();
        tpm.power_on();
        tpm.send(&commands::Startup { startup_type: TpmSu::Clear }, ()).unwrap();
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 8, 0), Err(Rc::NV_UNINITIALIZED));
        write(&mut tpm, Handle::OWNER, b"", b"x", 0).unwrap();
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 2, 0).unwrap(), [b'x', 0xFF]);
    }

    #[test]
    fn no_guest_writes_or_deletes_an_ek_certificate() {
        let mut tpm = started();
        tpm.host().define_ek_certificate(INDEX.0, Ek::EccP256, 8).unwrap();
        tpm.host().set_ek_certificate(INDEX.0, b"the cert").unwrap();
        let before = tpm.state.nv.clone();
        for by in [Handle::OWNER, Handle::PLATFORM] {
            assert_eq!(write(&mut tpm, by, b"", b"x", 0), Err(Rc::NV_LOCKED));
        }
        assert_eq!(write(&mut tpm, INDEX, b"", b"x", 0), Err(Rc::AUTH_UNAVAILABLE));
        let nv_index = evtpm_tpm_wire::TpmiRhNvDefinedIndex::new(INDEX, &evtpm_tpm_wire::Supported::ALL).unwrap();
        let undefine =
            commands::NvUndefineSpaceHandles { auth_handle: evtpm_tpm_wire::TpmiRhProvision::Platform, nv_index };
        let at_index = Rc::ATTRIBUTES.at(Subject::Handle(2));
        assert_eq!(tpm.send(&commands::NvUndefineSpace {}, undefine), Err(at_index));
        let platform = evtpm_tpm_wire::TpmiRhPlatform::Platform;
        let special = commands::NvUndefineSpaceSpecialHandles { nv_index, platform };
        // Only its policy deletes it, and no password stands in for a policy.
        let by_password = Err(Rc::AUTH_TYPE);
        assert_eq!(tpm.send(&commands::NvUndefineSpaceSpecial {}, special), by_password);
        tpm.power_on();
        tpm.send(&commands::Startup { startup_type: TpmSu::Clear }, ()).unwrap();
        assert!(tpm.state.nv == before);
        assert_eq!(read(&mut tpm, INDEX, b"", 8, 0).unwrap(), b"the cert");
    }
}
