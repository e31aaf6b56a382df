// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The parts that evidence is made of, out of files or out of a bundle, none of them believed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::error::ErrorKind;
use evtpm_evidence::cmw::{Cmw, Collection, ContentType, Label, Record};
use evtpm_evidence::go_tpm_tools::LaunchEndorsement;

use super::role::{CERTIFICATE, GOOGLE_ENDORSEMENT, PEM_CERTIFICATES, REVOCATION_LISTS, Role};
use crate::file;

/// What the labels mean.
pub(crate) const KIND: &str = "tag:github.com,2026:evtpm/bundle#1";

/// The largest evidence is an IMA list of a machine that ran for long.
const PART_LIMIT: u64 = 1 << 28;
/// A bundle with such a list, in base64url.
const BUNDLE_LIMIT: u64 = 1 << 29;

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) role: Role,
    /// One of the role's media types.
    pub(crate) media: &'static str,
    /// Where it came from, for whoever reads an error.
    pub(crate) source: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) origin: Origin,
}

/// Who gave a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The operator, as a file or an option.
    Operator,
    /// Whoever packed the bundle.
    Bundle,
}

/// A part that the operator names, not read yet.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) role: Role,
    /// Its media type, where its content does not tell.
    pub(crate) media: Option<&'static str>,
    pub(crate) source: Source,
}

#[derive(Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// A key without which nobody can verify a part, and which is no part of a bundle: the operator vouches for it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) role: Role,
    pub(crate) option: &'static str,
    pub(crate) is_given: bool,
}

/// All parts.
#[derive(Debug, Default)]
pub(crate) struct Material(pub(crate) Vec<Part>);

impl Material {
    /// Reads what is given; it takes the place of what the bundle says, and certificates stand beside the bundle's.
    /// Of `keys`, those have to be there whose parts are, and no others.
    pub(crate) fn read(bundle: Option<&Path>, given: &[Given], keys: &[Key]) -> Result<Self> {
        let mut material = Self::default();
        if let Some(path) = bundle {
            let naming = || path.display().to_string();
            material = Self::unpack(&file::read(path, BUNDLE_LIMIT)?).with_context(naming)?;
            material.check().map_err(anyhow::Error::msg).with_context(naming)?;
        }
        let is_replaced =
            |part: &Part| part.role != Role::Certificates && given.iter().any(|given| given.role == part.role);
        material.0.retain(|part| !is_replaced(part));
        let roles = material.0.iter().map(|part| part.role).chain(given.iter().map(|given| given.role));
        let roles: Vec<Role> = roles.collect();
        check(&roles).map_err(usage)?;
        for Key { role, option, is_given } in keys {
            match (roles.contains(role), is_given) {
                (true, false) => return Err(usage(format!("--{} needs {option}", role.name()))),
                (false, true) => return Err(usage(format!("{option} needs --{}", role.name()))),
                _ => {}
            }
        }
        for given in given {
            material.0.push(given.read()?);
        }
        Ok(material)
    }

    /// Takes the part of a role that has one at most.
    pub(crate) fn take(&mut self, role: Role) -> Option<Part> {
        let at = self.0.iter().position(|part| part.role == role)?;
        Some(self.0.remove(at))
    }

    /// Takes all parts of a role, in order.
    pub(crate) fn take_all(&mut self, role: Role) -> Vec<Part> {
        self.0.extract_if(.., |part| part.role == role).collect()
    }

    /// Wraps the parts, in the order of their roles.
    pub(crate) fn pack(&self) -> Cmw {
        let mut members = Vec::new();
        for role in Role::ALL {
            for (number, part) in self.0.iter().filter(|part| part.role == role).enumerate() {
                let name = role.name();
                let label = if role.repeats() { format!("{name}.{number}") } else { name.to_owned() };
                let content = ContentType::Media(part.media.to_owned());
                let record = Record { content, value: part.bytes.clone(), indicator: Some(role.indicator()) };
                members.push((Label::Text(label), Cmw::Record(record)));
            }
        }
        Cmw::Collection(Collection { kind: Some(KIND.to_owned()), members })
    }

