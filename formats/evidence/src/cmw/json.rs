// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Wrappers in JSON: records are arrays with the value in base64url, collections are objects.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Cmw, ContentType, KIND, Label, MAX_DEPTH, Members, Record, WHAT, deeper};
use crate::Error;

pub(super) fn parse(bytes: &[u8]) -> Result<Cmw, Error> {
    let malformed = |error: serde_json::Error| Error::Malformed { what: WHAT, detail: error.to_string() };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let wrapper = Level(MAX_DEPTH).deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(wrapper)
}

/// How many collections may still lie in each other.
struct Level(usize);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Cmw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cmw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Cmw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record or a collection")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Cmw, A::Error> {
        let missing = || A::Error::custom("a record has a type and a value");
        let content: String = sequence.next_element()?.ok_or_else(missing)?;
        let value: Text<'de> = sequence.next_element()?.ok_or_else(missing)?;
        let indicator: Option<u32> = sequence.next_element()?;
        if sequence.next_element::<serde::de::IgnoredAny>()?.is_some() {
            return Err(A::Error::custom("a record of more than three members"));
        }
        let value = URL_SAFE_NO_PAD.decode(value.0.as_bytes()).map_err(A::Error::custom)?;
        Record::new(ContentType::Media(content), value, indicator).map(Cmw::Record).map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cmw, A::Error> {
        let depth = deeper(self.0).map_err(A::Error::custom)?;
        let mut members = Members::default();
        while let Some(label) = map.next_key::<String>()? {
            if label == KIND {
                members.set_kind(map.next_value()?).map_err(A::Error::custom)?;
                continue;
            }
            let label = Label::Text(label);
            members.check(&label).map_err(A::Error::custom)?;
            let member = map.next_value_seed(Level(depth))?;
            members.members.push((label, member));
        }
        members.finish().map_err(A::Error::custom)
    }
}

/// Text that is not copied where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn encode(wrapper: &Cmw) -> Result<String, Error> {
    serde_json::to_string(&Written(wrapper)).map_err(|error| Error::Malformed { what: WHAT, detail: error.to_string() })
}

/// A wrapper on its way out.
struct Written<'a>(&'a Cmw);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Cmw::Record(Record { content: ContentType::Media(text), value, indicator }) => {
                let value = URL_SAFE_NO_PAD.encode(value);
                match indicator {
                    Some(bits) => (text, value, bits).serialize(serializer),
                    None => (text, value).serialize(serializer),
                }
            }
            Cmw::Collection(collection) => {
                let mut map = serializer.serialize_map(None)?;
                if let Some(kind) = &collection.kind {
                    map.serialize_entry(KIND, kind)?;
                }
                for (label, member) in &collection.members {
                    let Label::Text(text) = label else {
                        return Err(S::Error::custom("a number as label has no form in JSON"));
                    };
                    map.serialize_entry(text, &Written(member))?;
                }
                map.end()
            }
            Cmw::Record(Record { content: ContentType::Coap(_), .. }) | Cmw::Tag { .. } => {
                Err(S::Error::custom("a CoAP content format has no form in JSON"))
            }
        }
    }
}
