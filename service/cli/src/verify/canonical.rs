// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Canonical logs in the form that firmware and IMA write; one that cannot be read is refused as the log that it stands for.

use evtpm_appraise::Layer;
use evtpm_logs::Error;
use evtpm_logs::cel::{Encoding, Log};
use evtpm_verify::logs::CryptoHashes;

use super::args::Evidence;
use super::chain::Verification;

/// Rewrites the logs of the evidence, and adds what userspace measured to what firmware measured.
pub(super) fn rewrite(verification: &mut Verification, evidence: &mut Evidence) {
    if let Some(log) = evidence.event_log.take() {
        match event_log(log, evidence.userspace_log.as_deref()) {
            Ok(log) => evidence.event_log = Some(log),
            Err(error) => verification.refuse("event log", Layer::Boot, &error),
        }
    }
    if let Some(list) = evidence.ima_log.take() {
        match ima_list(list) {
            Ok(Some(list)) => evidence.ima_log = Some(list),
            Ok(None) => verification.refuse("IMA list", Layer::Runtime, &"the canonical log has no records of IMA"),
            Err(error) => verification.refuse("IMA list", Layer::Runtime, &error),
        }
    }
}

fn event_log(log: Vec<u8>, userspace: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    let log = if Encoding::of(&log).is_some() { Log::parse(&log)?.to_event_log()? } else { log };
    match userspace {
        Some(userspace) => Log::parse(userspace)?.append_to_event_log(&log),
        None => Ok(log),
    }
}

fn ima_list(list: Vec<u8>) -> Result<Option<Vec<u8>>, Error> {
    match Encoding::of(&list) {
        Some(_) => Log::parse(&list)?.to_ima_list(&CryptoHashes),
        None => Ok(Some(list)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evtpm_logs::{EventLog, HashId};

    const USERSPACE: &str = "{\"pcr\":11,\"digests\":[{\"hashAlg\":\"sha1\",\"digest\":\"0707070707070707070707070707070707070707\"}],\
                             \"content_type\":\"systemd\",\"content\":{\"string\":\"sysinit\"}}";

    #[test]
    fn what_userspace_measured_stands_behind_what_firmware_measured() {
        let firmware = [[4, 0, 0, 0, 5, 0, 0, 0].as_slice(), &[1; 20], &[0; 4]].concat();
        let log = event_log(firmware.clone(), Some(USERSPACE.as_bytes())).unwrap();
        let events: Vec<_> = EventLog::parse(&log).unwrap().events().map(Result::unwrap).collect();
        assert_eq!(events.iter().map(|event| event.pcr).collect::<Vec<_>>(), [4, 11]);
        assert_eq!(events[1].digests().find(HashId::SHA1), Some([7; 20].as_slice()));
        assert!(event_log(firmware, Some(b"sysinit")).is_err());
    }

    #[test]
    fn a_canonical_log_without_records_of_ima_is_no_list() {
        assert_eq!(ima_list(USERSPACE.as_bytes().to_vec()), Ok(None));
        assert_eq!(ima_list(vec![10, 0, 0, 0]), Ok(Some(vec![10, 0, 0, 0])));
    }
}
