// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyCounterTimer` (Part 3, "TPM2_PolicyCounterTimer").

use super::authorization::{bind_timeout, seconds_after};
use super::comparison::holds;
use super::session::Evaluation;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyCounterTimer, PolicyCounterTimerHandles};
use evtpm_tpm_wire::{Marshal, Rc, Subject, TpmEo};

/// The size of a marshaled `TPMS_TIME_INFO`: time, clock, two counters, safe.
const TIME_INFO_SIZE: usize = 8 + 8 + 4 + 4 + 1;

impl Execute for PolicyCounterTimer {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyCounterTimerHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        if !evaluation.is_trial() {
            match expiration(&self) {
                Some(seconds) => limit_time(tpm, &mut evaluation, seconds)?,
                None => check(tpm, &self)?,
            }
        }

        let operand = self.operand_b.as_bytes();
        evaluation.extend(|digest| digest.counter_timer::<P::Crypto>(operand, self.offset, self.operation))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}

/// "If operation is TPM_EO_UNSIGNED_LT and the comparison is specifically against Time ... (offset = 0), then the
/// comparison value will indicate a time in seconds since the nonceTPM for the policy session was generated".
fn expiration(command: &PolicyCounterTimer) -> Option<u64> {
    let seconds = command.operand_b.as_bytes().try_into().map(u64::from_be_bytes).ok()?;
    (command.operation == TpmEo::UnsignedLt && command.offset == 0).then_some(seconds)
}

fn check<P: Platform>(tpm: &Tpm<P>, command: &PolicyCounterTimer) -> Result<(), Rc> {
    let mut bytes = [0; TIME_INFO_SIZE];
    let time_info = tpm.time_info().to_bytes(&mut bytes).map_err(|_| Rc::FAILURE)?;
    // "If offset is greater than the size of the marshaled TPMS_TIME_INFO structure, the TPM returns TPM_RC_VALUE."
    let rest = time_info.get(usize::from(command.offset)..).ok_or(Rc::VALUE.at(Subject::Parameter(2)))?;
    let operand = command.operand_b.as_bytes();
    // "If the number of octets to be compared overflows the TPMS_TIME_INFO structure, the TPM returns TPM_RC_RANGE."
    let compared = rest.get(..operand.len()).ok_or(Rc::RANGE)?;
    if holds(command.operation, compared, operand) { Ok(()) } else { Err(Rc::POLICY) }
}

/// "policySession→startTime is added. If the resulting value of limit is less than TPM Time, ... (TPM_RC_EXPIRED)."
///
/// "allowed to reject (TPM_RC_VALUE) an expiration value with a decimal value larger than 2,147,483,647": older TPMs do not.
fn limit_time<P: Platform>(tpm: &Tpm<P>, evaluation: &mut Evaluation, seconds: u64) -> Result<(), Rc> {
    let limit = seconds_after(evaluation.policy.started, seconds);
    bind_timeout(tpm, evaluation, Some(limit)).map_err(|rc| rc.at(Subject::Parameter(1)))
}
