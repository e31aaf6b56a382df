// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's quote text: what is accepted, and written again, is read as the same.

use evtpm_keylime::quote::{BankSelection, PcrBlob, QuoteText};

pub(super) fn quote(input: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(input) else { return false };
    let Ok(quote) = QuoteText::parse(text) else { return false };
    assert_eq!(QuoteText::parse(&quote.to_string()).as_ref(), Ok(&quote));
    assert_eq!(quote.pcrs.iter().count(), quote.pcrs.values().len());
    true
}

pub(super) fn quote_seeds() -> Vec<Vec<u8>> {
    let bank = BankSelection { hash: 0x000B, select: [0xFF, 0x07, 0x01] };
    let pcrs = PcrBlob::new(vec![bank], vec![vec![0xAA; 32]; 12]);
    let texts = pcrs.map(|pcrs| QuoteText { message: vec![1; 145], signature: vec![2; 72], pcrs }.to_string());
    texts.into_iter().map(String::into_bytes).collect()
}
