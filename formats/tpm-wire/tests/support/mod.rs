// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Valid bytes of any type, found by repair: whatever a reader refuses is changed where it stopped.
use evtpm_tpm_wire::{Command, Marshal, Rc, Reader, Response, Supported, Unmarshal};

/// A generator of numbers: xorshift.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % limit
    }

    fn choose<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[3]
    }
}

/// How far a reader came, and what it said.
pub(crate) struct Attempt {
    consumed: usize,
    result: Result<(), Rc>,
}

impl Attempt {
    /// Returns whether no more was read than there was.
    #[allow(dead_code, reason = "not each test program asks")]
    pub(crate) const fn is_within(&self, size: usize) -> bool {
        self.consumed <= size
    }
}

/// Reads a value of one type and forgets it.
pub(crate) fn attempt<'a, T: Unmarshal<'a>>(bytes: &'a [u8]) -> Attempt {
    let mut reader = Reader::new(bytes, &Supported::ALL);
    let result = reader.read::<T>().map(|_| ()).map_err(Rc::base);
    Attempt { consumed: bytes.len() - reader.remaining().len(), result }
}

/// Reads the response to a command, handle first, and forgets it.
pub(crate) fn attempt_response<K: Command>(bytes: &[u8]) -> Attempt {
    let handle_size = if K::SPEC.returns_handle { 4 } else { 0 };
    let Some((handle, parameters)) = bytes.split_at_checked(handle_size) else {
        return Attempt { consumed: 0, result: Err(Rc::INSUFFICIENT) };
    };
    let mut reader = Reader::new(parameters, &Supported::ALL);
    let handles = &mut Reader::new(handle, &Supported::ALL);
    let result = K::Response::unmarshal(handles, &mut reader).map(|_| ()).map_err(Rc::base);
    Attempt { consumed: bytes.len() - reader.remaining().len(), result }
}

const HANDLES: &[u32] = &[
    0x4000_0001,
    0x4000_0007,
    0x4000_0009,
    0x4000_000A,
    0x4000_000B,
    0x4000_000C,
    0x4000_000D,
    0x4000_0110,
    0x8000_0000,
    0x8000_0002,
    0x8100_0001,
    0x01C0_0002,
    0x1100_0001,
    0x0200_0000,
    0x0300_0001,
    0xFF54_4347,
    0x0003_0072,
    0x0005_0072,
    0x100,
];
const COMMANDS: &[u32] = &[0x11F, 0x131, 0x17E, 0x182, 0x1A0];
const TAGS: &[u16] = &[
    0x8001, 0x8002, 0x8014, 0x8015, 0x8016, 0x8017, 0x8018, 0x8019, 0x801A, 0x801C, 0x8021, 0x8022, 0x8023, 0x8024,
    0x8025, 0x8026, 0x8027, 128, 192, 256, 1024, 2048, 3072, 4096, 0x60, 0x61, 0xA0, 0xA1, 0xA2,
];

/// Returns bytes that the reader takes completely.
pub(crate) fn generate(numbers: &mut Numbers, attempt: impl Fn(&[u8]) -> Attempt) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        let Attempt { consumed, result } = attempt(&bytes);
        match result {
            Ok(()) => {
                bytes.truncate(consumed);
                return bytes;
            }
            Err(Rc::INSUFFICIENT) => match numbers.below(8) {
                0..=3 => bytes.extend([0, numbers.choose(&[0, 1, 4, 20, 32])]),
                4 => bytes.extend(numbers.choose(COMMANDS).to_be_bytes()),
                5 => bytes.extend([0; 4]),
                _ => bytes.push(numbers.byte()),
            },
            Err(rc) => {
                let candidate = repair(numbers, &bytes, consumed, rc);
                let next = attempt(&candidate);
                if next.result.is_ok() || next.result == Err(Rc::INSUFFICIENT) || next.consumed > consumed {
                    bytes = candidate;
                }
            }
        }
    }
    panic!("no valid bytes were found");
}

/// Changes the bytes before the place where a reader stopped, or a size that counts up to that place.
fn repair(numbers: &mut Numbers, bytes: &[u8], stopped: usize, rc: Rc) -> Vec<u8> {
    let mut candidate = bytes.to_vec();
    let mut patch = |value: &[u8], end: usize| {
        if let Some(start) = end.checked_sub(value.len()) {
            candidate[start..end].copy_from_slice(value);
        }
    };
    if rc == Rc::RESERVED_BITS {
        patch(numbers.choose(&[&[0; 1][..], &[0; 2], &[0; 4], &[0; 8]]), stopped);
        return candidate;
    }
    match numbers.below(6) {
        0 => patch(&[numbers.choose(&[0, 1, 3])], stopped),
        1 => patch(&u16::try_from(numbers.below(0x48)).unwrap().to_be_bytes(), stopped),
        2 => patch(&numbers.choose(TAGS).to_be_bytes(), stopped),
        3 => patch(&numbers.choose(HANDLES).to_be_bytes(), stopped),
        4 => patch(&u32::try_from(numbers.below(24)).unwrap().to_be_bytes(), stopped),
        _ => {
            let end = numbers.below(stopped.max(1)) + 1;
            patch(&u16::try_from(stopped.saturating_sub(end)).unwrap().to_be_bytes(), end);
        }
    }
    candidate
}

/// Returns the wire form of a value.
#[allow(dead_code, reason = "not each test program asks")]
pub(crate) fn bytes_of(value: &impl Marshal) -> Vec<u8> {
    let mut buffer = vec![0; 8192];
    value.to_bytes(&mut buffer).unwrap().to_vec()
}

/// Returns the wire form of a response, handle first.
#[allow(dead_code, reason = "not each test program asks")]
pub(crate) fn response_bytes(response: &impl Response) -> Vec<u8> {
    let mut buffer = vec![0; 8192];
    let mut writer = evtpm_tpm_wire::Writer::new(&mut buffer);
    if let Some(handle) = response.handle() {
        writer.write(&handle).unwrap();
    }
    response.marshal_parameters(&mut writer).unwrap();
    writer.as_written().to_vec()
}
