// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Host key documents of IBM Secure Execution (IBM, *Introducing IBM Secure Execution for Linux*, "Verifying the host key
//! document"): a machine's key, signed by IBM's signing key, which a public authority certified.
//!
//! A measurement of Secure Execution itself is an HMAC by a key that only the maker of the request has; it is not verified here.

use evtpm_crypto::{EccCurve, EccPoint};

use crate::x509::{Certificate, Crl, Path, PublicKey, Revocation};
use crate::{Error, UnixTime, Vendor, Verified};

/// What a verified host key document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// The machine's key, on P-521.
    pub key: EccPoint,
    /// The serial number of the document.
    pub serial: Vec<u8>,
    /// What is known about revocation, from the document up to the root.
    pub revocation: Revocation,
}

/// Verifies a host key document below IBM's signing key and a root that the caller names, as of the moment `at`.
pub fn verify_host_key(
    document: &Certificate,
    signer: &Certificate,
    pool: &[Certificate],
    root: &Certificate,
    lists: &[Crl],
    at: UnixTime,
) -> Result<Verified<HostKey, Vendor>, Error> {
    let path = Path::find(signer, pool, [root])?;
    path.check_validity(at)?;
    document.check_is_end_entity()?;
    document.check_signed_by(signer)?;
    document.check_validity(at)?;
    let key = match document.public_key()? {
        PublicKey::Ecc(point) if point.curve() == EccCurve::P521 => point,
        _ => return Err(Error::UnsupportedKey { of: document.common_name().to_owned() }),
    };
    let above = path.check_revocation(lists, at)?;
    let own = own_revocation(document, signer, lists, at)?;
    let claims = HostKey { key, serial: document.serial().to_vec(), revocation: above.and(own) };
    Ok(Verified::new(claims, Vendor::Named { name: root.common_name().to_owned() }))
}

/// Looks for the document in the lists of the signing key, whose certificate lacks cRLSign although it signs lists.
fn own_revocation(
    document: &Certificate,
    signer: &Certificate,
    lists: &[Crl],
    at: UnixTime,
) -> Result<Revocation, Error> {
    let mut knowledge = Revocation::Unchecked;
    for list in lists.iter().filter(|list| list.names_issuer(signer)) {
        knowledge = knowledge.or(list.check_of_end_entity(signer, document, at)?);
    }
    Ok(knowledge)
}
