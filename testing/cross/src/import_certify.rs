// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Import and certify against our own TPM: an attestation key is believed as it is certified with a key that only its TPM could import.

use evtpm_client::{Auth, ClientError};
use evtpm_crypto::{Crypto, HashAlg as Hash, RustCrypto};
use evtpm_protocol::templates::attestation_key;
use evtpm_sp_sim::Product;
use evtpm_testing_support::{Noise, TestPlatform, boot, boot_on, chip, client};
use evtpm_tpm_wire::commands::{Hmac, HmacHandles};
use evtpm_tpm_wire::{
    HashAlg, Marshal, Supported, Tpm2bMaxBuffer, TpmaObject, TpmiDhObject, TpmiRhHierarchy, TpmtHa, TpmtPublic,
    TpmtSignature, from_bytes,
};
use evtpm_verify::evtpm::{Binding, BoundEk, bind};
use evtpm_verify::tpm::{AkOrigin, Certifier, CertifyEvidence, Error, HmacKey, KeyToImport, TrustedAk};

use crate::verifier::{Attester, LATER, NOW, tpm2b, verify};

const PRODUCT: Product = Product::Milan;

/// What an attester answers.
#[derive(Clone)]
struct Answer {
    message: Vec<u8>,
    signature: Vec<u8>,
    public: Vec<u8>,
}

impl Answer {
    fn evidence(&self) -> CertifyEvidence<'_> {
        CertifyEvidence { message: &self.message, signature: &self.signature, public: &self.public }
    }

    fn prove(&self, certifier: Certifier) -> Result<TrustedAk, Error> {
        certifier.prove(self.evidence(), NOW)
    }
}

fn bound(attester: &mut Attester<'_>) -> BoundEk {
    let report = verify(&attester.report(), &mut chip(PRODUCT), PRODUCT).unwrap();
    bind(report, Binding::NvReport { ek: &tpm2b(&attester.ek.public) }, NOW).unwrap()
}

/// Imports the key and certifies the attester's own with it, as `gotpm register solve-challenge` does.
fn answer(attester: &mut Attester<'_>, key: &KeyToImport, qualifying_data: &[u8]) -> Result<Answer, ClientError> {
    let public: TpmtPublic = from_bytes(&key.public, &Supported::ALL).unwrap();
    let Attester { tpm, ek, ak } = attester;
    let imported = tpm.import_below_endorsement_key(ek, &[], &public, &key.duplicate, &key.secret)?;
    let certificate = tpm.certify(ak, &imported, qualifying_data)?;
    tpm.flush(imported.handle)?;
    let signature = certificate.signature.to_bytes(&mut [0; 128]).unwrap().to_vec();
    Ok(Answer { message: certificate.attest.as_bytes().to_vec(), signature, public: tpm2b(&ak.public) })
}

/// Signs as somebody who knows the HMAC key does.
fn forge(key: &HmacKey, message: &[u8]) -> Vec<u8> {
    let digest = RustCrypto::hash(Hash::Sha256, &[message]);
    let mac = RustCrypto::hmac(Hash::Sha256, key.as_bytes(), &[digest.as_bytes()]);
    let signature = TpmtSignature::Hmac(TpmtHa::new(HashAlg::Sha256, mac.as_bytes()).unwrap());
    signature.to_bytes(&mut [0; 128]).unwrap().to_vec()
}

#[test]
fn a_key_that_its_tpm_certifies_with_the_imported_key_is_believed() {
    let mut machine = boot(chip(PRODUCT));
    let mut attester = Attester::start(client(&mut machine));
    let (key, certifier) = Certifier::make(bound(&mut attester), &mut Noise::Good(7), LATER).unwrap();
    let answer = answer(&mut attester, &key, &[]).unwrap();
    let trusted = answer.prove(certifier).unwrap();
    assert_eq!(trusted.name(), attester.ak.name.as_bytes());
    assert!(matches!(trusted.origin(), AkOrigin::Activated(_)));
}

#[test]
fn the_tpm_of_another_endorsement_key_cannot_import_it() {
    let mut machine = boot(chip(PRODUCT));
    let mut attester = Attester::start(client(&mut machine));
    let (key, _) = Certifier::make(bound(&mut attester), &mut Noise::Good(7), LATER).unwrap();
    let mut software = boot_on(chip(PRODUCT), TestPlatform::new(Noise::Good(2)));
    let mut attacker = Attester::start(client(&mut software));
    assert!(matches!(answer(&mut attacker, &key, &[]), Err(ClientError::Refused { .. })));
    assert!(answer(&mut attester, &key, &[]).is_ok());
}

