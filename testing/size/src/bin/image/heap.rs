// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An allocator that the optimiser cannot see through; the image is linked and never run.
#![expect(unsafe_code, reason = "an allocator is an unsafe trait; this one only ever says that there is no memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::hint::black_box;
use core::ptr;

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: `alloc` answers null, which is allowed at any time, so no block exists that could be misused.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        black_box(layout);
        black_box(ptr::null_mut())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        black_box((block, layout));
    }
}
