// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reference integrity manifests of NVIDIA: SWID tags (ISO/IEC 19770-2, TCG *RIM Information Model*) with an enveloped XML signature.
//!
//! Of XML signatures exactly this form is read: one reference to the whole document, the transforms "enveloped signature" and
//! canonical XML, and the certificates of the signer in the signature.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node};

use crate::{Error, xml};

const WHAT: &str = "reference integrity manifest";
const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// NVIDIA's names of the namespace of hash values have no prefix in common with the real one but this.
const HASH_NAMESPACE: &str = "http://www.w3.org/2001/04/xmlenc#sha";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const CANONICAL: [&str; 2] =
    ["http://www.w3.org/2006/12/xml-c14n11", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"];
/// The largest manifest.
const MAX_SIZE: usize = 1 << 20;

/// A hash function of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// A manifest as somebody sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The product.
    pub name: String,
    /// The identifier of the tag.
    pub tag_id: String,
    /// The version of what is measured, as people write it.
    pub version: String,
    /// What is measured: a driver (`GPU` in older ones), a VBIOS.
    pub edition: String,
    /// The values.
    pub measurements: Vec<Golden>,
    /// The signature.
    pub signature: Signature,
}

/// The values that a measurement may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Golden {
    /// The index of the measurement.
    pub index: u8,
    /// Whether it is to be compared.
    pub is_active: bool,
    /// The values.
    pub values: Vec<Vec<u8>>,
}

/// What an enveloped signature needs for its verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The document without its signature, in canonical form.
    pub document: Vec<u8>,
    /// The hash function of the digest.
    pub digest_hash: Hash,
    /// What the document's digest has to be.
    pub digest: Vec<u8>,
    /// What is signed: the digest with all that says how it is made, in canonical form.
    pub signed: Vec<u8>,
    /// The hash function of the signature, which is ECDSA.
    pub hash: Hash,
    /// R and S, of one length.
    pub value: Vec<u8>,
    /// The certificates, the signer's first.
    pub certificates: Vec<Vec<u8>>,
}

impl Manifest {
    /// Parses a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_SIZE {
            return Err(Error::Length { what: WHAT, expected: MAX_SIZE, actual: bytes.len() });
        }
        let document = xml::parse(WHAT, bytes)?;
        let root = document.root_element();
        if !root.has_tag_name((SWID, "SoftwareIdentity")) {
            return Err(malformed("not a SWID tag"));
        }
        let meta = only(root, SWID, "Meta")?;
        let attribute = |node: Node<'_, '_>, name| node.attribute(name).unwrap_or_default().to_owned();
        Ok(Self {
            name: attribute(root, "name"),
            tag_id: attribute(root, "tagId"),
            version: attribute(meta, "colloquialVersion"),
            edition: attribute(meta, "edition"),
            measurements: measurements(only(root, SWID, "Payload")?)?,
            signature: Signature::read(&document)?,
        })
    }
}

/// The resources of the payload; each index stands once.
fn measurements(payload: Node<'_, '_>) -> Result<Vec<Golden>, Error> {
    let mut all: Vec<Golden> = Vec::new();
    for resource in payload.children().filter(Node::is_element) {
        if !resource.has_tag_name((SWID, "Resource")) || resource.attribute("type") != Some("Measurement") {
            return Err(malformed("the payload has something that is no measurement"));
        }
        let golden = Golden::read(resource)?;
        if all.iter().any(|known| known.index == golden.index) {
            return Err(Error::Twice { what: "measurement of a manifest" });
        }
        all.push(golden);
    }
    Ok(all)
}

impl Golden {
    fn read(resource: Node<'_, '_>) -> Result<Self, Error> {
        let number = |name| resource.attribute(name).and_then(|text| text.parse::<u8>().ok());
        let index = number("index").ok_or_else(|| malformed("a measurement without index"))?;
        let is_active = match resource.attribute("active") {
            Some("True" | "true") => true,
            Some("False" | "false") => false,
            _ => return Err(malformed("a measurement is neither active nor not")),
        };
        let hashes = resource.attributes().filter(|attribute| {
            attribute.namespace().is_some_and(|uri| uri.starts_with(HASH_NAMESPACE))
                && attribute.name().starts_with("Hash")
        });
        let values = hashes.map(|hash| hexadecimal(hash.value())).collect::<Option<Vec<_>>>();
        let values = values.ok_or_else(|| malformed("a value that is not hexadecimal"))?;
        let stated = number("alternatives").map(usize::from);
        if stated != Some(values.len()) {
            let expected = stated.unwrap_or(0);
            return Err(Error::Length { what: "values of a measurement", expected, actual: values.len() });
        }
        Ok(Self { index, is_active, values })
    }
}

