// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Chains that end in the one pinned root of a vendor.

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_roots::VendorRoot;

use crate::x509::{Certificate, Path};
use crate::{Error, UnixTime};

/// The certificate of a pinned root, whose fingerprint has to be the pinned one.
pub(crate) fn root(pinned: &VendorRoot) -> Result<Certificate, Error> {
    let untrusted = || Error::UntrustedRoot { of: pinned.name.to_owned(), root: pinned.name.to_owned() };
    let certificate = Certificate::all_from(pinned.pem.as_bytes())?.pop().ok_or_else(untrusted)?;
    let fingerprint = RustCrypto::hash(HashAlg::Sha256, &[certificate.der()]);
    if fingerprint.as_bytes() == pinned.sha256 { Ok(certificate) } else { Err(untrusted()) }
}

/// Verifies a leaf up to a pinned root as of the moment `at`, and returns the path's certificates from the leaf on.
pub(crate) fn path<'a>(
    leaf: &'a Certificate,
    pool: &'a [Certificate],
    root: &'a Certificate,
    at: UnixTime,
) -> Result<Path<'a>, Error> {
    let path = Path::find(leaf, pool, [root])?;
    path.check_validity(at)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_root_has_its_fingerprint_and_signs_itself() {
        use evtpm_roots::{AWS_NITRO_G1, INTEL_SGX, NVIDIA_DEVICE, NVIDIA_RIM};
        for pinned in [INTEL_SGX, AWS_NITRO_G1, NVIDIA_DEVICE, NVIDIA_RIM] {
            let root = root(&pinned).unwrap();
            assert_eq!(root.common_name(), pinned.name);
            root.check_signed_by(&root).unwrap();
        }
    }

    #[test]
    fn a_root_with_another_fingerprint_is_not_trusted() {
        let mut pinned = evtpm_roots::INTEL_SGX;
        pinned.sha256[0] ^= 1;
        assert!(matches!(root(&pinned), Err(Error::UntrustedRoot { .. })));
    }
}
