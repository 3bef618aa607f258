//! How often this thread asked for memory: a measure of work that is the same on every machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread how often it was asked for memory.
pub(crate) struct Counting;

// SAFETY: every call goes to the system's allocator as it came. The counter is a plain cell of
// this thread, made without an allocation and never dropped.
#[expect(unsafe_code, reason = "an allocator cannot be written without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often this thread has asked for memory.
pub(crate) fn count() -> u64 {
    COUNT.get()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_request_is_counted() {
        let before = super::count();
        let boxes = (Box::new(1_u64), vec![0_u8; 100]);
        assert_eq!(super::count() - before, 2);
        drop(boxes);
        assert_eq!(super::count() - before, 2);
    }
}
