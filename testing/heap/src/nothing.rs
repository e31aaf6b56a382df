// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An allocator that may fail at any moment, as far as the optimiser knows: for images that are linked and never run.
#![expect(unsafe_code, reason = "an allocator is an unsafe trait; this one only ever says that there is no memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::ptr;

/// The allocator.
#[derive(Debug)]
pub struct Nothing;

// SAFETY: `alloc` answers null, which is allowed at any time, so no block exists that could be misused.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        black_box(layout);
        black_box(ptr::null_mut())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        black_box((block, layout));
    }
}
