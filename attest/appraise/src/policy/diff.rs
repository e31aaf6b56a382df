// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What changed from one policy to another, rule by rule, and whether more or fewer machines pass by it.
//!
//! Lists are compared as the sets that they are. Of most that name accepted values an empty one accepts anything: a value that is
//! added makes the policy wider, the first one makes it narrower. Others accept what they name and nothing else, or ask for it
//! ([`Kind`]).

use core::fmt;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Policy, PolicyError};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The rule, as `snp.measurements` or `ima.files./usr/bin/sh`.
    pub rule: String,
    /// What the first policy has and the second has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What the second policy has and the first has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
    /// What it does to the set of machines that pass.
    pub effect: Effect,
}

/// What a change does to the set of machines that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// More machines pass.
    Wider,
    /// Fewer machines pass.
    Narrower,
    /// Other machines pass.
    Other,
    /// The same machines pass.
    Same,
}

impl Effect {
    const fn reversed(self) -> Self {
        match self {
            Self::Wider => Self::Narrower,
            Self::Narrower => Self::Wider,
            same => same,
        }
    }

    /// Names the effect.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Narrower => "narrower",
            Self::Other => "other",
            Self::Same => "same",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rule, effect) = (&self.rule, self.effect.name());
        match (&self.was, &self.is) {
            (Some(was), Some(is)) => write!(f, "{rule}: was {was}, is {is} ({effect})"),
            (Some(was), None) => write!(f, "{rule}: without {was} ({effect})"),
            (None, Some(is)) => write!(f, "{rule}: with {is} ({effect})"),
            (None, None) => write!(f, "{rule} ({effect})"),
        }
    }
}

impl Policy {
    /// Lists what differs in `other`, in the order of the rules' names.
    pub fn diff(&self, other: &Self) -> Result<Vec<Change>, PolicyError> {
        let value = |policy| serde_json::to_value(policy).map_err(|error| PolicyError { detail: error.to_string() });
        let mut changes = Vec::new();
        compare("", Some(&value(self)?), Some(&value(other)?), &mut changes);
        Ok(changes)
    }
}

fn compare(rule: &str, was: Option<&Value>, is: Option<&Value>, changes: &mut Vec<Change>) {
    if was == is {
        return;
    }
    let table = |value: Option<&Value>| match value {
        Some(Value::Object(table)) => Some(table.clone()),
        None => Some(Map::new()),
        Some(_) => None,
    };
    let list = |value: Option<&Value>| match value {
        Some(Value::Array(list)) => Some(list.clone()),
        None => Some(Vec::new()),
        Some(_) => None,
    };
    if let (Some(was_list), Some(is_list)) = (list(was), list(is)) {
        // Rules about registers: each is a table of its own.
        if rule == "tpm.pcrs"
            && let (Some(was), Some(is)) = (numbered(&was_list), numbered(&is_list))
        {
            return tables(rule, &was, &is, changes);
        }
        return lists(rule, &was_list, &is_list, changes);
    }
    // A whole section that came or went is one change, and not as many as it has rules.
    let is_section = !rule.is_empty() && !rule.contains('.') && (was.is_none() || is.is_none());
    match (table(was), table(is)) {
        (Some(was), Some(is)) if !is_section => tables(rule, &was, &is, changes),
        _ => changes.push(single(rule, was, is)),
    }
}

fn tables(rule: &str, was: &Map<String, Value>, is: &Map<String, Value>, changes: &mut Vec<Change>) {
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    for key in keys {
        let name = if rule.is_empty() { key.clone() } else { format!("{rule}.{key}") };
        compare(&name, was.get(key), is.get(key), changes);
    }
}

/// Keys rules about registers by the register's number.
fn numbered(list: &[Value]) -> Option<Map<String, Value>> {
    let entry = |rule: &Value| Some((rule.get("pcr")?.to_string(), rule.get("values")?.clone()));
    list.iter().map(entry).collect()
}

