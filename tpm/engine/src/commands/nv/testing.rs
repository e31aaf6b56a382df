// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NV indices for tests: defined by the owner, SHA-256, without a policy.

use crate::Profile;
use crate::testing::{TestTpm, started, started_as};
use evtpm_tpm_wire::commands::{
    NvDefineSpace, NvDefineSpaceHandles, NvRead, NvReadHandles, NvReadPublic, NvReadPublicHandles, NvWrite,
    NvWriteHandles,
};
use evtpm_tpm_wire::{
    Bytes, Handle, HashAlg, NvType, Rc, Supported, Tpm2b, Tpm2bAuth, Tpm2bDigest, TpmaNv, TpmiRhNvAuth, TpmiRhNvIndex,
    TpmiRhNvLegacyIndex, TpmiRhProvision, TpmsNvPublic,
};
use std::vec::Vec;

/// The index of most tests.
pub(crate) const INDEX: Handle = Handle(0x0180_0001);
/// What the owner may read and write.
pub(crate) const OWNER: TpmaNv = TpmaNv::OWNERWRITE.with(TpmaNv::OWNERREAD);
/// What whoever knows the authValue may read and write.
pub(crate) const AUTH: TpmaNv = TpmaNv::AUTHWRITE.with(TpmaNv::AUTHREAD);

pub(crate) fn index(handle: u32) -> TpmiRhNvLegacyIndex {
    TpmiRhNvLegacyIndex::new(Handle(handle), &Supported::ALL).unwrap()
}

pub(crate) fn nv(handle: Handle) -> TpmiRhNvIndex {
    TpmiRhNvIndex::new(handle, &Supported::ALL).unwrap()
}

pub(crate) fn nv_auth(handle: Handle) -> TpmiRhNvAuth {
    TpmiRhNvAuth::new(handle, &Supported::ALL).unwrap()
}

pub(crate) fn public(attributes: TpmaNv, data_size: u16) -> TpmsNvPublic {
    let nv_index = index(INDEX.0);
    TpmsNvPublic { nv_index, name_alg: HashAlg::Sha256, attributes, auth_policy: Tpm2bDigest::EMPTY, data_size }
}

/// A started TPM whose indices may be larger than what one command reads or writes.
pub(crate) fn with_large_indices() -> TestTpm {
    let mut profile = Profile::pc_client();
    profile.limits.nv_index_bytes = 8192;
    profile.supported.nv_index_size = 8192;
    started_as(profile)
}

/// A started TPM with [`INDEX`], of eight octets, defined by the owner with this password.
pub(crate) fn with_index(attributes: TpmaNv, kind: NvType, password: &[u8]) -> TestTpm {
    let mut tpm = started();
    define(
        &mut tpm,
        public(attributes.with(TpmaNv::of_type(kind)), if kind == NvType::Extend { 32 } else { 8 }),
        password,
    );
    tpm
}

pub(crate) fn define(tpm: &mut TestTpm, public: TpmsNvPublic, password: &[u8]) {
    let platform = public.attributes.contains(TpmaNv::PLATFORMCREATE);
    let auth_handle = if platform { TpmiRhProvision::Platform } else { TpmiRhProvision::Owner };
    let command = NvDefineSpace { auth: Tpm2bAuth::new(password).unwrap(), public_info: Tpm2b(public) };
    tpm.send(&command, NvDefineSpaceHandles { auth_handle }).unwrap();
}

/// Writes as the owner, or with another authorization.
pub(crate) fn write(tpm: &mut TestTpm, auth: Handle, password: &[u8], data: &[u8], offset: u16) -> Result<(), Rc> {
    let command = NvWrite { data: Bytes::new(data).unwrap(), offset };
    let handles = NvWriteHandles { auth_handle: nv_auth(auth), nv_index: nv(INDEX) };
    tpm.send_at(crate::Locality::ZERO, &command, handles, &[password])
}

/// Reads as the owner, or with another authorization.
pub(crate) fn read(tpm: &mut TestTpm, auth: Handle, password: &[u8], size: u16, offset: u16) -> Result<Vec<u8>, Rc> {
    let handles = NvReadHandles { auth_handle: nv_auth(auth), nv_index: nv(INDEX) };
    let response = tpm.send_at(crate::Locality::ZERO, &NvRead { size, offset }, handles, &[password]);
    response.map(|response| response.data.as_bytes().to_vec())
}

/// The attributes that `TPM2_NV_ReadPublic` tells.
pub(crate) fn attributes(tpm: &mut TestTpm) -> TpmaNv {
    let response = tpm.send(&NvReadPublic {}, NvReadPublicHandles { nv_index: nv(INDEX) }).unwrap();
    response.nv_public.0.attributes
}
