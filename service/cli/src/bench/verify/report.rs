// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A report of a simulated chip, with its chain and with an endorsement key that was verified before.

use anyhow::{Context, Result, ensure};
use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode};
use evtpm_agent::attester::Attester;
use evtpm_agent::random::SystemRng;
use evtpm_client::Client;
use evtpm_crypto::padding::pss::Salt;
use evtpm_crypto::rsa::rsa_pss_verify;
use evtpm_crypto::{Crypto, EccCurve, EccPoint, EccSignature, HashAlg, RustCrypto};
use evtpm_snp::Report;
use evtpm_sp_sim::{Authority, Platform, Product, Role};
use evtpm_tpm_wire::TpmSu;
use evtpm_verify::snp::{self, Anchors, Collateral, EndorsementKey};
use evtpm_verify::x509::{Certificate, PublicKey};

use super::{Bar, Row, side_by_side};
use crate::launch::{self, Image};
use crate::verify::moment;
use crate::vm::Vm;

/// A report as it is received, and what it is verified by.
struct Evidence {
    report: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
    anchors: Anchors,
}

pub(super) fn measure(runs: u32) -> Result<Vec<Row>> {
    let evidence = Evidence::make()?;
    let at = moment::now();
    let bare = Bare::of(&evidence)?;
    let (ours, raw) = side_by_side(
        runs,
        || Ok(snp::verify(&evidence.report, &evidence.collateral()?, &evidence.anchors, at)?),
        || bare.chain().and_then(|()| bare.report()),
    )?;
    let full = Row {
        what: "SNP report, full chain, from the files".into(),
        ours,
        raw: Some(raw),
        unit: "µs",
        bar: Bar::Ratio(1.5),
    };
    let collateral = evidence.collateral()?;
    let leaf = evidence.certificates()?.into_iter().find(|certificate| certificate.common_name().ends_with("VCEK"));
    let leaf = leaf.context("no VCEK")?;
    let key = EndorsementKey::verify(&leaf, &collateral, &evidence.anchors, at)?;
    let (ours, raw) =
        side_by_side(runs, || Ok(snp::verify_with(&evidence.report, &key, at)?), || bare.signature_alone())?;
    let cached = Row {
        what: "SNP report, chain verified before".into(),
        ours,
        raw: Some(raw),
        unit: "µs",
        bar: Bar::Ratio(1.2),
    };
    Ok(vec![full, cached])
}

impl Evidence {
    fn make() -> Result<Self> {
        let product = Product::Milan;
        let mut host = launch::host(Platform::new(product, crate::sp::CHIP_SEED))?;
        let files = crate::sp::collateral(product, host.processor())?;
        let executable = crate::sp::this_executable()?;
        let mut client = Client::new(Vm::launch(host, &Image::new(&executable))?, SystemRng);
        client.startup(TpmSu::Clear)?;
        let mut attester = Attester::new(client.into_transport(), SystemRng)?;
        let report = attester.launch_evidence(&[])?.report.to_vec();
        let authority = Authority::new(product);
        let (name, root) = (authority.common_name(Role::Ark), authority.certificate(Role::Ark)?);
        Ok(Self { report, files, anchors: Anchors::none().and_simulated(&name, &root)? })
    }

    fn collateral(&self) -> Result<Collateral> {
        let mut collateral = Collateral::new();
        collateral.add_files(self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))?;
        Ok(collateral)
    }

    fn certificates(&self) -> Result<Vec<Certificate>> {
        let parsed = self.files.iter().map(|(_, bytes)| Certificate::all_from(bytes));
        Ok(parsed.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

/// The signatures of a report and its chain, taken apart: what is left is their arithmetic.
struct Bare {
    chain: Vec<RsaSignature>,
    point: EccPoint,
    signed: Vec<u8>,
    signature: EccSignature,
}

struct RsaSignature {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

/// `Certificate` (RFC 5280, 4.1), in its three parts.
#[derive(der::Sequence)]
struct SignedCertificate<'a> {
    to_be_signed: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

impl Bare {
    fn of(evidence: &Evidence) -> Result<Self> {
        let certificates = evidence.certificates()?;
        let mut chain = Vec::new();
        let mut leaf_key = None;
        for certificate in &certificates {
            let issuers = certificates.iter().chain(evidence.anchors.roots());
            // The root is pinned: that it signed itself is nobody's question.
            let issuer = issuers.into_iter().find(|issuer| certificate.names_issuer(issuer));
            let Some(issuer) = issuer.filter(|_| !certificate.is_self_issued()) else { continue };
            let parts = SignedCertificate::from_der(certificate.der())?;
            if let PublicKey::Ecc(point) = certificate.public_key()? {
                leaf_key = Some(point);
            }
            let PublicKey::Rsa { modulus, exponent } = issuer.public_key()? else { continue };
            let signature = parts.signature.as_bytes().context("a signature of odd bits")?.to_vec();
            chain.push(RsaSignature { modulus, exponent, signed: parts.to_be_signed.to_der()?, signature });
        }
        ensure!(chain.len() == 2, "a chain of {} signatures instead of two", chain.len());
        let report = Report::parse(&evidence.report)?;
        let number = |value: Option<[u8; 48]>| value.context("r or s is too large");
        let (r, s) = (number(report.signature().r_be())?, number(report.signature().s_be())?);
        Ok(Self {
            chain,
            point: leaf_key.context("no VCEK")?,
            signed: report.signed_bytes().to_vec(),
            signature: EccSignature::new(EccCurve::P384, &r, &s)?,
        })
    }

    fn chain(&self) -> Result<()> {
        for RsaSignature { modulus, exponent, signed, signature } in &self.chain {
            let digest = RustCrypto::hash(HashAlg::Sha384, &[signed]);
            rsa_pss_verify(modulus, exponent, HashAlg::Sha384, digest.as_bytes(), Salt::Exactly(48), signature)?;
        }
        Ok(())
    }

    fn report(&self) -> Result<()> {
        self.signature_alone()
    }

    /// One verification with P-384 and the hash of what it is of.
    fn signature_alone(&self) -> Result<()> {
        let digest = RustCrypto::hash(HashAlg::Sha384, &[&self.signed]);
        Ok(RustCrypto::ecdsa_verify(&self.point, digest.as_bytes(), &self.signature)?)
    }
}
