// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An answer without what is random in it, as named fields that must be the same on both sides.

use std::fmt::Debug;

use evtpm_crypto::{Crypto, RustCrypto};
use evtpm_protocol::{crypto_hash, object_name, verify_signature};
use evtpm_testing_foreign::packet::{Answer, Request, marshal};
use evtpm_testing_foreign::replay::compare;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{
    Cc, Marshal, PublicBody, Rc, Reader, Response, Supported, Tpm2bName, TpmsAttest, TpmsCapabilityData,
    TpmsCreationData, TpmsTaggedProperty, TpmtPublic, TpmtSignature, TpmuAttest, from_bytes,
};

use crate::both::Side;
use crate::model::{Model, Object};

/// Everything that the wire knows.
const PERMISSIVE: Supported = Supported::ALL;

/// A field of an answer: its name and what must be equal.
pub type Field = (&'static str, Vec<u8>);

/// Gives the fields of a successful answer of one side.
///
/// # Errors
/// When the response cannot be read.
pub fn fields(model: &Model, request: &Request<'_>, answer: &Answer<'_>, side: Side) -> Result<Vec<Field>, Rc> {
    let view = View { model, request, answer, side };
    let mut fields = view.by_command()?;
    let is_own = matches!(
        request.code(),
        Cc::CONTEXT_SAVE | Cc::GET_CAPABILITY | Cc::GET_TEST_RESULT | Cc::INCREMENTAL_SELF_TEST | Cc::CERTIFY_X509
    );
    if !is_own {
        fields.push(("size", view.answer.parameters.len().to_be_bytes().to_vec()));
    }
    Ok(fields)
}

struct View<'a> {
    model: &'a Model,
    request: &'a Request<'a>,
    answer: &'a Answer<'a>,
    side: Side,
}

