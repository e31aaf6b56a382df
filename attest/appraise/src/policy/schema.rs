// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The JSON Schema of the policy document (JSON Schema 2020-12): kept by hand beside the other documents, and proven by tests to
//! have the members that the types read.

use super::Policy;

impl Policy {
    /// The schema that a document has to keep; what only the sense of a document shows, reading it tells.
    pub const SCHEMA: &str = include_str!("../../../../docs/policy.schema.json");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::testing;

    fn schema() -> Value {
        serde_json::from_str(Policy::SCHEMA).unwrap()
    }

    /// What a type reads: its own complaint about a member that it does not know lists those that it does.
    fn read_by_type(document: &Value) -> BTreeSet<String> {
        let error = Policy::from_json(&document.to_string()).unwrap_err().detail;
        let (unknown, expected) = error.split_once("expected").unwrap_or_else(|| panic!("{error}"));
        assert!(unknown.contains("unknown field `bogus`"), "{error}");
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn read_by_schema(properties: &Value) -> BTreeSet<String> {
        properties.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn every_table_has_the_members_that_its_type_reads() {
        let schema = schema();
        let of = |name: &str| read_by_schema(&schema["$defs"][name]["properties"]);
        assert_eq!(read_by_schema(&schema["properties"]), read_by_type(&json!({ "bogus": 0 })));
        let sections = [
            ("snp", "SnpPolicy"),
            ("tdx", "TdxPolicy"),
            ("sgx", "SgxPolicy"),
            ("azure", "AzurePolicy"),
            ("nitro", "NitroPolicy"),
            ("cca", "CcaPolicy"),
            ("psa", "PsaPolicy"),
            ("nvidia", "NvidiaPolicy"),
            ("s390", "S390Policy"),
            ("csv", "CsvPolicy"),
            ("tpm", "TpmPolicy"),
            ("boot", "BootPolicy"),
            ("ima", "ImaPolicy"),
            ("rego", "RegoPolicy"),
        ];
        for (section, name) in sections {
            assert_eq!(schema["properties"][section]["$ref"], format!("#/$defs/{name}"));
            assert_eq!(of(name), read_by_type(&json!({ section: { "bogus": 0 } })), "{section}");
        }
        assert_eq!(of("TcbFloor"), read_by_type(&json!({ "snp": { "tcb": { "Milan": { "bogus": 0 } } } })));
        assert_eq!(of("Endorser"), read_by_type(&json!({ "snp": { "endorsers": [{ "bogus": 0 }] } })));
        assert_eq!(of("IntelPlatform"), read_by_type(&json!({ "tdx": { "platform": { "bogus": 0 } } })));
        assert_eq!(of("PcrPolicy"), read_by_type(&json!({ "tpm": { "pcrs": [{ "bogus": 0 }] } })));
    }

    #[test]
    fn every_word_of_the_schema_is_read_and_no_other() {
        let schema = schema();
        let measurements = ["3e".repeat(48)];
        let implementations = ["1a".repeat(32)];
        type Place<'a> = (&'a str, &'a dyn Fn(&Value) -> Value);
        let snp = |rules: Value| {
            let mut document = json!({ "version": 1, "snp": { "measurements": measurements } });
            document["snp"].as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
            document
        };
        let places: [Place<'_>; 8] = [
            ("ProductName", &|word| snp(json!({ "products": [word] }))),
            ("RevocationRule", &|word| snp(json!({ "revocation": word }))),
            ("Mode", &|word| json!({ "version": 1, "mode": word, "snp": { "measurements": measurements } })),
            ("HardwareRule", &|word| json!({ "version": 1, "hardware": word, "boot": { "secure_boot": true } })),
            (
                "ViolationRule",
                &|word| json!({ "version": 1, "snp": { "measurements": measurements }, "ima": { "violations": word } }),
            ),
            (
                "Bank",
                &|word| json!({ "version": 1, "snp": { "measurements": measurements }, "tpm": { "banks": [word] } }),
            ),
            (
                "IntelTcb",
                &|word| json!({ "version": 1, "tdx": { "measurements": measurements, "platform": { "tcb": [word] } } }),
            ),
            (
                "LifecycleState",
                &|word| json!({ "version": 1, "psa": { "implementations": implementations, "lifecycle": [word] } }),
            ),
        ];
        for (name, place) in places {
            let words = schema["$defs"][name]["enum"].as_array().unwrap();
            for word in words {
                let read = Policy::from_json(&place(word).to_string());
                // A document that asks for hardware and names none is well-formed, and makes no sense.
                let is_read = read.is_ok() || read.is_err_and(|error| error.detail.contains("no launch is named"));
                assert!(is_read, "{name} {word}");
            }
            assert!(Policy::from_json(&place(&json!("bogus")).to_string()).is_err(), "{name}");
        }
    }

    /// Follows `$ref` to the definitions.
    fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
            Some(name) => &root["$defs"][name],
            None => schema,
        }
    }

    /// Checks required and known members and the kinds of values, as far down as a document goes.
    fn check(root: &Value, schema: &Value, document: &Value, path: &str) {
        let schema = resolve(root, schema);
        match document {
            Value::Object(members) => {
                for name in schema["required"].as_array().into_iter().flatten() {
                    assert!(members.contains_key(name.as_str().unwrap()), "{path} lacks {name}");
                }
                for (name, value) in members {
                    let member = match schema["properties"].get(name) {
                        Some(member) => member,
                        None if schema["additionalProperties"].is_object() => &schema["additionalProperties"],
                        None if schema["oneOf"].is_array() => continue,
                        None => panic!("{path}.{name} is not in the schema"),
                    };
                    check(root, member, value, &format!("{path}.{name}"));
                }
            }
            Value::Array(elements) => {
                assert_eq!(schema["type"], "array", "{path}");
                elements.iter().for_each(|element| check(root, &schema["items"], element, path));
            }
            Value::Bool(_) => assert_eq!(schema["type"], "boolean", "{path}"),
            Value::Number(_) => assert!(schema["type"] == "integer" || schema["const"] == *document, "{path}"),
            _ => assert!(schema["type"] == "string" || schema["enum"].as_array().unwrap().contains(document), "{path}"),
        }
    }

    #[test]
    fn a_learnt_policy_keeps_the_schema() {
        let (schema, policy) = (schema(), serde_json::to_value(testing::policy()).unwrap());
        assert!(policy["snp"]["tcb"]["Milan"]["microcode"].is_number());
        check(&schema, &schema, &policy, "");
    }

    #[test]
    fn every_member_is_described() {
        let schema = schema();
        let definitions = schema["$defs"].as_object().unwrap();
        for (name, definition) in definitions.iter().chain([(&"Policy".to_owned(), &schema)]) {
            assert!(definition["description"].is_string(), "{name}");
            for (member, rules) in definition["properties"].as_object().into_iter().flatten() {
                assert!(rules["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}.{member}");
            }
        }
    }
}
