// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every kind of key that our TPM has against the verifier: quotes by attestation keys, and a credential for ML-KEM.

use evtpm_client::{Client, Object};
use evtpm_engine::{Profile, Tpm};
use evtpm_logs::{HashId, PcrSet};
use evtpm_protocol::templates::{attestation_key, pqc};
use evtpm_sp_sim::Product;
use evtpm_sp_simd::Channel;
use evtpm_svsm::GuestChannel;
use evtpm_testing_support::{Direct, Noise, POLICY, TestPlatform, chip, launch, spread};
use evtpm_tpm_wire::{
    EccCurve, HashAlg, Marshal, PcrIndex, PcrSelect, PublicBody, Supported, Tpm2bIdObject, TpmSu, TpmiMldsaParms,
    TpmiMlkemParms, TpmiRhHierarchy, TpmlPcrSelection, TpmsEccParms, TpmsEccPoint, TpmsHashMldsaParms,
    TpmsPcrSelection, TpmtEccScheme, TpmtPublic, from_bytes,
};
use evtpm_verify::evtpm::{Binding, bind};
use evtpm_verify::tpm::{AkOrigin, AkPublic, Credential, Error, Issued, Quote, QuoteEvidence, Selection, TrustedAk};

use crate::verifier::{LATER, NOW, ask, commitment, tpm2b, verify};

const NONCE: &[u8] = b"a nonce of a test";

fn tpm() -> Client<Direct, Noise> {
    let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(185)), Profile::pqc()).unwrap();
    let mut tpm = Client::new(Direct(tpm), Noise::Good(1));
    tpm.startup(TpmSu::Clear).unwrap();
    tpm
}

fn ecc(curve_id: EccCurve, scheme: TpmtEccScheme) -> TpmtPublic {
    let parms = TpmsEccParms { symmetric: None, scheme: Some(scheme), curve_id, kdf: None };
    TpmtPublic { body: PublicBody::Ecc { parms, unique: TpmsEccPoint::default() }, ..attestation_key() }
}

fn hash_mldsa(parameter_set: TpmiMldsaParms, hash_alg: HashAlg) -> TpmtPublic {
    let mut public = pqc::attestation_key(parameter_set);
    if let PublicBody::Mldsa { unique, .. } = public.body {
        public.body = PublicBody::HashMldsa { parms: TpmsHashMldsaParms { parameter_set, hash_alg }, unique };
    }
    public
}

/// A quote of PCR 0 and 7 as an attester sends it.
struct Quoted {
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Quoted {
    fn make(tpm: &mut Client<Direct, Noise>, ak: &Object) -> Self {
        let select = PcrSelect::of(&[PcrIndex::Pcr0, PcrIndex::Pcr7]);
        let pcrs = TpmlPcrSelection::from_slice(&[TpmsPcrSelection { hash: HashAlg::Sha256, select }]).unwrap();
        let quote = tpm.quote(ak, &[], NONCE, &pcrs).unwrap();
        let signature = quote.signature.to_bytes(&mut [0; 8192]).unwrap().to_vec();
        Self { message: quote.attest.as_bytes().to_vec(), signature }
    }

    fn verify(&self, ak: &TrustedAk) -> Result<Quote, Error> {
        let values: [&[u8]; 2] = [&[0; 32]; 2];
        let evidence = QuoteEvidence { message: &self.message, signature: &self.signature, values: &values };
        let asked = Selection::new().with(HashId::SHA256, PcrSet::from_mask(0x81).unwrap()).unwrap();
        ak.verify(evidence, Issued::recorded(NONCE), &asked, NOW)
    }
}

#[test]
fn a_quote_by_every_kind_of_key_is_believed_and_none_with_a_flipped_bit() {
    let templates = [
        ecc(EccCurve::NistP256, TpmtEccScheme::Ecdsa(HashAlg::Sha256)),
        ecc(EccCurve::NistP384, TpmtEccScheme::Ecdsa(HashAlg::Sha384)),
        ecc(EccCurve::NistP521, TpmtEccScheme::Ecdsa(HashAlg::Sha512)),
        ecc(EccCurve::Curve25519, TpmtEccScheme::Eddsa),
        ecc(EccCurve::Curve25519, TpmtEccScheme::HashEddsa),
        pqc::attestation_key(TpmiMldsaParms::MlDsa44),
        pqc::attestation_key(TpmiMldsaParms::MlDsa65),
        pqc::attestation_key(TpmiMldsaParms::MlDsa87),
        hash_mldsa(TpmiMldsaParms::MlDsa65, HashAlg::Sha384),
    ];
    let mut tpm = tpm();
    let mut last: Option<TrustedAk> = None;
    for template in templates {
        let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template).unwrap();
        let name = format!("{:?} {:?}", template.body.kind(), template.body.parms());
        let quoted = Quoted::make(&mut tpm, &ak);
        let trusted = TrustedAk::named(AkPublic::from_tpm2b(&tpm2b(&ak.public)).unwrap());
        assert_eq!(quoted.verify(&trusted).map(|quote| quote.banks().len()), Ok(1), "{name}");
        for bit in spread(quoted.message.len() * 8, 20) {
            let mut message = quoted.message.clone();
            message[bit / 8] ^= 1 << (bit % 8);
            let tampered = Quoted { message, signature: quoted.signature.clone() };
            assert!(tampered.verify(&trusted).is_err(), "{name}: bit {bit} of the message");
        }
        for bit in spread(quoted.signature.len() * 8, 30) {
            let mut signature = quoted.signature.clone();
            signature[bit / 8] ^= 1 << (bit % 8);
            let tampered = Quoted { message: quoted.message.clone(), signature };
            assert!(tampered.verify(&trusted).is_err(), "{name}: bit {bit} of the signature");
        }
        if let Some(other) = last.replace(trusted) {
            assert!(quoted.verify(&other).is_err(), "{name}: by another key");
        }
        tpm.flush(ak.handle).unwrap();
    }
}

