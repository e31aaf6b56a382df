// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NV indices (Part 1, "NV Memory"), in memory only: nothing of an ephemeral TPM survives it.

use super::{Auth, Certificate, CertificateProgress};
use crate::host::Ek;
use crate::memory::{Blob, OutOfMemory, Slots, size_of_place};
use crate::snapshot::{Archive, Invalid};
use evtpm_tpm_wire::{
    Handle, HashAlg, NvType, Overflow, Rc, Reader, Supported, Tpm2bDigest, TpmaNv, TpmiRhNvDefinedIndex,
    TpmiRhNvExpIndex, TpmiRhNvLegacyIndex, TpmsNvPinCounterParameters, TpmsNvPublic, TpmsNvPublicExpAttr,
    TpmtNvPublic2, Writer,
};

/// `MAX_ORDERLY_COUNT`, which `TPM_PT_ORDERLY_COUNT` tells.
pub(crate) const MAX_ORDERLY_COUNT: u32 = 0xFF;
/// The value of data that was never written.
const ERASED: u8 = 0xFF;

/// One NV index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NvIndex {
    /// The public area.
    pub public: NvPublic,
    /// The authValue.
    pub auth: Auth,
    /// The data, as long as the public area says.
    pub data: Blob,
    /// Present on an index whose content the host provides.
    pub certificate: Option<Certificate>,
}

impl NvIndex {
    /// Makes an index that was never written.
    pub(crate) fn new(public: NvPublic, auth: Auth) -> Result<Self, OutOfMemory> {
        let data = Blob::filled(usize::from(public.data_size), ERASED)?;
        Ok(Self { public, auth, data, certificate: None })
    }

    /// Tells the index's handle.
    pub(crate) fn handle(&self) -> Handle {
        self.public.nv_index.into()
    }

    /// Tells whether any of the attributes is set.
    pub(crate) const fn has(&self, attribute: TpmaNv) -> bool {
        self.public.attributes.intersects(attribute)
    }

    /// Sets or clears attributes.
    pub(crate) fn assign(&mut self, attributes: TpmaNv, set: bool) {
        self.public.attributes = self.public.attributes.assign(attributes, set);
    }

    /// Tells the type; only indices of a known type are ever defined.
    pub(crate) const fn kind(&self) -> Option<NvType> {
        self.public.attributes.nv_type()
    }

    /// Reads the number of a counter or a bit field, if it was ever written.
    pub(crate) fn word(&self) -> Option<u64> {
        let word = self.data.as_slice().first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        word.filter(|_| self.has(TpmaNv::WRITTEN))
    }

    /// Tells whether the index's authValue is a PIN whose uses or failures are counted.
    pub(crate) const fn is_pin(&self) -> bool {
        matches!(self.kind(), Some(NvType::PinPass | NvType::PinFail))
    }

    /// Reads what a PIN index counts, if it was ever written.
    pub(crate) fn pin(&self) -> Option<TpmsNvPinCounterParameters> {
        let [a, b, c, d, limit @ ..] = self.word().filter(|_| self.is_pin())?.to_be_bytes();
        let (pin_count, pin_limit) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes(limit));
        Some(TpmsNvPinCounterParameters { pin_count, pin_limit })
    }

    /// Writes data at an offset, and with the first write also what it leaves out: zeros in a PIN index, else ones.
    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) -> Result<(), OutOfMemory> {
        self.data.write(offset, data)?;
        if !self.has(TpmaNv::WRITTEN) {
            self.data.fill(if self.is_pin() { 0 } else { ERASED });
            self.data.write(offset, data)?;
            self.assign(TpmaNv::WRITTEN, true);
        }
        Ok(())
    }
}

/// The public area of an index of either kind; an external one has none of the attributes that only it could have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NvPublic {
    /// The index.
    pub nv_index: TpmiRhNvDefinedIndex,
    /// The hash of the Name, of the policy and of an extend.
    pub name_alg: HashAlg,
    /// The attributes.
    pub attributes: TpmaNv,
    /// The policy, or nothing.
    pub auth_policy: Tpm2bDigest,
    /// The size of the data.
    pub data_size: u16,
}

impl NvPublic {
    /// Tells the public area of an index that is not external.
    pub(crate) fn legacy(&self) -> Option<TpmsNvPublic> {
        let &Self { nv_index, name_alg, attributes, auth_policy, data_size } = self;
        let nv_index = TpmiRhNvLegacyIndex::new(nv_index.handle(), &Supported::ALL)?;
        Some(TpmsNvPublic { nv_index, name_alg, attributes, auth_policy, data_size })
    }

