// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Host key documents of IBM Secure Execution (IBM, *Introducing IBM Secure Execution for Linux*, "Verifying the host key
//! document"): a machine's key, signed by IBM's signing key, which a public authority certified.
//!
//! A measurement of Secure Execution itself is an HMAC by a key that only the maker of the request has: nobody else can verify
//! one, and the root of the belief in it is that key.

use evtpm_crypto::{Crypto, EccCurve, EccPoint, HashAlg, RustCrypto, constant_time_eq};
use evtpm_evidence::s390::{Exchange, ImageHeader};

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

/// What a verified measurement says: an image with these digests runs, on a machine that could open the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeClaims {
    /// The tag of the image's header, which stands for the whole image.
    pub image_tag: [u8; 16],
    /// The identifier of the guest's configuration, new at each start.
    pub config_uid: Vec<u8>,
    /// What the guest had put in.
    pub user_data: Vec<u8>,
    /// What the machine added: digests of host keys and of its state, as the request asked for them.
    pub additional: Vec<u8>,
}

/// Verifies a measurement of the image with this header, by the measurement key and the nonce of the request that it answers.
///
/// The key and the nonce lie encrypted in the request; only its maker has them. `name` is what he is called.
pub fn verify_measurement(
    exchange: &Exchange<'_>,
    image: &ImageHeader<'_>,
    key: &[u8; 64],
    nonce: Option<&[u8; 16]>,
    name: &str,
) -> Result<Verified<SeClaims, Vendor>, Error> {
    let missing = |what| Error::Evidence(evtpm_evidence::Error::Missing { what });
    let measurement = exchange.measurement.ok_or_else(|| missing("measurement"))?;
    let config_uid = exchange.config_uid.ok_or_else(|| missing("configuration identifier"))?;
    let user_data = exchange.user_data.unwrap_or_default();
    let additional = exchange.additional.unwrap_or_default();
    let malformed = |what| Error::Malformed { what, detail: "too long".to_owned() };
    let user_length = u16::try_from(user_data.len()).map_err(|_| malformed("user data"))?;
    let additional_length = u32::try_from(additional.len()).map_err(|_| malformed("additional data"))?;
    // s390-tools, "attestation measurement": numbers are big-endian, and two zero bytes stand behind the first.
    let parts: [&[u8]; 11] = [
        image.page_list_digest,
        image.address_list_digest,
        image.tweak_list_digest,
        image.tag,
        config_uid,
        &user_length.to_be_bytes(),
        &[0; 2],
        &additional_length.to_be_bytes(),
        user_data,
        nonce.map_or(&[], |nonce| nonce.as_slice()),
        additional,
    ];
    let expected = RustCrypto::hmac(HashAlg::Sha512, key, &parts);
    if !constant_time_eq(expected.as_bytes(), measurement) {
        return Err(Error::BadSignature { of: "measurement".to_owned(), by: name.to_owned() });
    }
    let claims = SeClaims {
        image_tag: *image.tag,
        config_uid: config_uid.to_vec(),
        user_data: user_data.to_vec(),
        additional: additional.to_vec(),
    };
    Ok(Verified::new(claims, Vendor::Named { name: name.to_owned() }))
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const KEY: [u8; 64] = [0x4d; 64];

    /// A measurement with everything that its HMAC covers.
    #[derive(Clone)]
    pub(crate) struct Measured {
        pub(crate) header: Vec<u8>,
        pub(crate) measurement: Vec<u8>,
        pub(crate) additional: Vec<u8>,
        pub(crate) user_data: Vec<u8>,
        pub(crate) config_uid: Vec<u8>,
        pub(crate) nonce: [u8; 16],
    }

    impl Measured {
        pub(crate) fn new() -> Self {
            let digests = [[1_u8; 64], [2; 64], [3; 64]].concat();
            let nonce = [0x0e; 16];
            let message =
                [&digests, [4; 16].as_slice(), &[5; 16], &[0, 3, 0, 0, 0, 0, 0, 2], b"abc", &nonce, b"xy"].concat();
            let mut header = vec![0; 224];
            header[..16].copy_from_slice(b"IBMSecEx\0\0\x01\0\0\0\x01\xb0");
            Self {
                header: [header, digests, vec![4; 16]].concat(),
                measurement: RustCrypto::hmac(HashAlg::Sha512, &KEY, &[&message]).as_bytes().to_vec(),
                additional: b"xy".to_vec(),
                user_data: b"abc".to_vec(),
                config_uid: vec![5; 16],
                nonce,
            }
        }

        pub(crate) fn verify(&self) -> Result<SeClaims, Error> {
            self.verify_with(Some(&self.measurement), Some(&self.nonce))
        }

        fn verify_with(&self, measurement: Option<&[u8]>, nonce: Option<&[u8; 16]>) -> Result<SeClaims, Error> {
            let exchange = Exchange {
                request: &[],
                measurement,
                additional: Some(&self.additional),
                user_data: Some(&self.user_data),
                config_uid: Some(&self.config_uid),
            };
            let image = ImageHeader::parse(&self.header)?;
            verify_measurement(&exchange, &image, &KEY, nonce, "owner").map(|verified| verified.into_parts().0)
        }
    }

    #[test]
    fn a_measurement_is_an_hmac_over_image_guest_and_request() {
        let good = Measured::new();
        let claims = good.verify().unwrap();
        assert_eq!((claims.image_tag, claims.user_data.as_slice()), ([4; 16], b"abc".as_slice()));
        for bad in [
            Measured { user_data: b"abd".to_vec(), ..good.clone() },
            Measured { additional: b"xz".to_vec(), ..good.clone() },
            Measured { config_uid: vec![6; 16], ..good.clone() },
            Measured { measurement: vec![0; 64], ..good.clone() },
            Measured { nonce: [0; 16], ..good.clone() },
        ] {
            assert!(matches!(bad.verify(), Err(Error::BadSignature { .. })));
        }
        assert!(good.verify_with(Some(&good.measurement), None).is_err());
        assert!(good.verify_with(None, Some(&good.nonce)).is_err());
    }
}
