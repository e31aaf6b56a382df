// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_Increment` (Part 3, "TPM2_NV_Increment").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvIncrement, NvIncrementHandles};
use evtpm_tpm_wire::{NvType, Rc, Subject};

impl Execute for NvIncrement {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvIncrementHandles) -> Result<(), Rc> {
        let index = tpm.nv_writable(handles.auth_handle, handles.nv_index)?;
        if index.kind() != Some(NvType::Counter) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(2)));
        }
        // "a number that is greater than any value that a counter Index with the same Name has had over the lifetime"
        let count = index.word().unwrap_or_else(|| tpm.state.nv.max_count());
        let count = count.checked_add(1).ok_or(Rc::NV_RANGE)?;

        tpm.nv_mut(handles.nv_index)?.write(0, &count.to_be_bytes()).map_err(|_| Rc::NV_RANGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::nv::testing::{INDEX, OWNER, define, nv, nv_auth, public, read, with_index};
    use crate::testing::TestTpm;
    use evtpm_tpm_wire::{Handle, TpmaNv};

    const COUNTER: TpmaNv = OWNER.with(TpmaNv::of_type(NvType::Counter));

    fn increment(tpm: &mut TestTpm) -> Result<(), Rc> {
        let handles = NvIncrementHandles { auth_handle: nv_auth(Handle::OWNER), nv_index: nv(INDEX) };
        tpm.send(&NvIncrement {}, handles)
    }

    fn count(tpm: &mut TestTpm) -> u64 {
        u64::from_be_bytes(read(tpm, Handle::OWNER, b"", 8, 0).unwrap().try_into().unwrap())
    }

    #[test]
    fn a_counter_cannot_be_read_before_it_counted() {
        let mut tpm = with_index(OWNER, NvType::Counter, b"");
        assert_eq!(read(&mut tpm, Handle::OWNER, b"", 8, 0), Err(Rc::NV_UNINITIALIZED));
        increment(&mut tpm).unwrap();
        assert_eq!(count(&mut tpm), 1);
        increment(&mut tpm).unwrap();
        assert_eq!(count(&mut tpm), 2);
    }

    #[test]
    fn a_counter_goes_on_where_a_deleted_one_stood() {
        let mut tpm = with_index(OWNER, NvType::Counter, b"");
        increment(&mut tpm).unwrap();
        increment(&mut tpm).unwrap();
        tpm.state.nv.undefine(INDEX);
        define(&mut tpm, public(COUNTER, 8), b"");
        increment(&mut tpm).unwrap();
        assert_eq!(count(&mut tpm), 3);
    }

    #[test]
    fn an_ordinary_index_does_not_count() {
        let mut tpm = with_index(OWNER, NvType::Ordinary, b"");
        assert_eq!(increment(&mut tpm), Err(Rc::ATTRIBUTES.at(Subject::Handle(2))));
    }
}