#[test]
fn every_wrong_piece_is_refused() {
    let mut machine = boot(chip(PRODUCT));
    let mut attester = Attester::start(client(&mut machine));
    let ek = bound(&mut attester);
    let (key, secret) = KeyToImport::make(ek.ek(), &mut Noise::Good(7)).unwrap();
    let good = answer(&mut attester, &key, &[]).unwrap();
    let certifier = || Certifier::kept(ek.clone(), secret.clone());
    good.prove(certifier()).unwrap();

    let (_, other) = KeyToImport::make(ek.ek(), &mut Noise::Good(8)).unwrap();
    assert!(matches!(good.prove(Certifier::kept(ek.clone(), other)), Err(Error::Certifier(_))));
    for bit in 0..good.message.len() * 8 {
        let mut changed = good.clone();
        changed.message[bit / 8] ^= 1 << (bit % 8);
        assert!(changed.prove(certifier()).is_err(), "bit {bit} of the certificate");
    }
    for bit in 0..good.signature.len() * 8 {
        let mut changed = good.clone();
        changed.signature[bit / 8] ^= 1 << (bit % 8);
        assert!(changed.prove(certifier()).is_err(), "bit {bit} of the HMAC");
    }
    // The attester signs with its own key instead of the imported one.
    let own = attester.tpm.certify(&attester.ak.clone(), &attester.ak.clone(), &[]).unwrap();
    let signature = own.signature.to_bytes(&mut [0; 128]).unwrap().to_vec();
    let own = Answer { message: own.attest.as_bytes().to_vec(), signature, public: good.public.clone() };
    assert!(matches!(own.prove(certifier()), Err(Error::Certifier(_))));
    let asked = answer(&mut attester, &key, b"something").unwrap();
    assert!(matches!(asked.prove(certifier()), Err(Error::Nonce)));
    let (late, expired) = Certifier::make(ek.clone(), &mut Noise::Good(9), LATER).unwrap();
    let late = answer(&mut attester, &late, &[]).unwrap().clone();
    assert!(matches!(expired.prove(late.evidence(), LATER), Err(Error::NonceExpired { .. })));
}

#[test]
fn a_certificate_of_another_key_or_kind_vouches_for_nothing() {
    let mut machine = boot(chip(PRODUCT));
    let mut attester = Attester::start(client(&mut machine));
    let ek = bound(&mut attester);
    let (key, secret) = KeyToImport::make(ek.ek(), &mut Noise::Good(7)).unwrap();
    let good = answer(&mut attester, &key, &[]).unwrap();
    let certifier = || Certifier::kept(ek.clone(), secret.clone());

    // A key of software beside the certificate of the TPM's.
    let mut software = boot_on(chip(PRODUCT), TestPlatform::new(Noise::Good(2)));
    let other = Attester::start(client(&mut software));
    let swapped = Answer { public: tpm2b(&other.ak.public), ..good.clone() };
    assert!(matches!(swapped.prove(certifier()), Err(Error::CertifiedName { .. })));

    // A quote is no certificate, whoever made its HMAC, and neither is what no TPM made.
    let mut quote = good.message.clone();
    quote[4..6].copy_from_slice(&0x8018_u16.to_be_bytes());
    let quote = Answer { signature: forge(&secret, &quote), message: quote, ..good.clone() };
    assert!(matches!(quote.prove(certifier()), Err(Error::AttestationType { .. })));
    let mut made_up = good.message.clone();
    made_up[0] ^= 1;
    let made_up = Answer { signature: forge(&secret, &made_up), message: made_up, ..good };
    assert!(matches!(made_up.prove(certifier()), Err(Error::NotGeneratedByTpm { .. })));
}

/// Rule 3: the TPM certifies any key, but one that signs what others wrote is no attestation key.
#[test]
fn a_certified_key_that_is_not_restricted_is_no_attestation_key() {
    let mut machine = boot(chip(PRODUCT));
    let mut attester = Attester::start(client(&mut machine));
    let ek = bound(&mut attester);
    let template = attestation_key();
    let object_attributes = template.object_attributes.without(TpmaObject::RESTRICTED);
    let free = TpmtPublic { object_attributes, ..template };
    attester.tpm.flush(attester.ak.handle).unwrap();
    attester.ak = attester.tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &free).unwrap();
    let (key, certifier) = Certifier::make(ek, &mut Noise::Good(7), LATER).unwrap();
    let answer = answer(&mut attester, &key, &[]).unwrap();
    assert!(matches!(answer.prove(certifier), Err(Error::Key { whose: "AK", .. })));
}

/// The key is restricted and has no policy: its TPM signs nothing with it that others wrote.
#[test]
fn the_imported_key_makes_no_hmac_of_a_made_up_certificate() {
    let mut machine = boot(chip(PRODUCT));
    let mut attester = Attester::start(client(&mut machine));
    let (key, _) = Certifier::make(bound(&mut attester), &mut Noise::Good(7), LATER).unwrap();
    let public: TpmtPublic = from_bytes(&key.public, &Supported::ALL).unwrap();
    let Attester { tpm, ek, .. } = &mut attester;
    let imported = tpm.import_below_endorsement_key(ek, &[], &public, &key.duplicate, &key.secret).unwrap();
    let handle = TpmiDhObject::new(imported.handle, &Supported::ALL).unwrap();
    let command = Hmac { buffer: Tpm2bMaxBuffer::new(b"made up").unwrap(), hash_alg: None };
    let refused = tpm.run(HmacHandles { handle }, &command, &mut [Auth::EMPTY]);
    // Part 3, "TPM2_HMAC": a restricted key is refused with TPM_RC_ATTRIBUTES.
    assert!(matches!(refused, Err(ClientError::Refused { .. })), "{refused:?}");
}
