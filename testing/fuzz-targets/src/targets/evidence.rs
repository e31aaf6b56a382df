// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence of the other TEEs: what parses is verified as far as it goes, and nothing that a fuzzer makes is believed.

use evtpm_evidence::ek_certificate::EkCertificate;
use evtpm_evidence::{cca, cmw::Cmw, corim, hcl, nitro, psa, quote, s390, spdm, uvm};
use evtpm_logs::{HashId, cel};
use evtpm_verify::{UnixTime, dcap, logs::CryptoHashes};

use crate::seeds::evidence;

const NOW: UnixTime = UnixTime(1_767_312_000);

/// Parses a quote and checks what it says of itself.
pub(super) fn td_quote(input: &[u8]) -> bool {
    let Ok((quote, rest)) = quote::Quote::parse_prefix(input) else { return false };
    assert_eq!(quote.bytes.len() + rest.len(), input.len());
    let _verdicts = (dcap::check_body(&quote), dcap::check_binding(&quote), dcap::verify(&quote, &[], NOW));
    true
}

/// A quote of version 4 with a TD's body.
pub(super) fn td_quote_seeds() -> Vec<Vec<u8>> {
    let data = |kind: u16, data: &[u8]| {
        [kind.to_le_bytes().as_slice(), &u32::try_from(data.len()).unwrap_or(0).to_le_bytes(), data].concat()
    };
    let mut quote = vec![0; 48 + 584];
    quote[0] = 4;
    quote[2] = 2;
    quote[4] = 0x81;
    let inner = [[7; 384 + 64].as_slice(), &[2, 0, 9, 9], &data(5, b"PEM")].concat();
    let signature = [[1; 128].as_slice(), &data(6, &inner)].concat();
    quote.extend(u32::try_from(signature.len()).unwrap_or(0).to_le_bytes());
    quote.extend(signature);
    let mut seeds = vec![quote];
    seeds.extend(evidence("dcap", "quote.bin"));
    seeds
}

/// Parses a paravisor's report and its claims.
pub(super) fn hcl_report(input: &[u8]) -> bool {
    let Ok(report) = hcl::HclReport::parse(input) else { return false };
    let keys = hcl::RuntimeClaims::parse(report.runtime_claims);
    keys.is_ok_and(|claims| claims.keys.iter().all(|key| key.key().is_ok() || key.key().is_err()))
}

pub(super) fn hcl_report_seeds() -> Vec<Vec<u8>> {
    let claims = br#"{"keys":[]}"#;
    let mut report = vec![0; 32 + 1184];
    report[..5].copy_from_slice(b"HCLA\x01");
    let length = u32::try_from(claims.len()).unwrap_or(0);
    [length + 20, 1, 2, 1, length].iter().for_each(|number| report.extend(number.to_le_bytes()));
    report.extend(claims);
    let mut seeds = vec![report];
    seeds.extend(evidence("az-vtpm", "hcl-report.bin"));
    seeds
}

/// Parses an attestation document and verifies it.
pub(super) fn nitro_document(input: &[u8]) -> bool {
    let Ok(document) = nitro::Document::parse(input) else { return false };
    let _verdict = evtpm_verify::nitro::verify(&document, NOW);
    true
}

/// A COSE_Sign1 with ES384 around a payload.
fn sign1(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [b"\x84\x44\xa1\x01\x38\x22\xa0\x59".as_slice(), &length, payload, &[0x42, 1, 2]].concat()
}

pub(super) fn nitro_document_seeds() -> Vec<Vec<u8>> {
    let payload = [
        b"\xa6\x69module_id\x61m\x66digest\x66SHA384\x69timestamp\x01\x64pcrs\xa1\x00\x58\x30".as_slice(),
        &[0; 48],
        b"\x6bcertificate\x41\x30\x68cabundle\x81\x41\x30",
    ]
    .concat();
    let mut seeds = vec![sign1(&payload)];
    seeds.extend(evidence("nitro", ".cbor"));
    seeds
}

/// Parses a realm's token and checks what it says of itself.
pub(super) fn cca_token(input: &[u8]) -> bool {
    let Ok(token) = cca::Token::parse(input) else { return false };
    let _verdicts = (evtpm_verify::cca::check_realm_signature(&token), evtpm_verify::cca::check_binding(&token));
    true
}

