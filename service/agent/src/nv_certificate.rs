// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A certificate in NV memory, whose indices are defined larger than what is written to them.

/// An X.509 certificate is a SEQUENCE of more than 255 bytes.
const BEGIN: [u8; 2] = [0x30, 0x82];

/// Says whether an index holds a certificate, whole or not.
pub(crate) fn is_certificate(index: &[u8]) -> bool {
    index.starts_with(&BEGIN)
}

/// Cuts a certificate to what its DER says is its length; `None` where the index holds none, or less than that.
pub(crate) fn certificate(index: &[u8]) -> Option<&[u8]> {
    let (length, _) = index.strip_prefix(&BEGIN)?.split_first_chunk()?;
    index.get(..usize::from(u16::from_be_bytes(*length)).checked_add(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_cut_out_of_its_larger_index() {
        let whole = [&[0x30, 0x82, 1, 0][..], &[7; 256]].concat();
        for padding in [&[][..], &[0; 9], &[0xFF; 700]] {
            assert_eq!(certificate(&[&whole, padding].concat()), Some(whole.as_slice()));
        }
    }

    #[test]
    fn what_is_shorter_than_it_says_or_a_report_is_no_certificate() {
        assert_eq!(certificate(&[&[0x30, 0x82, 1, 0][..], &[7; 255]].concat()), None);
        for bytes in [&[][..], &[0x30], &[3, 0, 0, 0, 0]] {
            assert_eq!(certificate(bytes), None);
        }
    }
}