impl View<'_> {
    fn read<R: Response>(&self) -> Result<R, Rc> {
        let handle = self.answer.handle.map_or_else(Vec::new, |handle| handle.0.to_be_bytes().to_vec());
        let mut reader = Reader::permissive(self.answer.parameters);
        let response = R::unmarshal(&mut Reader::permissive(&handle), &mut reader)?;
        reader.finish()?;
        Ok(response)
    }

    fn object(&self, number: usize) -> Option<&Object> {
        self.model.object(self.request.handles.get(number)?.0)
    }

    /// Our bytes, or theirs with our Names in them.
    fn named(&self, bytes: &[u8]) -> Vec<u8> {
        match self.side {
            Side::Theirs => self.model.translate(bytes),
            Side::Ours => bytes.to_vec(),
        }
    }

    fn exact(&self) -> Vec<Field> {
        vec![("parameters", self.named(self.answer.parameters))]
    }

    /// Whether the two sides compute the same with this object.
    fn same_secret(&self, number: usize) -> bool {
        self.object(number).is_some_and(|object| object.same_secret)
    }

    fn by_command(&self) -> Result<Vec<Field>, Rc> {
        Ok(match self.request.code() {
            Cc::GET_RANDOM | Cc::START_AUTH_SESSION | Cc::ECDH_KEY_GEN | Cc::MAKE_CREDENTIAL => vec![],
            Cc::COMMIT | Cc::EC_EPHEMERAL => vec![(
                "counter",
                self.answer.parameters.last_chunk::<2>().map_or_else(Vec::new, |bytes| bytes.to_vec()),
            )],
            Cc::ZGEN_2PHASE => self.exchanged()?,
            Cc::GET_TEST_RESULT => {
                vec![("result", self.answer.parameters[self.answer.parameters.len().max(4) - 4..].to_vec())]
            }
            Cc::INCREMENTAL_SELF_TEST => vec![],
            Cc::GET_CAPABILITY => self.capability(self.read()?),
            Cc::READ_CLOCK => {
                let clock = self.read::<ReadClockResponse>()?.current_time.clock_info;
                vec![("resetCount", text(&clock.reset_count)), ("restartCount", text(&clock.restart_count))]
            }
            Cc::CREATE_PRIMARY | Cc::CREATE | Cc::CREATE_LOADED => self.creation()?,
            Cc::READ_PUBLIC => {
                let read: ReadPublicResponse = self.read()?;
                let mut fields = vec![
                    ("public", skeleton(&read.out_public.0.0)),
                    ("name", self.named(read.name.as_bytes())),
                    ("qualifiedName size", text(&read.qualified_name.len())),
                ];
                if self.object(0).is_some_and(|object| object.same_secret && object.name.equal()) {
                    fields.push(("unique", marshal(&read.out_public)));
                }
                fields
            }
            Cc::CONTEXT_SAVE => {
                let saved: ContextSaveResponse = self.read()?;
                let context = saved.context;
                vec![("savedHandle", text(&context.saved_handle)), ("hierarchy", text(&context.hierarchy))]
            }
            Cc::QUOTE
            | Cc::CERTIFY
            | Cc::CERTIFY_CREATION
            | Cc::GET_TIME
            | Cc::NV_CERTIFY
            | Cc::GET_SESSION_AUDIT_DIGEST
            | Cc::GET_COMMAND_AUDIT_DIGEST => self.attestation()?,
            Cc::CERTIFY_X509 => self.certificate()?,
            Cc::SIGN => self.signature()?,
            Cc::SEQUENCE_COMPLETE if !self.same_secret(0) => vec![],
            Cc::HASH | Cc::SEQUENCE_COMPLETE => {
                let (digest, ticket) = match self.request.code() {
                    Cc::HASH => {
                        let hash: HashResponse = self.read()?;
                        (hash.out_hash, hash.validation)
                    }
                    _ => {
                        let complete: SequenceCompleteResponse = self.read()?;
                        (complete.result, complete.validation)
                    }
                };
                vec![("digest", bytes(&digest)), ("ticket", ticket_shape(&ticket.hierarchy, ticket.digest.len()))]
            }
            Cc::VERIFY_SIGNATURE => {
                let ticket = self.read::<VerifySignatureResponse>()?.validation;
                vec![("ticket", ticket_shape(&ticket.hierarchy, ticket.digest.len()))]
            }
            Cc::POLICY_SIGNED | Cc::POLICY_SECRET => {
                let made: PolicySignedResponse = self.read()?;
                let ticket = made.policy_ticket;
                vec![
                    ("timeout", text(&made.timeout.len())),
                    ("tag", text(&ticket.tag)),
                    ("ticket", ticket_shape(&ticket.hierarchy, ticket.digest.len())),
                ]
            }
            Cc::POLICY_GET_DIGEST if self.random_digest() => vec![],
            Cc::LOAD | Cc::LOAD_EXTERNAL => vec![],
            Cc::DUPLICATE => {
                let made: DuplicateResponse = self.read()?;
                vec![("sizes", text(&[made.encryption_key_out.len(), made.duplicate.len(), made.out_sym_seed.len()]))]
            }
            Cc::IMPORT | Cc::OBJECT_CHANGE_AUTH | Cc::REWRAP | Cc::ECC_ENCRYPT => vec![],
            Cc::RSA_ENCRYPT if !self.unpadded() => vec![],
            Cc::UNSEAL | Cc::HMAC | Cc::ENCRYPT_DECRYPT | Cc::ENCRYPT_DECRYPT2 | Cc::ECDH_ZGEN | Cc::RSA_DECRYPT
                if !self.same_secret(0) =>
            {
                vec![]
            }
            _ => self.exact(),
        })
    }

    /// What a command that makes an object says of it.
    fn creation(&self) -> Result<Vec<Field>, Rc> {
        Ok(match self.request.code() {
            Cc::CREATE_PRIMARY => {
                let made: CreatePrimaryResponse = self.read()?;
                let mut fields = created(&made.out_public.0, &made.creation_data.0, true);
                fields.push(("creationHash", bytes(&made.creation_hash)));
                fields.push(("ticket", text(&made.creation_ticket.hierarchy)));
                fields.push(named(&made.name, &made.out_public.0));
                fields
            }
            Cc::CREATE => {
                let made: CreateResponse = self.read()?;
                let mut fields = created(&made.out_public.0, &made.creation_data.0, false);
                fields.push(("parent", self.named(made.creation_data.0.parent_name.as_bytes())));
                fields.push(("outPrivate size", text(&made.out_private.len())));
                fields
            }
            _ => {
                let made: CreateLoadedResponse = self.read()?;
                vec![
                    ("public", skeleton(&made.out_public.0)),
                    ("outPrivate size", text(&made.out_private.len())),
                    named(&made.name, &made.out_public.0),
                ]
            }
        })
    }

    /// The point of the static keys; that of the ephemeral ones is random.
    fn exchanged(&self) -> Result<Vec<Field>, Rc> {
        let made: ZGen2PhaseResponse = self.read()?;
        Ok(if self.same_secret(0) { vec![("outZ1", bytes(&made.out_z1))] } else { vec![] })
    }

    fn random_digest(&self) -> bool {
        let session = self.request.handles.first().and_then(|handle| self.model.session(handle.0));
        session.is_none_or(|session| session.random_digest)
    }

    /// Whether `TPM2_RSA_Encrypt` pads with nothing random.
    fn unpadded(&self) -> bool {
        let Ok(RsaEncrypt { in_scheme, .. }) = from_bytes(self.request.parameters, &PERMISSIVE) else { return false };
        let key_scheme = self.object(0).and_then(Object::ours).map(|public| &public.body);
        let null = matches!(key_scheme, Some(PublicBody::Rsa { parms, .. }) if parms.scheme.is_none());
        in_scheme.is_none() && null && self.same_secret(0)
    }

    fn capability(&self, read: GetCapabilityResponse) -> Vec<Field> {
        let data = match read.capability_data {
            TpmsCapabilityData::TpmProperties(list) => {
                // Of a TPM that was never shut down libtpms says that it was, in an orderly way.
                let value = |pair: &TpmsTaggedProperty| {
                    if pair.property.0 == 0x201 { pair.value & 0x7FFF_FFFF } else { pair.value }
                };
                let pairs = list.iter().filter(|pair| !crate::differences::property(pair.property));
                pairs.map(|pair| text(&(pair.property, value(pair)))).collect::<Vec<_>>().concat()
            }
            // The one list has entries that the other has not, for which there are lists of their own.
            TpmsCapabilityData::Commands(list) => {
                list.iter().filter(|entry| !crate::differences::command(entry.0)).map(text).collect::<Vec<_>>().concat()
            }
            TpmsCapabilityData::Algs(list) => list
                .iter()
                .filter(|entry| !crate::differences::algorithm(entry.alg))
                .map(text)
                .collect::<Vec<_>>()
                .concat(),
            other => text(&other),
        };
        vec![("moreData", text(&read.more_data)), ("capability", data)]
    }

    fn attestation(&self) -> Result<Vec<Field>, Rc> {
        // All of them have the layout of a quote.
        let made: QuoteResponse = self.read()?;
        let attest: TpmsAttest<'_> = from_bytes(made.quoted.as_bytes(), &PERMISSIVE)?;
        let key_number = match self.request.code() {
            Cc::CERTIFY | Cc::GET_TIME | Cc::GET_SESSION_AUDIT_DIGEST | Cc::GET_COMMAND_AUDIT_DIGEST => 1,
            _ => 0,
        };
        let key = self.object(key_number);
        let mut fields = vec![
            ("extraData", bytes(&attest.extra_data)),
            ("qualifiedSigner size", text(&attest.qualified_signer.len())),
            ("attested", self.attested(&attest.attested)),
        ];
        if let Some(key) = key
            && let Some(signature) = &made.signature
            && let Some(public) = key.public.as_ref().map(|public| public.of(self.side))
        {
            fields.push(("signature", self.signature_shape(public, made.quoted.as_bytes(), signature, None)));
        }
        fields.push(("signature size", text(&made.signature.as_ref().map(|signature| marshal(signature).len()))));
        Ok(fields)
    }

    fn attested(&self, attested: &TpmuAttest<'_>) -> Vec<u8> {
        match attested {
            TpmuAttest::Time(info) => text(&info.time.clock_info.reset_count),
            // Of a session that saw nonces: only its shape.
            TpmuAttest::SessionAudit(info) => text(&(info.exclusive_session, info.session_digest.len())),
            TpmuAttest::CommandAudit(info) => text(&(info.digest_alg, &info.command_digest)),
            TpmuAttest::Certify(info) => [self.named(info.name.as_bytes()), text(&info.qualified_name.len())].concat(),
            TpmuAttest::Creation(info) => {
                [self.named(info.object_name.as_bytes()), text(&info.creation_hash.len())].concat()
            }
            other => text(other),
        }
    }

    fn certificate(&self) -> Result<Vec<Field>, Rc> {
        let made: CertifyX509Response = self.read()?;
        let mut fields = vec![("tbsDigest size", text(&made.tbs_digest.len()))];
        if self.object(0).is_some_and(|object| object.name.equal()) {
            fields.push(("addedToCertificate", without_serial_number(made.added_to_certificate.as_bytes()).to_vec()));
        }
        if let Some(public) = self.object(1).and_then(|key| key.public.as_ref()).map(|public| public.of(self.side)) {
            let digest = Some(made.tbs_digest.as_bytes());
            fields.push(("signature", self.signature_shape(public, &[], &made.signature, digest)));
        }
        Ok(fields)
    }

    fn signature(&self) -> Result<Vec<Field>, Rc> {
        let signature = self.read::<SignResponse>()?.signature;
        let request: Sign = from_bytes(self.request.parameters, &PERMISSIVE)?;
        let Some(public) = self.object(0).and_then(|key| key.public.as_ref()).map(|public| public.of(self.side)) else {
            return Ok(vec![]);
        };
        Ok(vec![("signature", self.signature_shape(public, &[], &signature, Some(request.digest.as_bytes())))])
    }

    /// A signature that is the same every time as it is, of any other whether it is good.
    fn signature_shape(
        &self,
        public: &TpmtPublic,
        message: &[u8],
        signature: &TpmtSignature,
        digest: Option<&[u8]>,
    ) -> Vec<u8> {
        let hash = signature.hash_alg();
        let hashed = crypto_hash(hash).map(|hash| RustCrypto::hash(hash, &[message]));
        let digest = match (digest, &hashed) {
            (Some(digest), _) => digest.to_vec(),
            (None, Ok(hashed)) => hashed.as_bytes().to_vec(),
            (None, Err(_)) => return text(signature),
        };
        match signature {
            TpmtSignature::Hmac(_) => {
                let same = self.request.code() == Cc::SIGN && self.same_secret(0);
                if same { marshal(signature) } else { text(&hash) }
            }
            TpmtSignature::Rsassa(_) if self.request.code() == Cc::SIGN && self.same_secret(0) => marshal(signature),
            _ => {
                let good = verify_signature::<RustCrypto>(public, &digest, signature).is_ok();
                [marshal(signature)[..2].to_vec(), text(&hash), text(&good)].concat()
            }
        }
    }
}