    /// Unwraps the parts; what is not understood is refused rather than passed over.
    pub(crate) fn unpack(bytes: &[u8]) -> Result<Self> {
        let Cmw::Collection(Collection { kind, members }) = Cmw::parse(bytes)? else {
            bail!("one message, and no collection of them");
        };
        ensure!(
            kind.as_deref() == Some(KIND),
            "a collection of type {}, expected {KIND}",
            kind.unwrap_or("none".into())
        );
        let mut numbered = Vec::new();
        for (label, member) in members {
            let Label::Text(label) = label else { bail!("a label that is a number") };
            let (role, number) = role_of(&label).with_context(|| format!("unknown label {label:?}"))?;
            let Cmw::Record(Record { content: ContentType::Media(content), value, .. }) = member else {
                bail!("{label}: no record with a media type");
            };
            let media = role.media().iter().find(|media| **media == content);
            let media = *media.with_context(|| format!("{label}: a part of type {content:?}"))?;
            ensure!(value.len() as u64 <= PART_LIMIT, "{label}: larger than {PART_LIMIT} bytes");
            let part = Part { role, media, source: label, bytes: value, origin: Origin::Bundle };
            numbered.push((number, part));
        }
        // "The position of a cmw entry in the cmw-collection is not significant": labels order what repeats.
        numbered.sort_by_key(|(number, _)| *number);
        Ok(Self(numbered.into_iter().map(|(_, part)| part).collect()))
    }

    fn check(&self) -> Result<(), String> {
        check(&self.0.iter().map(|part| part.role).collect::<Vec<_>>())
    }
}

/// Finds the role of a label, and its number where the role repeats.
fn role_of(label: &str) -> Option<(Role, u32)> {
    let named = |name: &str| Role::ALL.into_iter().find(|role| role.name() == name);
    let Some((name, number)) = label.rsplit_once('.') else {
        return named(label).filter(|role| !role.repeats()).map(|role| (role, 0));
    };
    // One spelling for each number, so that no two labels mean the same.
    let number = number.parse().ok().filter(|parsed: &u32| parsed.to_string() == number)?;
    named(name).filter(|role| role.repeats()).map(|role| (role, number))
}

/// Says which part is missing beside another, or may not stand there.
fn check(roles: &[Role]) -> Result<(), String> {
    let option = |role: &Role| format!("--{}", role.name());
    for role in roles {
        let missing: Vec<String> = role.needs().iter().filter(|needed| !roles.contains(needed)).map(option).collect();
        if !missing.is_empty() {
            return Err(format!("{} needs {}", option(role), missing.join(", ")));
        }
        let any = role.needs_any();
        if !any.is_empty() && !any.iter().any(|needed| roles.contains(needed)) {
            let any: Vec<String> = any.iter().map(option).collect();
            return Err(format!("{} needs {}", option(role), any.join(" or ")));
        }
        if let Some(other) = role.excludes().iter().find(|other| roles.contains(other)) {
            return Err(format!("{} cannot be used with {}", option(role), option(other)));
        }
    }
    if roles.iter().any(|role| role.is_evidence()) {
        return Ok(());
    }
    let all: Vec<String> = Role::ALL.iter().filter(|role| role.is_evidence()).map(option).collect();
    Err(format!("there is nothing to verify: give a bundle, or one of {}", all.join(", ")))
}

/// A command line that is wrong in a way that its grammar does not tell.
fn usage(message: String) -> anyhow::Error {
    clap::Error::raw(ErrorKind::MissingRequiredArgument, format!("{message}\n\nFor more information, try '--help'.\n"))
        .into()
}

