// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the self-test commands, the generator and the clock.

use crate::testing::started;
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{Rc, Subject, TpmAlgId, TpmiRhProvision, TpmlAlg, YesNo};

#[test]
fn what_was_tested_leaves_the_list_of_what_is_to_do() {
    let mut tpm = started();
    let to_do = |tpm: &mut crate::testing::TestTpm, wanted: &[TpmAlgId]| {
        let to_test = TpmlAlg::from_slice(wanted).unwrap();
        tpm.send(&IncrementalSelfTest { to_test }, ()).unwrap().to_do_list
    };
    assert!(to_do(&mut tpm, &[]).contains(&TpmAlgId::SHA256));
    let rest = to_do(&mut tpm, &[TpmAlgId::SHA256]);
    assert!(!rest.contains(&TpmAlgId::SHA256) && rest.contains(&TpmAlgId::SHA384));
    tpm.send(&SelfTest { full_test: YesNo::Yes }, ()).unwrap();
    assert!(to_do(&mut tpm, &[]).is_empty());
    tpm.power_on();
    tpm.send(&Startup { startup_type: evtpm_tpm_wire::TpmSu::Clear }, ()).unwrap();
    assert!(to_do(&mut tpm, &[]).contains(&TpmAlgId::SHA256));
}

#[test]
fn a_tpm_that_works_reports_success() {
    let result = started().send(&GetTestResult {}, ()).unwrap();
    assert_eq!(result.test_result, Rc::SUCCESS);
}

#[test]
fn random_bytes_are_as_many_as_asked_up_to_a_digest() {
    let mut tpm = started();
    for (asked, given) in [(0, 0), (5, 5), (64, 64), (500, 64)] {
        let bytes = tpm.send(&GetRandom { bytes_requested: asked }, ()).unwrap().random_bytes;
        assert_eq!(bytes.len(), given);
    }
}

#[test]
fn stirring_changes_what_comes() {
    let draw = |stir: Option<&[u8]>| {
        let mut tpm = started();
        if let Some(data) = stir {
            let in_data = evtpm_tpm_wire::Tpm2bSensitiveData::new(data).unwrap();
            tpm.send(&StirRandom { in_data }, ()).unwrap();
        }
        tpm.send(&GetRandom { bytes_requested: 32 }, ()).unwrap().random_bytes
    };
    assert_eq!(draw(None), draw(None));
    assert_ne!(draw(Some(b"a")), draw(Some(b"b")));
    assert_ne!(draw(Some(b"a")), draw(None));
}

#[test]
fn a_noise_source_that_fails_later_fails_the_tpm() {
    let mut tpm = started();
    tpm.platform_mut().noise = crate::testing::TestNoise::Stuck(5);
    let in_data = evtpm_tpm_wire::Tpm2bSensitiveData::EMPTY;
    assert_eq!(tpm.send(&StirRandom { in_data }, ()), Err(Rc::FAILURE));
    assert!(matches!(tpm.phase(), crate::Phase::Failed(crate::Failure::Entropy(_))));
}

#[test]
fn the_clock_only_moves_forward() {
    let mut tpm = started();
    let mut set = |new_time| tpm.send(&ClockSet { new_time }, ClockSetHandles { auth: TpmiRhProvision::Owner });
    assert_eq!(set(1_000), Ok(()));
    assert_eq!(set(999), Err(Rc::VALUE.at(Subject::Parameter(1))));
    assert_eq!(set(0xFFFF_0000_0000_0001), Err(Rc::VALUE.at(Subject::Parameter(1))));
    tpm.platform_mut().now += 50;
    let info = tpm.send(&ReadClock {}, ()).unwrap().current_time;
    assert_eq!((info.time, info.clock_info.clock, info.clock_info.safe), (50, 1_050, YesNo::Yes));
}
