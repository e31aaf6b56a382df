// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The draft's examples, and what is no wrapper.

use alloc::format;
use alloc::vec;

use super::*;

fn record(content: &str, value: &[u8], indicator: Option<u32>) -> Cmw {
    Cmw::Record(Record { content: ContentType::Media(content.into()), value: value.to_vec(), indicator })
}

fn collection(kind: Option<&str>, members: Vec<(Label, Cmw)>) -> Cmw {
    Cmw::Collection(Collection { kind: kind.map(Into::into), members })
}

fn text(label: &str) -> Label {
    Label::Text(label.into())
}

#[test]
fn the_drafts_record_is_the_same_in_both_encodings() {
    // draft-ietf-rats-msg-wrap, "JSON-encoded Record" and "CBOR-encoded Record".
    let name = "application/vnd.example.rats-conceptual-msg";
    let expected = record(name, &[0x23, 0x47, 0xda, 0x55], None);
    let json = format!("[\n  \"{name}\",\n  \"I0faVQ\"\n]");
    let cbor = [&[0x82, 0x78, 0x2b], name.as_bytes(), &[0x44, 0x23, 0x47, 0xda, 0x55]].concat();
    assert_eq!(Cmw::parse(json.as_bytes()), Ok(expected.clone()));
    assert_eq!(Cmw::parse(&cbor), Ok(expected.clone()));
    assert_eq!((expected.to_cbor(), expected.to_json()), (Ok(cbor), Ok(format!("[\"{name}\",\"I0faVQ\"]"))));
}

#[test]
fn the_drafts_collection_is_read_and_written_in_json() {
    let json =
        r#"{"attester A":["application/eat-ucs+json","e30K",4],"attester B":["application/eat-ucs+cbor","oA",4]}"#;
    let members = vec![
        (text("attester A"), record("application/eat-ucs+json", b"{}\n", Some(indicator::EVIDENCE))),
        (text("attester B"), record("application/eat-ucs+cbor", &[0xa0], Some(indicator::EVIDENCE))),
    ];
    assert_eq!(Cmw::parse(json.as_bytes()), Ok(collection(None, members.clone())));
    assert_eq!(collection(None, members).to_json().as_deref(), Ok(json));
}

#[test]
fn the_drafts_collection_with_tag_and_content_format_is_cbor_only() {
    let coap = Record { content: ContentType::Coap(64999), value: vec![0x23, 0x47, 0xda, 0x55], indicator: Some(4) };
    let expected = collection(
        Some("tag:example.com,2024:composite-attester"),
        vec![
            (Label::Number(0), Cmw::Record(coap)),
            (Label::Number(1), Cmw::Tag { number: 1_668_612_070, value: vec![0x23, 0x47, 0xda, 0x55] }),
            (Label::Number(2), record("application/eat+jwt", b"...", Some(8))),
        ],
    );
    let cbor = expected.to_cbor().unwrap();
    assert_eq!(Cmw::parse(&cbor), Ok(expected.clone()));
    assert!(matches!(expected.to_json(), Err(Error::Malformed { .. })));
    // An indefinite length ends the same map with a break.
    let mut open = cbor;
    open[0] = 0xbf;
    open.push(0xff);
    assert_eq!(Cmw::parse(&open), Ok(expected));
}

#[test]
fn what_breaks_a_rule_of_the_draft_is_refused_in_both_encodings() {
    for json in [
        "",
        "[]",
        "{}",
        r#"["a/b"]"#,
        r#"["no type",""]"#,
        r#"["/b",""]"#,
        r#"["a/b","A"]"#,
        r#"["a/b","AA=="]"#,
        r#"["a/b","AB"]"#,
        r#"["a/b","+/"]"#,
        r#"["a/b","",0]"#,
        r#"["a/b","",32]"#,
        r#"["a/b","",4,4]"#,
        r#"["a/b",""] x"#,
        r#"[7,""]"#,
        r#"{"x":["a/b",""],"x":["a/b",""]}"#,
        r#"{"__cmwc_t":"tag:x"}"#,
        r#"{"__cmwc_t":"tag:x","__cmwc_t":"tag:x","x":["a/b",""]}"#,
        r#"{"x":{}}"#,
        r#"{"x":"y"}"#,
    ] {
        assert!(Cmw::parse(json.as_bytes()).is_err(), "{json}");
    }
    for cbor in [
        [0xa0].as_slice(),
        &[0x80],
        &[0x81, 0x63, b'a', b'/', b'b'],
        &[0x82, 0x63, b'a', b'/', b'b', 0x60],
        &[0x83, 0x63, b'a', b'/', b'b', 0x40, 0],
        &[0x84, 0x63, b'a', b'/', b'b', 0x40, 4, 4],
        &[0x82, 0x63, b'a', b'/', b'b', 0x40, 0],
        &[0xd2, 0x40],
        &[0xa1, 0x00, 0x40],
        &[0xa1, 0xf6, 0x82, 0x00, 0x40],
        &[0xa2, 0x00, 0x82, 0x00, 0x40, 0x00, 0x82, 0x00, 0x40],
        &[0x82, 0x1a, 0, 1, 0, 0, 0x40],
        &[0x82, 0x00, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert!(Cmw::parse(cbor).is_err(), "{cbor:02x?}");
    }
}

#[test]
fn collections_lie_in_each_other_four_deep_and_not_deeper() {
    let nested =
        |depth| (0..depth).fold(record("a/b", b"", None), |inner, _| collection(None, vec![(text("x"), inner)]));
    for (depth, is_read) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
        let wrapper = nested(depth);
        assert_eq!(Cmw::parse(&wrapper.to_cbor().unwrap()).is_ok(), is_read, "{depth}");
        assert_eq!(Cmw::parse(wrapper.to_json().unwrap().as_bytes()).is_ok(), is_read, "{depth}");
    }
    assert!(Cmw::parse(&[0xa1, 0x00].repeat(100_000)).is_err());
    assert!(Cmw::parse("{\"\":".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn a_collection_has_256_members_and_not_more() {
    for (count, is_read) in [(256_i64, true), (257, false)] {
        let members = (0..count).map(|number| (text(&format!("{number}")), record("a/b", b"", None))).collect();
        let wrapper = collection(None, members);
        assert_eq!(Cmw::parse(&wrapper.to_cbor().unwrap()).is_ok(), is_read);
        assert_eq!(Cmw::parse(wrapper.to_json().unwrap().as_bytes()).is_ok(), is_read);
    }
}
