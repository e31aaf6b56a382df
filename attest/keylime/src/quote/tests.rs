// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The quote's text: what we write we read, and nothing else; a blob that tpm2-tools wrote.

use super::*;

const SHA256: u16 = 0x000B;

/// PCRs 0, 10 and 16, each a repeated byte.
fn blob() -> PcrBlob {
    let values = [0, 10, 16].map(|pcr| vec![pcr; 32]).to_vec();
    PcrBlob::new(vec![BankSelection { hash: SHA256, select: [0x01, 0x04, 0x01] }], values).unwrap()
}

/// The blob with some bytes of it replaced.
fn with(offset: usize, bytes: &[u8]) -> Result<PcrBlob, MalformedQuote> {
    let mut changed = blob().to_bytes();
    changed[offset..offset + bytes.len()].copy_from_slice(bytes);
    PcrBlob::parse(&changed)
}

#[test]
fn the_blob_has_tpm2_tools_layout() {
    let bytes = blob().to_bytes();
    assert_eq!(bytes.len(), 4 + 16 * 8 + 4 + 532);
    assert_eq!(bytes[..12], [1, 0, 0, 0, 0x0B, 0, 3, 0x01, 0x04, 0x01, 0, 0]);
    assert_eq!(bytes[132..142], [1, 0, 0, 0, 3, 0, 0, 0, 32, 0]);
    assert_eq!(bytes[206..210], [32, 0, 10, 10]);
}

#[test]
fn what_is_written_is_read() {
    let quote = QuoteText { message: vec![1, 2], signature: vec![3], pcrs: blob() };
    let text = quote.to_string();
    assert!(text.starts_with("rAQI=:Aw==:AQAAAAsA"), "{text}");
    assert_eq!(QuoteText::parse(&text), Ok(quote));
}

#[test]
fn all_pcrs_of_two_banks_need_six_lists() {
    let all = [0xFF; 3];
    let banks = vec![BankSelection { hash: SHA256, select: all }, BankSelection { hash: 0x000C, select: all }];
    let blob = PcrBlob::new(banks, (0..48).map(|value| vec![value; 48]).collect()).unwrap();
    assert_eq!(blob.to_bytes().len(), HEADER_SIZE + 6 * LIST_SIZE);
    assert_eq!(PcrBlob::parse(&blob.to_bytes()), Ok(blob));
}

#[test]
fn each_value_is_named_by_its_bank_and_pcr() {
    let blob = blob();
    let named: Vec<_> = blob.iter().map(|(hash, pcr, value)| (hash, pcr, value[0])).collect();
    assert_eq!(named, [(SHA256, 0, 0), (SHA256, 10, 10), (SHA256, 16, 16)]);
}

#[test]
fn short_lists_are_read_too() {
    // PCR_Read answers with as many as it likes, so a list in the middle need not be full.
    let mut bytes = blob().to_bytes();
    bytes[132..140].copy_from_slice(&[2, 0, 0, 0, 2, 0, 0, 0]);
    let third = bytes[140 + 2 * SLOT_SIZE..140 + 3 * SLOT_SIZE].to_vec();
    bytes[140 + 2 * SLOT_SIZE..140 + 3 * SLOT_SIZE].fill(0);
    bytes.extend([1, 0, 0, 0]);
    bytes.extend(third);
    bytes.resize(HEADER_SIZE + 2 * LIST_SIZE, 0);
    assert_eq!(PcrBlob::parse(&bytes), Ok(blob()));
}

#[test]
fn a_text_that_is_no_quote_is_refused() {
    let text = QuoteText { message: vec![1], signature: vec![2], pcrs: blob() }.to_string();
    assert_eq!(QuoteText::parse(&text[1..]), Err(MalformedQuote::Prefix));
    assert_eq!(QuoteText::parse("rAQ==:AQ=="), Err(MalformedQuote::Parts(2)));
    assert_eq!(QuoteText::parse(&format!("{text}:")), Err(MalformedQuote::Parts(4)));
    assert_eq!(QuoteText::parse(&text.replace("rAQ==", "rAQ")), Err(MalformedQuote::Base64("message")));
    assert_eq!(QuoteText::parse(&text.replace("rAQ==", "rAR==")), Err(MalformedQuote::Base64("message")));
}

#[test]
fn a_blob_of_another_size_is_refused() {
    let bytes = blob().to_bytes();
    let short = MalformedQuote::BlobSize { expected: bytes.len(), actual: bytes.len() - 1 };
    assert_eq!(PcrBlob::parse(&bytes[..bytes.len() - 1]), Err(short));
    assert!(matches!(with(132, &[2]), Err(MalformedQuote::BlobSize { .. })));
    assert!(matches!(with(132, &[0xFF; 4]), Err(MalformedQuote::BlobSize { .. })));
    for length in 0..bytes.len() {
        assert!(PcrBlob::parse(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn more_values_than_selected_pcrs_are_refused() {
    assert_eq!(with(7, &[0x00]), Err(MalformedQuote::Values { expected: 2, actual: 3 }));
    assert_eq!(with(7, &[0x03]), Err(MalformedQuote::Values { expected: 4, actual: 3 }));
}

#[test]
fn a_bank_that_is_selected_twice_is_refused() {
    let bank = BankSelection { hash: SHA256, select: [1, 0, 0] };
    let twice = PcrBlob::new(vec![bank, bank], vec![vec![0; 32], vec![1; 32]]);
    assert_eq!(twice, Err(MalformedQuote::TwiceSelected(SHA256)));
}

#[test]
fn counts_beyond_their_places_are_refused() {
    assert_eq!(with(0, &[17]), Err(MalformedQuote::Banks(17)));
    assert_eq!(with(0, &[0]), Err(MalformedQuote::Banks(0)));
    assert_eq!(with(6, &[4]), Err(MalformedQuote::SelectSize(4)));
    assert_eq!(with(136, &[9]), Err(MalformedQuote::ListCount(9)));
    assert_eq!(with(136, &[0]), Err(MalformedQuote::ListCount(0)));
    assert_eq!(with(140, &[65]), Err(MalformedQuote::DigestSize(65)));
    assert_eq!(with(140, &[0]), Err(MalformedQuote::DigestSize(0)));
}

#[test]
fn an_unused_place_must_be_zero() {
    for offset in [10, 12, 131, 140 + 34, 140 + 3 * SLOT_SIZE] {
        assert_eq!(with(offset, &[1]), Err(MalformedQuote::Unused), "{offset}");
    }
}

#[test]
fn a_blob_of_tpm2_tools_is_read_and_written_again() {
    let folder = std::env::var_os("EVTPM_EVIDENCE").map(std::path::PathBuf::from);
    let path = folder.map(|folder| folder.join("tpm-quote/keylime-checkquote/vector.json"));
    let Some(text) = path.and_then(|path| std::fs::read_to_string(path).ok()) else {
        println!("skipped: no evidence folder (EVTPM_EVIDENCE)");
        return;
    };
    let vector: serde_json::Value = serde_json::from_str(&text).unwrap();
    let text = vector["pcr_blob_tpm2_tools"].as_str().unwrap();
    let bytes: Vec<u8> =
        (0..text.len() / 2).map(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap()).collect();
    let blob = PcrBlob::parse(&bytes).unwrap();
    assert_eq!(blob.to_bytes(), bytes);
}