/// Signature algorithm and key of what `TPM2_CertifyX509` adds: the number before them is each TPM's own.
fn without_serial_number(added: &[u8]) -> &[u8] {
    let long_form = added.get(1).map_or(0, |size| usize::from(if size & 0x80 == 0 { 0 } else { size & 0x7F }));
    // A SEQUENCE, and in it the version as [0] with an INTEGER of one byte.
    let number = 2 + long_form + 5;
    let size = added.get(number + 1).map_or(0, |size| usize::from(*size));
    added.get(number + 2 + size..).unwrap_or_default()
}

fn text(value: &(impl Debug + ?Sized)) -> Vec<u8> {
    format!("{value:02x?}").into_bytes()
}

fn bytes(value: &impl Marshal) -> Vec<u8> {
    marshal(value)
}

fn ticket_shape(hierarchy: &impl Debug, size: usize) -> Vec<u8> {
    [text(hierarchy), text(&size)].concat()
}

fn named(name: &Tpm2bName, public: &TpmtPublic) -> Field {
    ("name", text(&object_name::<RustCrypto>(public).is_ok_and(|expected| expected == *name)))
}

fn created(public: &TpmtPublic, data: &TpmsCreationData, primary: bool) -> Vec<Field> {
    // The parent of a primary object is its hierarchy, so nothing in here is random then.
    let data = if primary {
        data.clone()
    } else {
        TpmsCreationData { parent_name: Tpm2bName::EMPTY, parent_qualified_name: Tpm2bName::EMPTY, ..data.clone() }
    };
    vec![("public", skeleton(public)), ("creationData", marshal(&data))]
}

/// A public area without what is random in it, but with its size.
fn skeleton(public: &TpmtPublic) -> Vec<u8> {
    let (sizes, public) = compare::skeleton(public);
    [text(&sizes), marshal(&public)].concat()
}