fn lists(rule: &str, was: &[Value], is: &[Value], changes: &mut Vec<Change>) {
    let (adding, removing) = match kind(rule) {
        Kind::Required => (Effect::Narrower, Effect::Wider),
        Kind::Exempt => (Effect::Wider, Effect::Narrower),
        Kind::Accepted => (
            if was.is_empty() { Effect::Narrower } else { Effect::Wider },
            if is.is_empty() { Effect::Wider } else { Effect::Narrower },
        ),
    };
    for value in was.iter().filter(|value| !is.contains(value)) {
        changes.push(Change { rule: rule.into(), was: Some(shown(value)), is: None, effect: removing });
    }
    for value in is.iter().filter(|value| !was.contains(value)) {
        changes.push(Change { rule: rule.into(), was: None, is: Some(shown(value)), effect: adding });
    }
}

/// What the elements of a list are.
enum Kind {
    /// Values that are accepted; none stands for any.
    Accepted,
    /// Values that are accepted; none stands for none: each of them is one more that passes.
    Exempt,
    /// Things that have to be there, or must not be: each is one more demand.
    Required,
}

fn kind(rule: &str) -> Kind {
    match rule {
        "tpm.banks" | "boot.pcrs" | "snp.tcb_fields" | "snp.mitigations" => Kind::Required,
        "snp.platform_required" | "snp.platform_refused" => Kind::Required,
        "snp.products" | "snp.simulated" | "snp.measurements" | "snp.endorsers" => Kind::Exempt,
        "ima.digests" | "ima.signers" | "ima.excludes" => Kind::Exempt,
        _ if rule.starts_with("ima.files.") => Kind::Exempt,
        _ => Kind::Accepted,
    }
}

fn single(rule: &str, was: Option<&Value>, is: Option<&Value>) -> Change {
    let effect = match (was, is) {
        (Some(Value::Bool(_)), None) | (None, Some(Value::Bool(_))) if rule.ends_with("secure_boot") => presence(is),
        // A flag that is left out is off.
        (_, Some(Value::Bool(true))) => flag(rule),
        (Some(Value::Bool(true)), _) => flag(rule).reversed(),
        (_, Some(Value::Number(is))) if rule.contains("min_") || rule.contains(".tcb.") => {
            if was.and_then(Value::as_u64) < is.as_u64() { Effect::Narrower } else { Effect::Wider }
        }
        (Some(Value::Number(_)), None) => Effect::Wider,
        (Some(Value::Object(_)), None) | (None, Some(Value::Object(_))) => presence(is),
        _ => words(rule, was, is),
    };
    Change { rule: rule.into(), was: was.map(shown), is: is.map(shown), effect }
}

/// A section or rule that is there asks for something.
const fn presence(is: Option<&Value>) -> Effect {
    if is.is_some() { Effect::Narrower } else { Effect::Wider }
}

fn flag(rule: &str) -> Effect {
    match rule {
        "ima.boot_aggregate" => Effect::Narrower,
        "tpm.require_shared_challenge" | "nvidia.require_manifests" | "csv.require_csv3" => Effect::Narrower,
        _ if rule.ends_with("secure_boot") => Effect::Other,
        _ => Effect::Wider,
    }
}

fn words(rule: &str, was: Option<&Value>, is: Option<&Value>) -> Effect {
    let word = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    match (rule, word(was).as_str(), word(is).as_str()) {
        ("name" | "version", _, _) => Effect::Same,
        ("hardware", _, "none") | ("mode", _, "audit") | ("ima.violations", _, "report") => Effect::Wider,
        ("hardware" | "mode" | "ima.violations", _, _) => Effect::Narrower,
        (rule, _, "required") if rule.ends_with("revocation") => Effect::Narrower,
        (rule, "required", _) if rule.ends_with("revocation") => Effect::Wider,
        _ => Effect::Other,
    }
}

