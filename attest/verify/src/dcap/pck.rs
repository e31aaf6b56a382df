// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a platform's certificate says about it (Intel, *SGX PCK Certificate and Certificate Revocation List Profile*, "SGX Extensions").

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode, Reader, SliceReader};

use crate::x509::Certificate;
use crate::{Error, UnixTime};

const SGX_EXTENSIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");
const PCE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.3");
const TCB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.2");
const FMSPC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.4");

/// A platform, as its certificate describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PckFacts {
    /// The family, model, stepping, platform type and custom SKU, by which Intel files its TCB.
    pub fmspc: [u8; 6],
    /// The version of the provisioning enclave's identity.
    pub pce_id: [u8; 2],
    /// The security versions of the processor's components.
    pub components: [u8; 16],
    /// The security version of the provisioning enclave.
    pub pce_svn: u16,
    /// The authority that issued the certificate.
    pub authority: String,
    /// The first and the last second of the certificate's validity.
    pub validity: (UnixTime, UnixTime),
}

#[derive(der::Sequence)]
struct Extension<'a> {
    name: ObjectIdentifier,
    value: AnyRef<'a>,
}

impl PckFacts {
    /// Reads the extensions of a certificate, which nothing vouches for yet.
    pub fn read(certificate: &Certificate) -> Result<Self, Error> {
        let malformed = |detail: String| Error::Malformed { what: "SGX extensions", detail };
        let content = certificate.extension(SGX_EXTENSIONS).ok_or_else(|| malformed("there are none".to_owned()))?;
        let (mut fmspc, mut pce_id, mut tcb) = (None, None, None);
        for extension in extensions(content).map_err(|error| malformed(error.to_string()))? {
            match extension.name {
                FMSPC => fmspc = Some(octets::<6>(&extension)),
                PCE_ID => pce_id = Some(octets::<2>(&extension)),
                TCB => tcb = security_versions(&extension),
                _ => {}
            }
        }
        let missing = |what: &str| malformed(format!("no {what}"));
        let (components, pce_svn) = tcb.ok_or_else(|| missing("TCB of 16 components and a PCESVN"))?;
        Ok(Self {
            components,
            pce_svn,
            fmspc: fmspc.flatten().ok_or_else(|| missing("FMSPC of 6 bytes"))?,
            pce_id: pce_id.flatten().ok_or_else(|| missing("PCE-ID of 2 bytes"))?,
            authority: certificate.issuer_common_name(),
            validity: certificate.validity(),
        })
    }
}

fn extensions(content: &[u8]) -> der::Result<Vec<Extension<'_>>> {
    let mut reader = SliceReader::new(content)?;
    let list = reader.sequence(|inner| {
        let mut list = Vec::new();
        while !inner.is_finished() {
            list.push(Extension::decode(inner)?);
        }
        Ok::<_, der::Error>(list)
    })?;
    reader.finish()?;
    Ok(list)
}

/// The members `.1` to `.16` are the components, `.17` is the PCESVN.
fn security_versions(tcb: &Extension<'_>) -> Option<([u8; 16], u16)> {
    let content = tcb.value.to_der().ok()?;
    let members = extensions(&content).ok()?.into_iter().map(|member| {
        let number: u16 = member.value.decode_as().ok()?;
        Some((member.name.arcs().last()?, number))
    });
    let (mut components, mut pce_svn) = ([None; 16], None);
    // The last member, the CPUSVN, is no number, and the same bytes once more.
    for (arc, number) in members.flatten() {
        match (arc, usize::try_from(arc).ok().and_then(|arc| components.get_mut(arc.checked_sub(1)?))) {
            (_, Some(component)) => *component = Some(u8::try_from(number).ok()?),
            (17, None) => pce_svn = Some(number),
            _ => {}
        }
    }
    let known: Vec<u8> = components.into_iter().flatten().collect();
    Some((known.try_into().ok()?, pce_svn?))
}

fn octets<const N: usize>(extension: &Extension<'_>) -> Option<[u8; N]> {
    let octets = extension.value.decode_as::<&OctetStringRef>().ok()?;
    octets.as_bytes().try_into().ok()
}
