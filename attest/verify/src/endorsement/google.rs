// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Google's endorsements of the firmware that Compute Engine launches (google/gce-tcb-verifier): one for all its measurements, signed below
//! a root that Google publishes, and that the operator names.

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_evidence::go_tpm_tools;

use super::LaunchEndorsement;
use crate::error::Hex;
use crate::x509::{Certificate, Path, Scheme};
use crate::{Claim, Error, UnixTime, Vendor, Verified};

/// The feed of launches with Google's firmware alone.
pub const GOOGLE_UEFI: &str = "gce-uefi";
/// The feed of launches with an SVSM.
pub const GOOGLE_SVSM: &str = "gce-svsm";

/// Verifies an endorsement up to one of the authorities that the caller named, as of the moment `at`, and returns the launches that it
/// endorses; their issuer is `sha256:` and the digest of the authority's certificate.
pub fn verify_google(
    endorsement: &go_tpm_tools::LaunchEndorsement<'_>,
    authorities: &[Certificate],
    at: UnixTime,
) -> Result<Vec<Verified<LaunchEndorsement, Vendor>>, Error> {
    const WHAT: &str = "launch endorsement";
    let signer = Certificate::from_der(endorsement.certificate)?;
    let pool = match endorsement.authorities {
        [] => Vec::new(),
        pem => Certificate::all_from(pem)?,
    };
    let path = Path::find(&signer, &pool, authorities)?;
    path.check_validity(at)?;
    if signer.key_usage()?.is_some_and(|usage| !usage.digital_signature()) {
        return Err(Error::mismatch(Claim::KeyUsage, "digitalSignature", "another usage"));
    }
    // The scheme is part of the format: nothing in it names one.
    let scheme = Scheme::Pss(HashAlg::Sha256);
    if signer.public_key()?.verifies(scheme, endorsement.signed, endorsement.signature) != Some(true) {
        return Err(Error::BadSignature { of: WHAT.to_owned(), by: signer.common_name().to_owned() });
    }

    let missing = || Error::MissingIssuer { of: WHAT.to_owned(), issuer: signer.issuer_common_name() };
    let root = path.root().ok_or_else(missing)?;
    let digest = RustCrypto::hash(HashAlg::Sha256, &[root.der()]);
    let issuer = Vendor::Named { name: format!("sha256:{}", Hex(digest.as_bytes())) };
    let uefi = endorsement.uefi.iter().map(|measurement| (GOOGLE_UEFI, measurement));
    let launches = uefi.chain(endorsement.svsm.iter().map(|measurement| (GOOGLE_SVSM, measurement)));
    let launches = launches.map(|(feed, measurement)| LaunchEndorsement {
        feed: feed.to_owned(),
        guest_svn: endorsement.svn,
        launch_measurement: Hex(measurement).to_string(),
    });
    Ok(launches.map(|launch| Verified::new(launch, issuer.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDORSEMENT: &[u8] = include_bytes!("../../../../testing/vectors/gce-endorsement/endorsement.bin");
    const ROOT: &[u8] = include_bytes!("../../../../testing/vectors/gce-endorsement/root.der");
    /// A day after the certificates begin to be valid.
    const AT: UnixTime = UnixTime(1_796_024_147);

    fn verify(bytes: &[u8], authorities: &[Certificate], at: UnixTime) -> Result<Vec<String>, Error> {
        let endorsement = go_tpm_tools::LaunchEndorsement::parse(bytes)?;
        let launches = verify_google(&endorsement, authorities, at)?;
        Ok(launches.iter().map(|one| format!("{} {}", one.feed, &one.launch_measurement[..4])).collect())
    }

    fn root() -> Certificate {
        Certificate::from_der(ROOT).unwrap()
    }

    #[test]
    fn every_launch_of_an_endorsement_is_believed_by_the_digest_of_its_root() {
        assert_eq!(verify(ENDORSEMENT, &[root()], AT).unwrap(), ["gce-uefi 2222", "gce-uefi 4444", "gce-svsm 5555"]);
        let parsed = go_tpm_tools::LaunchEndorsement::parse(ENDORSEMENT).unwrap();
        let launches = verify_google(&parsed, &[root()], AT).unwrap();
        let digest = RustCrypto::hash(HashAlg::Sha256, &[ROOT]);
        assert_eq!(*launches[0].root(), Vendor::Named { name: format!("sha256:{}", Hex(digest.as_bytes())) });
        assert_eq!(launches[0].guest_svn, 5);
        assert!(launches[2].is_about(&[0x55; 48]));
    }

    #[test]
    fn another_root_no_root_and_another_time_are_refused() {
        let amd = Certificate::all_from(evtpm_roots::AMD[0].ark_pem.as_bytes()).unwrap();
        assert!(matches!(verify(ENDORSEMENT, &[], AT), Err(Error::MissingIssuer { .. })));
        assert!(matches!(verify(ENDORSEMENT, &amd, AT), Err(Error::MissingIssuer { .. })));
        assert!(matches!(verify(ENDORSEMENT, &[root()], UnixTime(0)), Err(Error::NotYetValid { .. })));
        assert!(matches!(verify(ENDORSEMENT, &[root()], UnixTime(4_000_000_000)), Err(Error::Expired { .. })));
    }

    #[test]
    fn no_endorsement_survives_a_flipped_bit() {
        let authorities = [root()];
        for bit in (0..ENDORSEMENT.len() * 8).step_by(11) {
            let mut changed = ENDORSEMENT.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&changed, &authorities, AT).is_err(), "bit {bit}");
        }
    }
}
