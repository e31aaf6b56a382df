// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm policy add`: reference values of others, manifests of one's own and rules in Rego, into a policy.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use evtpm_appraise::Policy;
use evtpm_appraise::policy::{HardwareRule, ProductName, ReferenceOptions};
use evtpm_evidence::corim::Corim;
use evtpm_evidence::rim::Manifest;
use evtpm_verify::reference::{self, ReferenceValues};
use evtpm_verify::rim;
use evtpm_verify::x509::PublicKey;
use evtpm_verify::{UnixTime, Vendor, Verified};

use crate::verify::{args::read, moment};

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The policy to add to [default: a new one]
    policy: Option<PathBuf>,
    /// Reference values as CoRIM (profiles of SEV-SNP, TDX, Arm CCA and PSA; docs/POLICY.md); may be repeated.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["manifest", "rego", "rim"])]
    corim: Vec<PathBuf>,
    /// The key (PEM, JWK, or a certificate in PEM, whose key alone counts) of whoever signed the CoRIMs.
    #[arg(long, value_name = "FILE", requires = "corim", conflicts_with = "unsigned")]
    key: Option<PathBuf>,
    /// Take CoRIMs that nobody signed on your word.
    #[arg(long, requires = "corim")]
    unsigned: bool,
    /// A product line of AMD that is accepted, and whose firmware a CoRIM's patch levels are of; may be repeated.
    #[arg(long, value_name = "NAME", requires = "corim", value_parser = super::product)]
    product: Vec<ProductName>,
    /// Take a security version that a CoRIM names exactly as the lowest that is accepted.
    #[arg(long, requires = "corim")]
    svn_floors: bool,
    /// Files with their digests, as `sha256sum` prints them; may be repeated.
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// NVIDIA's reference integrity manifest of a driver or a VBIOS (SWID tag with an XML signature); may be repeated.
    #[arg(long, value_name = "FILE", requires = "at")]
    rim: Vec<PathBuf>,
    /// The moment as of which the signers of the manifests have to be valid; most of NVIDIA's have expired by now.
    #[arg(long, value_name = "TIME", requires = "rim", value_parser = moment::parse)]
    at: Option<UnixTime>,
    /// A module in Rego, for what the policy's sections have no rule for.
    #[arg(long, value_name = "FILE")]
    rego: Option<PathBuf>,
}

impl Add {
    pub(super) fn run(&self) -> Result<()> {
        let mut policy = match &self.policy {
            Some(path) => super::read(path)?,
            None => Policy::empty(HardwareRule::Required),
        };
        let key = self.key.as_deref().map(key).transpose()?;
        let documents = self.corim.iter().map(|path| self.document(path, key.as_ref())).collect::<Result<Vec<_>>>()?;
        if !documents.is_empty() {
            let options = ReferenceOptions { products: self.product.clone(), svn_floors: self.svn_floors };
            policy.add_references(&documents, &options)?;
        }
        for (path, at) in self.rim.iter().flat_map(|path| self.at.map(|at| (path, at))) {
            let manifest = Manifest::parse(&read(path)?).with_context(|| path.display().to_string())?;
            policy.add_measurements(&rim::verify(&manifest, at).with_context(|| path.display().to_string())?);
        }
        for path in &self.manifest {
            let text = String::from_utf8(read(path)?).with_context(|| path.display().to_string())?;
            policy.add_manifest(&text).with_context(|| path.display().to_string())?;
        }
        if let Some(path) = &self.rego {
            super::add_rego(&mut policy, path)?;
        }
        // What was put together has to be a policy that can be read back.
        let policy = Policy::from_toml(&policy.to_toml()?)?;
        let remark = "reference values taken without signature, on your word".to_owned();
        super::write(&policy, if self.unsigned { std::slice::from_ref(&remark) } else { &[] })
    }

    fn document(&self, path: &Path, key: Option<&(PublicKey, String)>) -> Result<Verified<ReferenceValues, Vendor>> {
        let bytes = read(path)?;
        let corim = Corim::parse(&bytes).with_context(|| path.display().to_string())?;
        if let Some((key, name)) = key {
            return reference::verify(&corim, key, name).with_context(|| path.display().to_string());
        }
        ensure!(self.unsigned, "{}: --key of its signer, or --unsigned to take it on your word", path.display());
        Ok(reference::named(&corim, &path.display().to_string()))
    }
}

fn key(path: &Path) -> Result<(PublicKey, String)> {
    let key = crate::keys::find(&read(path)?)?.with_context(|| format!("{}: no public key", path.display()))?;
    Ok((key, path.display().to_string()))
}
