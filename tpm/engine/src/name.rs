// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names of entities that are in this TPM, whose algorithms it therefore has.

use crate::state::NvPublic;
use evtpm_crypto::Crypto;
pub(crate) use evtpm_protocol::handle_name as of_handle;
use evtpm_protocol::{nv_name_2, object_name, qualified_name};
use evtpm_tpm_wire::{HashAlg, Tpm2bName, TpmtPublic};

/// A Name: a hash algorithm and a digest, a handle, or nothing.
pub(crate) type Name = Tpm2bName;

/// The Name of an object; nothing without a nameAlg.
pub(crate) fn of_object<C: Crypto>(public: &TpmtPublic) -> Name {
    object_name::<C>(public).unwrap_or_default()
}

/// The Name of an NV index.
pub(crate) fn of_nv_index<C: Crypto>(public: &NvPublic) -> Name {
    public.to_wire().and_then(|public| nv_name_2::<C>(&public).ok()).unwrap_or_default()
}

/// The Qualified Name of an object under a parent's.
pub(crate) fn qualified<C: Crypto>(parent: &Name, alg: Option<HashAlg>, name: &Name) -> Name {
    qualified_name::<C>(parent, alg, name).unwrap_or_default()
}
