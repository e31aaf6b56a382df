// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A boot's logs as they were kept: events by register, and the IMA list from its end.

use std::collections::BTreeMap;

use evtpm_api::{ApiFinding, BootLogEvent, BootLogPage, BootLogRegister, ImaEntry, ImaPage};
use evtpm_describe::{BootLog, Line, Mark, file_digest, signer};
use evtpm_logs::ima::{BinaryList, Entry};
use evtpm_logs::{HashId, Text};
use serde::Deserialize;

use crate::hex::hex;
use crate::store::KeptLogs;

/// Bytes of an event's data that are shown.
const SHOWN: usize = 256;

/// The most entries of one answer.
const MOST: usize = 500;

const NOT_KEPT: &str = "no quote that was believed brought one, or it was larger than what is kept";

/// Sorts the events of a log by register.
pub(crate) fn boot_log(logs: &KeptLogs) -> BootLogPage {
    let missing = |why: String| BootLogPage { format: String::new(), missing: Some(why), registers: Vec::new() };
    let Some(bytes) = &logs.event_log else { return missing(NOT_KEPT.to_owned()) };
    let log = match BootLog::read(bytes) {
        Ok(log) => log,
        Err(error) => return missing(error.to_string()),
    };
    // The bank that is quoted unless a policy names others.
    let has_sha256 = log.registers.iter().any(|bank| bank.algorithm == HashId::SHA256);
    let bank = if has_sha256 { Some(HashId::SHA256) } else { log.strongest_bank() };
    let mut registers: BTreeMap<(u64, String), Vec<BootLogEvent>> = BTreeMap::new();
    for line in &log.lines {
        let order = line.register.parse().unwrap_or(u64::MAX);
        registers.entry((order, line.register.clone())).or_default().push(event(line));
    }
    let registers = registers
        .into_iter()
        .map(|((_, register), events)| {
            let value = bank.and_then(|bank| value(&log, bank, &register));
            let bank = bank.filter(|_| value.is_some()).map(|bank| bank.to_string());
            BootLogRegister { register, value, bank, events }
        })
        .collect();
    BootLogPage { format: log.format.to_owned(), missing: None, registers }
}

fn value(log: &BootLog, bank: HashId, register: &str) -> Option<String> {
    let bank = log.registers.iter().find(|found| found.algorithm == bank)?;
    bank.values.iter().find(|(pcr, _)| pcr.to_string() == register).map(|(_, value)| value.to_string())
}

fn event(line: &Line) -> BootLogEvent {
    BootLogEvent {
        number: line.number,
        kind: line.kind.clone(),
        text: line.text.clone(),
        data_is: line.basis.name().to_owned(),
        digests: line.digests.iter().map(|(bank, digest)| format!("{bank}:{}", hex(digest))).collect(),
        data: hex(line.data.get(..SHOWN).unwrap_or(&line.data)),
        size: u64::try_from(line.data.len()).unwrap_or(u64::MAX),
    }
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct ImaQuery {
    /// A part of the path or the digest.
    #[serde(default)]
    pub(crate) search: String,
    /// Not 0: only entries that the last appraisal found something about.
    #[serde(default)]
    pub(crate) flagged: u8,
    #[serde(default)]
    pub(crate) offset: usize,
    pub(crate) limit: Option<usize>,
}

/// Returns a part of the list, newest first, with what was found about each entry.
pub(crate) fn ima(logs: &KeptLogs, findings: &[ApiFinding], query: &ImaQuery) -> ImaPage {
    let parts = contiguous(logs);
    let missing = match (&parts, logs.ima_log.len()) {
        (parts, _) if parts.is_empty() => Some(NOT_KEPT.to_owned()),
        (parts, all) if parts.len() < all => Some("later entries are not kept: the list is too large".to_owned()),
        _ => None,
    };
    let mut kept = 0_u64;
    let mut entries = Vec::new();
    let all = parts.iter().flat_map(|part| BinaryList::new(part)).map_while(Result::ok);
    for (number, entry) in (0..).zip(all) {
        kept = kept.saturating_add(1);
        let finding = about(findings, &entry);
        if (query.flagged == 0 || finding.is_some()) && matches(&entry, &query.search) {
            entries.push((number, entry, finding));
        }
    }
    let matching = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    let limit = query.limit.unwrap_or(MOST).min(MOST);
    let entries = entries.into_iter().rev().skip(query.offset).take(limit).map(|(number, entry, finding)| ImaEntry {
        number,
        path: Text(entry.path()).to_string(),
        digest: file_digest(&entry),
        template: Text(entry.template_name).to_string(),
        signed_by: signer(&entry),
        entry_is: Mark::of(&entry).name().to_owned(),
        finding: finding.cloned(),
    });
    ImaPage { kept, matching, missing, entries: entries.collect() }
}

/// The parts that follow one another from the list's start.
pub(super) fn contiguous(logs: &KeptLogs) -> Vec<&[u8]> {
    let mut next = 0;
    let follows = |(first, bytes): &'_ (u64, Vec<u8>)| {
        let is_next = *first == next;
        next += u64::try_from(BinaryList::new(bytes).count()).unwrap_or(u64::MAX);
        is_next
    };
    let mut follows = follows;
    logs.ima_log.iter().take_while(|part| follows(part)).map(|(_, bytes)| bytes.as_slice()).collect()
}

