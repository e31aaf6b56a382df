// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation documents of AWS Nitro enclaves, up to the pinned root of AWS.

use evtpm_evidence::nitro::Document;
use evtpm_roots::AWS_NITRO_G1;

use crate::x509::{Certificate, MAX_CERTIFICATES};
use crate::{Error, UnixTime, Vendor, Verified, cose, vendor};

/// What a verified document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NitroClaims {
    /// The issuing hypervisor module.
    pub module_id: String,
    /// When the document was made.
    pub made: UnixTime,
    /// The registers by their numbers.
    pub pcrs: Vec<(u8, Vec<u8>)>,
    /// Tells whether the enclave ran in debug mode.
    pub debug: bool,
    /// A key that the enclave had put in.
    pub public_key: Option<Vec<u8>>,
    /// Data that the enclave had put in.
    pub user_data: Option<Vec<u8>>,
    /// The nonce that the enclave had put in.
    pub nonce: Option<Vec<u8>>,
    /// The first and the last second of the signing key's validity, which lasts three hours.
    pub validity: (UnixTime, UnixTime),
}

/// Verifies a document as of the moment `at`: for one that was recorded, the time at which it was made.
pub fn verify(document: &Document<'_>, at: UnixTime) -> Result<Verified<NitroClaims, Vendor>, Error> {
    let leaf = Certificate::from_der(document.certificate)?;
    if document.cabundle.len() > MAX_CERTIFICATES {
        let detail = format!("more than {MAX_CERTIFICATES} certificates");
        return Err(Error::Malformed { what: "cabundle", detail });
    }
    let pool: Vec<Certificate> =
        document.cabundle.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
    let root = vendor::root(&AWS_NITRO_G1)?;
    vendor::path(&leaf, &pool, &root, at)?;
    cose::check("attestation document", &document.envelope, &leaf.public_key()?, leaf.common_name())?;

    let copy = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let claims = NitroClaims {
        module_id: document.module_id.to_owned(),
        made: made(document),
        pcrs: document.pcrs.iter().map(|(register, value)| (*register, value.to_vec())).collect(),
        debug: document.is_debug(),
        public_key: copy(document.public_key),
        user_data: copy(document.user_data),
        nonce: copy(document.nonce),
        validity: leaf.validity(),
    };
    Ok(Verified::new(claims, Vendor::Aws))
}

/// Returns when a document says that it was made; nothing vouches for it yet.
pub fn made(document: &Document<'_>) -> UnixTime {
    UnixTime(document.timestamp.checked_div(1000).unwrap_or_default())
}