/// Shows a value for people: text without quotes, a section by its name alone.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.contains('\n') => format!("{} lines", text.lines().count()),
        Value::String(text) => text.clone(),
        Value::Object(table) if table.len() > 1 => format!("{} rules", table.len()),
        Value::Object(table) => {
            table.iter().map(|(key, value)| format!("{key} {}", shown(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::{CommandLineRule, HardwareRule, PlatformFlag, RevocationRule, TcbFloor},
        testing::{policy, sha256, snp},
    };

    fn changes(change: impl FnOnce(&mut Policy)) -> Vec<String> {
        let (old, mut new) = (policy(), policy());
        change(&mut new);
        old.diff(&new).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_policies_do_not_differ() {
        assert_eq!(changes(|_| {}), [""; 0]);
    }

    #[test]
    fn a_file_that_changed_is_named_with_what_it_was_and_is() {
        let changed = changes(|new| {
            let files = &mut new.ima.as_mut().unwrap().files;
            files.insert("/usr/bin/sh".into(), crate::policy::AtLeastOne::new(sha256(0xb2)));
            files.insert("/usr/bin/new".into(), crate::policy::AtLeastOne::new(sha256(0xcc)));
            files.remove("/usr/bin/true");
        });
        let [new, sh_was, sh_is, gone] = changed.as_slice() else { panic!("{changed:#?}") };
        assert_eq!(*new, format!("ima.files./usr/bin/new: with {} (wider)", sha256(0xcc)));
        assert_eq!(*sh_was, format!("ima.files./usr/bin/sh: without {} (narrower)", sha256(0xa2)));
        assert_eq!(*sh_is, format!("ima.files./usr/bin/sh: with {} (wider)", sha256(0xb2)));
        assert_eq!(*gone, format!("ima.files./usr/bin/true: without {} (narrower)", sha256(0xa1)));
    }

    #[test]
    fn the_first_value_of_a_list_narrows_and_the_next_one_widens() {
        let host_data = |values: Vec<u8>| {
            let mut policy = policy();
            snp(&mut policy).host_data = values.into_iter().map(|value| crate::policy::Bytes([value; 32])).collect();
            policy
        };
        let effects = |old: Vec<u8>, new: Vec<u8>| -> Vec<Effect> {
            host_data(old).diff(&host_data(new)).unwrap().iter().map(|change| change.effect).collect()
        };
        assert_eq!(effects(vec![], vec![1]), [Effect::Narrower]);
        assert_eq!(effects(vec![1], vec![1, 2]), [Effect::Wider]);
        assert_eq!(effects(vec![1, 2], vec![1]), [Effect::Narrower]);
        assert_eq!(effects(vec![1], vec![]), [Effect::Wider]);
    }

    #[test]
    fn floors_and_flags_and_words_have_a_direction() {
        assert_eq!(changes(|new| snp(new).min_guest_svn = 9), ["snp.min_guest_svn: was 7, is 9 (narrower)"]);
        let refused = changes(|new| snp(new).platform_refused.push(PlatformFlag::Smt));
        assert_eq!(refused, ["snp.platform_refused: with smt (narrower)"]);
        assert_eq!(changes(|new| snp(new).allow_debug = true), ["snp.allow_debug: was false, is true (wider)"]);
        let floor = |floor: &mut TcbFloor| floor.snp = 1;
        assert_eq!(
            changes(|new| snp(new).tcb.values_mut().for_each(floor)),
            ["snp.tcb.Milan.snp: was 24, is 1 (wider)"]
        );
        assert_eq!(
            changes(|new| snp(new).revocation = RevocationRule::Required),
            ["snp.revocation: was optional, is required (narrower)"]
        );
        let boot = |new: &mut Policy, on| new.boot.as_mut().unwrap().secure_boot = on;
        assert_eq!(changes(|new| boot(new, Some(false))), ["boot.secure_boot: was true, is false (other)"]);
        assert_eq!(changes(|new| boot(new, None)), ["boot.secure_boot: without true (wider)"]);
        assert_eq!(changes(|new| new.name = "new".into()), ["name: with new (same)"]);
    }

    #[test]
    fn the_first_launch_of_a_kind_that_is_named_widens() {
        let endorser = crate::policy::Endorser {
            issuer: "did:x509:0:sha256:x".into(),
            feeds: crate::policy::AtLeastOne::new("feed".into()),
            min_svn: 1,
        };
        let with = changes(|new| snp(new).endorsers = vec![endorser.clone()]);
        assert!(matches!(with.as_slice(), [one] if one.ends_with("(wider)")), "{with:?}");
        let instead = changes(|new| {
            let snp = snp(new);
            (snp.endorsers, snp.measurements) = (vec![endorser], Vec::new());
        });
        let effects: Vec<_> = instead.iter().map(|change| change.rsplit_once(' ').unwrap().1).collect();
        assert_eq!(effects, ["(wider)", "(narrower)"], "{instead:?}");
        let simulated = changes(|new| snp(new).simulated = vec!["another root".into()]);
        assert!(simulated.contains(&"snp.simulated: with another root (wider)".to_owned()), "{simulated:?}");
        let without = changes(|new| snp(new).products.clear());
        assert!(matches!(without.as_slice(), [one] if one.ends_with("(narrower)")), "{without:?}");
    }

    #[test]
    fn a_flag_that_asks_for_something_narrows() {
        let asked = changes(|new| new.tpm.as_mut().unwrap().require_shared_challenge = true);
        assert_eq!(asked, ["tpm.require_shared_challenge: was false, is true (narrower)"]);
        let devices = |require_manifests| {
            let mut policy = policy();
            policy.nvidia = Some(crate::policy::NvidiaPolicy { require_manifests, ..Default::default() });
            policy
        };
        let effects = |old: Policy, new: Policy| old.diff(&new).unwrap().into_iter().map(|one| one.effect).collect();
        let [asked, not]: [Vec<Effect>; 2] =
            [(false, true), (true, false)].map(|(old, new)| effects(devices(old), devices(new)));
        assert_eq!((asked, not), (vec![Effect::Narrower], vec![Effect::Wider]));
        assert_eq!((flag("csv.require_csv3"), flag("csv.allow_debug")), (Effect::Narrower, Effect::Wider));
    }

    #[test]
    fn a_section_that_came_or_went_is_one_change() {
        let gone = changes(|new| new.ima = None);
        assert!(
            matches!(gone.as_slice(), [one] if one.starts_with("ima: without") && one.ends_with("(wider)")),
            "{gone:?}"
        );
        let bare = changes(|new| (new.hardware, new.snp) = (HardwareRule::None, None));
        assert!(bare.iter().all(|change| change.ends_with("(wider)")), "{bare:?}");
    }

    #[test]
    fn registers_are_compared_by_their_numbers() {
        let changed = changes(|new| {
            let pcrs = &mut new.tpm.as_mut().unwrap().pcrs;
            pcrs.reverse();
            pcrs[0].values.insert(sha256(0xee));
        });
        assert_eq!(changed, [format!("tpm.pcrs.7: with {} (wider)", sha256(0xee))]);
        let gone = changes(|new| new.tpm.as_mut().unwrap().pcrs.truncate(1));
        assert!(
            matches!(gone.as_slice(), [one] if one.starts_with("tpm.pcrs.7: without") && one.ends_with("(wider)")),
            "{gone:?}"
        );
    }

    #[test]
    fn command_lines_are_shown_as_they_are_written() {
        let changed = changes(|new| {
            new.boot.as_mut().unwrap().command_lines = vec![CommandLineRule::Exact("quiet".into())];
        });
        assert!(changed.contains(&"boot.command_lines: with exact quiet (wider)".to_owned()), "{changed:?}");
    }
}
