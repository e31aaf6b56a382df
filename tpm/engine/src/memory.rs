// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory that can run out without a panic: capacity is reserved once, and a push into a full or unreserved place is an error.

use crate::snapshot::{Archive, Invalid};
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroize;

/// The allocator gave nothing, or the reserved capacity is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory;

impl core::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no memory for the state of a TPM")
    }
}

impl core::error::Error for OutOfMemory {}

/// A place of a table.
///
/// A value that is moved takes along what lay on the stack where its unused variants would be, and that may be a copy of a
/// secret: an enum's bytes that hold nothing are copied too, and nothing wipes them when the value is dropped. So a free
/// place of a table with `SIZE` covers all that a value could have brought: everything but the byte that tells free from
/// used, see [`size_of_place`].
#[derive(Clone, PartialEq, Eq)]
enum Slot<T, const SIZE: usize> {
    Free([u8; SIZE]),
    Used(T),
}

impl<T, const SIZE: usize> Slot<T, SIZE> {
    const FREE: Self = {
        assert!(SIZE == 0 || size_of::<Self>() == SIZE.saturating_add(1), "a free slot covers what a value leaves");
        Self::Free([0; SIZE])
    };

    const fn used(&self) -> Option<&T> {
        match self {
            Self::Free(_) => None,
            Self::Used(value) => Some(value),
        }
    }

    const fn used_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Free(_) => None,
            Self::Used(value) => Some(value),
        }
    }

    /// Drops the value where it lies, and wipes what it leaves.
    ///
    /// Moved out of the slot first, it would be wiped where it was moved to, and its secrets would stay behind.
    fn empty(&mut self) {
        *self = Self::FREE;
        if let Self::Free(left) = self {
            // As a slice: an array is wiped octet by octet.
            left.as_mut_slice().zeroize();
        }
    }
}

/// Counts the bytes beside the one that tells free from used: it stands first, so that a value begins `align_of` bytes
/// further on, where bytes that need no alignment begin behind one.
pub(crate) const fn size_of_place<T>() -> usize {
    size_of::<T>().saturating_add(align_of::<T>()).saturating_sub(1)
}

/// A table of at most `capacity` values, reserved once and never grown.
///
/// A slot keeps its number for the life of its value: handles are made from it. A table of values with secrets states the
/// `SIZE` of their places, see [`size_of_place`].
/// `Clone` exists so that tests can compare states; the engine itself never clones a table.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Slots<T, const SIZE: usize = 0> {
    slots: Vec<Slot<T, SIZE>>,
    /// How many slots are used: a walk ends behind the last of them. Most tables are nearly empty, and every command walks.
    used: usize,
}

