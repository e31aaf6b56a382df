// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ACT_SetTimeout` (Part 3, "TPM2_ACT_SetTimeout").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{ActSetTimeout, ActSetTimeoutHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for ActSetTimeout {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: ActSetTimeoutHandles) -> Result<(), Rc> {
        let time = tpm.clock.time();
        let timer = tpm.state.countdowns.at_mut(handles.act_handle.handle());
        let timer = timer.ok_or(Rc::VALUE.at(Subject::Handle(1)))?;

        // "When ACT Timeout is zero and the signaled attribute is SET, writing a startTimeout of FF FF FF FF will clear signaled
        // and stop the counting." As the reference: no timer is stopped that has yet to signal.
        if self.start_timeout == u32::MAX && !timer.signaled(time) {
            return Err(Rc::VALUE.at(Subject::Parameter(1)));
        }
        timer.set(self.start_timeout, time);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Locality;
    use crate::commands::ea::testing::{authorized, started_policy};
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::commands::*;
    use evtpm_tpm_wire::{
        Handle, HashAlg, Supported, Tpm2bAuth, Tpm2bDigest, TpmCap, TpmSu, TpmaAct, TpmiRhAct, TpmiRhBaseHierarchy,
        TpmiRhEnables, TpmiRhHierarchyAuth, TpmiRhHierarchyPolicy, TpmsActData, TpmsCapabilityData, YesNo,
    };
    use std::vec::Vec;

    fn act(number: u32) -> TpmiRhAct {
        TpmiRhAct::new(Handle(Handle::ACT_0.0 + number), &Supported::ALL).unwrap()
    }

    fn set(tpm: &mut TestTpm, number: u32, start_timeout: u32, password: &[u8]) -> Result<(), Rc> {
        let handles = ActSetTimeoutHandles { act_handle: act(number) };
        tpm.send_at(Locality::ZERO, &ActSetTimeout { start_timeout }, handles, &[password])
    }

    fn timers(tpm: &mut TestTpm, from: u32) -> Result<Vec<TpmsActData>, Rc> {
        let command = GetCapability { capability: TpmCap::Act, property: from, property_count: 16 };
        let TpmsCapabilityData::Act(list) = tpm.send(&command, ())?.capability_data else { panic!("timers") };
        Ok(list.to_vec())
    }

    #[test]
    fn the_capability_shows_the_seconds_left_and_the_signal() {
        let mut tpm = started();
        set(&mut tpm, 1, 10, b"").unwrap();
        let expected = |timeout, attributes| TpmsActData { handle: act(1).handle(), timeout, attributes };
        tpm.platform_mut().now += 4_000;
        assert_eq!(timers(&mut tpm, Handle::ACT_0.0 + 1).unwrap(), [expected(6, TpmaAct::NONE)]);
        tpm.platform_mut().now += 6_000;
        assert_eq!(timers(&mut tpm, Handle::ACT_0.0).unwrap()[1], expected(0, TpmaAct::SIGNALED));
        assert!(tpm.countdown_signaled(act(1).handle().0) && !tpm.countdown_signaled(act(0).handle().0));
        assert_eq!(timers(&mut tpm, 0), Err(Rc::VALUE.at(Subject::Parameter(2))));
    }

    #[test]
    fn the_platforms_password_sets_a_timer_while_its_hierarchy_is_enabled() {
        let mut tpm = started();
        let platform = HierarchyChangeAuthHandles { auth_handle: TpmiRhHierarchyAuth::Platform };
        tpm.send(&HierarchyChangeAuth { new_auth: Tpm2bAuth::new(b"fw").unwrap() }, platform).unwrap();
        assert_eq!(set(&mut tpm, 0, 5, b"no"), Err(Rc::BAD_AUTH.at(Subject::Session(1))));
        assert_eq!(set(&mut tpm, 0, 5, b"fw"), Ok(()));
        let control = HierarchyControl { enable: TpmiRhEnables::Platform, state: YesNo::No };
        let handles = HierarchyControlHandles { auth_handle: TpmiRhBaseHierarchy::Platform };
        tpm.send_at(Locality::ZERO, &control, handles, &[b"fw"]).unwrap();
        assert_eq!(set(&mut tpm, 0, 5, b"fw"), Err(Rc::AUTH_UNAVAILABLE));
    }

    #[test]
    fn each_timer_has_a_policy_of_its_own_until_the_next_startup_clear() {
        let (mut tpm, session) = started_policy();
        let auth_policy = Tpm2bDigest::zeros(32).unwrap();
        let owner = SetPrimaryPolicyHandles { auth_handle: TpmiRhHierarchyPolicy::Act(act(0)) };
        tpm.send(&SetPrimaryPolicy { auth_policy, hash_alg: Some(HashAlg::Sha256) }, owner).unwrap();
        let command = ActSetTimeout { start_timeout: 1 };
        let by_policy = |tpm: &mut TestTpm, number| {
            authorized(tpm, session, &[], &command, ActSetTimeoutHandles { act_handle: act(number) })
        };
        assert_eq!(by_policy(&mut tpm, 0), Ok(()));
        assert_eq!(by_policy(&mut tpm, 1), Err(Rc::AUTH_UNAVAILABLE));
        tpm.send(&Shutdown { shutdown_type: TpmSu::State }, ()).unwrap();
        tpm.power_on();
        tpm.send(&Startup { startup_type: TpmSu::Clear }, ()).unwrap();
        assert_eq!(tpm.countdown(act(0).handle()).unwrap().policy, None);
        assert_eq!(timers(&mut tpm, Handle::ACT_0.0).unwrap()[0].timeout, 0);
    }

    #[test]
    fn a_timer_counts_on_after_a_resume() {
        let mut tpm = started();
        set(&mut tpm, 0, 100, b"").unwrap();
        tpm.platform_mut().now += 30_000;
        tpm.send(&Shutdown { shutdown_type: TpmSu::State }, ()).unwrap();
        tpm.power_on();
        tpm.platform_mut().now += 500_000;
        tpm.send(&Startup { startup_type: TpmSu::State }, ()).unwrap();
        assert_eq!(timers(&mut tpm, Handle::ACT_0.0).unwrap()[0].timeout, 70);
    }

    #[test]
    fn a_timer_is_stopped_when_it_has_signaled() {
        let mut tpm = started();
        let refused = Err(Rc::VALUE.at(Subject::Parameter(1)));
        assert_eq!(set(&mut tpm, 0, u32::MAX, b""), refused);
        set(&mut tpm, 0, 10, b"").unwrap();
        assert_eq!(set(&mut tpm, 0, u32::MAX, b""), refused);
        tpm.platform_mut().now += 10_000;
        set(&mut tpm, 0, u32::MAX, b"").unwrap();
        assert!(!tpm.countdown_signaled(act(0).handle().0));
    }

    #[test]
    fn a_timer_that_this_tpm_does_not_have_is_a_value_error() {
        assert_eq!(set(&mut started(), 2, 1, b""), Err(Rc::VALUE.at(Subject::Handle(1))));
    }
}