    /// Accepts the public area of an index of either kind, unless it has an attribute that only external indices have: there
    /// is one memory for all, in which none can be protected in another way than the others.
    pub(crate) fn from_wire(public: TpmtNvPublic2) -> Option<Self> {
        match public {
            TpmtNvPublic2::NvIndex(public) => Some(public.into()),
            TpmtNvPublic2::ExternalNv(public) => {
                let TpmsNvPublicExpAttr { nv_index, name_alg, attributes, auth_policy, data_size } = public;
                let attributes = attributes.legacy()?;
                Some(Self { nv_index: nv_index.into(), name_alg, attributes, auth_policy, data_size })
            }
        }
    }

    /// Tells the public area of an index of either kind.
    pub(crate) fn to_wire(&self) -> Option<TpmtNvPublic2> {
        if let Some(legacy) = self.legacy() {
            return Some(TpmtNvPublic2::NvIndex(legacy));
        }
        let &Self { nv_index, name_alg, attributes, auth_policy, data_size } = self;
        let nv_index = TpmiRhNvExpIndex::new(nv_index.handle(), &Supported::ALL)?;
        let attributes = attributes.into();
        Some(TpmtNvPublic2::ExternalNv(TpmsNvPublicExpAttr { nv_index, name_alg, attributes, auth_policy, data_size }))
    }
}

impl From<TpmsNvPublic> for NvPublic {
    fn from(public: TpmsNvPublic) -> Self {
        let TpmsNvPublic { nv_index, name_alg, attributes, auth_policy, data_size } = public;
        Self { nv_index: nv_index.into(), name_alg, attributes, auth_policy, data_size }
    }
}

/// All NV indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NvStore {
    indices: Slots<NvIndex, { size_of_place::<NvIndex>() }>,
    /// Bytes of data that may be defined altogether.
    capacity: usize,
    /// The largest value that a deleted counter had: "the count of a new counter starts above every earlier one".
    max_count: u64,
}

impl NvStore {
    /// Reserves places for `indices` indices with `capacity` bytes of data altogether.
    pub(crate) fn reserve(indices: usize, capacity: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { indices: Slots::reserve(indices)?, capacity, max_count: 0 })
    }

    /// Passes every index.
    pub(super) fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { indices, capacity: _, max_count } = self;
        archive.pass(max_count)?;
        indices.pass(archive, |archive, index| {
            let mut made = archive.pass_with(index.as_deref(), write_head, read_head)?;
            if let Some(index) = made.as_mut().or(index) {
                archive.octets(index.data.as_mut_slice())?;
            }
            Ok(made)
        })
    }

    /// Checks that no handle is twice there, and that the data fit.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let used = self.iter().fold(0usize, |sum, index| sum.saturating_add(index.data.len()));
        if used > self.capacity {
            return Err(Invalid::NoRoom);
        }
        let is_twin = |index: &NvIndex| self.iter().filter(|other| other.handle() == index.handle()).count() > 1;
        if self.iter().any(|index| index.kind().is_none() || is_twin(index)) { Err(Invalid::Value) } else { Ok(()) }
    }

    /// Finds an index, whether its hierarchy is enabled or not.
    pub(crate) fn index(&self, handle: Handle) -> Option<&NvIndex> {
        self.iter().find(|index| index.handle() == handle)
    }

    /// Finds an index to change it.
    pub(crate) fn index_mut(&mut self, handle: Handle) -> Option<&mut NvIndex> {
        self.indices.values_mut().find(|index| index.handle() == handle)
    }

    /// Walks over all indices, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &NvIndex> {
        self.indices.iter().map(|(_, index)| index)
    }

    /// Walks over all indices to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut NvIndex> {
        self.indices.values_mut()
    }

    /// Finds the lowest handle that is not below `from`.
    pub(crate) fn next_handle(&self, from: Handle) -> Option<Handle> {
        self.iter().map(NvIndex::handle).filter(|handle| *handle >= from).min()
    }

    /// Counts the indices.
    pub(crate) fn count(&self) -> usize {
        self.indices.used()
    }

    /// Counts the indices that are counters.
    pub(crate) fn counters(&self) -> usize {
        self.iter().filter(|index| index.public.attributes.nv_type() == Some(NvType::Counter)).count()
    }

    /// Counts how many more indices there is a place for.
    pub(crate) fn free_places(&self) -> usize {
        self.indices.capacity().saturating_sub(self.indices.used())
    }

    /// Counts the bytes of data that may still be defined.
    pub(crate) fn free_bytes(&self) -> usize {
        let used = self.iter().fold(0usize, |sum, index| sum.saturating_add(index.data.len()));
        self.capacity.saturating_sub(used)
    }

    /// Keeps a new index; the caller has checked that its handle is free.
    pub(crate) fn define(&mut self, index: NvIndex) -> Result<(), OutOfMemory> {
        if index.data.len() > self.free_bytes() {
            return Err(OutOfMemory);
        }
        self.indices.insert(index).map(|_| ())
    }

    /// Deletes an index, and remembers how far a counter had counted.
    pub(crate) fn undefine(&mut self, handle: Handle) {
        let Some((number, index)) = self.indices.iter().find(|(_, index)| index.handle() == handle) else { return };
        if index.kind() == Some(NvType::Counter) {
            self.max_count = self.max_count.max(index.word().unwrap_or(0));
        }
        self.indices.clear(number);
    }

    /// Deletes every index whose PLATFORMCREATE is clear, as `TPM2_Clear` does.
    pub(crate) fn clear_owner(&mut self) {
        loop {
            let owners = self.iter().find(|index| !index.has(TpmaNv::PLATFORMCREATE)).map(NvIndex::handle);
            let Some(handle) = owners else { break };
            self.undefine(handle);
        }
    }

    /// Makes every EK certificate unread and unwritten again: the keys are others now.
    pub(crate) fn forget_certificates(&mut self) {
        for index in self.indices.values_mut() {
            if let Some(certificate) = &mut index.certificate {
                certificate.progress = CertificateProgress::Wanted;
                index.data.fill(ERASED);
            }
        }
    }

    /// Tells the value from which a new counter starts: the largest that any counter, deleted or not, has had.
    pub(crate) fn max_count(&self) -> u64 {
        let counters = self.iter().filter(|index| index.kind() == Some(NvType::Counter));
        counters.filter_map(NvIndex::word).fold(self.max_count, u64::max)
    }

    /// Does what a TPM Reset without orderly shutdown does to counters whose count need not have been saved: "the TPM shall OR
    /// MAX_ORDERLY_COUNT to the contents of the non-volatile counter and set that as the current count".
    pub(crate) fn lose_orderly_counts(&mut self) {
        let orderly = self.indices.values_mut().filter(|index| index.has(TpmaNv::ORDERLY));
        for index in orderly.filter(|index| index.kind() == Some(NvType::Counter)) {
            let Some(count) = index.word() else { continue };
            // Cannot fail: the data of a counter has eight octets.
            let _ = index.write(0, &(count | u64::from(MAX_ORDERLY_COUNT)).to_be_bytes());
        }
    }

    /// Does what `TPM2_Startup` does to attributes, on TPM Reset and TPM Restart.
    pub(crate) fn startup_clear(&mut self, reset: bool) {
        for index in self.indices.values_mut() {
            let attributes = index.public.attributes;
            if attributes.contains(TpmaNv::READ_STCLEAR) {
                index.assign(TpmaNv::READLOCKED, false);
            }
            let is_counter = attributes.nv_type() == Some(NvType::Counter);
            let forgets = attributes.contains(TpmaNv::CLEAR_STCLEAR)
                || reset && attributes.contains(TpmaNv::ORDERLY) && !is_counter;
            if forgets {
                index.assign(TpmaNv::WRITTEN, false);
            }
            // "For each NV Index with TPMA_NV_WRITEDEFINE CLEAR or TPMA_NV_WRITTEN CLEAR, TPMA_NV_WRITELOCKED shall be CLEAR"
            if !index.public.attributes.contains(TpmaNv::WRITEDEFINE | TpmaNv::WRITTEN) {
                index.assign(TpmaNv::WRITELOCKED, false);
            }
        }
    }
}

