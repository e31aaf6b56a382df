// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One value for each side, and commands of which some bytes are the same on both sides.

/// Whose value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Of libtpms.
    Theirs,
    /// Of our TPM.
    Ours,
}

/// A value of libtpms and the one of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Both<T> {
    /// Of libtpms.
    pub theirs: T,
    /// Of our TPM.
    pub ours: T,
}

impl<T> Both<T> {
    /// The same for both.
    pub fn same(value: T) -> Self
    where
        T: Clone,
    {
        Self { theirs: value.clone(), ours: value }
    }

    /// Lends the value of one side.
    pub const fn of(&self, side: Side) -> &T {
        match side {
            Side::Theirs => &self.theirs,
            Side::Ours => &self.ours,
        }
    }

    /// Computes something for each side.
    pub fn map<U>(&self, mut f: impl FnMut(&T) -> U) -> Both<U> {
        Both { theirs: f(&self.theirs), ours: f(&self.ours) }
    }

    /// Computes something of two values for each side.
    pub fn zip<U, V>(&self, other: &Both<U>, mut f: impl FnMut(&T, &U) -> V) -> Both<V> {
        Both { theirs: f(&self.theirs, &other.theirs), ours: f(&self.ours, &other.ours) }
    }

    /// Lends both.
    pub const fn as_ref(&self) -> Both<&T> {
        Both { theirs: &self.theirs, ours: &self.ours }
    }
}

impl<T: PartialEq> Both<T> {
    /// Tells whether both sides have the same.
    pub fn equal(&self) -> bool {
        self.theirs == self.ours
    }
}

/// Bytes for both sides; those that are shared can be changed on both alike.
#[derive(Debug, Clone, Default)]
pub struct Mixed {
    bytes: Both<Vec<u8>>,
    /// Where each shared byte is.
    shared: Vec<Both<usize>>,
}

impl Mixed {
    /// Lends the bytes.
    pub const fn bytes(&self) -> &Both<Vec<u8>> {
        &self.bytes
    }

    /// Appends the same bytes to both.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            self.shared.push(self.bytes.map(Vec::len));
            self.bytes.theirs.push(*byte);
            self.bytes.ours.push(*byte);
        }
        self
    }

    /// Appends a byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Appends a number.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends a number.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends a number.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends a buffer with its 16-bit size.
    pub fn sized(&mut self, bytes: &[u8]) -> &mut Self {
        self.u16(small(bytes.len())).raw(bytes)
    }

    /// Appends what differs; what happens to be the same is still not shared.
    pub fn each(&mut self, bytes: &Both<Vec<u8>>) -> &mut Self {
        self.bytes.theirs.extend_from_slice(&bytes.theirs);
        self.bytes.ours.extend_from_slice(&bytes.ours);
        self
    }

    /// Appends buffers that differ, each with its size.
    pub fn each_sized(&mut self, bytes: &Both<Vec<u8>>) -> &mut Self {
        if bytes.equal() {
            return self.sized(&bytes.ours);
        }
        let sizes = bytes.map(|bytes| small(bytes.len()).to_be_bytes().to_vec());
        if sizes.equal() { self.raw(&sizes.ours) } else { self.each(&sizes) }.each(bytes)
    }

    /// Appends all of another.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        let start = self.bytes.map(Vec::len);
        let moved = other.shared.iter().map(|at| start.zip(at, |start, at| start + at));
        self.shared.extend(moved);
        self.each(&other.bytes)
    }

    /// Appends all of another, with its 16-bit size.
    pub fn append_sized(&mut self, other: &Self) -> &mut Self {
        let sizes = other.bytes.map(|bytes| small(bytes.len()).to_be_bytes().to_vec());
        if sizes.equal() { self.raw(&sizes.ours) } else { self.each(&sizes) }.append(other)
    }

    /// Writes over bytes at the same place of both.
    pub fn patch(&mut self, at: usize, bytes: &Both<Vec<u8>>) {
        for (to, from) in [(&mut self.bytes.theirs, &bytes.theirs), (&mut self.bytes.ours, &bytes.ours)] {
            if let Some(to) = to.get_mut(at..at + from.len()) {
                to.copy_from_slice(from);
            }
        }
    }

    /// Tells how many bytes can be changed.
    pub fn changeable(&self) -> usize {
        self.shared.len()
    }

    /// Changes a shared byte.
    pub fn change(&mut self, number: usize, f: impl Fn(u8) -> u8) {
        let Some(at) = self.shared.get(number) else { return };
        for (bytes, at) in [(&mut self.bytes.theirs, at.theirs), (&mut self.bytes.ours, at.ours)] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = f(*byte);
            }
        }
    }

    /// Reads shared bytes from this one on.
    pub fn shared_bytes<const N: usize>(&self, number: usize) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        for (offset, byte) in bytes.iter_mut().enumerate() {
            *byte = self.bytes.ours[self.shared.get(number + offset)?.ours];
        }
        Some(bytes)
    }

    /// Cuts both before a shared byte.
    pub fn truncate(&mut self, number: usize) {
        let Some(at) = self.shared.get(number).copied() else { return };
        self.bytes.theirs.truncate(at.theirs);
        self.bytes.ours.truncate(at.ours);
        self.shared.truncate(number);
    }

    /// Replaces the first sized buffer of each by what `f` makes of its content, of the same size.
    pub fn replace_first_buffer(&mut self, contents: &Both<Vec<u8>>) {
        for (bytes, content) in [(&mut self.bytes.theirs, &contents.theirs), (&mut self.bytes.ours, &contents.ours)] {
            bytes[2..2 + content.len()].copy_from_slice(content);
        }
        let end = 2 + contents.ours.len();
        self.shared.retain(|at| at.ours < 2 || at.ours >= end);
    }

    /// Reads the content of the first sized buffer of each, where it is whole.
    pub fn first_buffer(&self) -> Option<Both<Vec<u8>>> {
        let content = |bytes: &Vec<u8>| {
            let size = usize::from(u16::from_be_bytes(*bytes.first_chunk::<2>()?));
            bytes.get(2..2 + size).map(<[u8]>::to_vec)
        };
        Some(Both { theirs: content(&self.bytes.theirs)?, ours: content(&self.bytes.ours)? })
    }
}

/// A size on the wire; nothing here is larger.
pub fn small(size: usize) -> u16 {
    u16::try_from(size).unwrap_or(u16::MAX)
}