#[test]
fn a_key_that_signs_what_others_hashed_is_no_attestation_key() {
    let mut public = pqc::attestation_key(TpmiMldsaParms::MlDsa44);
    let mut tpm = tpm();
    let key = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &public).unwrap();
    public = key.public;
    if let PublicBody::Mldsa { parms, .. } = &mut public.body {
        parms.allow_external_mu = evtpm_tpm_wire::YesNo::Yes;
    }
    let refused = AkPublic::from_tpm2b(&tpm2b(&public)).unwrap_err();
    assert_eq!(refused.to_string(), "the AK is refused: it signs what others hashed");
}

/// A report binds the ML-KEM key, whose TPM opens the verifier's credential for an ML-DSA key.
#[test]
fn an_mlkem_endorsement_key_earns_belief_for_an_mldsa_attestation_key() {
    let mut tpm = tpm();
    for set in [TpmiMlkemParms::MlKem768, TpmiMlkemParms::MlKem1024] {
        let ek = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &pqc::endorsement_key(set)).unwrap();
        let template = pqc::attestation_key(TpmiMldsaParms::MlDsa65);
        let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &template).unwrap();
        let mut host = chip(Product::Genoa);
        let launched = launch(&mut host, POLICY);
        let mut channel = GuestChannel::new(launched.secrets.vmpck[0], 0, 0);
        let mut way = Channel::new(host, launched.guest);
        let report = ask(&mut channel, &mut way, commitment(&ek.public), 0).unwrap();
        let report = verify(&report, way.firmware(), Product::Genoa).unwrap();
        let bound = bind(report, Binding::NvReport { ek: &tpm2b(&ek.public) }, NOW).unwrap();

        let public = AkPublic::from_tpm2b(&tpm2b(&ak.public)).unwrap();
        let (challenge, credential) = Credential::make(bound, public, &mut Noise::Good(99), LATER).unwrap();
        let blob: Tpm2bIdObject = from_bytes(&challenge.credential, &Supported::ALL).unwrap();
        let opened = tpm.activate_credential(&ak, &ek, &[], &blob, &challenge.secret[2..]).unwrap();
        let trusted = credential.prove(opened.as_bytes(), NOW).unwrap();
        assert!(matches!(trusted.origin(), AkOrigin::Activated(_)));
        assert!(Quoted::make(&mut tpm, &ak).verify(&trusted).is_ok());
        tpm.flush(ak.handle).unwrap();
        tpm.flush(ek.handle).unwrap();
    }
}
