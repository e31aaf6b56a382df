// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The little of DER that a certificate needs (ITU-T X.690): one level of elements at a time, sizes below 64 KiB.
use evtpm_tpm_wire::Overflow;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// The tag of a constructed, context-specific element.
pub(super) const fn context(number: u8) -> u8 {
    0xA0 | (number & 0x1F)
}

/// An element: its tag, its contents, and both with the size between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Takes the first element off; `None` when there is none whose size is written as DER writes it.
pub(super) fn split(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    // Tag numbers above 30 go on in further octets.
    if tag & 0x1F == 0x1F {
        return None;
    }
    let (size, contents) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81 => {
            let (&[size], rest) = rest.split_first_chunk()?;
            (usize::from(size), if size < 0x80 { return None } else { rest })
        }
        0x82 => {
            let (size, rest) = rest.split_first_chunk()?;
            let size = u16::from_be_bytes(*size);
            (usize::from(size), if size < 0x100 { return None } else { rest })
        }
        _ => return None,
    };
    let (contents, rest) = contents.split_at_checked(size)?;
    let whole = bytes.get(..bytes.len().checked_sub(rest.len())?)?;
    Some((Element { tag, contents, whole }, rest))
}

/// Takes the contents of the one element that the bytes are.
pub(super) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (element, rest) = split(bytes)?;
    (element.tag == tag && rest.is_empty()).then_some(element.contents)
}

/// Writes elements from the last to the first, so that a size is known before it is written.
pub(super) struct Builder<'b> {
    buffer: &'b mut [u8],
    start: usize,
}

impl<'b> Builder<'b> {
    pub(super) const fn new(buffer: &'b mut [u8]) -> Self {
        let start = buffer.len();
        Self { buffer, start }
    }

    /// Marks the end of what will be wrapped.
    pub(super) const fn mark(&self) -> usize {
        self.start
    }

    /// Puts bytes before what is there.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        let start = self.start.checked_sub(bytes.len()).ok_or(Overflow)?;
        let place = self.buffer.get_mut(start..self.start).ok_or(Overflow)?;
        place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.start = start;
        Ok(())
    }

    /// Makes what was written since the mark the contents of an element.
    pub(super) fn wrap(&mut self, tag: u8, mark: usize) -> Result<(), Overflow> {
        let size = mark.checked_sub(self.start).ok_or(Overflow)?;
        let (header, header_size) = header(tag, size)?;
        self.bytes(header.get(..header_size).ok_or(Overflow)?)
    }

    /// Puts a whole element before what is there.
    pub(super) fn element(&mut self, tag: u8, contents: &[u8]) -> Result<(), Overflow> {
        let mark = self.mark();
        self.bytes(contents)?;
        self.wrap(tag, mark)
    }

    /// Puts an integer that is not negative; leading zeros go, and one comes where the first bit would be a sign.
    pub(super) fn unsigned(&mut self, number: &[u8]) -> Result<(), Overflow> {
        let mark = self.mark();
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let digits = number.get(zeros..).unwrap_or_default();
        self.bytes(digits)?;
        if digits.first().is_none_or(|first| *first >= 0x80) {
            self.bytes(&[0])?;
        }
        self.wrap(INTEGER, mark)
    }

    /// Lends what was written since the mark.
    pub(super) fn since(&self, mark: usize) -> &[u8] {
        self.buffer.get(self.start..mark).unwrap_or_default()
    }
}

/// Tag and size of an element, and how many octets they take.
pub(super) fn header(tag: u8, size: usize) -> Result<([u8; 4], usize), Overflow> {
    let [high, low] = u16::try_from(size).map_err(|_| Overflow)?.to_be_bytes();
    Ok(match (high, low) {
        (0, 0..=0x7F) => ([tag, low, 0, 0], 2),
        (0, _) => ([tag, 0x81, low, 0], 3),
        _ => ([tag, 0x82, high, low], 4),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn what_is_built_splits_into_the_same() {
        for size in [0, 1, 127, 128, 255, 256, 1000] {
            let mut buffer = [0; 1100];
            let mut builder = Builder::new(&mut buffer);
            let mark = builder.mark();
            builder.element(OCTET_STRING, &vec![7; size]).unwrap();
            let bytes = builder.since(mark);
            let (element, rest) = split(bytes).unwrap();
            assert_eq!(
                (element.tag, element.contents.len(), element.whole, rest),
                (OCTET_STRING, size, bytes, &[][..])
            );
            assert_eq!(only(bytes, OCTET_STRING), Some(element.contents));
            assert_eq!(only(bytes, SEQUENCE), None);
        }
    }

    #[test]
    fn a_size_that_der_writes_otherwise_is_refused() {
        let long = [&[0x04, 0x82, 0x00, 0xFF][..], &[0; 255]].concat();
        for bytes in [&[0x04, 0x81, 0x01, 0x00][..], &[0x04, 0x80, 0, 0], &[0x04, 0x84, 0, 0, 0, 0], &long] {
            assert_eq!(split(bytes), None, "{bytes:02x?}");
        }
        for bytes in [&[][..], &[0x30], &[0x30, 1], &[0x04, 0x82, 1], &[0x1F, 0x01, 0x00]] {
            assert_eq!(split(bytes), None, "{bytes:02x?}");
        }
    }

    #[test]
    fn an_integer_is_never_negative_and_never_longer_than_it_needs() {
        let build = |number: &[u8]| {
            let mut buffer = [0; 16];
            let mut builder = Builder::new(&mut buffer);
            let mark = builder.mark();
            builder.unsigned(number).unwrap();
            builder.since(mark).to_vec()
        };
        assert_eq!(build(&[0, 0]), [2, 1, 0]);
        assert_eq!(build(&[0, 0x7F]), [2, 1, 0x7F]);
        assert_eq!(build(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(build(&[1, 0, 1]), [2, 3, 1, 0, 1]);
    }

    #[test]
    fn a_full_buffer_is_an_overflow() {
        let mut builder = Builder { buffer: &mut [0; 4], start: 4 };
        assert_eq!(builder.element(OCTET_STRING, &[1, 2, 3]), Err(Overflow));
    }
}
