// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Creation data and its ticket (Part 1, "Creation Data"; Part 2, "TPMS_CREATION_DATA").

use crate::algorithm;
use crate::name::{self, Name};
use crate::state::Object;
use crate::{Platform, Tpm};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::{
    Handle, HashAlg, Marshal, Overflow, Rc, Subject, Tpm2bData, Tpm2bDigest, TpmaLocality, TpmlPcrSelection,
    TpmsCreationData,
};

/// What a new object was made under, as creation data names it.
pub(crate) enum Origin<'a> {
    /// A primary seed.
    Hierarchy(Handle),
    /// A parent.
    Parent(&'a Object),
}

/// The size of the greatest creation data.
const MAX_CREATION_DATA: usize = 512;

impl<P: Platform> Tpm<P> {
    /// Describes how an object with this nameAlg is made now, and hashes the description with that nameAlg.
    #[inline(never)] // What it needs is not on the stack of the command that makes the key.
    pub(crate) fn creation_data(
        &self,
        name_alg: HashAlg,
        origin: &Origin<'_>,
        pcrs: &TpmlPcrSelection,
        outside_info: Tpm2bData,
    ) -> Result<(TpmsCreationData, Tpm2bDigest), Rc> {
        let alg = algorithm::hash(name_alg).ok_or(Rc::HASH)?;
        let (pcr_select, pcr_digest) = self.pcr_digest(pcrs, alg);
        let (parent_name_alg, parent_name, parent_qualified_name) = match origin {
            Origin::Hierarchy(handle) => (None, name::of_handle(*handle), name::of_handle(*handle)),
            Origin::Parent(parent) => (parent.public.name_alg, parent.name, parent.qualified_name),
        };
        let data = TpmsCreationData {
            pcr_select,
            pcr_digest: to_2b(pcr_digest.as_bytes())?,
            locality: TpmaLocality(self.locality.attribute()),
            parent_name_alg,
            parent_name,
            parent_qualified_name,
            outside_info,
        };
        let mut buffer = [0; MAX_CREATION_DATA];
        let bytes = data.to_bytes(&mut buffer).map_err(|Overflow| Rc::SIZE.at(Subject::Parameter(4)))?;
        let hash = to_2b(P::Crypto::hash(alg, &[bytes]).as_bytes())?;
        Ok((data, hash))
    }
}

/// The Qualified Name of a primary object.
pub(crate) fn primary_qualified_name<C: Crypto>(hierarchy: Handle, alg: Option<HashAlg>, name: &Name) -> Name {
    name::qualified::<C>(&name::of_handle(hierarchy), alg, name)
}

fn to_2b(bytes: &[u8]) -> Result<Tpm2bDigest, Rc> {
    Tpm2bDigest::new(bytes).map_err(|Overflow| Rc::FAILURE)
}