fn matches(entry: &Entry<'_>, search: &str) -> bool {
    search.is_empty()
        || Text(entry.path()).to_string().contains(search)
        || file_digest(entry).is_some_and(|digest| digest.contains(search))
}

/// The finding of the last appraisal about the file of an entry, by path and digest.
fn about<'a>(findings: &'a [ApiFinding], entry: &Entry<'_>) -> Option<&'a ApiFinding> {
    let mut of_files = findings.iter().filter(|finding| finding.check == "runtime.file").peekable();
    of_files.peek()?;
    let path = format!("{} ", Text(entry.path()));
    let digest = file_digest(entry).unwrap_or_else(|| "no digest".to_owned());
    of_files.find(|finding| finding.actual == digest && finding.message.starts_with(&path))
}

#[cfg(test)]
mod tests {
    use evtpm_logs::ima::AsciiList;

    use super::*;

    fn list(paths: &[&str]) -> Vec<u8> {
        let line = |path: &&str| format!("10 {} ima-ng sha256:{} {path}\n", "11".repeat(20), "22".repeat(32));
        AsciiList::to_binary(paths.iter().map(line).collect::<String>().as_bytes()).unwrap()
    }

    fn shown(page: &ImaPage) -> Vec<(u64, &str)> {
        page.entries.iter().map(|entry| (entry.number, entry.path.as_str())).collect()
    }

    #[test]
    fn the_list_is_read_from_its_end_over_all_parts() {
        let ima_log = vec![(0, list(&["/a", "/b"])), (2, list(&["/c"]))];
        let logs = KeptLogs { event_log: None, ima_log };
        let page = ima(&logs, &[], &ImaQuery { limit: Some(2), ..ImaQuery::default() });
        assert_eq!((page.kept, page.matching, page.missing.as_deref()), (3, 3, None));
        assert_eq!(shown(&page), [(2, "/c"), (1, "/b")]);
        let page = ima(&logs, &[], &ImaQuery { search: "/b".into(), ..ImaQuery::default() });
        assert_eq!(shown(&page), [(1, "/b")]);
    }

    #[test]
    fn a_part_that_does_not_follow_is_not_shown_and_the_page_says_so() {
        let logs = KeptLogs { event_log: None, ima_log: vec![(0, list(&["/a"])), (5, list(&["/z"]))] };
        let page = ima(&logs, &[], &ImaQuery::default());
        assert_eq!(shown(&page), [(0, "/a")]);
        assert!(page.missing.is_some());
    }

    #[test]
    fn an_entry_carries_the_finding_of_its_own_path_and_digest() {
        let finding = |path: &str| ApiFinding {
            check: "runtime.file".into(),
            layer: "runtime".into(),
            severity: "failure".into(),
            message: format!("{path} is a file that the policy does not know."),
            expected: String::new(),
            actual: format!("sha256:{}", "22".repeat(32)),
            suggestion: String::new(),
        };
        let logs = KeptLogs { event_log: None, ima_log: vec![(0, list(&["/a", "/a/b"]))] };
        let page = ima(&logs, &[finding("/a")], &ImaQuery { flagged: 1, ..ImaQuery::default() });
        assert_eq!(shown(&page), [(0, "/a")]);
    }

    #[test]
    fn a_log_that_cannot_be_read_is_named_as_such() {
        let logs = KeptLogs { event_log: Some(vec![1, 2, 3]), ima_log: Vec::new() };
        assert!(boot_log(&logs).missing.is_some());
        assert!(boot_log(&KeptLogs::default()).missing.is_some());
    }
}