impl Signature {
    fn read(document: &Document<'_>) -> Result<Self, Error> {
        let root = document.root_element();
        let signature = only(root, DSIG, "Signature")?;
        let signed_info = only(signature, DSIG, "SignedInfo")?;
        check_canonical(only(signed_info, DSIG, "CanonicalizationMethod")?)?;
        let method = algorithm(only(signed_info, DSIG, "SignatureMethod")?);
        let hash = match method.strip_prefix("http://www.w3.org/2001/04/xmldsig-more#ecdsa-") {
            Some("sha256") => Hash::Sha256,
            Some("sha384") => Hash::Sha384,
            Some("sha512") => Hash::Sha512,
            _ => return Err(unsupported(method)),
        };
        let (digest_hash, digest) = reference(only(signed_info, DSIG, "Reference")?)?;
        let value = base64(only(signature, DSIG, "SignatureValue")?)?;
        let data = only(only(signature, DSIG, "KeyInfo")?, DSIG, "X509Data")?;
        let certificates = data.children().filter(|node| node.has_tag_name((DSIG, "X509Certificate")));
        Ok(Self {
            document: xml::canonical(root, Some(signature.id()))?,
            digest_hash,
            digest,
            signed: xml::canonical(signed_info, None)?,
            hash,
            value,
            certificates: certificates.map(base64).collect::<Result<_, _>>()?,
        })
    }
}

/// The reference to the whole document, made by the two transforms that there have to be.
fn reference(reference: Node<'_, '_>) -> Result<(Hash, Vec<u8>), Error> {
    if reference.attribute("URI") != Some("") {
        return Err(malformed("the signature is not about the whole document"));
    }
    let transforms: Vec<Node<'_, '_>> =
        only(reference, DSIG, "Transforms")?.children().filter(Node::is_element).collect();
    match transforms.as_slice() {
        [enveloped, canonical] if algorithm(*enveloped) == ENVELOPED => check_canonical(*canonical)?,
        _ => return Err(malformed("unexpected transforms")),
    }
    let method = algorithm(only(reference, DSIG, "DigestMethod")?);
    let hash = match method {
        "http://www.w3.org/2001/04/xmlenc#sha256" => Hash::Sha256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => Hash::Sha384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => Hash::Sha512,
        _ => return Err(unsupported(method)),
    };
    Ok((hash, base64(only(reference, DSIG, "DigestValue")?)?))
}

fn check_canonical(method: Node<'_, '_>) -> Result<(), Error> {
    let algorithm = algorithm(method);
    if CANONICAL.contains(&algorithm) && method.first_child().is_none() { Ok(()) } else { Err(unsupported(algorithm)) }
}

fn algorithm<'a>(node: Node<'a, '_>) -> &'a str {
    node.attribute("Algorithm").unwrap_or_default()
}

/// The child of this name, of which there has to be exactly one.
fn only<'a, 'input>(parent: Node<'a, 'input>, namespace: &str, name: &'static str) -> Result<Node<'a, 'input>, Error> {
    let mut children = parent.children().filter(|node| node.has_tag_name((namespace, name)));
    let child = children.next().ok_or(Error::Missing { what: name })?;
    if children.next().is_some() { Err(Error::Twice { what: name }) } else { Ok(child) }
}

fn base64(node: Node<'_, '_>) -> Result<Vec<u8>, Error> {
    let text: String = node.text().unwrap_or_default().chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).map_err(|error| malformed(&error.to_string()))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    Some(pairs.filter_map(|pair| pair.first().zip(pair.get(1))).map(|(high, low)| high << 4 | low).collect())
}

fn malformed(detail: &str) -> Error {
    Error::Malformed { what: WHAT, detail: detail.to_owned() }
}

fn unsupported(algorithm: &str) -> Error {
    Error::Malformed { what: WHAT, detail: alloc::format!("unsupported algorithm \"{algorithm}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_without_signature_is_refused() {
        let text = alloc::format!("<SoftwareIdentity xmlns=\"{SWID}\"><Meta/><Payload/></SoftwareIdentity>");
        assert_eq!(Manifest::parse(text.as_bytes()), Err(Error::Missing { what: "Signature" }));
        assert!(Manifest::parse(b"<a/>").is_err() && Manifest::parse(b"").is_err());
    }

    #[test]
    fn two_payloads_or_two_signatures_are_refused() {
        let inner = "<Meta/><Payload/><Payload/>";
        let text = alloc::format!("<SoftwareIdentity xmlns=\"{SWID}\">{inner}</SoftwareIdentity>");
        assert_eq!(Manifest::parse(text.as_bytes()), Err(Error::Twice { what: "Payload" }));
    }

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(hexadecimal("0aFf"), Some(alloc::vec![0x0a, 0xff]));
        assert_eq!((hexadecimal("0"), hexadecimal("0g")), (None, None));
    }
}
