// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lists (`TPML_*`): owned, with a fixed capacity and a 32-bit count on the wire.
use core::fmt;
use core::ops::Deref;

use crate::{Marshal, Overflow, Rc, Reader, Unmarshal, Writer};

/// Up to `N` owned items, with a 32-bit count on the wire.
#[derive(Clone, Copy)]
pub struct List<T, const N: usize> {
    count: usize,
    items: [T; N],
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    /// The greatest number of items.
    pub const CAPACITY: usize = N;

    /// Makes a list without items.
    pub fn new() -> Self {
        Self { count: 0, items: [T::default(); N] }
    }

    /// Copies `items`, if they fit.
    pub fn from_slice(items: &[T]) -> Result<Self, Overflow> {
        let mut list = Self::new();
        items.iter().try_for_each(|item| list.push(*item))?;
        Ok(list)
    }

    /// Appends `item`, if it fits.
    pub fn push(&mut self, item: T) -> Result<(), Overflow> {
        *self.add()? = item;
        Ok(())
    }

    /// Appends an item without content and lends it, to be filled where it lies.
    pub fn add(&mut self) -> Result<&mut T, Overflow> {
        let item = self.items.get_mut(self.count).ok_or(Overflow)?;
        self.count = self.count.saturating_add(1);
        Ok(item)
    }
}

impl<T, const N: usize> List<T, N> {
    /// Returns the items.
    pub fn as_slice(&self) -> &[T] {
        self.items.get(..self.count).unwrap_or_default()
    }

    /// Returns the items for change in place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.items.get_mut(..self.count).unwrap_or_default()
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: PartialEq, const N: usize> PartialEq for List<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Eq, const N: usize> Eq for List<T, N> {}

impl<T: fmt::Debug, const N: usize> fmt::Debug for List<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl<'a, T, const N: usize> IntoIterator for &'a List<T, N> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.as_slice().iter()
    }
}

impl<'a, T: Unmarshal<'a> + Copy + Default, const N: usize> Unmarshal<'a> for List<T, N> {
    /// "#TPM_RC_SIZE response code when count is greater than the maximum allowed"
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let count = reader.read::<u32>()?;
        let limit = N.min(T::list_limit(reader.supported()));
        if usize::try_from(count).map_or(true, |count| count > limit) {
            return Err(Rc::SIZE);
        }
        let mut list = Self::new();
        for _ in 0..count {
            list.push(reader.read()?).map_err(|Overflow| Rc::SIZE)?;
        }
        Ok(list)
    }
}

impl<T: Marshal, const N: usize> Marshal for List<T, N> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&u32::try_from(self.count).map_err(|_| Overflow)?)?;
        self.as_slice().iter().try_for_each(|item| writer.write(item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn a_count_over_the_capacity_is_a_size_error_before_any_item() {
        assert_eq!(from_bytes::<List<u32, 2>>(&[0, 0, 0, 3], &Supported::ALL), Err(Rc::SIZE));
        assert_eq!(from_bytes::<List<u32, 2>>(&[0xFF; 4], &Supported::ALL), Err(Rc::SIZE));
    }

    #[test]
    fn a_missing_item_is_insufficient() {
        assert_eq!(from_bytes::<List<u16, 2>>(&[0, 0, 0, 2, 0, 1, 0], &Supported::ALL), Err(Rc::INSUFFICIENT));
    }

    #[test]
    fn push_stops_at_the_capacity() {
        let mut list = List::<u8, 1>::new();
        assert_eq!(list.push(1), Ok(()));
        assert_eq!(list.push(2), Err(Overflow));
        assert_eq!(list.as_slice(), [1]);
    }
}