pub(super) fn cca_token_seeds() -> Vec<Vec<u8>> {
    // Keys above 255 take three bytes: 19 hh ll.
    let platform = b"\xa8\x19\x01\x09\x61p\x0a\x41c\x19\x09\x5c\x41i\x19\x01\x00\x41u\x19\x09\x61\x41f\x19\x09\x5b\x00\
                     \x19\x09\x5f\x80\x19\x09\x62\x67sha-256";
    let realm = b"\xa7\x0a\x41c\x19\xac\xcb\x41p\x19\xac\xce\x41m\x19\xac\xcf\x80\x19\xac\xcc\x67sha-256\
                  \x19\xac\xcd\x41k\x19\xac\xd0\x67sha-256";
    let member = |payload: &[u8]| {
        let token = sign1(payload);
        [[0x59].as_slice(), &u16::try_from(token.len()).unwrap_or(0).to_be_bytes(), &token].concat()
    };
    let token =
        [b"\xd9\x01\x8f\xa2\x19\xac\xca".as_slice(), &member(platform), &[0x19, 0xac, 0xd1], &member(realm)].concat();
    let mut seeds = vec![token];
    seeds.extend(evidence("arm-cca", ".cbor"));
    seeds
}

/// Parses a PSA token.
pub(super) fn psa_token(input: &[u8]) -> bool {
    psa::Token::parse(input).is_ok()
}

pub(super) fn psa_token_seeds() -> Vec<Vec<u8>> {
    let payload = [
        b"\xa5\x0a\x58\x20".as_slice(),
        &[3; 32],
        b"\x19\x01\x00\x41u\x19\x09\x5c\x41i\x19\x09\x5a\x20\x19\x09\x5b\x00",
    ]
    .concat();
    let mut seeds = vec![sign1(&payload)];
    seeds.extend(evidence("arm-psa", ".cbor"));
    seeds
}

/// Parses a device's report; where it ends, its own lengths say.
pub(super) fn spdm_report(input: &[u8]) -> bool {
    let Ok((report, rest)) = spdm::Report::parse_prefix(input) else { return false };
    assert_eq!(report.signed.len() + report.signature.len() + rest.len(), input.len());
    true
}

pub(super) fn spdm_report_seeds() -> Vec<Vec<u8>> {
    let block = [[1, 1, 51, 0, 0, 48, 0].as_slice(), &[9; 48]].concat();
    let report = [
        [0x11, 0xE0, 1, 0xFF].as_slice(),
        &[2; 33],
        &[0x11, 0x60, 0, 0, 1, 55, 0, 0],
        &block,
        &[3; 32],
        &[6, 0, 3, 0, 2, 0, b'5', b'0'],
        &[4; 96],
    ]
    .concat();
    let mut seeds = vec![report];
    seeds.extend(evidence("nvidia", "spdm-report.bin"));
    seeds
}

/// Parses the certificate that carries a report.
pub(super) fn ek_certificate(input: &[u8]) -> bool {
    EkCertificate::parse(input).is_ok_and(|certificate| certificate.report.len() <= input.len())
}

pub(super) fn ek_certificate_seeds() -> Vec<Vec<u8>> {
    EkCertificate::of_p256(&[1; 32], &[2; 32], &[3; 1184]).to_der().into_iter().collect()
}

/// Parses reference values, and an endorsement of a container host, which is a COSE_Sign1 too.
pub(super) fn corim(input: &[u8]) -> bool {
    let endorsement = uvm::Endorsement::parse(input);
    let _verdict = endorsement.map(|parsed| evtpm_verify::endorsement::verify(&parsed, parsed.issuer, NOW));
    corim::Corim::parse(input).is_ok()
}

pub(super) fn corim_seeds() -> Vec<Vec<u8>> {
    let comid = b"\xa2\x01\xa1\x00\x61i\x04\xa1\x00\x81\x82\xa1\x00\xa1\x00\xd9\x02\x30\x41i\x81\xa1\x01\xa1\x04\xd9\x02\x30\x41v";
    let length = u8::try_from(comid.len()).unwrap_or(0);
    let mut seeds = vec![[b"\xd9\x01\xf5\xa2\x00\x61i\x01\x81\xd9\x01\xfa\x58".as_slice(), &[length], comid].concat()];
    seeds.extend(evidence("corim", ".cbor"));
    seeds.extend(evidence("snp", ".cose"));
    seeds
}

/// Parses what `pvattest` exchanges, requests and image headers.
pub(super) fn s390_exchange(input: &[u8]) -> bool {
    let _headers = (s390::request_sizes(input), s390::ImageHeader::parse(input).is_ok());
    s390::Exchange::parse(input).is_ok()
}

pub(super) fn s390_exchange_seeds() -> Vec<Vec<u8>> {
    let mut exchange =
        [b"pvattest".as_slice(), &[0, 0, 1, 0, 0, 0, 0, 68], &[0; 8], &[0, 0, 0, 4, 0, 0, 0, 64]].concat();
    exchange.extend([0; 32]);
    exchange.extend([7; 4]);
    let mut seeds = vec![exchange];
    seeds.extend(evidence("s390-se", ".bin"));
    seeds
}