impl<T, const SIZE: usize> Slots<T, SIZE> {
    /// Reserves a table of `capacity` empty slots.
    pub(crate) fn reserve(capacity: usize) -> Result<Self, OutOfMemory> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(capacity).map_err(|_| OutOfMemory)?;
        for _ in 0..capacity {
            push_within(&mut slots, Slot::FREE)?;
        }
        Ok(Self { slots, used: 0 })
    }

    /// Counts the slots, used or not.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Counts the used slots.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    /// Finds the number of the first free slot.
    pub(crate) fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(|slot| slot.used().is_none())
    }

    /// Puts a value into the first free slot and tells its number.
    pub(crate) fn insert(&mut self, value: T) -> Result<usize, OutOfMemory> {
        let number = self.free_slot().ok_or(OutOfMemory)?;
        self.put(number, value)?;
        Ok(number)
    }

    /// Puts a value into slot `number`, whatever it held.
    pub(crate) fn put(&mut self, number: usize, value: T) -> Result<(), OutOfMemory> {
        let slot = self.slots.get_mut(number).ok_or(OutOfMemory)?;
        if slot.used().is_none() {
            self.used = self.used.saturating_add(1);
        }
        *slot = Slot::Used(value);
        Ok(())
    }

    /// Looks into slot `number`.
    pub(crate) fn at(&self, number: usize) -> Option<&T> {
        self.slots.get(number)?.used()
    }

    /// Looks into slot `number` to change it.
    pub(crate) fn at_mut(&mut self, number: usize) -> Option<&mut T> {
        self.slots.get_mut(number)?.used_mut()
    }

    /// Empties slot `number` and gives what it held; only for values without a secret, see [`Self::clear`].
    pub(crate) fn take(&mut self, number: usize) -> Option<T>
    where
        T: Copy,
    {
        let taken = *self.at(number)?;
        self.clear(number)?;
        Some(taken)
    }

    /// Empties slot `number` and tells whether it held something.
    pub(crate) fn clear(&mut self, number: usize) -> Option<()> {
        let slot = self.slots.get_mut(number)?;
        slot.used()?;
        slot.empty();
        self.used = self.used.saturating_sub(1);
        Some(())
    }

    /// Empties every slot whose value does not satisfy `keep`.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        for slot in &mut self.slots {
            if slot.used().is_some_and(|value| !keep(value)) {
                slot.empty();
                self.used = self.used.saturating_sub(1);
            }
        }
    }

    /// Passes the used slots with their numbers; `each` passes a value, or makes the one that was kept.
    pub(crate) fn pass<A: Archive>(
        &mut self,
        archive: &mut A,
        mut each: impl FnMut(&mut A, Option<&mut T>) -> Result<Option<T>, A::Error>,
    ) -> Result<(), A::Error> {
        let mut used = u32::try_from(self.used()).map_err(|_| Invalid::NoRoom)?;
        archive.pass(&mut used)?;
        if !archive.is_restoring() {
            let slots = (0u32..).zip(&mut self.slots).filter_map(|(number, slot)| Some((number, slot.used_mut()?)));
            for (mut number, value) in slots {
                archive.pass(&mut number)?;
                each(archive, Some(value))?;
            }
            return Ok(());
        }
        self.retain(|_| false);
        for _ in 0..used {
            let mut number = 0u32;
            archive.pass(&mut number)?;
            let value = each(archive, None)?.ok_or(Invalid::Value)?;
            let slot = usize::try_from(number).ok().and_then(|number| self.slots.get_mut(number));
            let slot = slot.ok_or(Invalid::NoRoom)?;
            if slot.used().is_some() {
                return Err(Invalid::Value.into());
            }
            *slot = Slot::Used(value);
            self.used = self.used.saturating_add(1);
        }
        Ok(())
    }

    /// Walks over the used slots with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(number, slot)| slot.used().map(|value| (number, value))).take(self.used)
    }

    /// Walks over the used slots' values to change them.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(Slot::used_mut).take(self.used)
    }
}

impl<T, const SIZE: usize> Drop for Slots<T, SIZE> {
    fn drop(&mut self) {
        self.slots.iter_mut().filter(|slot| slot.used().is_some()).for_each(Slot::empty);
    }
}

impl<T, const SIZE: usize> fmt::Debug for Slots<T, SIZE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({} of {})", self.used(), self.capacity())
    }
}

/// One value on the heap, reserved once.
pub(crate) struct Reserved<T> {
    value: Vec<T>,
}

impl<T> Reserved<T> {
    /// Reserves the place of a value and makes it there.
    pub(crate) fn reserve() -> Result<Self, OutOfMemory>
    where
        T: Default,
    {
        let mut place = Vec::new();
        place.try_reserve_exact(1).map_err(|_| OutOfMemory)?;
        push_within(&mut place, T::default())?;
        Ok(Self { value: place })
    }

    /// Borrows the value to change it; the error stands for what the compiler cannot know.
    pub(crate) fn get_mut(&mut self) -> Result<&mut T, OutOfMemory> {
        self.value.first_mut().ok_or(OutOfMemory)
    }
}

/// Bytes on the heap whose length was decided when they were made; wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Blob {
    bytes: Vec<u8>,
}

