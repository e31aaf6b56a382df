// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An allocator that looks for secrets in the blocks of a TPM: in those that live, and in those that are given back.
//!
//! A block is the TPM's if it was allocated while [`watch`] ran. Everything is kept by thread, so that tests do not see
//! each other.
#![expect(unsafe_code, reason = "an allocator is an unsafe trait, and only it knows which blocks may be read")]

use core::cell::{Cell, RefCell};
use core::slice;
use std::alloc::{GlobalAlloc, Layout, System};
use std::thread_local;

/// The most blocks at a time.
const BLOCKS: usize = 512;
/// The most secrets.
const SECRETS: usize = 16;
/// The bytes of a secret that are looked for.
pub const LOOKED_FOR: usize = 16;

/// The allocator.
#[derive(Debug)]
pub struct Watching;

thread_local! {
    static IS_WATCHING: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Seen> = const { RefCell::new(Seen::NOTHING) };
}

/// What is known of the blocks of one thread.
struct Seen {
    /// Address and size of the blocks that live.
    blocks: [(usize, usize); BLOCKS],
    secrets: [Option<[u8; LOOKED_FOR]>; SECRETS],
    /// Which of the secrets were in a block that was given back.
    left_behind: [bool; SECRETS],
    /// There were more blocks than places.
    is_overrun: bool,
}

impl Seen {
    const NOTHING: Self =
        Self { blocks: [(0, 0); BLOCKS], secrets: [None; SECRETS], left_behind: [false; SECRETS], is_overrun: false };

    fn add(&mut self, block: *mut u8, size: usize) {
        match self.blocks.iter_mut().find(|(address, _)| *address == 0) {
            Some(place) => *place = (block.expose_provenance(), size),
            None => self.is_overrun = true,
        }
    }

    fn remove(&mut self, block: *mut u8, size: usize) {
        let Some(place) = self.blocks.iter_mut().find(|(address, _)| *address == block.addr()) else { return };
        *place = (0, 0);
        // SAFETY: the block is given back only after this, and was made of zeros: its bytes can be read.
        let bytes = unsafe { slice::from_raw_parts(block, size) };
        for (secret, is_left) in self.secrets.iter().zip(&mut self.left_behind) {
            *is_left |= secret.is_some_and(|secret| holds(bytes, &secret));
        }
    }
}

fn holds(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

// SAFETY: every call is passed on to the system's allocator, whose contract is the same; that blocks are of zeros is more
// than `alloc` promises.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is the one that the system's allocator asks for.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() && IS_WATCHING.try_with(Cell::get) == Ok(true) {
            let _ = SEEN.try_with(|seen| seen.borrow_mut().add(block, layout.size()));
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let _ = SEEN.try_with(|seen| seen.borrow_mut().remove(block, layout.size()));
        // SAFETY: `block` came from `alloc` above, and so from the system's allocator, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs what belongs to the TPM.
pub fn watch<T>(body: impl FnOnce() -> T) -> T {
    IS_WATCHING.set(true);
    let value = body();
    IS_WATCHING.set(false);
    value
}

/// Looks from now on for the first [`LOOKED_FOR`] bytes of a secret in blocks that are given back.
///
/// # Panics
/// When the secret is shorter, or there are too many of them.
pub fn look_for(secret: &[u8]) {
    let head = secret.first_chunk();
    SEEN.with_borrow_mut(|seen| {
        let place = seen.secrets.iter_mut().find(|place| place.is_none());
        assert!(place.is_some() && head.is_some(), "no place for a secret of {} bytes", secret.len());
        if let Some(place) = place {
            *place = head.copied();
        }
    });
}

/// Tells whether a block of the TPM holds the head of a secret now.
pub fn is_held(secret: &[u8]) -> bool {
    let head = secret.get(..LOOKED_FOR).unwrap_or(secret);
    SEEN.with_borrow(|seen| {
        seen.blocks.iter().filter(|(address, _)| *address != 0).any(|(address, size)| {
            // SAFETY: the block lives, since it is in the table, on this thread, which does nothing else meanwhile; it was
            // made of zeros, so that its bytes can be read.
            let bytes = unsafe { slice::from_raw_parts(core::ptr::with_exposed_provenance(*address), *size) };
            holds(bytes, head)
        })
    })
}

/// Tells which of the secrets were in a block that was given back, in the order of [`look_for`]; takes them out of the
/// account.
///
/// # Panics
/// When there were more blocks than could be watched.
pub fn left_behind() -> std::vec::Vec<usize> {
    let (left_behind, is_overrun) =
        SEEN.with_borrow_mut(|seen| (core::mem::replace(&mut seen.left_behind, [false; SECRETS]), seen.is_overrun));
    assert!(!is_overrun, "more than {BLOCKS} blocks");
    left_behind.iter().enumerate().filter_map(|(number, is_left)| is_left.then_some(number)).collect()
}
