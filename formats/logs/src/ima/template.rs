// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Templates: which fields an entry has (Linux, "IMA Template Management Mechanism").

/// The largest number of fields in a template (`TEMPLATE_NUM_FIELDS_MAX`).
pub const MAX_FIELDS: usize = 15;

/// One field of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// `d`: a digest of 20 bytes.
    Digest,
    /// `n`: a name of at most 255 bytes.
    Name,
    /// `d-ng`: the digest behind its algorithm.
    DigestNg,
    /// `d-ngv2`: the digest behind its kind and its algorithm.
    DigestNgV2,
    /// `n-ng`: a name.
    NameNg,
    /// `sig`: the file's signature.
    Signature,
    /// `buf`: the measured bytes themselves.
    Buffer,
    /// `d-modsig`: the digest without the appended signature.
    ModsigDigest,
    /// `modsig`: the appended signature.
    Modsig,
    /// `evmsig`: the EVM portable signature.
    EvmSignature,
    /// `iuid`: the file's owner.
    Uid,
    /// `igid`: the file's group.
    Gid,
    /// `imode`: the file's mode.
    Mode,
    /// `xattrnames`: names of extended attributes.
    XattrNames,
    /// `xattrlengths`: their lengths.
    XattrLengths,
    /// `xattrvalues`: their values.
    XattrValues,
}

impl Field {
    fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"d" => Field::Digest,
            b"n" => Field::Name,
            b"d-ng" => Field::DigestNg,
            b"d-ngv2" => Field::DigestNgV2,
            b"n-ng" => Field::NameNg,
            b"sig" => Field::Signature,
            b"buf" => Field::Buffer,
            b"d-modsig" => Field::ModsigDigest,
            b"modsig" => Field::Modsig,
            b"evmsig" => Field::EvmSignature,
            b"iuid" => Field::Uid,
            b"igid" => Field::Gid,
            b"imode" => Field::Mode,
            b"xattrnames" => Field::XattrNames,
            b"xattrlengths" => Field::XattrLengths,
            b"xattrvalues" => Field::XattrValues,
            _ => return None,
        })
    }
}

/// The fields of an entry, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    fields: [Field; MAX_FIELDS],
    length: usize,
}

impl Template {
    /// `ima`: the template of kernels before 3.13, hashed without field lengths.
    pub const IMA: Template = Template::of(&[Field::Digest, Field::Name]);
    /// `ima-ng`.
    pub const IMA_NG: Template = Template::of(&[Field::DigestNg, Field::NameNg]);
    /// `ima-sig`.
    pub const IMA_SIG: Template = Template::of(&[Field::DigestNg, Field::NameNg, Field::Signature]);
    /// `ima-ngv2`.
    pub const IMA_NGV2: Template = Template::of(&[Field::DigestNgV2, Field::NameNg]);
    /// `ima-sigv2`.
    pub const IMA_SIGV2: Template = Template::of(&[Field::DigestNgV2, Field::NameNg, Field::Signature]);
    /// `ima-buf`.
    pub const IMA_BUF: Template = Template::of(&[Field::DigestNg, Field::NameNg, Field::Buffer]);
    /// `ima-modsig`.
    pub const IMA_MODSIG: Template =
        Template::of(&[Field::DigestNg, Field::NameNg, Field::Signature, Field::ModsigDigest, Field::Modsig]);
    /// `evm-sig`.
    pub const EVM_SIG: Template = Template::of(&[
        Field::DigestNg,
        Field::NameNg,
        Field::EvmSignature,
        Field::XattrNames,
        Field::XattrLengths,
        Field::XattrValues,
        Field::Uid,
        Field::Gid,
        Field::Mode,
    ]);

    /// Finds a template by the name in the list: one of the kernel's, or a format string such as `d-ng|n-ng|iuid`.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"ima-ng" => Self::IMA_NG,
            b"ima-sig" => Self::IMA_SIG,
            b"ima" => Self::IMA,
            b"ima-ngv2" => Self::IMA_NGV2,
            b"ima-sigv2" => Self::IMA_SIGV2,
            b"ima-buf" => Self::IMA_BUF,
            b"ima-modsig" => Self::IMA_MODSIG,
            b"evm-sig" => Self::EVM_SIG,
            _ => return Self::from_format(name),
        })
    }

    /// Returns the fields in order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        self.fields.get(..self.length).unwrap_or(&self.fields)
    }

    fn from_format(format: &[u8]) -> Option<Self> {
        let mut template = Self::of(&[]);
        for name in format.split(|byte| *byte == b'|') {
            *template.fields.get_mut(template.length)? = Field::from_name(name)?;
            template.length = template.length.saturating_add(1);
        }
        Some(template)
    }

    const fn of(list: &[Field]) -> Self {
        let mut fields = [Field::NameNg; MAX_FIELDS];
        let (head, _) = fields.split_at_mut(list.len());
        head.copy_from_slice(list);
        Template { fields, length: list.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_string_of_known_fields_is_a_template() {
        let template = Template::from_name(b"d-ng|n-ng|iuid|igid|imode").unwrap();
        assert_eq!(template.fields(), [Field::DigestNg, Field::NameNg, Field::Uid, Field::Gid, Field::Mode]);
        assert_eq!(Template::from_name(b"d-ng|sig").unwrap().fields(), [Field::DigestNg, Field::Signature]);
    }

    #[test]
    fn an_unknown_name_an_unknown_field_and_sixteen_fields_are_no_template() {
        assert_eq!(Template::from_name(b"ima-new"), None);
        assert_eq!(Template::from_name(b"d-ng|colour"), None);
        assert_eq!(Template::from_name(b""), None);
        assert_eq!(Template::from_name(["d-ng"; 16].join("|").as_bytes()), None);
    }
}