impl Blob {
    /// Allocates `length` bytes that all hold `fill`.
    pub(crate) fn filled(length: usize, fill: u8) -> Result<Self, OutOfMemory> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| OutOfMemory)?;
        // `resize` would link the path that grows, and with it a panic.
        for _ in 0..length {
            push_within(&mut bytes, fill)?;
        }
        Ok(Self { bytes })
    }

    /// Allocates a copy.
    pub(crate) fn copy_of(bytes: &[u8]) -> Result<Self, OutOfMemory> {
        let mut copy = Self::filled(bytes.len(), 0)?;
        copy.write(0, bytes)?;
        Ok(copy)
    }

    /// Borrows all bytes.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// Borrows all bytes to change them.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Counts the bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Overwrites from `offset` on; nothing is written unless everything fits.
    pub(crate) fn write(&mut self, offset: usize, source: &[u8]) -> Result<(), OutOfMemory> {
        let end = offset.checked_add(source.len()).ok_or(OutOfMemory)?;
        let target = self.bytes.get_mut(offset..end).ok_or(OutOfMemory)?;
        for (to, from) in target.iter_mut().zip(source) {
            *to = *from;
        }
        Ok(())
    }

    /// Sets every byte to `value`.
    pub(crate) fn fill(&mut self, value: u8) {
        self.bytes.fill(value);
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        self.bytes.as_mut_slice().zeroize();
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

/// Pushes within the reserved capacity; the comparison lets the compiler drop the growing path.
fn push_within<T>(vector: &mut Vec<T>, value: T) -> Result<(), OutOfMemory> {
    if vector.len() >= vector.capacity() {
        return Err(OutOfMemory);
    }
    vector.push(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    #[test]
    fn a_full_table_refuses_another_value() {
        let mut slots = Slots::<char>::reserve(2).unwrap();
        assert_eq!(slots.insert('a'), Ok(0));
        assert_eq!(slots.insert('b'), Ok(1));
        assert_eq!(slots.insert('c'), Err(OutOfMemory));
    }

    #[test]
    fn a_slot_keeps_its_number_when_another_is_emptied() {
        let mut slots = Slots::<char>::reserve(2).unwrap();
        slots.insert('a').unwrap();
        slots.insert('b').unwrap();
        assert_eq!(slots.take(0), Some('a'));
        assert_eq!(slots.at(1), Some(&'b'));
        assert_eq!(slots.insert('c'), Ok(0));
    }

    /// Tells where it was dropped.
    struct Witness<'a>(&'a Cell<usize>);

    impl Drop for Witness<'_> {
        fn drop(&mut self) {
            self.0.set(core::ptr::from_ref(self).addr());
        }
    }

    /// CVE-2026-6726: an object was flushed and its key stayed in the slot.
    #[test]
    fn cve_2026_6726_an_emptied_slot_is_dropped_where_it_lies() {
        type Emptied = fn(&mut Slots<Witness<'_>>);
        let ways: [Emptied; 2] = [|slots| slots.clear(0).unwrap(), |slots| slots.retain(|_| false)];
        for empty in ways {
            let dropped_at = Cell::new(0);
            let mut slots = Slots::reserve(1).unwrap();
            assert_eq!(slots.insert(Witness(&dropped_at)), Ok(0));
            let lay_at = core::ptr::from_ref(slots.at(0).unwrap()).addr();
            empty(&mut slots);
            assert_eq!((slots.used(), dropped_at.get()), (0, lay_at));
        }
    }

    #[test]
    fn an_impossible_reservation_is_an_error() {
        assert_eq!(Slots::<u64>::reserve(usize::MAX).unwrap_err(), OutOfMemory);
        assert_eq!(Blob::filled(usize::MAX, 0).unwrap_err(), OutOfMemory);
    }

    #[test]
    fn a_write_past_the_end_changes_nothing() {
        let mut blob = Blob::filled(3, 0).unwrap();
        blob.write(0, &[1, 2, 3]).unwrap();
        assert_eq!(blob.write(2, &[9, 9]), Err(OutOfMemory));
        assert_eq!(blob.write(usize::MAX, &[9]), Err(OutOfMemory));
        assert_eq!(blob.as_slice(), &[1, 2, 3]);
    }
}
