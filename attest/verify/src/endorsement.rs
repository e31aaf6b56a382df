// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signed endorsements of launch measurements, by an issuer that the verifier's owner names: as a `did:x509`, or Google's by its root.

mod google;

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_evidence::uvm::{DidX509, Endorsement};

use crate::error::Hex;
use crate::x509::{Certificate, Path};
use crate::{Claim, Error, UnixTime, Vendor, Verified, cose};

pub use google::{GOOGLE_SVSM, GOOGLE_UEFI, verify_google};

/// What a verified endorsement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchEndorsement {
    /// What kind of thing is endorsed.
    pub feed: String,
    /// The guest's security version.
    pub guest_svn: u64,
    /// The launch measurement, hexadecimal.
    pub launch_measurement: String,
}

impl LaunchEndorsement {
    /// Says whether this is the launch that it endorses.
    pub fn is_about(&self, measurement: &[u8; 48]) -> bool {
        self.launch_measurement.eq_ignore_ascii_case(&Hex(measurement).to_string())
    }
}

/// Verifies an endorsement by whoever it says issued it, as of the moment `at`: a `did:x509` names its authority by digest, so that
/// nobody else can issue in that name. Whose endorsements count is for a policy to say, which finds the issuer in the root.
pub fn verify_named(endorsement: &Endorsement<'_>, at: UnixTime) -> Result<Verified<LaunchEndorsement, Vendor>, Error> {
    verify(endorsement, endorsement.issuer, at)
}

/// Verifies an endorsement by the issuer `trusted`, as of the moment `at`.
pub fn verify(
    endorsement: &Endorsement<'_>,
    trusted: &str,
    at: UnixTime,
) -> Result<Verified<LaunchEndorsement, Vendor>, Error> {
    if endorsement.issuer != trusted {
        return Err(Error::mismatch(Claim::Issuer, trusted, endorsement.issuer));
    }
    let did = DidX509::parse(trusted)?;
    let chain: Vec<Certificate> =
        endorsement.envelope.x5chain()?.into_iter().map(Certificate::from_der).collect::<Result<_, _>>()?;
    let missing = || Error::MissingIssuer { of: "launch endorsement".to_owned(), issuer: trusted.to_owned() };
    let (leaf, authorities) = chain.split_first().ok_or_else(missing)?;
    // The issuer names one authority by its digest: that certificate is the root of this chain, and no other.
    let root = authorities
        .iter()
        .find(|authority| RustCrypto::hash(HashAlg::Sha256, &[authority.der()]).as_bytes() == did.ca_sha256)
        .ok_or_else(missing)?;
    let path = Path::find(leaf, authorities, [root])?;
    path.check_validity(at)?;
    check_usage(leaf, &did.eku)?;
    cose::check("launch endorsement", &endorsement.envelope, &leaf.public_key()?, leaf.common_name())?;

    let claims = LaunchEndorsement {
        feed: endorsement.feed.to_owned(),
        guest_svn: endorsement.guest_svn,
        launch_measurement: endorsement.launch_measurement.clone(),
    };
    Ok(Verified::new(claims, Vendor::Named { name: trusted.to_owned() }))
}

fn check_usage(leaf: &Certificate, expected: &str) -> Result<(), Error> {
    let usages = leaf.extended_key_usage()?.unwrap_or_default();
    if usages.iter().any(|usage| usage.to_string() == expected) {
        return Ok(());
    }
    let actual: Vec<String> = usages.iter().map(ToString::to_string).collect();
    Err(Error::mismatch(Claim::KeyUsage, expected, actual.join(", ")))
}