impl Given {
    fn read(&self) -> Result<Part> {
        let (source, bytes) = match &self.source {
            Source::File(path) => (path.display().to_string(), file::read(path, PART_LIMIT)?),
            Source::Bytes(bytes) => (format!("--{}", self.role.name()), bytes.clone()),
        };
        let media = match self.media {
            Some(media) => media,
            None if [Role::Certificates, Role::AkCertificate].contains(&self.role) => {
                certificate_media(&source, &bytes)
            }
            None if self.role == Role::Endorsement && LaunchEndorsement::recognizes(&bytes) => GOOGLE_ENDORSEMENT,
            None => self.role.media().first().copied().unwrap_or_default(),
        };
        Ok(Part { role: self.role, media, source, bytes, origin: Origin::Operator })
    }
}

/// A revocation list by its name (`.crl`, `.crl.pem`, `.crl.der`) or by what its PEM says; else certificates.
fn certificate_media(name: &str, bytes: &[u8]) -> &'static str {
    let name = name.to_ascii_lowercase();
    let stem = [".pem", ".der"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    let text = bytes.trim_ascii_start();
    match text.starts_with(b"-----") {
        _ if stem.ends_with(".crl") || text.starts_with(b"-----BEGIN X509 CRL-----") => REVOCATION_LISTS,
        true => PEM_CERTIFICATES,
        false => CERTIFICATE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material() -> Material {
        let part = |role: Role, media, bytes: &[u8]| Part {
            role,
            media,
            source: String::new(),
            bytes: bytes.to_vec(),
            origin: Origin::Bundle,
        };
        Material(vec![
            part(Role::Certificates, CERTIFICATE, b"first"),
            part(Role::Report, Role::Report.media()[0], b"report"),
            part(Role::Certificates, REVOCATION_LISTS, b"second"),
        ])
    }

    #[test]
    fn what_was_packed_is_unpacked_from_either_encoding() {
        let packed = material().pack();
        let cbor = Material::unpack(&packed.to_cbor().unwrap()).unwrap();
        let json = Material::unpack(packed.to_json().unwrap().as_bytes()).unwrap();
        assert_eq!(cbor.0, json.0);
        let parts: Vec<_> =
            cbor.0.iter().map(|part| (part.source.as_str(), part.media, part.bytes.as_slice())).collect();
        let expected: [(&str, &str, &[u8]); 3] = [
            ("report", "application/vnd.evtpm.snp-report", b"report"),
            ("certificates.0", CERTIFICATE, b"first"),
            ("certificates.1", REVOCATION_LISTS, b"second"),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn each_role_has_a_label_of_its_own_and_each_label_one_spelling() {
        for role in Role::ALL {
            let label = if role.repeats() { format!("{}.7", role.name()) } else { role.name().to_owned() };
            assert_eq!(role_of(&label).map(|(found, _)| found), Some(role));
        }
        for label in ["", "certificates", "certificates.", "certificates.01", "certificates.+1", "report.0", "policy"] {
            assert_eq!(role_of(label), None, "{label}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let json = material().pack().to_json().unwrap();
        for (from, to) in [
            (KIND, "tag:example.com,2026:other"),
            ("\"report\"", "\"repart\""),
            ("vnd.evtpm.snp-report", "vnd.evtpm.tpms-attest"),
            ("[\"application/vnd.evtpm.snp-report\",\"cmVwb3J0\",4]", "{\"x\":[\"a/b\",\"\"]}"),
        ] {
            let changed = json.replace(from, to);
            assert_ne!(changed, json);
            assert!(Material::unpack(changed.as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn parts_that_need_others_are_refused_alone() {
        assert_eq!(check(&[Role::Quote, Role::Pcrs]), Err("--quote needs --signature, --quote-nonce".into()));
        assert_eq!(check(&[Role::HclReport, Role::Ak]), Err("--hcl-report cannot be used with --ak".into()));
        assert!(check(&[Role::Ak]).unwrap_err().contains("nothing to verify"));
        assert_eq!(check(&[Role::Report, Role::Certificates]), Ok(()));
    }
}
