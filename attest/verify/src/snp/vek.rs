// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a VCEK or VLEK certificate says about its chip or provider (AMD 57230, "VCEK Certificate Format").

use der::{
    Decode,
    asn1::{Ia5StringRef, ObjectIdentifier, OctetStringRef},
};
use evtpm_snp::{Generation, TcbVersion};

use crate::{Error, x509::Certificate};

const PRODUCT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.2");
const BOOT_LOADER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.1");
const TEE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.2");
const SNP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.3");
const SPL4: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.4");
const SPL5: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.5");
const SPL6: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.6");
const SPL7: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.7");
const MICROCODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.8");
const FMC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.9");
const HARDWARE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");
const CSP_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.5");

/// The two kinds of versioned endorsement keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VekKind {
    /// The chip's own key.
    Vcek,
    /// The key that AMD gave to a cloud provider, the same on many chips.
    Vlek,
}

impl VekKind {
    /// Names the kind as AMD does.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vcek => "VCEK",
            Self::Vlek => "VLEK",
        }
    }

    /// Tells from the extensions which kind a certificate claims to be: a VCEK has a chip's id, a VLEK a provider's.
    pub fn of_certificate(certificate: &Certificate) -> Option<Self> {
        match (certificate.extension(HARDWARE_ID), certificate.extension(CSP_ID)) {
            (Some(_), None) => Some(Self::Vcek),
            (None, Some(_)) => Some(Self::Vlek),
            _ => None,
        }
    }
}

/// The extensions of an endorsement key's certificate, read strictly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VekExtensions {
    pub(super) product_name: String,
    pub(super) generation: Generation,
    pub(super) tcb: TcbVersion,
    pub(super) subject: VekSubject,
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VekSubject {
    Chip([u8; 64]),
    Provider(String),
}

impl VekExtensions {
    pub(super) fn read(certificate: &Certificate) -> Result<Self, Error> {
        let extensions = Extensions(certificate);
        let product_name = extensions.text(PRODUCT_NAME)?;
        let line = product_name.split_once('-').map_or(product_name.as_str(), |(line, _stepping)| line);
        let generation = [Generation::Milan, Generation::Genoa, Generation::Turin, Generation::Venice]
            .into_iter()
            .find(|generation| generation.name() == line)
            .ok_or_else(|| extensions.malformed(format!("unknown product \"{product_name}\"")))?;
        let subject = match VekKind::of_certificate(certificate) {
            Some(VekKind::Vcek) => VekSubject::Chip(extensions.hardware_id(generation)?),
            Some(VekKind::Vlek) => VekSubject::Provider(extensions.text(CSP_ID)?),
            None => return Err(extensions.malformed("neither a chip's id nor a provider's, or both".into())),
        };
        let tcb = extensions.tcb(generation)?;
        Ok(Self { product_name, generation, tcb, subject })
    }
}

struct Extensions<'a>(&'a Certificate);

impl Extensions<'_> {
    fn malformed(&self, detail: String) -> Error {
        Error::Malformed { what: "endorsement key certificate", detail: format!("{}: {detail}", self.0.common_name()) }
    }

    fn bytes(&self, oid: ObjectIdentifier) -> Result<&[u8], Error> {
        self.0.extension(oid).ok_or_else(|| self.malformed(format!("no extension {oid}")))
    }

    fn text(&self, oid: ObjectIdentifier) -> Result<String, Error> {
        Ia5StringRef::from_der(self.bytes(oid)?)
            .map(|text| text.as_str().to_owned())
            .map_err(|_| self.malformed(format!("extension {oid} is no IA5String")))
    }

    /// Reads a patch level: a DER INTEGER from 0 to 255, so one with two content bytes from 80h on.
    fn level(&self, oid: ObjectIdentifier) -> Result<u8, Error> {
        u8::from_der(self.bytes(oid)?).map_err(|_| self.malformed(format!("extension {oid} is no patch level")))
    }

    /// Reads a reserved patch level, which may be left out.
    fn reserved_level(&self, oid: ObjectIdentifier) -> Result<u8, Error> {
        if self.0.extension(oid).is_some() { self.level(oid) } else { Ok(0) }
    }

    /// Puts the patch levels where TCB_VERSION has them, reserved ones included.
    fn tcb(&self, generation: Generation) -> Result<TcbVersion, Error> {
        let bytes = if generation.has_fmc() {
            [
                self.level(FMC)?,
                self.level(BOOT_LOADER)?,
                self.level(TEE)?,
                self.level(SNP)?,
                self.reserved_level(SPL5)?,
                self.reserved_level(SPL6)?,
                self.reserved_level(SPL7)?,
                self.level(MICROCODE)?,
            ]
        } else {
            [
                self.level(BOOT_LOADER)?,
                self.level(TEE)?,
                self.reserved_level(SPL4)?,
                self.reserved_level(SPL5)?,
                self.reserved_level(SPL6)?,
                self.reserved_level(SPL7)?,
                self.level(SNP)?,
                self.level(MICROCODE)?,
            ]
        };
        Ok(TcbVersion(u64::from_le_bytes(bytes)))
    }

    /// Reads the chip's id and fills it up as CHIP_ID is.
    ///
    /// It stands in the extension without any DER around it; the form with an OCTET STRING around it, which other
    /// verifiers know too, has another length and cannot be mistaken for it.
    fn hardware_id(&self, generation: Generation) -> Result<[u8; 64], Error> {
        let bytes = self.bytes(HARDWARE_ID)?;
        let size = generation.hardware_id_size();
        let raw = <&OctetStringRef>::from_der(bytes).map_or(bytes, OctetStringRef::as_bytes);
        let bytes = if bytes.len() == size { bytes } else { raw };
        let mut id = [0; 64];
        match id.get_mut(..bytes.len()) {
            Some(start) if bytes.len() == size => start.copy_from_slice(bytes),
            _ => return Err(self.malformed(format!("a chip id of {} bytes", bytes.len()))),
        }
        Ok(id)
    }
}