fn write_head(index: &NvIndex, writer: &mut Writer<'_>) -> Result<(), Overflow> {
    let NvIndex { public, auth, data: _, certificate } = index;
    writer.write(&public.to_wire().ok_or(Overflow)?)?;
    writer.write(auth)?;
    let (ek, progress) = certificate.map_or((0u8, 0u8), |Certificate { ek, progress }| {
        let ek = match ek {
            Ek::EccP256 => 1,
            Ek::EccP384 => 2,
            Ek::Rsa2048 => 3,
        };
        let progress = match progress {
            CertificateProgress::Wanted => 0,
            CertificateProgress::Declined => 1,
            CertificateProgress::Present => 2,
        };
        (ek, progress)
    });
    writer.write(&ek)?;
    writer.write(&progress)
}

fn read_head(reader: &mut Reader<'_>) -> Result<NvIndex, Rc> {
    let public = NvPublic::from_wire(reader.read()?).ok_or(Rc::ATTRIBUTES)?;
    let auth = reader.read()?;
    let (ek, progress) = (reader.read::<u8>()?, reader.read::<u8>()?);
    let progress = match progress {
        0 => CertificateProgress::Wanted,
        1 => CertificateProgress::Declined,
        2 => CertificateProgress::Present,
        _ => return Err(Rc::VALUE),
    };
    let certificate = match ek {
        0 => None,
        1 => Some(Certificate { ek: Ek::EccP256, progress }),
        2 => Some(Certificate { ek: Ek::EccP384, progress }),
        3 => Some(Certificate { ek: Ek::Rsa2048, progress }),
        _ => return Err(Rc::VALUE),
    };
    let index = NvIndex::new(public, auth).map_err(|_| Rc::MEMORY)?;
    Ok(NvIndex { certificate, ..index })
}