/// Reads a canonical event log in TLV.
pub(super) fn cel_log(input: &[u8]) -> bool {
    let mut records = cel::Records::new(input).peekable();
    let _whole = canonical(cel::Encoding::Tlv, input);
    records.peek().is_some() && records.all(|record| record.is_ok_and(|record| record.digests().count() <= 256))
}

/// Reads a canonical event log in JSON.
pub(super) fn cel_json(input: &[u8]) -> bool {
    canonical(cel::Encoding::Json, input)
}

/// Reads a canonical event log in CBOR.
pub(super) fn cel_cbor(input: &[u8]) -> bool {
    canonical(cel::Encoding::Cbor, input)
}

/// What is read is replayed, and rewritten as logs that can be read in turn.
fn canonical(encoding: cel::Encoding, input: &[u8]) -> bool {
    if cel::Encoding::of(input) != Some(encoding) {
        return false;
    }
    let Ok(log) = cel::Log::parse(input) else { return false };
    let _registers = log.replay(&[HashId::SHA256], &CryptoHashes);
    let _proven = log.entries().iter().filter(|entry| entry.is_proven(&CryptoHashes)).count();
    let _list = log.to_ima_list(&CryptoHashes);
    log.to_event_log().is_ok()
}

pub(super) fn cel_json_seeds() -> Vec<Vec<u8>> {
    let digest = "aa".repeat(20);
    let record = |kind: &str, content: &str| {
        format!(
            r#"{{"recnum":1,"pcr":10,"digests":[{{"hashAlg":"sha1","digest":"{digest}"}}],"content_type":"{kind}","content":{content}}}"#
        )
    };
    let records = [
        record("cel", r#"{"type":"state_trans","data":"kexec"}"#),
        record("pcclient_std", r#"{"event_type":"EV_IPL","event_data":"00"}"#),
        record("ima_template", r#"{"template_name":"ima-ng","template_data":"00"}"#),
        record("ima_tlv", "\"0001\""),
        record("systemd", r#"{"eventType":"phase","string":"sysinit"}"#),
    ];
    let sequence: String = records.iter().map(|record| format!("\u{1e}{record}\n")).collect();
    vec![sequence.into_bytes(), format!("[{}]", records.join(",")).into_bytes()]
}

pub(super) fn cel_cbor_seeds() -> Vec<Vec<u8>> {
    let record = |kind: u8, content: &[u8]| {
        let digests = [[0x81, 0xA2, 0, 4, 1, 0x54].as_slice(), &[0xAA; 20]].concat();
        [[0xA5, 0, 1, 1, 10, 3].as_slice(), &digests, &[9, kind, 10], content].concat()
    };
    let records = [
        record(4, &[0xA2, 0, 1, 1, 0xA2, 0, 1, 1, 0]),
        record(5, &[0xA2, 0, 13, 1, 0x41, 7]),
        record(7, &[0xA2, 0, 0x61, b'd', 1, 0x41, 7]),
        record(8, &[0x42, 0, 1]),
    ];
    vec![records.concat(), [vec![0x84], records.concat()].concat()]
}

pub(super) fn cel_log_seeds() -> Vec<Vec<u8>> {
    let record = [
        [0, 0, 0, 0, 1, 7].as_slice(),
        &[1, 0, 0, 0, 1, 10],
        &[3, 0, 0, 0, 25, 4, 0, 0, 0, 20],
        &[0xAA; 20],
        &[80, 0, 0, 0, 2, b'h', b'i'],
    ]
    .concat();
    vec![record.repeat(2)]
}

/// Parses a wrapper; what was read is written, and read as the same again.
pub(super) fn cmw(input: &[u8]) -> bool {
    let Ok(wrapper) = Cmw::parse(input) else { return false };
    let again = wrapper.to_cbor().and_then(|bytes| Cmw::parse(&bytes));
    assert_eq!(again.as_ref(), Ok(&wrapper));
    if let Ok(json) = wrapper.to_json() {
        assert_eq!(Cmw::parse(json.as_bytes()).as_ref(), Ok(&wrapper));
    }
    true
}

pub(super) fn cmw_seeds() -> Vec<Vec<u8>> {
    let json = br#"{"__cmwc_t":"tag:example.com,2026:x","a":["a/b","AQID",4],"b":{"c":["a/b; c=d",""]}}"#;
    let coap = [0xa2, 0x00, 0x82, 0x19, 0xfd, 0xe7, 0x41, 0x07, 0x20, 0xda, 0x63, 0x75, 0x7c, 0xa5, 0x41, 0x07];
    let cbor = Cmw::parse(json).and_then(|wrapper| wrapper.to_cbor());
    [json.to_vec(), coap.to_vec()].into_iter().chain(cbor).collect()
}
